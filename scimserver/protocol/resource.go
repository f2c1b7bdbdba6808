package protocol

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	mediaType   = "application/scim+json"
	contentType = mediaType + "; charset=utf-8"
)

func (s *Server) create(r *request, kind store.Kind) error {
	shown, err := s.view(r, kind)
	if err != nil {
		return err
	}
	body, err := r.object()
	if err != nil {
		return err
	}
	arrived, err := s.canonical(kind, body)
	if err != nil {
		return err
	}
	created, err := s.directory.Create(r.context(), r.caller, kind, arrived)
	if err != nil {
		return err
	}
	s.noted(r, &created)
	r.out.Header().Set("Location", s.location(r, kind, created.ID))
	want := shown.wants
	want.Groups = false // of a resource this young there are none
	return s.wrote(r, created, shown, want)
}

func (s *Server) get(r *request, kind store.Kind) error {
	shown, target, err := s.reading(r, kind)
	if err != nil {
		return err
	}
	found, err := s.directory.Get(r.context(), target)
	if err != nil {
		return unlessUnchanged(r, err)
	}
	return s.show(r, shown, &found)
}

func (s *Server) replace(r *request, kind store.Kind) error {
	target, err := r.target(kind)
	if err != nil {
		return err
	}
	shown, err := s.view(r, kind)
	if err != nil {
		return err
	}
	body, err := r.object()
	if err != nil {
		return err
	}
	replaced, err := s.put(r, target, body)
	if err != nil {
		return err
	}
	s.noted(r, &replaced)
	return s.wrote(r, replaced, shown, shown.wants)
}

func (s *Server) patch(r *request, kind store.Kind) error {
	target, err := r.target(kind)
	if err != nil {
		return err
	}
	shown, err := s.view(r, kind)
	if err != nil {
		return err
	}
	body, err := r.body()
	if err != nil {
		return err
	}
	parsed, err := patch.Parse(s.directory.Type(kind), body)
	if err != nil {
		return err
	}
	s.metrics.quirks(parsed.Quirks)
	patched, err := s.directory.Patch(r.context(), r.caller, target, parsed)
	if err != nil {
		return err
	}
	s.noted(r, &patched)
	return s.wrote(r, patched, shown, shown.wants)
}

func (s *Server) delete(r *request, kind store.Kind) error {
	target, err := r.target(kind)
	if err != nil {
		return err
	}
	if err := s.directory.Delete(r.context(), r.caller, target); err != nil {
		return err
	}
	sendNothing(r.out, http.StatusNoContent)
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

// put carries out a PUT of a resource in the form that the client sent.
func (s *Server) put(r *request, target directory.Target, body schema.Object) (directory.Resource, error) {
	arrived, err := s.canonical(target.Kind, body)
	if err != nil {
		return directory.Resource{}, err
	}
	return s.directory.Replace(r.context(), r.caller, target, arrived, s.directory.Type(target.Kind).Named(body))
}

// canonical reads a whole resource, and counts what had to be made of it.
func (s *Server) canonical(kind store.Kind, body schema.Object) (schema.Object, error) {
	resource, lenience, err := s.directory.Type(kind).Normalize(body)
	s.metrics.quirks(lenience.Quirks())
	return resource, err
}

// noted counts what had to be made of a write, and logs how many members it named that do not exist. It names none of them:
// what stands in the place of an id may be a person's name.
func (s *Server) noted(r *request, written *directory.Resource) {
	s.metrics.quirks(written.Quirks)
	if written.UnknownMembers == 0 {
		return
	}
	s.metrics.quirks([]string{patch.QuirkUnknownMember})
	r.log().Info("members of a group were left out because they do not exist", "group", written.ID, "members", written.UnknownMembers)
}

func (s *Server) location(r *request, kind store.Kind, id string) string {
	return r.base + s.directory.Type(kind).Endpoint + "/" + id
}

// below tells what stands before the id in the URL of a resource of a kind.
func (s *Server) below(r *request) func(store.Kind) string {
	return func(kind store.Kind) string { return s.location(r, kind, "") }
}

// write encodes a body and sends it.
func write(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"schemas":["`+errorSchema+`"],"status":"500","detail":"the answer could not be encoded"}`)
	}
	send(w, status, data)
}

// send sends a body of JSON. Nothing can be done about a client that has gone away.
func send(w http.ResponseWriter, status int, data []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

// sendNothing sends a success without a body. It has the media type of other answers all the same (RFC 9110 section 15.3.5): some clients
// take an answer without it for one that is no SCIM, and so for a failure.
func sendNothing(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
}
