package patch

import (
	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

func isActive(p schema.Path) bool {
	return p.Schema != nil && p.Schema.ID == schema.CoreUser && p.Attribute.Name == "active"
}

// referenced returns the path and the value of a whole reference in place of those of its $ref: manager.$ref with a URL says what
// manager says with it. A member's $ref chooses none of many, and stays what the server writes.
func referenced(path filter.Path, value any) (filter.Path, any) {
	url, isText := value.(string)
	if !isText || url == "" || path.Sub == nil || path.Sub.Name != "$ref" || !path.ByID() || path.Rows() {
		return path, value
	}
	path.Sub = nil
	return path, schema.Object{"$ref": url}
}

// byID returns the filter of a value path. Of a member and of the manager only the id is stored, and of a member the type: a
// comparison with a $ref becomes one with the id that it leads to, and what nothing stored can decide is refused,
// because nothing would ever be found by it.
func byID(path filter.Path) (filter.Filter, error) {
	if path.Element == nil || !path.ByID() {
		return path.Element, nil
	}
	var err error
	f := filter.Rewrite(path.Element, func(term filter.Filter) filter.Filter {
		switch t := term.(type) {
		case filter.Compare:
			if t.Path.Sub.Name == "$ref" && (t.Op == filter.Eq || t.Op == filter.Ne) {
				if id, ok := path.Attribute.IDOf(t.Value.Text); ok {
					t.Path.Sub = path.Attribute.Sub("value")
					t.Value.Text, _ = path.Attribute.CanonicalID(id)
					return t
				}
			}
			if !isStored(t.Path) {
				err = undecidable(path)
			}
		case filter.Present:
			if t.Path.Sub != nil && !isStored(t.Path) {
				err = undecidable(path)
			}
		}
		return term
	})
	return f, err
}

// isStored tells whether a sub-attribute of what is named by its id is known of each.
func isStored(p schema.Path) bool {
	return p.Sub.Name == "value" || p.Rows() && p.Sub.Name == "type"
}

func undecidable(path filter.Path) *schema.Error {
	choices := "value, or by $ref eq and its URL"
	if path.Rows() {
		choices = "value, by type, or by $ref eq and its URL"
	}
	return schema.Errorf(schema.InvalidFilter, "a value of %s is chosen by its %s", schema.Path{Schema: path.Schema, Attribute: path.Attribute}, choices)
}
