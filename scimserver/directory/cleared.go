package directory

import (
	"maps"
	"slices"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// cleared is the attribute of the tenantry extension that lists the attributes that the client has taken the value away of, by their
// canonical names, sorted. Defaults that a user follows give these no value, until the client sends one. Only attributes that a
// UserDefaults gives come to stand in it: no other could have a value that is not the client's. It is absent, rather than empty.
//
// A user without a stamp gets one with the list. Its list of what is defaulted is empty: all values are the client's.
const cleared = "cleared"

// clearedPaths returns the names in a document's list.
func clearedPaths(document schema.Object) []string {
	stamp, _ := document[schema.TenantryUser].(schema.Object)
	list, _ := stamp[cleared].([]any)
	paths := make([]string, 0, len(list))
	for _, element := range list {
		if path, ok := element.(string); ok {
			paths = append(paths, path)
		}
	}
	return paths
}

// stored is a resource as a change finds it.
type stored struct {
	document schema.Object // the client's values and those stamped on them
	overlay  schema.Object // the values that follow a UserDefaults, nil for none
	rules    *rules        // the defaults under which it will be written
}

// heard returns next, which a client's request puts in the place of the user's document, with what the client has not spoken of
// (see the function heard) and with what the client has cleared: it spoke of it, in this request or before, and it has no value.
func (s stored) heard(users *schema.ResourceType, next schema.Object, spoken schema.Names) schema.Object {
	next = heard(users, s.document, next, spoken) // with a stamp of its own, where there is one
	before := clearedPaths(s.document)
	list := slices.Clone(before)
	for _, path := range append(paths(s.overlay), s.rules.paths...) {
		if spoken.Has(path) && !slices.Contains(list, path) {
			list = append(list, path)
		}
	}
	list = slices.DeleteFunc(list, func(path string) bool { return valueAt(next, path) != nil })
	if len(list)+len(before) == 0 {
		return next
	}
	slices.Sort(list)
	stamp, stamped := next[schema.TenantryUser].(schema.Object)
	if !stamped {
		stamp = schema.Object{defaulted: []any{}}
		next[schema.TenantryUser] = stamp
	}
	if len(list) > 0 {
		stamp[cleared] = strings2any(list)
	} else if delete(stamp, cleared); stamp["defaults"] == nil {
		delete(next, schema.TenantryUser) // there was none before the client cleared anything
	}
	return next
}

// paths returns the canonical names of the attributes that defaults give, sorted, without those that tell of the defaults themselves.
func paths(values schema.Object) []string {
	values = maps.Clone(values)
	delete(values, schema.TenantryUser)
	return leaves(values)
}

// part returns those of the values that defaults give whose canonical names are kept.
func part(values schema.Object, keep func(path string) bool) schema.Object {
	kept := schema.Object{}
	for _, path := range paths(values) {
		if keep(path) {
			place(kept, path, valueAt(values, path))
		}
	}
	return kept
}
