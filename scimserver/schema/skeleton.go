package schema

// User returns the resource type User (RFC 7643 section 4.1) with the enterprise, medius and tenantry extensions and
// those given.
func User(extensions ...*Schema) *ResourceType { return nil }

// Group returns the resource type Group (RFC 7643 section 4.2) with the extensions given.
func Group(extensions ...*Schema) *ResourceType { return nil }

// Decode reads one JSON object. Numbers stay json.Number. The error is an *Error.
func Decode(data []byte) (Object, error) { return nil, nil }

// Normalize turns a client's whole resource into a canonical object. The error is an *Error.
func (rt *ResourceType) Normalize(in Object) (Object, error) { return nil, nil }

// Schemas returns the URNs of the schemas that obj has values of: the core schema and each extension with data.
func (rt *ResourceType) Schemas(obj Object) []string { return nil }

// Project returns obj with the attributes that a response has (RFC 7644 section 3.9).
func (rt *ResourceType) Project(obj Object, attributes, excluded []string) (Object, error) {
	return nil, nil
}

// Wants tells whether a response has any of the attribute's values, so that a server need not load them.
func (rt *ResourceType) Wants(attributes, excluded []string, name string) bool { return true }

// MaxKey is the greatest length of an index key in bytes.
const MaxKey = 512

// Key is one entry of the attribute index.
type Key struct {
	Path string // Path.String() of the attribute
	Key  string // the value as Path.Key gives it
}

type indexedPath struct {
	path Path
	name string
}

// IndexKeys returns the index entries of obj, each once.
func (rt *ResourceType) IndexKeys(obj Object) []Key { return nil }

// Key returns the index key of one value at p: folded unless the attribute is caseExact, a boolean as "true" or
// "false", cut to MaxKey bytes at a character's end. Equal values have equal keys. ok is false for what has no key.
func (p Path) Key(value any) (key string, ok bool) { return "", false }
