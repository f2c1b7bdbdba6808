package schema

import "strings"

// olderURNs returns what a schema was called by SCIM 1.1 and by drafts of SCIM 2.0. OneLogin's template for users
// (https://developers.onelogin.com/scim/define-user-schema) has those of SCIM 1.1.
func olderURNs(id string) []string {
	switch id {
	case CoreUser:
		return []string{"urn:scim:schemas:core:1.0", "urn:scim:schemas:core:2.0:User"}
	case CoreGroup:
		return []string{"urn:scim:schemas:core:1.0", "urn:scim:schemas:core:2.0:Group"}
	case EnterpriseUser:
		return []string{"urn:scim:schemas:extension:enterprise:1.0", "urn:scim:schemas:extension:enterprise:2.0",
			"urn:scim:schemas:extension:enterprise:2.0:User"}
	}
	return nil
}

// urn is a name of a schema.
type urn struct {
	id     string
	schema *Schema
}

// addOlderURNs makes schemas known by their older URNs, except by one that the tenant gave to a schema of its own.
func (rt *ResourceType) addOlderURNs() {
	for _, s := range append([]*Schema{rt.Schema}, rt.Extensions...) {
		for _, id := range olderURNs(s.ID) {
			if rt.SchemaOf(id) == nil {
				rt.older = append(rt.older, urn{id, s})
				rt.schemas[id], rt.schemas[Fold(id)] = s, s
			}
		}
	}
}

// IsOlder tells whether a name begins with an older URN of a schema, or is one.
func (rt *ResourceType) IsOlder(name string) bool {
	for _, u := range rt.older {
		n := len(u.id)
		if len(name) >= n && strings.EqualFold(name[:n], u.id) && (len(name) == n || name[n] == ':' || name[n] == '.') {
			return true
		}
	}
	return false
}
