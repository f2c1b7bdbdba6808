// Package directory is what one tenant's directory means: users, groups and memberships with their uniqueness and
// versions, the defaults that users receive, and the provisioning log. It knows nothing of HTTP, and of storage only
// the store interface.
package directory

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Directory is one tenant's users and groups. Its methods may be called from any number of goroutines.
type Directory struct {
	store store.Store
	now   func() time.Time
	newID func() (uuid.UUID, error)

	types    atomic.Pointer[types]
	recalled atomic.Pointer[types] // see Recall
	catalog  *v1alpha1.Catalog     // see Options
	rules    atomic.Pointer[rules]
	rulesNew chan struct{}
	good     atomic.Pointer[goodDefaults] // when the rules were made
	// followed is what every user was last held against, as far as this replica knows; walking tells that it does so just now.
	followed  atomic.Pointer[rules]
	walking   atomic.Bool
	overtaken overtaken

	committed    *broadcast
	recent       recent
	failures     *failures
	logRetention atomic.Int64 // time.Duration
	purgeAfter   atomic.Int64 // time.Duration
}

// Options are what a Directory is made of.
type Options struct {
	Store store.Store
	// Now is the clock.
	Now func() time.Time
	// Catalog is that of the tenant, in which the companies of restored users must stand. Nil where it is not known.
	Catalog *v1alpha1.Catalog
}

// New returns a directory over a store. It has no defaults until FollowDefaults, and no declared schemas until SetSchemas.
func New(o Options) *Directory {
	committed := &broadcast{}
	d := &Directory{
		store:     announcing{o.Store, committed},
		catalog:   o.Catalog,
		newID:     uuid.NewV7,
		rulesNew:  make(chan struct{}, 1),
		committed: committed,
		failures:  newFailures(),
		recent:    recent{reading: make(chan struct{}, 1)},
	}
	// A client must read later the same time that it is told at once, whatever precision a store keeps.
	d.now = func() time.Time { return o.Now().UTC().Truncate(time.Millisecond) }
	d.rules.Store(&rules{})
	d.types.Store(declarations{}.types())
	return d
}

// types are the resource types at one time.
type types struct {
	users, groups *schema.ResourceType
	// generation is that of the declarations, "" where there were never any.
	generation string
	// declared begin the names of their attributes, one for each schema.
	declared []string
	// refused are the declarations that contradict stored values.
	refused []v1alpha1.RefusedSchema
	// lasting is users with the attributes that are no longer declared, for defaults that were good while they were.
	lasting *schema.ResourceType
}

// Type returns the resource type of a kind. SetSchemas may put another in its place at any time, so whoever needs one
// more than once for a request keeps it.
func (d *Directory) Type(kind store.Kind) *schema.ResourceType {
	return d.types.Load().of(kind)
}

func (t *types) of(kind store.Kind) *schema.ResourceType {
	if kind == store.Group {
		return t.groups
	}
	return t.users
}

// Caller is who asks for a change, for the provisioning log.
type Caller struct {
	// Client is the ID of the credential.
	Client string
	// RequestID is the ID of the request.
	RequestID string
}

// Resource is one user or group as a client may see it.
type Resource struct {
	Kind     store.Kind
	ID       string
	Version  int64
	Created  time.Time
	Modified time.Time
	// Document is a JSON object of the client's attributes and the defaults'; those that the server makes (id, meta,
	// schemas, members, groups) are not among them. It is ready to be sent and must not be modified.
	Document []byte
	// Quirks are the accommodations that a PUT or PATCH needed and only the resource showed the need of.
	Quirks []string
	// ungrouped says that no group had the resource as a direct member when it was read; false, that nobody looked.
	ungrouped bool
	// UnknownMembers is how many members of a group were left out of a write because they do not exist.
	UnknownMembers int
}

// Membership is one group that a resource is a direct member of.
type Membership struct {
	Group   string
	Display string
}

// resource turns a stored record into what a client may see.
func (d *Directory) resource(rec *store.Record) (Resource, error) {
	r := Resource{
		Kind: rec.Kind, ID: rec.ID, Version: rec.Version, Created: rec.Created, Modified: rec.Modified,
		Document: rec.Document, ungrouped: rec.Ungrouped,
	}
	rt := d.Type(rec.Kind)
	if len(rec.Overlay) > 0 || rt.Conceals() {
		attributes, err := effective(rec)
		if err != nil {
			return Resource{}, err
		}
		if r.Document, err = schema.Encode(rt.Conceal(attributes)); err != nil {
			return Resource{}, fmt.Errorf("encode %s %s: %w", rec.Kind, rec.ID, err)
		}
	}
	return r, nil
}

