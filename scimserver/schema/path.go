package schema

import "strings"

// Path names an attribute of a resource type, or one of its sub-attributes.
type Path struct {
	// Schema that defines the attribute; nil for the common attributes (id, externalId, meta, schemas).
	Schema    *Schema
	Attribute *Attribute
	// Sub is nil when the path names the whole attribute.
	Sub *Attribute
}

// String returns the canonical notation of RFC 7644 section 3.10: "emails.value", or with the schema's URN in front
// for an extension's attribute.
func (p Path) String() string {
	name := p.Attribute.Name
	if p.Sub != nil {
		name += "." + p.Sub.Name
	}
	if p.extension() {
		return p.Schema.ID + ":" + name
	}
	return name
}

// path is what Errorf knows a Path by, and all that has one in it.
func (p Path) path() string { return p.String() }

func (p Path) extension() bool { return p.Schema != nil && p.Schema.IsExtension() }

// Leaf returns the definition of the values that the path reaches.
func (p Path) Leaf() *Attribute {
	if p.Sub != nil {
		return p.Sub
	}
	return p.Attribute
}

// ReadOnly tells whether a client may not write there.
func (p Path) ReadOnly() bool {
	return p.Attribute.Mutability == ReadOnly || p.Leaf().Mutability == ReadOnly
}

// Rows tells whether the values are memberships, which a store keeps as rows and no resource's document has.
func (p Path) Rows() bool { return p.Attribute.rows }

// Get returns the value of the attribute in obj, whatever Sub is, or nil.
func (p Path) Get(obj Object) any {
	if p.extension() {
		obj, _ = obj[p.Schema.ID].(Object)
	}
	return obj[p.Attribute.Name]
}

// Values returns every value that the path reaches in obj: those of all elements where the attribute is multi-valued.
func (p Path) Values(obj Object) []any {
	value := p.Get(obj)
	elements, ok := value.([]any)
	if !ok {
		if value = p.inElement(value); value == nil {
			return nil
		}
		return flatten(nil, value)
	}
	values := make([]any, 0, len(elements))
	for _, element := range elements {
		if value := p.inElement(element); value != nil {
			values = flatten(values, value)
		}
	}
	return values
}

func (p Path) inElement(element any) any {
	if p.Sub == nil {
		return element
	}
	object, _ := element.(Object)
	return object[p.Sub.Name]
}

// flatten takes the values of a multi-valued sub-attribute apart.
func flatten(values []any, value any) []any {
	if several, ok := value.([]any); ok {
		return append(values, several...)
	}
	return append(values, value)
}

// Path resolves a name in attribute notation (RFC 7644 section 3.10), in any case: attr, attr.sub, and both behind a
// schema's URN. The URN is the longest one that this resource type knows, so that the dot in "2.0" is no separator; a
// dot after the URN instead of a colon is understood too. A name without URN, or with the core schema's, is looked for
// among the common attributes, in the core schema, then in the extensions: Entra qualifies custom attributes with the
// core schema's URN. The error is an *Error invalidPath.
func (rt *ResourceType) Path(name string) (Path, error) {
	s, rest, err := rt.cutURN(name)
	if err != nil {
		return Path{}, err
	}
	attribute, sub, dotted := strings.Cut(rest, ".")
	p, ok := rt.lookup(s, attribute)
	if !ok {
		return Path{}, unknownName(name)
	}
	if !dotted {
		return p, nil
	}
	return p.WithSub(sub)
}

// Knows tells whether Path resolves the name.
func (rt *ResourceType) Knows(name string) bool {
	_, err := rt.Path(name)
	return err == nil
}

// AttributeOf returns the attribute with which a name begins, whatever stands behind a dot or a bracket.
func (rt *ResourceType) AttributeOf(name string) (Path, bool) {
	name, _, _ = strings.Cut(name, "[")
	s, rest, err := rt.cutURN(strings.TrimSpace(name))
	if err != nil {
		return Path{}, false
	}
	attribute, _, _ := strings.Cut(rest, ".")
	return rt.lookup(s, attribute)
}

// WithSub returns the path to a sub-attribute of the attribute at p. "value" of an attribute whose elements are simple
// values is the attribute itself. The error is an *Error invalidPath.
func (p Path) WithSub(name string) (Path, error) {
	if p.Sub = p.Attribute.Sub(name); p.Sub != nil {
		return p, nil
	}
	if p.Attribute.Type == TypeComplex {
		return Path{}, Errorf(InvalidPath, "%s has the sub-attributes %s; another was named",
			p, strings.Join(names(listed(p.Attribute.SubAttributes)), ", "))
	}
	if p.Attribute.MultiValued && equalNames(name, "value") {
		return p, nil
	}
	return Path{}, Errorf(InvalidPath, "%s has no sub-attributes; one was named", p)
}

// lookup finds an attribute in the extension s, or by its bare name where s is nil or the core schema.
func (rt *ResourceType) lookup(s *Schema, name string) (Path, bool) {
	if s != nil && s.IsExtension() {
		a := s.Attribute(name)
		return Path{Schema: s, Attribute: a}, a != nil
	}
	p, ok := rt.names[name]
	if !ok {
		p, ok = rt.names[Fold(name)]
	}
	return p, ok
}

// cutURN separates a schema's URN from the attribute behind it. Without a URN s is nil.
func (rt *ResourceType) cutURN(name string) (s *Schema, rest string, err error) {
	if strings.IndexByte(name, ':') < 0 {
		return nil, name, nil
	}
	longest := 0
	consider := func(urn string, of *Schema) {
		n := len(urn)
		if n > longest && len(name) > n && (name[n] == ':' || name[n] == '.') && strings.EqualFold(name[:n], urn) {
			longest, s, rest = n, of, name[n+1:]
		}
	}
	consider(rt.Schema.ID, rt.Schema)
	for _, e := range rt.Extensions {
		consider(e.ID, e)
	}
	for _, u := range rt.older {
		consider(u.id, u.schema)
	}
	if s == nil {
		return nil, "", unknownName(name)
	}
	return s, rest, nil
}

func names(attributes []*Attribute) []string {
	out := make([]string, len(attributes))
	for i, a := range attributes {
		out[i] = a.Name
	}
	return out
}

// IsName tells whether s has the form of an attribute's name: [URN:]name[.sub].
func IsName(s string) bool {
	name := s[strings.LastIndexByte(s, ':')+1:]
	if name == "" || len(s) > maxName {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '$', c == '.', c == ':':
		default:
			return false
		}
	}
	return name[0] != '.' && name[len(name)-1] != '.' && (name[0] < '0' || name[0] > '9')
}

// maxName bounds what an error repeats and a request records of a name that nobody knows.
const maxName = 256

// unknownName names the attribute only where it can be one: what stands in its place could be personal data.
func unknownName(name string) *Error {
	if !IsName(name) {
		return Errorf(InvalidPath, "an attribute name was expected, such as userName, name.givenName or %s:department", EnterpriseUser)
	}
	return Errorf(InvalidPath, "this resource has no attribute %q; /Schemas lists those that it has", name)
}
