package patch

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

const patchOp = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// Parse reads the body of a PATCH request: RFC 7644 section 3.5.2, both dialects of Entra, and what the quirks tell of.
// An operation without path becomes one for each attribute of its value; values come out canonical.
//
// An attribute that the tenant does not have is ignored as a key of a value and where a URN qualifies it, as Entra does
// with custom attributes; a bare path that names none is a mistake and is refused. The error is an *schema.Error:
// invalidSyntax, invalidPath, invalidFilter, invalidValue, noTarget (a remove without path), mutability (a path that
// only the server can write) or tooMany.
func Parse(rt *schema.ResourceType, body []byte) (Request, error) {
	message, err := schema.Decode(body)
	if err != nil {
		return Request{}, err
	}
	p := parser{rt: rt}
	schemas, _ := schema.Member(message, "schemas")
	if urns, ok := schemas.([]any); !ok || !slices.ContainsFunc(urns, isPatchOp) {
		p.quirk(schema.QuirkMissingSchemas)
	}
	list, _ := schema.Member(message, "Operations")
	operations, ok := list.([]any)
	if !ok {
		return Request{}, syntax("a PATCH request has an array Operations")
	}
	if len(operations) == 0 {
		p.quirk(QuirkNoOperations)
	}
	for _, operation := range operations {
		if err := p.operation(operation); err != nil {
			return Request{}, err
		}
	}
	slices.Sort(p.quirks)
	slices.Sort(p.ignored)
	return Request{p.operations, p.quirks, slices.Compact(p.ignored)}, nil
}

func isPatchOp(urn any) bool {
	s, ok := urn.(string)
	return ok && strings.EqualFold(s, patchOp)
}

type parser struct {
	rt         *schema.ResourceType
	operations []Operation
	scans      int // of all members of a group
	quirks     []string
	ignored    []string
	given      map[string]bool // the paths that the value of the operation without path has named, see once
}

func (p *parser) quirk(name string) {
	if !slices.Contains(p.quirks, name) {
		p.quirks = append(p.quirks, name)
	}
}

func (p *parser) lenient(lenience schema.Lenience) {
	for _, quirk := range lenience.Quirks() {
		p.quirk(quirk)
	}
}

func (p *parser) ignore(name string) {
	p.quirk(schema.QuirkUnknownAttribute)
	if schema.IsName(name) {
		p.ignored = append(p.ignored, name)
	}
}

// withoutPath makes operations of the attributes in a value. What a whole resource could not have is passed over here as
// it is there.
func (p *parser) withoutPath(op Op, value any) error {
	if op == Remove {
		return schema.Errorf(schema.NoTarget, "an operation remove needs a path")
	}
	attributes, ok := value.(schema.Object)
	if !ok {
		return schema.Errorf(schema.InvalidValue, "an operation %s without path needs an object of attributes as its value", op)
	}
	p.given = map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		if err := p.key(op, key, attributes[key]); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) key(op Op, key string, value any) error {
	if s := p.schema(key); s != nil {
		return p.schemaValues(op, s, value)
	}
	path, err := p.path(key)
	if isInvalidPath(err) {
		p.ignore(key)
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case path.Element != nil:
		p.quirk(QuirkFilteredKey)
	case strings.Contains(key, ":"):
		p.quirk(QuirkQualifiedKey)
	case path.Sub != nil:
		p.quirk(QuirkDottedKey)
	}
	path, value = referenced(path, value)
	if serverWrites(path) {
		p.quirk(schema.QuirkServerAttribute)
		return nil
	}
	if err := p.once(path, value); err != nil {
		return err
	}
	return p.emit(op, key, path, value)
}

// schema returns the schema whose URN stands alone as a key or path.
func (p *parser) schema(urn string) *schema.Schema {
	s := p.rt.SchemaOf(urn)
	if s != nil && p.rt.IsOlder(urn) {
		p.quirk(schema.QuirkOlderURN)
	}
	return s
}

