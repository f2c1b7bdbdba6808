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
	groups   schema.Extent
	members  schema.Extent
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
		rt: rt, projection: projection, chosen: len(attributes)+len(excluded) > 0, document: projection.OfDocument(),
		meta: projection.Of("meta"), groups: schema.Nothing, members: schema.Nothing,
	}
	if kind == store.Group {
		v.members = projection.Of("members")
	} else {
		v.groups = projection.Of("groups")
	}
	v.wants = directory.Related{Members: v.members != schema.Nothing, Groups: v.groups != schema.Nothing}
	r.views[kind] = v
	return v, nil
}

func (s *Server) show(r *request, shown *view, found *directory.Resource) error {
	rendered, err := s.render(r, shown, found)
	if err != nil {
		return err
	}
	r.out.Header().Set("ETag", directory.Version(found.Version))
	send(r.out, http.StatusOK, rendered)
	return nil
}

// made is what the server adds to a resource.
type made struct {
	Schemas []string `json:"schemas"`
	ID      string   `json:"id"`
	Meta    *meta    `json:"meta,omitempty"`
	// Members is [] for a group that has none: without the attribute, some clients take it that this server does not show members.
	Members []related `json:"members,omitzero"`
	Groups  []related `json:"groups,omitempty"`
}

type meta struct {
	ResourceType string    `json:"resourceType"`
	Created      time.Time `json:"created"`
	LastModified time.Time `json:"lastModified"`
	Location     string    `json:"location"`
	Version      string    `json:"version"`
}

// related is a member of a group, or a group of a user.
type related struct {
	Value   string `json:"value"`
	Display string `json:"display,omitempty"`
	Type    string `json:"type"`
	Ref     string `json:"$ref"`
}

// render is the JSON of a resource, with what the server makes and without what the client does not want. What is stored is sent as it
// is, without being read, unless the client wants a part of it.
func (s *Server) render(r *request, shown *view, found *directory.Resource) ([]byte, error) {
	own := made{Schemas: shown.rt.Schemas(found.Document), ID: found.ID}
	if shown.meta != schema.Nothing {
		own.Meta = &meta{
			ResourceType: shown.rt.Name, Created: found.Created.UTC(), LastModified: found.Modified.UTC(),
			Location: s.location(r, found.Kind, found.ID), Version: directory.Version(found.Version),
		}
	}
	if found.Members != nil {
		own.Members = make([]related, 0, len(found.Members))
	}
	for _, m := range found.Members {
		own.Members = append(own.Members, related{Value: m.ID, Type: m.Kind.String(), Ref: s.location(r, m.Kind, m.ID)})
	}
	for _, g := range found.Groups {
		own.Groups = append(own.Groups, related{
			Value: g.Group, Display: g.Display, Type: "direct", Ref: s.location(r, store.Group, g.Group),
		})
	}
	encoded, err := json.Marshal(own)
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", found.Kind, found.ID, err)
	}
	if shown.meta == schema.Part || shown.groups == schema.Part || shown.members == schema.Part {
		if encoded, err = shown.part(encoded); err != nil {
			return nil, err
		}
	}
	document := found.Document
	switch shown.document {
	case schema.Nothing:
		return encoded, nil
	case schema.Part:
		if document, err = shown.part(document); err != nil {
			return nil, fmt.Errorf("stored %s %s: %w", found.Kind, found.ID, err)
		}
	}
	return joined(encoded, document), nil
}

// part is what is shown of a JSON object.
func (v *view) part(object []byte) ([]byte, error) {
	decoded, err := schema.Decode(object)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v.projection.Apply(decoded))
}

// joined is the JSON object with the members of two, the first of which is not empty.
func joined(a, b []byte) []byte {
	if string(b) == "{}" {
		return a
	}
	out := make([]byte, 0, len(a)+len(b))
	out = append(out, a[:len(a)-1]...)
	return append(append(out, ','), b[1:]...)
}
