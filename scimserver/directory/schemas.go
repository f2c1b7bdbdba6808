package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// declarations are the extension schemas that a directory knows. The store keeps them, so that a declaration can be held
// against the one that stored values were written by, also after a restart.
type declarations struct {
	// Declared are those in force.
	Declared []v1alpha1.SchemaExtension `json:"declared,omitempty"`
	// Former have the attributes that are no longer declared, and of which values may be stored.
	Former []v1alpha1.SchemaExtension `json:"former,omitempty"`
}

// SetSchemas puts the schemas that the tenant declares in the place of those before. Requests that have begun go on with
// the ones they began with. A declaration that contradicts stored values is not followed: the definition before it stays
// in force, and Status tells why. With an error, the store's or that the schemas in it were changed meanwhile, nothing has
// changed. It must not be called by several goroutines at a time.
func (d *Directory) SetSchemas(ctx context.Context, declared []v1alpha1.SchemaExtension) error {
	kept, err := d.store.Meta(ctx, store.MetaSchemas)
	if err != nil {
		return fmt.Errorf("read which schemas were declared: %w", err)
	}
	known, err := parseDeclarations(kept)
	if err != nil {
		return err
	}
	changing, err := d.hold(ctx, kept, known, declared)
	if err != nil {
		return fmt.Errorf("announce that the declared schemas change: %w", err)
	}
	next, refused, err := d.decide(ctx, known, declared)
	if err != nil {
		return fmt.Errorf("hold the declared schemas against the stored values: %w", errors.Join(err, d.letGo(ctx, changing)))
	}
	encoded, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode the declared schemas: %w", err)
	}
	stands := string(encoded)
	if kept == "" && len(next.Declared) == 0 {
		stands = ""
	}
	if err := d.remember(ctx, kept, stands, changing); err != nil {
		return fmt.Errorf("remember which schemas are declared: %w", err)
	}
	current := next.types()
	current.refused, current.generation = refused, generation(stands)
	d.types.Store(current)
	return nil
}

// errOvertaken says that the schemas in the store are no longer those that the new ones follow from.
var errOvertaken = errors.New("another replica or an import brought others meanwhile")

// remember puts declarations in the place of those that they follow from. An import may have brought its own since they were read:
// to overwrite them would be to forget what its values are. changing is what hold returned.
func (d *Directory) remember(ctx context.Context, before, after, changing string) error {
	if after == before {
		current, err := d.store.Meta(ctx, generationKey)
		if err != nil || current == generation(after) {
			return err
		}
	}
	return d.store.Update(ctx, func(tx store.Tx) error {
		current, err := tx.Meta(ctx, generationKey)
		if err != nil {
			return err
		}
		switch stands, err := tx.Meta(ctx, store.MetaSchemas); {
		case err != nil:
			return err
		case stands != before && stands != after, changing != "" && current != changing && current != generation(after):
			return errOvertaken
		}
		if err := tx.SetMeta(ctx, generationKey, generation(after)); err != nil {
			return err
		}
		return tx.SetMeta(ctx, store.MetaSchemas, after)
	})
}

// Recall puts the schemas in force that an export kept, the text of store.MetaSchemas, so that Restore knows them.
func (d *Directory) Recall(kept string) error {
	known, err := parseDeclarations(kept)
	if err == nil {
		err = known.check()
	}
	if err != nil {
		return err
	}
	current := known.types()
	current.generation = generation(kept)
	d.types.Store(current)
	d.recalled.Store(known.restored())
	return nil
}

func parseDeclarations(kept string) (declarations, error) {
	var known declarations
	if kept == "" {
		return known, nil
	}
	if err := json.Unmarshal([]byte(kept), &known); err != nil {
		return declarations{}, fmt.Errorf("read which schemas were declared: %w", err)
	}
	return known, nil
}

// types are the resource types with these schemas.
func (d declarations) types() *types {
	of := func(kind v1alpha1.ExtendedResourceType) []*schema.Schema {
		return append(definitions(d.Declared, kind, false), definitions(d.Former, kind, true)...)
	}
	t := &types{users: schema.User(of(v1alpha1.ExtendedUser)...), groups: schema.Group(of(v1alpha1.ExtendedGroup)...)}
	for _, extension := range slices.Concat(d.Declared, d.Former) {
		t.declared = append(t.declared, extension.ID+":")
	}
	t.lasting = t.users
	if len(d.Former) > 0 {
		t.lasting = d.restored().users
	}
	return t
}

// restored are the resource types of stored values: with the attributes that are no longer declared. Nobody has to give these any more.
func (d declarations) restored() *types {
	of := func(kind v1alpha1.ExtendedResourceType) []*schema.Schema {
		former := definitions(d.Former, kind, false)
		for _, s := range former {
			for _, a := range s.Attributes {
				a.Required = false
			}
		}
		return append(definitions(d.Declared, kind, false), former...)
	}
	return &types{users: schema.User(of(v1alpha1.ExtendedUser)...), groups: schema.Group(of(v1alpha1.ExtendedGroup)...)}
}