// schemaValues takes an object of one schema's attributes apart. Unassigning it unassigns them.
func (p *parser) schemaValues(op Op, s *schema.Schema, value any) error {
	if attributes, ok := value.(schema.Object); ok {
		for _, key := range slices.Sorted(maps.Keys(attributes)) {
			path, err := p.path(s.ID + ":" + key)
			if isInvalidPath(err) {
				p.ignore(s.ID + ":" + key)
				continue
			}
			if err != nil {
				return err
			}
			path, value := referenced(path, attributes[key])
			if serverWrites(path) {
				p.quirk(schema.QuirkServerAttribute)
				continue
			}
			if err := p.once(path, attributes[key]); err != nil {
				return err
			}
			if err := p.emit(op, s.ID+":"+key, path, value); err != nil {
				return err
			}
		}
		return nil
	}
	if value != nil && value != "" {
		return schema.Errorf(schema.InvalidValue, "%s accepts an object of its attributes", s.ID).About(s.ID)
	}
	for _, a := range s.Attributes {
		path := filter.Path{Path: schema.Path{Schema: s, Attribute: a}}
		if serverWrites(path) {
			continue
		}
		if err := p.append(Operation{Remove, path, nil}); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) withPath(op Op, name string, value any) error {
	if s := p.schema(name); s != nil {
		if op == Remove {
			value = nil
		}
		p.given = map[string]bool{}
		return p.schemaValues(op, s, value)
	}
	path, err := p.path(name)
	if isInvalidPath(err) {
		attribute, _, _ := strings.Cut(name, "[")
		if strings.Contains(attribute, ":") && schema.IsName(attribute) && !p.rt.Knows(attribute) {
			p.ignore(attribute)
			return nil
		}
	}
	if err != nil {
		return err
	}
	path, value = referenced(path, value)
	if serverWrites(path) {
		if path.Schema == nil && path.Attribute.Name == "schemas" { // derived from the values
			p.quirk(schema.QuirkServerAttribute)
			return nil
		}
		return schema.Errorf(schema.IsMutability, "%s is written by the server only", path.Path)
	}
	return p.emit(op, name, path, value)
}

// serverWrites tells whether no operation may name the path. A client may send $ref and type of a member with its id, but may not
// write them by themselves: they follow from the id.
func serverWrites(path filter.Path) bool {
	return path.ReadOnly() || path.Rows() && path.Sub != nil && path.Sub.Name != "value"
}

func (p *parser) path(name string) (filter.Path, error) {
	path, lenience, err := filter.ParsePath(p.rt, name)
	p.lenient(lenience)
	return path, err
}

func isInvalidPath(err error) bool {
	var cause *schema.Error
	return errors.As(err, &cause) && cause.ScimType == schema.InvalidPath
}

// emit appends the operation in plain form.
func (p *parser) emit(op Op, name string, path filter.Path, value any) error {
	p.nameQuirks(name, path)
	var err error
	if path.Element, err = byID(path); err != nil {
		return err
	}
	if path.Attribute.Mutability == schema.WriteOnly {
		p.quirk(schema.QuirkPassword)
		return nil
	}
	if op == Remove {
		return p.emitRemove(path, value)
	}
	if path.Element == nil && path.Sub == nil && path.Attribute.Type == schema.TypeComplex && !path.Attribute.MultiValued {
		object, ok := value.(schema.Object)
		if array, isArray := value.([]any); isArray && len(array) == 1 {
			if object, ok = array[0].(schema.Object); ok {
				p.quirk(schema.QuirkWrappedValue)
			}
		}
		if ok {
			return p.emitComplex(op, path, object)
		}
	}
	if labels := p.labelsOnly(path, value); labels != nil {
		return p.emitLabels(op, path, labels)
	}
	normalized, err := p.normalize(path, value)
	if err != nil {
		return err
	}
	if normalized != nil {
		return p.append(Operation{op, path, normalized})
	}
	if op == Add && path.Attribute.MultiValued && (path.Sub == nil || path.Element == nil) {
		return nil // no values are added
	}
	return p.append(Operation{Remove, path, nil})
}

func (p *parser) emitRemove(path filter.Path, value any) error {
	if value == nil {
		return p.append(Operation{Remove, path, nil})
	}
	p.quirk(QuirkRemoveWithValue)
	if path.Element != nil && path.Sub != nil && !path.Rows() {
		return p.append(Operation{Remove, path, nil}) // which says by itself what is removed
	}
	named := path
	if path.Attribute.MultiValued && path.Sub != nil && path.Sub.Name == "value" {
		named.Sub = nil // members.value with an id removes that member, not the ids of all
	}
	if named.Sub != nil || !path.Attribute.MultiValued && path.Element == nil {
		return p.append(Operation{Remove, path, nil})
	}
	whole := named
	whole.Element = nil
	values, err := p.normalize(whole, value)
	var ids []string // of members, where the path names them by these alone
	if path.Rows() {
		ids = selectedIDs(path.Element)
	}
	switch {
	case err != nil && ids != nil: // a value of nobody, where the path names everybody
		return p.append(Operation{Remove, path, nil})
	case err != nil:
		return err
	case ids != nil && !slices.ContainsFunc(memberIDs(values), func(id string) bool { return slices.Contains(ids, id) }):
		return schema.Errorf(schema.InvalidValue, "the path of a removal and its value name different members").About(path.Path.String())
	case values != nil && !path.Attribute.MultiValued:
		return p.append(Operation{Remove, named, []any{values}})
	case values != nil:
		return p.append(Operation{Remove, named, values})
	case path.Element != nil:
		return p.append(Operation{Remove, path, nil}) // what the filter selects
	}
	return nil // of no values none are removed: anything else could empty a group by mistake
}

// emitComplex leaves the sub-attributes alone that the object does not have, and unassigns those that it has without a
// value (RFC 7644 section 3.5.2.3).
func (p *parser) emitComplex(op Op, path filter.Path, object schema.Object) error {
	normalized, err := p.normalize(path, object)
	if err != nil {
		return err
	}
	if normalized != nil {
		if err := p.append(Operation{op, path, normalized}); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		sub := path
		sub.Sub = path.Attribute.Sub(key)
		if sub.Sub == nil || sub.ReadOnly() {
			continue
		}
		if set, _ := normalized.(schema.Object); set[sub.Sub.Name] != nil { // under another name
			continue
		}
		if value, err := p.normalize(sub, object[key]); err == nil && value == nil {
			if err := p.append(Operation{Remove, sub, nil}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *parser) normalize(path filter.Path, value any) (any, error) {
	normalize := p.rt.NormalizeValue
	if path.Element != nil && path.Sub == nil {
		normalize = p.rt.NormalizeElement
	}
	value, lenience, err := normalize(path.Path, value)
	p.lenient(lenience)
	return value, err
}

func (p *parser) append(op Operation) error {
	if op.Op == Remove && isActive(op.Path.Path) {
		p.quirk(QuirkActiveCleared)
		return nil
	}
	if len(p.operations) == MaxOperations {
		return schema.Errorf(schema.TooMany, "a PATCH request can have at most %d operations", MaxOperations)
	}
	if scansMembers(op) {
		if p.scans++; p.scans > MaxMemberScans {
			return schema.Errorf(schema.TooMany,
				"a PATCH request can have at most %d operations that replace members or choose them by more than their value", MaxMemberScans)
		}
	}
	p.operations = append(p.operations, op)
	return nil
}

// nameQuirks compares the name that was sent with the canonical one.
func (p *parser) nameQuirks(name string, path filter.Path) {
	name, _, _ = strings.Cut(name, "[")
	canonical := path.Attribute.Name
	if path.Sub != nil && path.Element == nil {
		canonical += "." + path.Sub.Name
	}
	if sent, found := cutSuffixFold(name, schema.ManagerID); found && path.ByID() {
		p.quirk(schema.QuirkManagerID)
		name = sent + "value"
	}
	if !strings.HasSuffix(name, canonical) {
		p.quirk(schema.QuirkNameCase)
	}
	urn := strings.TrimRight(name[:max(0, len(name)-len(canonical))], ":")
	if path.Schema == nil || !path.Schema.IsExtension() {
		return
	}
	switch {
	case p.rt.IsOlder(urn) && p.rt.SchemaOf(strings.TrimRight(urn, ".")) == path.Schema:
		if strings.HasSuffix(urn, ".") {
			p.quirk(QuirkURNDot)
		}
	case strings.EqualFold(urn, path.Schema.ID):
	case strings.EqualFold(strings.TrimRight(urn, "."), path.Schema.ID):
		p.quirk(QuirkURNDot)
	default:
		p.quirk(QuirkUnqualifiedExtension)
	}
}

func cutSuffixFold(s, suffix string) (before string, found bool) {
	at := len(s) - len(suffix)
	if at < 0 || !strings.EqualFold(s[at:], suffix) {
		return s, false
	}
	return s[:at], true
}

func syntax(detail string) *schema.Error { return schema.Errorf(schema.InvalidSyntax, "%s", detail) }
