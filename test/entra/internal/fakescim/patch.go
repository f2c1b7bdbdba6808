package fakescim

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

type operation struct {
	Op, Path string
	Value    any
}

// path: an optional schema URN, an attribute, an optional filter, an optional sub-attribute.
var pathForm = regexp.MustCompile(`^(?:(urn:.*):)?(\w+)(?:\[(\w+) eq ("[^"]*")\])?(?:\.(\w+))?$`)

func (op operation) apply(o Object) error {
	remove := strings.EqualFold(op.Op, "remove")
	if op.Path == "" {
		folded, ok := op.Value.(Object)
		if !ok {
			return fmt.Errorf("%s without a path needs an object", op.Op)
		}
		for path, value := range folded {
			if err := (operation{op.Op, path, value}).apply(o); err != nil {
				return err
			}
		}
		return nil
	}
	m := pathForm.FindStringSubmatch(op.Path)
	if m == nil {
		return fmt.Errorf("path %q", op.Path)
	}
	urn, attribute, key, literal, sub := m[1], canonical(m[2]), m[3], m[4], m[5]
	var want string
	if literal != "" {
		_ = json.Unmarshal([]byte(literal), &want)
	}
	node := o
	if urn != "" {
		node = into(o, urn)
	}
	switch {
	case attribute == "members" && remove && key != "":
		removeMembers(node, map[string]bool{want: true})
	case attribute == "members" && remove && op.Value == nil:
		delete(node, "members")
	case attribute == "members" && remove:
		removeMembers(node, idsOf(op.Value))
	case attribute == "members":
		present := idsOf(node["members"])
		members, _ := node["members"].([]any)
		for id := range idsOf(op.Value) {
			if !present[id] {
				members = append(members, Object{"value": id})
			}
		}
		node["members"] = members
	case attribute == "manager" && op.Value == "":
		delete(node, "manager")
	case attribute == "manager":
		node["manager"] = Object{"value": op.Value}
	case key != "":
		elements, _ := node[attribute].([]any)
		i := slices.IndexFunc(elements, func(e any) bool { return fmt.Sprint(e.(Object)[key]) == want })
		if i < 0 {
			elements, i = append(elements, Object{key: want}), len(elements)
			node[attribute] = elements
		}
		elements[i].(Object)[sub] = op.Value
	case sub != "":
		into(node, attribute)[sub] = op.Value
	case attribute == "active":
		node["active"] = strings.EqualFold(fmt.Sprint(op.Value), "true")
	default:
		node[attribute] = op.Value
	}
	return nil
}

func into(node Object, name string) Object {
	c, ok := node[name].(Object)
	if !ok {
		c = Object{}
		node[name] = c
	}
	return c
}

func idsOf(members any) map[string]bool {
	ids := map[string]bool{}
	list, _ := members.([]any)
	for _, m := range list {
		ids[fmt.Sprint(m.(Object)["value"])] = true
	}
	return ids
}

func removeMembers(group Object, ids map[string]bool) {
	list, _ := group["members"].([]any)
	kept := []any{}
	for _, m := range list {
		if !ids[fmt.Sprint(m.(Object)["value"])] {
			kept = append(kept, m)
		}
	}
	if list != nil {
		group["members"] = kept
	}
}

// values are what a filter's left side selects.
func values(o Object, path string) []any {
	m := pathForm.FindStringSubmatch(path)
	if m == nil {
		return nil
	}
	node := any(o)
	if m[1] != "" {
		node = o[m[1]]
	} else if m[2] == "manager" {
		node = o[enterprise]
	}
	within, _ := node.(Object)
	v := within[canonical(m[2])]
	if list, ok := v.([]any); ok {
		var out []any
		for _, e := range list {
			element, _ := e.(Object)
			if m[3] == "" || `"`+fmt.Sprint(element[m[3]])+`"` == m[4] {
				if sub := m[5]; sub != "" {
					out = append(out, element[sub])
				} else {
					out = append(out, element["value"])
				}
			}
		}
		return out
	}
	if c, ok := v.(Object); ok {
		if m[5] != "" {
			return []any{c[m[5]]}
		}
		return []any{c["value"]}
	}
	return []any{v}
}
