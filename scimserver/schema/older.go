package schema

import "strings"

// olderURNs returns what a schema was called by SCIM 1.1 and by drafts of SCIM 2.0, and what clients make of the two. OneLogin's template for users
// (https://developers.onelogin.com/scim/define-user-schema) has those of SCIM 1.1.
func olderURNs(id string) []string {
	switch id {
	case CoreUser:
		return []string{"urn:scim:schemas:core:1.0", "urn:scim:schemas:core:1.0:User", "urn:scim:schemas:core:2.0:User",
			"urn:ietf:params:scim:schemas:core:1.0:User", "urn:ietf:params:scim:schemas:core:2.0"}
	case CoreGroup:
		return []string{"urn:scim:schemas:core:1.0", "urn:scim:schemas:core:1.0:Group", "urn:scim:schemas:core:2.0:Group",
			"urn:ietf:params:scim:schemas:core:1.0:Group", "urn:ietf:params:scim:schemas:core:2.0"}
	case EnterpriseUser:
		return []string{"urn:scim:schemas:extension:enterprise:1.0", "urn:scim:schemas:extension:enterprise:1.0:User",
			"urn:scim:schemas:extension:enterprise:2.0", "urn:scim:schemas:extension:enterprise:2.0:User",
			"urn:ietf:params:scim:schemas:extension:enterprise:1.0", "urn:ietf:params:scim:schemas:extension:enterprise:1.0:User",
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0"}
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
	longest, older := 0, false
	consider := func(id string, isOlder bool) {
		n := len(id)
		if n > longest && len(name) >= n && strings.EqualFold(name[:n], id) && (len(name) == n || name[n] == ':' || name[n] == '.') {
			longest, older = n, isOlder
		}
	}
	for _, u := range rt.older {
		consider(u.id, true)
	}
	if longest > 0 { // it can begin a schema's own URN
		consider(rt.Schema.ID, false)
		for _, e := range rt.Extensions {
			consider(e.ID, false)
		}
	}
	return older
}
