package patch

import (
	"strings"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

func (p *parser) operation(operation any) error {
	message, ok := operation.(schema.Object)
	if !ok {
		return syntax("each of the Operations is an object")
	}
	given, _ := schema.Member(message, "op")
	name, _ := given.(string)
	op := Op(strings.ToLower(name))
	switch op {
	case Add, Remove, Replace:
	default:
		return syntax("each operation has an op: add, remove or replace")
	}
	if string(op) != name {
		p.quirk(QuirkOpCase)
	}
	value, hasValue := schema.Member(message, "value")
	given, _ = schema.Member(message, "path")
	path, isText := given.(string)
	if given != nil && !isText {
		return syntax("the path of an operation is a string")
	}
	bounded := op == Remove && strings.Contains(path, "[") // by a filter: it takes no more than that selects
	if path == "" || value == nil && !bounded {
		if err := checkKeys(message); err != nil {
			return err
		}
	}
	switch {
	case path == "":
		return p.withoutPath(op, value)
	case op != Remove && !hasValue:
		return schema.Errorf(schema.InvalidValue, "an operation %s needs a value", op)
	}
	return p.withPath(op, path, value)
}

// checkKeys refuses an unknown key of an operation that has not both path and value. The key was meant for what is missing, and
// without it the operation can do more than its client wants: remove at members with "values" would empty the group.
func checkKeys(message schema.Object) error {
	if key := schema.UnknownKey(message, "op", "path", "value"); key != "" {
		return schema.Errorf(schema.InvalidSyntax, "an operation has op, path and value; this one lacks a value or path and has %s", key)
	}
	return nil
}

// once refuses a value that names an attribute twice, in different spellings: of two values for active nobody can tell which was meant.
func (p *parser) once(path filter.Path, value any) error {
	names := []string{path.String()}
	if object, ok := value.(schema.Object); ok && path.Element == nil && path.Sub == nil && !path.Attribute.MultiValued {
		for key := range object {
			if sub := path.Attribute.Sub(key); sub != nil {
				names = append(names, path.String()+"."+sub.Name)
			}
		}
	}
	for _, name := range names {
		if p.given[name] {
			return schema.Errorf(schema.InvalidValue, "%s is given more than once, with different spellings of its name", path.Path)
		}
	}
	for _, name := range names {
		p.given[name] = true
	}
	return nil
}
