package protocol

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	mediaType  = "application/scim+json"
	listSchema = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
)

func (s *Server) create(r *request, kind store.Kind) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	created, err := s.directory.Create(r.context(), r.caller, kind, body)
	if err != nil {
		return err
	}
	if kind == store.Group {
		// Members that arrived with the group are read back as they were stored.
		if created, err = s.directory.Get(r.context(), kind, created.ID, s.wants(r, kind)); err != nil {
			return err
		}
	}
	r.out.Header().Set("Location", s.location(r, kind, created.ID))
	return s.answer(r, http.StatusCreated, created)
}

func (s *Server) get(r *request, kind store.Kind) error {
	found, err := s.directory.Get(r.context(), kind, r.http.PathValue("id"), s.wants(r, kind))
	if err != nil {
		return err
	}
	return s.answer(r, http.StatusOK, found)
}

func (s *Server) replace(r *request, kind store.Kind) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	id := r.http.PathValue("id")
	if _, err := s.directory.Replace(r.context(), r.caller, kind, id, body); err != nil {
		return err
	}
	return s.get(r, kind)
}

func (s *Server) patch(r *request, kind store.Kind) error {
	body, err := r.body()
	if err != nil {
		return err
	}
	parsed, err := patch.Parse(s.directory.Type(kind), body)
	if err != nil {
		return err
	}
	s.metrics.quirks(parsed.Quirks)
	if _, err := s.directory.Patch(r.context(), r.caller, kind, r.http.PathValue("id"), parsed); err != nil {
		return err
	}
	// RFC 7644 section 3.5.2: with attributes asked for, the answer has them. Otherwise there is nothing to say, and a
	// group's members need not be read for one that was added.
	if len(names(r.http, "attributes")) > 0 || len(names(r.http, "excludedAttributes")) > 0 {
		return s.get(r, kind)
	}
	r.out.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) delete(r *request, kind store.Kind) error {
	if err := s.directory.Delete(r.context(), r.caller, kind, r.http.PathValue("id")); err != nil {
		return err
	}
	r.out.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) list(r *request, kind store.Kind) error {
	start, err := number(r.http, "startIndex", 1)
	if err != nil {
		return err
	}
	count, err := number(r.http, "count", DefaultCount)
	if err != nil {
		return err
	}
	start, count = max(start, 1), min(max(count, 0), MaxCount)
	list, err := s.directory.List(r.context(), kind, directory.Query{
		Filter: r.http.URL.Query().Get("filter"), Offset: start - 1, Limit: count, Want: s.wants(r, kind),
	})
	if err != nil {
		return err
	}
	// An empty list is [] and never null, which Entra cannot read.
	resources := make([]any, 0, len(list.Resources))
	for _, found := range list.Resources {
		rendered, err := s.render(r, found)
		if err != nil {
			return err
		}
		resources = append(resources, rendered)
	}
	write(r.out, http.StatusOK, schema.Object{
		"schemas": []any{listSchema}, "totalResults": list.Total, "startIndex": start,
		"itemsPerPage": len(resources), "Resources": resources,
	})
	return nil
}

// object reads the body as one JSON object.
func (r *request) object() (schema.Object, error) {
	data, err := r.body()
	if err != nil {
		return nil, err
	}
	return schema.Decode(data)
}

// wants tells which memberships the answer needs, so that excludedAttributes=members reads none.
func (s *Server) wants(r *request, kind store.Kind) directory.Related {
	attributes, excluded := names(r.http, "attributes"), names(r.http, "excludedAttributes")
	rt := s.directory.Type(kind)
	return directory.Related{
		Members: kind == store.Group && rt.Wants(attributes, excluded, "members"),
		Groups:  kind == store.User && rt.Wants(attributes, excluded, "groups"),
	}
}

func (s *Server) answer(r *request, status int, found directory.Resource) error {
	rendered, err := s.render(r, found)
	if err != nil {
		return err
	}
	r.out.Header().Set("ETag", directory.Version(found.Version))
	write(r.out, status, rendered)
	return nil
}

// render adds what the server makes to a resource, and leaves out what the client does not want.
func (s *Server) render(r *request, found directory.Resource) (schema.Object, error) {
	rt := s.directory.Type(found.Kind)
	obj := found.Attributes
	if len(found.Members) > 0 {
		members := make([]any, len(found.Members))
		for i, m := range found.Members {
			members[i] = schema.Object{"value": m.ID, "type": m.Kind.String(), "$ref": s.location(r, m.Kind, m.ID)}
		}
		obj["members"] = members
	}
	if len(found.Groups) > 0 {
		groups := make([]any, len(found.Groups))
		for i, g := range found.Groups {
			groups[i] = schema.Object{
				"value": g.Group, "display": g.Display, "type": "direct", "$ref": s.location(r, store.Group, g.Group),
			}
		}
		obj["groups"] = groups
	}
	obj["schemas"] = rt.Schemas(obj)
	obj["id"] = found.ID
	obj["meta"] = schema.Object{
		"resourceType": rt.Name,
		"created":      found.Created.UTC().Format(time.RFC3339Nano),
		"lastModified": found.Modified.UTC().Format(time.RFC3339Nano),
		"location":     s.location(r, found.Kind, found.ID),
		"version":      directory.Version(found.Version),
	}
	return rt.Project(obj, names(r.http, "attributes"), names(r.http, "excludedAttributes"))
}

func (s *Server) location(r *request, kind store.Kind, id string) string {
	return r.base + s.directory.Type(kind).Endpoint + "/" + id
}

// write sends a body. Nothing can be done about a client that has gone away.
func write(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"schemas":["`+errorSchema+`"],"status":"500","detail":"the answer could not be encoded"}`)
	}
	w.Header().Set("Content-Type", mediaType+"; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
