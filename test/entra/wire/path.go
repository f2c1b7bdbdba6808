package wire

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Schemas and messages, RFC 7643 section 8.7.1 and RFC 7644 section 8.2.
const (
	SchemaUser           = "urn:ietf:params:scim:schemas:core:2.0:User"
	SchemaGroup          = "urn:ietf:params:scim:schemas:core:2.0:Group"
	SchemaEnterpriseUser = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	SchemaMediusUser     = "urn:ietf:params:scim:schemas:extension:medius:2.0:User"
	MessagePatchOp       = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	// schemaADSCIMGroup is Microsoft's own; the service puts it into every group that it creates.
	schemaADSCIMGroup = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
)

// Path is an attribute path as it stands on the mapping page: `userName`, `name.givenName`,
// `emails[type eq "work"].value`, `urn:…:User:department`.
type Path struct {
	URN, Attribute string
	// FilterAttribute and FilterValue are the two sides of `[type eq "work"]`; empty without a filter.
	FilterAttribute, FilterValue string
	Sub                          string
}

// ParsePath reads a path. Of filters it knows the one form that mappings have.
func ParsePath(s string) (Path, error) {
	var p Path
	rest := s
	head, filter, filtered := strings.Cut(rest, "[")
	if i := strings.LastIndex(head, ":"); i >= 0 {
		p.URN, head = head[:i], head[i+1:]
	}
	if filtered {
		p.Attribute = head
		inside, tail, ok := strings.Cut(filter, "]")
		attribute, value, isEq := strings.Cut(inside, " eq ")
		unquoted := strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`)
		if !ok || !isEq || len(value)-len(unquoted) != 2 || !strings.HasPrefix(tail, ".") {
			return Path{}, fmt.Errorf(`path %q: only attribute[sub eq "value"].sub is known`, s)
		}
		p.FilterAttribute, p.FilterValue, p.Sub = attribute, unquoted, tail[1:]
	} else {
		p.Attribute, p.Sub, _ = strings.Cut(head, ".")
	}
	if p.Attribute == "" {
		return Path{}, fmt.Errorf("path %q names no attribute", s)
	}
	return p, nil
}

// Resource is a SCIM resource as decoded JSON. Attribute names in it are found in any case (RFC 7643 section 2.1).
type Resource map[string]any

// ID returns the server's id, or "" if there is none or it is no string.
func (r Resource) ID() string {
	id, _ := lookup(r, "id").(string)
	return id
}

// Value returns what the resource holds at a path, and whether it holds anything: null, "" and an empty array are
// nothing (RFC 7643 section 2.5).
func (r Resource) Value(path string) (any, bool) {
	p, err := ParsePath(path)
	if err != nil {
		return nil, false
	}
	node := any(map[string]any(r))
	if p.URN != "" && p.URN != SchemaUser && p.URN != SchemaGroup {
		node = lookup(node, p.URN)
	}
	node = lookup(node, p.Attribute)
	if p.FilterAttribute != "" {
		elements, _ := node.([]any)
		i := slices.IndexFunc(elements, func(e any) bool {
			v := lookup(e, p.FilterAttribute)
			return v != nil && strings.EqualFold(fmt.Sprint(v), p.FilterValue)
		})
		if i < 0 {
			return nil, false
		}
		node = elements[i]
	}
	if p.Sub != "" {
		node = lookup(node, p.Sub)
	}
	switch v := node.(type) {
	case nil:
		return nil, false
	case string:
		return v, v != ""
	case []any:
		return v, len(v) > 0
	}
	return node, true
}

// Members returns the ids in a group's members.
func (r Resource) Members() []string {
	list, _ := lookup(r, "members").([]any)
	var ids []string
	for _, m := range list {
		id, _ := lookup(m, "value").(string)
		ids = append(ids, id)
	}
	return ids
}

// Reference returns the id that a reference attribute such as manager holds, or "".
func (r Resource) Reference(path string) string {
	v, _ := r.Value(path)
	id, _ := lookup(v, "value").(string)
	return id
}

func lookup(node any, name string) any {
	m, ok := node.(map[string]any)
	if !ok {
		r, isResource := node.(Resource)
		if !isResource {
			return nil
		}
		m = r
	}
	if v, ok := m[name]; ok {
		return v
	}
	for k, v := range m {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}

func encode(v any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// Only maps, slices, strings and booleans get here.
		panic(err)
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
