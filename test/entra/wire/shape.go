package wire

import "strings"

// Attribute is one mapped value: a string or a bool at a path.
type Attribute struct {
	Path  string
	Value any
}

// Change is an attribute to be sent in a PATCH. Existing tells that the target has a value there, which makes the
// difference between Add and Replace.
type Change struct {
	Attribute
	Existing bool
}

// Operation is one PATCH operation, RFC 7644 section 3.5.2.
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path,omitempty"`
	Value any    `json:"value,omitempty"`
}

type member struct {
	Ref   *string `json:"$ref"`
	Value string  `json:"value"`
}

// CreateUser builds the body of POST /Users. As Entra does, it lists the core and the enterprise schema and no other,
// whatever extensions the body holds, and sends an empty roles where none is mapped.
func CreateUser(attributes []Attribute) Resource {
	r := Resource{
		"schemas": []any{SchemaUser, SchemaEnterpriseUser},
		"meta":    map[string]any{"resourceType": "User"},
		"roles":   []any{},
	}
	for _, a := range attributes {
		r.put(a)
	}
	return r
}

// CreateGroup builds the body of POST /Groups, which never has members: these follow by PATCH.
func CreateGroup(attributes []Attribute) Resource {
	r := Resource{
		"schemas": []any{SchemaGroup, schemaADSCIMGroup},
		"meta":    map[string]any{"resourceType": "Group"},
	}
	for _, a := range attributes {
		r.put(a)
	}
	return r
}

func (r Resource) put(a Attribute) {
	p, err := ParsePath(a.Path)
	if err != nil {
		return // the job's validation has refused such a mapping before
	}
	node := map[string]any(r)
	if p.URN != "" && p.URN != SchemaUser && p.URN != SchemaGroup {
		node = child(node, p.URN)
	}
	switch {
	case p.FilterAttribute != "":
		node[p.Attribute] = putElement(node[p.Attribute], p, a.Value)
	case p.Sub != "":
		child(node, p.Attribute)[p.Sub] = a.Value
	default:
		node[p.Attribute] = a.Value
	}
}

func child(node map[string]any, name string) map[string]any {
	if c, ok := node[name].(map[string]any); ok {
		return c
	}
	c := map[string]any{}
	node[name] = c
	return c
}

// putElement sets a sub-attribute of the element that the filter selects, making the element if there is none yet.
func putElement(list any, p Path, value any) []any {
	elements, _ := list.([]any)
	want := any(p.FilterValue)
	if strings.EqualFold(p.FilterAttribute, "primary") {
		want = strings.EqualFold(p.FilterValue, "true")
	}
	for _, e := range elements {
		if m := e.(map[string]any); m[p.FilterAttribute] == want {
			m[p.Sub] = value
			return elements
		}
	}
	m := map[string]any{p.FilterAttribute: want, p.Sub: value}
	switch p.Attribute {
	case "emails":
		m["primary"] = true
	case "roles":
		m["type"] = "WindowsAzureActiveDirectoryRole"
	}
	return append(elements, m)
}

// Patch builds the operations that carry the changes of one user's or group's own attributes.
func Patch(d Dialect, changes []Change) []Operation {
	if d == Flagged {
		return foldedPatch(changes)
	}
	ops := make([]Operation, len(changes))
	for i, c := range changes {
		ops[i] = Operation{Op: verb(d, c.Existing), Path: c.Path, Value: c.Value}
		if b, ok := c.Value.(bool); ok {
			ops[i].Value = map[bool]string{true: "True", false: "False"}[b]
		}
	}
	return ops
}

// foldedPatch keeps filtered paths apart and folds what remains into one operation without a path for each verb. A
// single attribute keeps its path, as in Microsoft's samples for active and nickName.
func foldedPatch(changes []Change) []Operation {
	var ops []Operation
	folded := map[bool][]Change{}
	for _, c := range changes {
		if strings.Contains(c.Path, "[") {
			ops = append(ops, Operation{Op: verb(Flagged, c.Existing), Path: c.Path, Value: c.Value})
		} else {
			folded[c.Existing] = append(folded[c.Existing], c)
		}
	}
	for _, existing := range []bool{true, false} {
		switch group := folded[existing]; len(group) {
		case 0:
		case 1:
			ops = append(ops, Operation{Op: verb(Flagged, existing), Path: group[0].Path, Value: group[0].Value})
		default:
			value := map[string]any{}
			for _, c := range group {
				value[c.Path] = c.Value
			}
			ops = append(ops, Operation{Op: verb(Flagged, existing), Value: value})
		}
	}
	return ops
}

// PatchReference builds the operation that sets a reference such as manager to an id, or takes it away with id "".
func PatchReference(d Dialect, path, id string, existing bool) []Operation {
	return []Operation{{Op: verb(d, existing), Path: path, Value: id}}
}

// AddMembers builds the operation that puts ids into a group.
func AddMembers(d Dialect, ids []string) []Operation {
	return []Operation{{Op: verb(d, false), Path: "members", Value: members(ids)}}
}

// RemoveMembers builds the operations that take ids out of a group. In the legacy dialect the value array names the
// members to remove, and only those.
func RemoveMembers(d Dialect, ids []string) []Operation {
	if d != Flagged {
		return []Operation{{Op: "Remove", Path: "members", Value: members(ids)}}
	}
	var ops []Operation
	for _, id := range ids {
		ops = append(ops, Operation{Op: "remove", Path: "members[value eq " + Quote(id) + "]"})
	}
	return ops
}

func members(ids []string) []member {
	list := make([]member, len(ids))
	for i, id := range ids {
		list[i].Value = id
	}
	return list
}

func verb(d Dialect, existing bool) string {
	name := "Add"
	if existing {
		name = "Replace"
	}
	if d == Flagged {
		return strings.ToLower(name)
	}
	return name
}

// PatchBody wraps operations into the message of RFC 7644 section 3.5.2.
func PatchBody(ops []Operation) any {
	return struct {
		Schemas    []string    `json:"schemas"`
		Operations []Operation `json:"Operations"`
	}{[]string{MessagePatchOp}, ops}
}

// Quote writes a filter's string literal, RFC 7644 section 3.4.2.2.
func Quote(value string) string { return string(encode(value)) }

// Equal writes the only comparison that Entra makes.
func Equal(path, value string) string { return path + " eq " + Quote(value) }
