package directory

import (
	"maps"
	"slices"

	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// maxLendings bounds how often a PATCH is applied anew because the user then follows other defaults. Two do, unless these are chosen by
// the very values that they give.
const maxLendings = 3

// afterPatch returns the user's document after the operations of a PATCH, which apply applies to a document.
//
// A PATCH changes what the client sees: to add a role keeps those that the defaults give, and to remove one of these leaves the others.
// So it is applied to the document with the values of the defaults laid under it: those that the user follows once the PATCH is made. It
// may move the user to another department, and what the defaults of the former gave must not become the client's then.
func (s stored) afterPatch(
	users *schema.ResourceType, ops []patch.Operation, apply func(schema.Object) (schema.Object, error),
) (next schema.Object, err error) {
	named, overlay := patch.Named(ops), s.overlay
	for range maxLendings {
		spoken, seen := named, s.lent(overlay, named)
		if next, err = apply(seen); err != nil {
			return nil, err
		}
		if left := idle(s.given(users, overlay), seen, next, ops); len(left) > 0 {
			spoken = maps.Clone(named)
			maps.DeleteFunc(spoken, func(name string, _ bool) bool {
				return slices.ContainsFunc(left, schema.Names{name: true}.Has)
			})
			if next, err = apply(s.lent(overlay, spoken)); err != nil {
				return nil, err
			}
		}
		next = s.heard(users, next, spoken, s.several(next, spoken))
		if len(spokenOf(named, paths(overlay), s.rules.lasting)) == 0 {
			return next, nil // as for almost every PATCH
		}
		follows := s.rules.followed(next, s.matched, s.overlay)
		if schema.Equal(follows, overlay) {
			return next, nil
		}
		overlay = follows
	}
	return next, nil
}

// several returns the names of those attributes with several values, of which a PATCH spoke, that may have got them from defaults, now or
// when the client patched them before.
func (s stored) several(next schema.Object, spoken schema.Names) []string {
	return slices.DeleteFunc(spokenOf(spoken, paths(s.overlay), s.rules.lasting, listed(s.document, patched)), func(path string) bool {
		_, several := valueAt(next, path).([]any)
		return !several
	})
}

// lent returns the document with those of the overlay's values laid under it that a request speaks of.
func (s stored) lent(overlay schema.Object, spoken schema.Names) schema.Object {
	if len(overlay) == 0 {
		return s.document
	}
	gone := listed(s.document, cleared)
	values := part(overlay, func(path string) bool { return spoken.Has(path) && !slices.Contains(gone, path) })
	if len(values) == 0 {
		return s.document
	}
	return under(values, s.document)
}

// given returns the names of the attributes whose values defaults gave: those of the overlay, or those that were stamped on the user and
// of which the client has not spoken.
func (s stored) given(users *schema.ResourceType, overlay schema.Object) []string {
	names := slices.DeleteFunc(paths(overlay), func(path string) bool { return valueAt(s.document, path) != nil })
	if s.document[schema.TenantryUser] != nil {
		for _, element := range unspoken(users, s.document) {
			names = append(names, pathOf(element))
		}
	}
	return names
}

// idle returns those of the names, of attributes whose values defaults gave, of which a PATCH, that made next of what the client sees, only
// removed what was not there. It has not taken charge of them: else values that follow a UserDefaults would stay when the user follows
// others, and those that were stamped on it would go with the next PUT.
func idle(names []string, seen, next schema.Object, ops []patch.Operation) []string {
	isRemoval := func(op patch.Operation) bool { return op.Op == patch.Remove }
	if len(names) == 0 || !slices.ContainsFunc(ops, isRemoval) { // as for almost every PATCH
		return nil
	}
	removed := patch.Named(slices.DeleteFunc(slices.Clone(ops), func(op patch.Operation) bool { return !isRemoval(op) }))
	given := patch.Named(slices.DeleteFunc(slices.Clone(ops), isRemoval))
	return slices.DeleteFunc(names, func(path string) bool {
		value := valueAt(seen, path)
		return value == nil || !removed.Has(path) || given.Has(path) || !schema.Equal(valueAt(next, path), value)
	})
}
