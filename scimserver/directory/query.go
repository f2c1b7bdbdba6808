package directory

import (
	"context"
	"fmt"

	"github.com/tenantry/tenantry/scimserver/store"
)

// Related says which attributes a reader wants that are not the resource's own but rows of memberships.
type Related struct {
	// Members of a group.
	Members bool
	// Groups of a user or group.
	Groups bool
}

// Get returns one resource. The error is store.ErrNotFound, a *PreconditionError, for which no memberships are read, or
// the store's.
func (d *Directory) Get(ctx context.Context, target Target, want Related) (Resource, error) {
	rec, err := d.store.Get(ctx, target.Kind, target.ID)
	if err != nil {
		return Resource{}, err
	}
	if err := target.If.check(rec.Version); err != nil {
		return Resource{}, err
	}
	resource, err := d.resource(&rec)
	if err != nil {
		return Resource{}, err
	}
	err = d.Relate(ctx, &resource, want)
	return resource, err
}

// Relate loads the memberships that are wanted into a resource. They may be newer than its version, never older.
func (d *Directory) Relate(ctx context.Context, resource *Resource, want Related) error {
	one := []Resource{*resource}
	err := d.relate(ctx, one, want)
	*resource = one[0]
	return err
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
			if r.Members == nil {
				r.Members = []store.Member{}
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
		resource := &resources[i]
		for _, group := range groups[resource.ID] {
			name, known := names[group]
			if !known {
				attributes, err := effective(group)
				if err != nil {
					return err
				}
				name, _ = attributes["displayName"].(string)
				names[group] = name
			}
			resource.Groups = append(resource.Groups, Membership{Group: group.ID, Display: name})
		}
	}
	return nil
}
