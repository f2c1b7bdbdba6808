package protocol

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	// MaxChosen is how many names attributes and excludedAttributes can have each. Each name is looked up in each resource type.
	MaxChosen = 256
	// MaxChoice is how many bytes these names can have together: as many names behind the URN of a schema fit.
	MaxChoice = 16 << 10
)

// view is what the answer to a request shows of the resources of one kind. It is made once for the request, whatever the number of
// resources, and keeps the resource type as it was then.
type view struct {
	rt         *schema.ResourceType
	projection schema.Projection
	// chosen tells whether the client named attributes.
	chosen bool
	// wants are the memberships that are shown, so that excludedAttributes=members reads none.
	wants    directory.Related
	document schema.Extent // of what is stored
	meta     schema.Extent
	elements parts // of members or groups
}

// view returns what the answer shows of a kind. Its error comes before anything is written: a client that is refused for what it wants
// to see must not find it done.
func (s *Server) view(r *request, kind store.Kind) (*view, error) {
	if made := r.views[kind]; made != nil {
		return made, nil
	}
	rt := s.directory.Type(kind)
	attributes, excluded := r.query["attributes"], r.query["excludedAttributes"]
	projection, err := rt.Projection(attributes, excluded)
	if err != nil {
		return nil, err
	}
	v := &view{
		rt: rt, projection: projection, chosen: len(attributes)+len(excluded) > 0, document: projection.OfDocument(), meta: schema.Whole,
		wants: directory.Related{Members: kind == store.Group, Groups: kind == store.User}, elements: parts{true, true, true, true},
	}
	if v.chosen {
		attribute := "members"
		if kind == store.User {
			attribute = "groups"
		}
		v.meta = projection.Of("meta")
		v.wants.Members = v.wants.Members && projection.Wants(attribute)
		v.wants.Groups = v.wants.Groups && projection.Wants(attribute)
		v.elements = parts{
			value: projection.Wants(attribute + ".value"), display: projection.Wants(attribute + ".display"),
			kind: projection.Wants(attribute + ".type"), ref: projection.Wants(attribute + ".$ref"),
		}
	}
	if kind == store.Group {
		v.elements.display = false // of a member no more is stored than its id
	}
	r.views[kind] = v
	return v, nil
}

func (s *Server) show(r *request, shown *view, found *directory.Resource) error {
	return s.send(&answer{request: r, status: http.StatusOK, version: directory.Version(found.Version)}, shown, found, shown.wants)
}

// send makes and sends an answer that is one resource.
func (s *Server) send(a *answer, shown *view, found *directory.Resource, want directory.Related) error {
	one := []directory.Resource{*found}
	if err := a.request.holds(a.request.weight(one)); err != nil {
		return err
	}
	return a.end(s.render(a, shown, found, s.directory.Memberships(one, want, a.request.mayHold)))
}

// made is what the server adds to a resource.
type made struct {
	Schemas []string `json:"schemas"`
	ID      string   `json:"id"`
	Meta    *meta    `json:"meta,omitempty"`
}

type meta struct {
	ResourceType string    `json:"resourceType"`
	Created      time.Time `json:"created"`
	LastModified time.Time `json:"lastModified"`
	Location     string    `json:"location"`
	Version      string    `json:"version"`
}

// render adds the JSON of a resource to an answer, with what the server makes and without what the client does not want. What is stored
// is sent as it is, without being read, unless the client wants a part of it. Memberships come last, as they are read.
func (s *Server) render(a *answer, shown *view, found *directory.Resource, memberships *directory.Memberships) error {
	own := made{Schemas: shown.rt.Schemas(found.Document), ID: found.ID}
	if shown.meta != schema.Nothing {
		own.Meta = &meta{
			ResourceType: shown.rt.Name, Created: found.Created.UTC(), LastModified: found.Modified.UTC(),
			Location: s.location(a.request, found.Kind, found.ID), Version: directory.Version(found.Version),
		}
	}
	encoded, err := json.Marshal(own)
	if err == nil && shown.meta == schema.Part {
		encoded, err = shown.part(encoded)
	}
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", found.Kind, found.ID, err)
	}
	a.made = append(a.made, encoded[:len(encoded)-1]...)
	document := found.Document
	if shown.document != schema.Whole {
		a.request.pay(&a.request.taken, len(document))
	}
	switch shown.document {
	case schema.Nothing:
		document = nil
	case schema.Part:
		if document, err = shown.part(document); err != nil {
			return fmt.Errorf("stored %s %s: %w", found.Kind, found.ID, err)
		}
	}
	if len(document) > len("{}") {
		a.made = append(append(a.made, ','), document[1:len(document)-1]...)
	}
	list := &elements{server: s, answer: a, shown: shown.elements}
	switch {
	case found.Kind == store.Group && shown.wants.Members:
		list.name = "members"
		err = list.end(memberships.Members(a.request.context(), found.ID, list.members))
	case found.Kind == store.User && shown.wants.Groups:
		list.name = "groups"
		err = list.end(memberships.Groups(a.request.context(), found.ID, list.groups))
	}
	if err != nil {
		return err
	}
	a.made = append(a.made, '}')
	return a.flow()
}

// part is what is shown of a JSON object.
func (v *view) part(object []byte) ([]byte, error) {
	decoded, err := schema.Decode(object)
	if err != nil {
		return nil, err
	}
	return schema.Encode(v.projection.Apply(decoded))
}
