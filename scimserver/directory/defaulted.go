package directory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// defaulted is the attribute of the tenantry extension that lists which of a user's values a UserDefaults gave and the
// client has not spoken of since. An element has the attribute's canonical name as path, and as defaults the name of the
// UserDefaults; without that it stands for a value of which nobody knows who gave it.
//
// A stamped user without a list got its values before this was kept. The client's next PUT or PATCH gives it one. An empty
// list is something else: all values are the client's.
const defaulted = "defaulted"

// unspoken returns the elements of a stamped user's list. For a user without one these are all values that a UserDefaults
// can have given.
func unspoken(users *schema.ResourceType, document schema.Object) []any {
	stamp, _ := document[schema.TenantryUser].(schema.Object)
	if list, known := stamp[defaulted].([]any); known {
		return list
	}
	var list []any
	for _, path := range leaves(document) {
		_, _, never := attributeDefault(users, path, fmt.Sprint(valueAt(document, path)))
		if path == "roles" || never == nil {
			list = append(list, schema.Object{"path": path})
		}
	}
	return list
}

// heard returns next, which a client's request puts in the place of current, with the values that the client has never
// spoken of: not before, and not in this request, which speaks of the attributes in spoken.
func heard(users *schema.ResourceType, current, next schema.Object, spoken schema.Names) schema.Object {
	stamp, stamped := current[schema.TenantryUser].(schema.Object)
	if !stamped {
		return next
	}
	values, list := schema.Object{}, []any{}
	for _, element := range unspoken(users, current) {
		path := pathOf(element)
		if value := valueAt(current, path); value != nil && !spoken.Has(path) {
			place(values, path, value)
			list = append(list, element)
		}
	}
	next = under(values, next)
	stamp = maps.Clone(stamp)
	stamp[defaulted] = list
	next[schema.TenantryUser] = stamp
	return next
}

// attributed returns what defaults that are laid under a document say of themselves: own with a list of the values that
// the document has not, and of those that were stamped on it before, and with the lists of what the client cleared and patched.
func attributed(own, document schema.Object) schema.Object {
	own = maps.Clone(own)
	stamp, stamped := document[schema.TenantryUser].(schema.Object)
	for _, name := range []string{cleared, patched} {
		if list, ok := stamp[name]; ok {
			own[name] = list
		}
	}
	gives, known := own[defaulted].([]any)
	if !known {
		return own // laid under it before lists were kept
	}
	list := []any{}
	if stamped {
		before, known := stamp[defaulted].([]any)
		if !known {
			delete(own, defaulted) // of the document's values nobody knows
			return own
		}
		list = append(list, before...)
	}
	gone := listed(document, cleared)
	for _, element := range gives {
		if path := pathOf(element); valueAt(document, path) == nil && !slices.Contains(gone, path) {
			list = append(list, element)
		}
	}
	slices.SortFunc(list, func(a, b any) int { return cmp.Compare(pathOf(a), pathOf(b)) })
	own[defaulted] = list
	return own
}

// gives returns the elements for all values of defaults.
func gives(name string, values schema.Object) []any {
	list := []any{}
	for _, path := range leaves(values) {
		list = append(list, schema.Object{"path": path, "defaults": name})
	}
	return list
}

func pathOf(element any) string {
	object, _ := element.(schema.Object)
	path, _ := object["path"].(string)
	return path
}

// leaves returns the canonical names, sorted, of the attributes that a canonical object has; of complex ones with a
// single value, those of the sub-attributes.
func leaves(values schema.Object) []string {
	var paths []string
	var collect func(prefix string, in schema.Object)
	collect = func(prefix string, in schema.Object) {
		for name, value := range in {
			inner, isObject := value.(schema.Object)
			switch {
			case !isObject:
				paths = append(paths, prefix+name)
			case isURN(name):
				collect(name+":", inner)
			default:
				collect(prefix+name+".", inner)
			}
		}
	}
	collect("", values)
	slices.Sort(paths)
	return paths
}

// isURN tells an extension's key from an attribute's name, which has no colon.
func isURN(key string) bool { return strings.Contains(key, ":") }

// split takes a canonical name apart; urn and sub are "" for none.
func split(path string) (urn, attribute, sub string) {
	colon := strings.LastIndexByte(path, ':')
	urn = path[:max(colon, 0)]
	attribute, sub, _ = strings.Cut(path[colon+1:], ".")
	return urn, attribute, sub
}

// valueAt returns the value of a canonical name in a canonical object, nil for none.
func valueAt(object schema.Object, path string) any {
	urn, attribute, sub := split(path)
	if urn != "" {
		object, _ = object[urn].(schema.Object)
	}
	if sub == "" {
		return object[attribute]
	}
	whole, _ := object[attribute].(schema.Object)
	return whole[sub]
}

// place puts a value where its canonical name says, making the objects on the way.
func place(object schema.Object, path string, value any) {
	urn, attribute, sub := split(path)
	if urn != "" {
		object = within(object, urn)
	}
	if sub == "" {
		object[attribute] = value
		return
	}
	within(object, attribute)[sub] = value
}

func within(object schema.Object, name string) schema.Object {
	inner, ok := object[name].(schema.Object)
	if !ok {
		inner = schema.Object{}
		object[name] = inner
	}
	return inner
}