// effective returns the client's values and, where the client has none, those that follow a UserDefaults.
func effective(rec *store.Record) (schema.Object, error) {
	document, err := schema.Decode(rec.Document)
	if err != nil {
		return nil, fmt.Errorf("stored %s %s: %w", rec.Kind, rec.ID, err)
	}
	return overlaid(rec, document)
}

// overlaid lays the values that follow a UserDefaults under a record's document, which it does not modify.
func overlaid(rec *store.Record, document schema.Object) (schema.Object, error) {
	overlay, err := overlayOf(rec)
	if err != nil {
		return nil, err
	}
	return laid(overlay, document), nil
}

// overlayOf returns the values that follow a UserDefaults, nil for none.
func overlayOf(rec *store.Record) (schema.Object, error) {
	if len(rec.Overlay) == 0 {
		return nil, nil
	}
	overlay, err := schema.Decode(rec.Overlay)
	if err != nil {
		return nil, fmt.Errorf("stored defaults of %s %s: %w", rec.Kind, rec.ID, err)
	}
	return overlay, nil
}

// uniqueAttribute is the attribute that names a resource of a kind, whose key store.Record.Key is: what Entra matches on.
func uniqueAttribute(kind store.Kind) string {
	if kind == store.Group {
		return "displayName"
	}
	return "userName"
}

// fill writes everything into rec that follows from the client's values: the unique key, the narrow columns, the
// defaults that apply and the index. The record's identity, version and times are the caller's. It returns the attributes
// as a client will see them.
func (d *Directory) fill(rec *store.Record, document schema.Object, rules *rules, arriving bool) (seen schema.Object, err error) {
	key, _ := document[uniqueAttribute(rec.Kind)].(string)
	if key == "" {
		return nil, schema.Errorf(schema.InvalidValue, "%s is required and must not be empty", uniqueAttribute(rec.Kind)).
			About(uniqueAttribute(rec.Kind))
	}
	rec.Key = schema.FoldName(key)
	rec.ExternalID, _ = document["externalId"].(string)
	for name, value := range map[string]string{uniqueAttribute(rec.Kind): rec.Key, "externalId": rec.ExternalID} {
		if len(value) > store.MaxKey {
			return nil, schema.Errorf(schema.InvalidValue, "%s is longer than %d bytes", name, store.MaxKey).About(name)
		}
	}
	rec.Active = true
	if rec.Kind == store.User {
		complete(document)
		rec.Active, _ = document["active"].(bool)
	}

	seen = document
	carried, err := overlayOf(rec)
	if err != nil {
		return nil, err
	}
	rec.Overlay = nil
	if rec.Kind == store.User {
		overlay := rules.apply(rec, document, carried, arriving)
		if overlay != nil {
			seen = laid(overlay, document)
			encoded, err := schema.Encode(overlay)
			if err != nil {
				return nil, fmt.Errorf("encode defaults: %w", err)
			}
			rec.Overlay = encoded
		}
	}
	encoded, err := schema.Encode(document)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", rec.Kind, err)
	}
	rec.Document = encoded
	rec.Index = d.Type(rec.Kind).IndexKeys(seen)
	return seen, nil
}

// complete gives a user what RFC 7643 leaves to the server: one that arrives without active is one that may sign in.
func complete(user schema.Object) {
	if _, given := user["active"].(bool); !given {
		user["active"] = true
	}
}

// forFilter is the object that a filter is evaluated on: with the attributes that the server makes.
func (d *Directory) forFilter(rec *store.Record, attributes schema.Object) schema.Object {
	attributes["id"] = rec.ID
	schemas := d.Type(rec.Kind).Schemas(rec.Document)
	urns := make([]any, len(schemas))
	for i, urn := range schemas {
		urns[i] = urn
	}
	attributes["schemas"] = urns
	attributes["meta"] = schema.Object{
		"resourceType": rec.Kind.String(),
		"created":      rec.Created.UTC().Format(time.RFC3339Nano),
		"lastModified": rec.Modified.UTC().Format(time.RFC3339Nano),
		"version":      Version(rec.Version),
	}
	return attributes
}

// Version is a resource's version as an entity tag (RFC 7644 section 3.14).
func Version(version int64) string {
	return `W/"` + strconv.FormatInt(version, 10) + `"`
}
