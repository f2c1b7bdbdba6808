package directory

import (
	"maps"
	"slices"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// Two attributes of the tenantry extension list attributes by their canonical names, sorted. They are absent, rather than empty. A user
// without a stamp gets one with the lists. Its list of what is defaulted is empty: all values are the client's.
const (
	// cleared lists the attributes that the client has taken the value away of. Defaults that a user follows give these no value, until
	// the client sends one. Only attributes that a UserDefaults gives come to stand in it: no other could have a value that is not the client's.
	cleared = "cleared"
	// patched lists the attributes with several values that the client has changed by PATCH and that a UserDefaults with apply: Always
	// gives. A PUT that does not name one leaves its values: else the defaults would give again what the client removed from them.
	patched = "patched"
)

// listed returns the names in one of these lists of a document.
func listed(document schema.Object, list string) []string {
	stamp, _ := document[schema.TenantryUser].(schema.Object)
	elements, _ := stamp[list].([]any)
	names := make([]string, 0, len(elements))
	for _, element := range elements {
		if name, ok := element.(string); ok {
			names = append(names, name)
		}
	}
	return names
}

// stored is a resource as a change finds it.
type stored struct {
	document schema.Object // the client's values and those stamped on them
	overlay  schema.Object // the values that follow a UserDefaults, nil for none
	matched  string        // which defaults matched it, as store.Record has it
	rules    *rules        // the defaults under which it will be written
}

// heard returns next, which a client's request puts in the place of the user's document, with what the request has not spoken of: values of
// defaults (see the function heard), and those that the client has patched. It lists what the client has patched, in this request (changed)
// or before, and what it has cleared: it spoke of that, in this request or before, and it has no value.
func (s stored) heard(users *schema.ResourceType, next schema.Object, spoken schema.Names, changed []string) schema.Object {
	next = heard(users, s.document, next, spoken) // with a stamp of its own, where there is one
	for _, path := range listed(s.document, patched) {
		if value := valueAt(s.document, path); value != nil && !spoken.Has(path) {
			place(next, path, value)
			changed = append(changed, path)
		}
	}
	gone := append(listed(s.document, cleared), spokenOf(spoken, paths(s.overlay), s.rules.paths, listed(s.document, patched))...)
	gone = slices.DeleteFunc(gone, func(path string) bool { return valueAt(next, path) != nil })
	setLists(next, map[string][]string{cleared: gone, patched: changed})
	return next
}

// spokenOf returns the names of which a request speaks.
func spokenOf(spoken schema.Names, names ...[]string) []string {
	return slices.DeleteFunc(slices.Concat(names...), func(path string) bool { return !spoken.Has(path) })
}

// setLists puts the lists into a document. Its stamp goes where there was none before the client changed anything.
func setLists(document schema.Object, lists map[string][]string) {
	stamp, stamped := document[schema.TenantryUser].(schema.Object)
	if !stamped {
		stamp = schema.Object{defaulted: []any{}}
	}
	for name, names := range lists {
		delete(stamp, name)
		if len(names) > 0 {
			slices.Sort(names)
			stamp[name] = strings2any(slices.Compact(names))
		}
	}
	if len(stamp) == 1 { // it says no more than that all values are the client's
		delete(document, schema.TenantryUser)
	} else {
		document[schema.TenantryUser] = stamp
	}
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
