package directory

import (
	"context"
	"maps"
	"slices"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// related answers the terms of one filter that ask for memberships: members eq "…" of groups, groups eq "…" of users.
// They are looked up from the other side, so that no group's members are ever read to find the groups of one user.
type related struct {
	kind store.Kind
	// holders are, for each id that the filter compares with, the resources that have it as a value of the attribute, in
	// the order of their ids.
	holders map[string][]string
}

// attribute is the multi-valued attribute that is made of membership rows.
func (r *related) attribute() string {
	if r.kind == store.Group {
		return "members"
	}
	return "groups"
}

func (d *Directory) resolveRelated(ctx context.Context, kind store.Kind, f filter.Filter) (*related, error) {
	r := &related{kind: kind, holders: map[string][]string{}}
	if err := r.collect(f); err != nil {
		return nil, err
	}
	if kind == store.Group {
		groups, err := d.store.Groups(ctx, slices.Collect(maps.Keys(r.holders)))
		if err != nil {
			return nil, err
		}
		for id, of := range groups {
			for _, group := range of {
				r.holders[id] = append(r.holders[id], group.ID)
			}
		}
		return r, nil
	}
	for id := range r.holders {
		members, err := d.store.Members(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			r.holders[id] = append(r.holders[id], m.ID)
		}
	}
	return r, nil
}

// collect finds the ids that the filter compares memberships with.
func (r *related) collect(f filter.Filter) error {
	switch node := f.(type) {
	case filter.And:
		return r.collectAll(node.Terms)
	case filter.Or:
		return r.collectAll(node.Terms)
	case filter.Not:
		return r.collect(node.Term)
	case filter.Elements:
		return r.collect(node.Filter)
	case filter.Present:
		if r.concerns(node.Path) {
			return r.unsupported()
		}
	case filter.Compare:
		if !r.concerns(node.Path) {
			return nil
		}
		if node.Op != filter.Eq || node.Path.Sub == nil || node.Path.Sub.Name != "value" {
			return r.unsupported()
		}
		r.holders[node.Value.Text] = nil
	}
	return nil
}

func (r *related) collectAll(terms []filter.Filter) error {
	for _, term := range terms {
		if err := r.collect(term); err != nil {
			return err
		}
	}
	return nil
}

func (r *related) concerns(path schema.Path) bool {
	return path.Attribute.Name == r.attribute() && (path.Schema == nil || !path.Schema.IsExtension())
}

func (r *related) unsupported() error {
	return schema.Errorf(schema.InvalidFilter, "%s can only be compared by value with eq, as in %s eq \"id\"", r.attribute(), r.attribute())
}

// inject gives a candidate those values of the attribute that the filter asks for.
func (r *related) inject(id string, obj schema.Object) schema.Object {
	var values []any
	for value, holders := range r.holders {
		if _, holds := slices.BinarySearch(holders, id); holds {
			values = append(values, schema.Object{"value": value})
		}
	}
	if len(values) > 0 {
		obj[r.attribute()] = values
	}
	return obj
}