// Refused says why declarations are not followed, by the ids of their schemas.
func (d *Directory) Refused() map[string]string {
	reasons := map[string]string{}
	for _, refused := range d.types.Load().refused {
		reasons[refused.ID] = refused.Message
	}
	return reasons
}

// decide works out what is in force from what was and what is declared now.
func (d *Directory) decide(ctx context.Context, known declarations, declared []v1alpha1.SchemaExtension) (
	next declarations, refused []v1alpha1.RefusedSchema, err error,
) {
	for _, extension := range declared {
		before := known.of(extension.ID)
		reason, err := d.contradiction(ctx, before, extension)
		if err != nil {
			return declarations{}, nil, err
		}
		if reason == "" {
			next.Declared = append(next.Declared, extension)
			next.addFormer(before, extension)
		} else {
			refused = append(refused, v1alpha1.RefusedSchema{ID: extension.ID, Message: cut(reason, v1alpha1.MaxSchemaRefusal)})
			next.Declared = append(next.Declared, with(known.Declared, extension.ID)...)
			next.Former = append(next.Former, with(known.Former, extension.ID)...)
		}
	}
	var gone []string
	for _, extension := range slices.Concat(known.Declared, known.Former) {
		id := schema.Fold(extension.ID)
		if len(with(declared, extension.ID)) == 0 && !slices.Contains(gone, id) {
			gone = append(gone, id)
			next.addFormer(known.of(id), v1alpha1.SchemaExtension{})
		}
	}
	return next, refused, nil
}

// before is what was known of one schema.
type before struct {
	v1alpha1.SchemaExtension
	// declared are the folded names of the attributes that are in force.
	declared []string
}

func with(extensions []v1alpha1.SchemaExtension, id string) []v1alpha1.SchemaExtension {
	i := slices.IndexFunc(extensions, func(e v1alpha1.SchemaExtension) bool { return strings.EqualFold(e.ID, id) })
	if i < 0 {
		return nil
	}
	return extensions[i : i+1]
}

// of gathers what is known of a schema: what is declared and what was.
func (d declarations) of(id string) before {
	var b before
	for _, extension := range with(d.Declared, id) {
		b.SchemaExtension = extension
		for _, a := range extension.Attributes {
			b.declared = append(b.declared, schema.Fold(a.Name))
		}
	}
	for _, extension := range with(d.Former, id) {
		attributes := b.Attributes
		b.SchemaExtension = extension
		b.Attributes = slices.Concat(attributes, extension.Attributes)
	}
	return b
}

// attribute returns what is known of an attribute, or nil.
func (b before) attribute(name string) *v1alpha1.SchemaAttribute {
	for i := range b.Attributes {
		if strings.EqualFold(b.Attributes[i].Name, name) {
			return &b.Attributes[i]
		}
	}
	return nil
}

// addFormer keeps the attributes that now does not have. Where now is of another resource type or its id is spelled in
// another way, there are no values under the former one, or it would have been refused.
func (d *declarations) addFormer(b before, now v1alpha1.SchemaExtension) {
	if now.ID != "" && !b.same(now) {
		return
	}
	former := v1alpha1.SchemaExtension{ID: b.ID, ResourceType: b.ResourceType}
	for _, a := range b.Attributes {
		declared := slices.ContainsFunc(now.Attributes, func(n v1alpha1.SchemaAttribute) bool { return strings.EqualFold(n.Name, a.Name) })
		if !declared {
			former.Attributes = append(former.Attributes, a)
		}
	}
	if len(former.Attributes) > 0 {
		d.Former = append(d.Former, former)
	}
}

func (b before) same(now v1alpha1.SchemaExtension) bool {
	return b.ID == now.ID && extends(b.SchemaExtension) == extends(now)
}

// contradiction says which stored values a declaration contradicts and what to do; "" if none.
func (d *Directory) contradiction(ctx context.Context, b before, now v1alpha1.SchemaExtension) (string, error) {
	kind := store.User
	if extends(b.SchemaExtension) == v1alpha1.ExtendedGroup {
		kind = store.Group
	}
	for _, doubt := range doubts(b, now) {
		found, err := d.exists(ctx, kind, doubt.when)
		if err != nil {
			return "", err
		}
		if found {
			return doubt.reason, nil
		}
	}
	return "", nil
}

// exists tells whether a resource matches.
func (d *Directory) exists(ctx context.Context, kind store.Kind, f filter.Filter) (bool, error) {
	page, err := d.store.Find(ctx, store.Query{
		Kind: kind, Filter: f, After: store.Start, Limit: 1,
		Match: func(rec *store.Record) (bool, error) {
			attributes, err := effective(rec)
			return err == nil && filter.Match(f, attributes), err
		},
	})
	return len(page.Records) > 0, err
}
