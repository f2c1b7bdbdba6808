package directory

import (
	"context"
	"fmt"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Related says which attributes a reader wants that are not the resource's own but rows of memberships.
type Related struct {
	// Members of a group.
	Members bool
	// Groups of a user or group.
	Groups bool
}

// Get returns one resource. The error is store.ErrNotFound or the store's.
func (d *Directory) Get(ctx context.Context, kind store.Kind, id string, want Related) (Resource, error) {
	rec, err := d.store.Get(ctx, kind, id)
	if err != nil {
		return Resource{}, err
	}
	resource, err := d.resource(&rec)
	if err != nil {
		return Resource{}, err
	}
	one := []Resource{resource}
	err = d.relate(ctx, one, want)
	return one[0], err
}

// relate loads the memberships that are wanted, those of all users together.
func (d *Directory) relate(ctx context.Context, resources []Resource, want Related) (err error) {
	var users []string
	for i := range resources {
		switch r := &resources[i]; {
		case want.Members && r.Kind == store.Group:
			if r.Members, err = d.store.Members(ctx, r.ID); err != nil {
				return fmt.Errorf("members of group %s: %w", r.ID, err)
			}
		case want.Groups && r.Kind == store.User:
			users = append(users, r.ID)
		}
	}
	if len(users) == 0 {
		return nil
	}
	groups, err := d.store.Groups(ctx, users)
	if err != nil {
		return err
	}
	names := map[*store.Record]string{}
	for i := range resources {
		for _, group := range groups[resources[i].ID] {
			name, known := names[group]
			if !known {
				attributes, err := effective(group)
				if err != nil {
					return err
				}
				name, _ = attributes["displayName"].(string)
				names[group] = name
			}
			resources[i].Groups = append(resources[i].Groups, Membership{Group: group.ID, Display: name})
		}
	}
	return nil
}

// Query asks for a page of a list (RFC 7644 section 3.4.2).
type Query struct {
	// Filter in SCIM notation; "" lists everything.
	Filter string
	// Offset of the first resource, counted from 0.
	Offset int
	// Limit of resources in the page; 0 only counts.
	Limit int
	// Want says which memberships each resource needs.
	Want Related
}

// List is a page of resources, in the order in which they were created.
type List struct {
	Resources []Resource
	// Total is how many match in all.
	Total int
}

// List returns the resources that match. The error is a *schema.Error for the filter, or the store's.
func (d *Directory) List(ctx context.Context, kind store.Kind, q Query) (List, error) {
	query := store.Query{Kind: kind, Offset: q.Offset, Limit: q.Limit}
	if q.Filter != "" {
		parsed, err := filter.Parse(d.Type(kind), q.Filter)
		if err != nil {
			return List{}, err
		}
		related, err := d.resolveRelated(ctx, kind, parsed)
		if err != nil {
			return List{}, err
		}
		query.Filter = parsed
		query.Match = func(rec *store.Record) (bool, error) {
			attributes, err := effective(rec)
			if err != nil {
				return false, err
			}
			return filter.Match(parsed, related.inject(rec.ID, forFilter(rec, attributes))), nil
		}
	}
	page, err := d.store.Find(ctx, query)
	if err != nil {
		return List{}, err
	}
	list := List{Resources: make([]Resource, len(page.Records)), Total: page.Total}
	for i := range page.Records {
		if list.Resources[i], err = d.resource(&page.Records[i]); err != nil {
			return List{}, err
		}
	}
	return list, d.relate(ctx, list.Resources, q.Want)
}
