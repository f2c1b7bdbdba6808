package scim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

const (
	coreUser   = "urn:ietf:params:scim:schemas:core:2.0:User"
	coreGroup  = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	medius     = "urn:ietf:params:scim:schemas:extension:medius:2.0:User"
)

// model is what a directory should hold: the plainest thing that can be compared with a server.
type model struct {
	users  []*person // in the order in which they were created
	groups []*circle
}

// person is a user. Attributes are named by the path under which a client changes them; those without a value are absent.
type person struct {
	id         string
	attributes map[string]string
	active     bool
	emails     []email
	version    int
}

type email struct{ kind, value string }

// circle is a group.
type circle struct {
	id, displayName, externalID string
	members                     map[string]bool
	version                     int
}

// simplePaths are the attributes of a person that hold one text, userName apart.
var simplePaths = []string{
	"externalId", "displayName", "title", "name.givenName", "name.familyName", enterprise + ":department", medius + ":customFieldText1",
}

func (p *person) clone() *person {
	c := *p
	c.attributes, c.emails = maps.Clone(p.attributes), slices.Clone(p.emails)
	return &c
}

func (p *person) equal(o *person) bool {
	return maps.Equal(p.attributes, o.attributes) && p.active == o.active && slices.Equal(p.emails, o.emails)
}

// set gives an attribute a value, or none.
func (p *person) set(path, value string) {
	if value == "" {
		delete(p.attributes, path)
	} else {
		p.attributes[path] = value
	}
}

func (p *person) setEmail(kind, value string) {
	i := slices.IndexFunc(p.emails, func(e email) bool { return e.kind == kind })
	switch {
	case i < 0 && value != "":
		p.emails = append(p.emails, email{kind, value})
	case i >= 0 && value == "":
		p.emails = slices.Delete(p.emails, i, i+1)
	case i >= 0:
		p.emails[i].value = value
	}
}

// body is the person as a client sends it whole.
func (p *person) body() map[string]any {
	out := map[string]any{"active": p.active}
	for path, value := range p.attributes {
		parent, name := out, path
		for _, urn := range []string{enterprise, medius} {
			if rest, ok := strings.CutPrefix(path, urn+":"); ok {
				out[urn], name = map[string]any{rest: value}, ""
			}
		}
		if first, rest, dotted := strings.Cut(name, "."); dotted && name != "" {
			if out[first] == nil {
				out[first] = map[string]any{}
			}
			parent, name = out[first].(map[string]any), rest
		}
		if name != "" {
			parent[name] = value
		}
	}
	var emails []any
	for _, e := range p.emails {
		emails = append(emails, map[string]any{"type": e.kind, "value": e.value})
	}
	if emails != nil {
		out["emails"] = emails
	}
	return out
}

// seen is the person as the server should answer, but for the times.
func (m *model) seen(p *person) map[string]any {
	out := p.body()
	schemas := []any{coreUser}
	for _, urn := range []string{enterprise, medius} {
		if out[urn] != nil {
			schemas = append(schemas, urn)
		}
	}
	out["schemas"], out["id"] = schemas, p.id
	out["meta"] = meta("User", "/Users/", p.id, p.version)
	var groups []any
	for _, g := range m.groups {
		if g.members[p.id] {
			groups = append(groups, map[string]any{
				"value": g.id, "display": g.displayName, "type": "direct", "$ref": tenantURL + "/Groups/" + g.id,
			})
		}
	}
	if groups != nil {
		out["groups"] = groups
	}
	return out
}

// seenGroup is the group as the server should answer, but for the times.
func (m *model) seenGroup(g *circle) map[string]any {
	out := map[string]any{
		"schemas": []any{coreGroup}, "id": g.id, "displayName": g.displayName, "meta": meta("Group", "/Groups/", g.id, g.version),
	}
	if g.externalID != "" {
		out["externalId"] = g.externalID
	}
	members := []any{}
	for _, id := range slices.Sorted(maps.Keys(g.members)) { // ids are in the order of creation
		member := map[string]any{"value": id, "type": "User", "$ref": tenantURL + "/Users/" + id}
		if m.group(id) != nil {
			member["type"], member["$ref"] = "Group", tenantURL+"/Groups/"+id
		}
		members = append(members, member)
	}
	out["members"] = members
	return out
}

func meta(kind, endpoint, id string, version int) map[string]any {
	return map[string]any{
		"resourceType": kind, "location": tenantURL + endpoint + id, "version": `W/"` + strconv.Itoa(version) + `"`,
	}
}

func (m *model) user(id string) *person {
	for _, p := range m.users {
		if p.id == id {
			return p
		}
	}
	return nil
}

func (m *model) group(id string) *circle {
	for _, g := range m.groups {
		if g.id == id {
			return g
		}
	}
	return nil
}

// taken tells whether somebody other than id has the name.
func (m *model) taken(id, userName string) bool {
	return slices.ContainsFunc(m.users, func(p *person) bool {
		return p.id != id && asName(p.attributes["userName"]) == asName(userName)
	})
}

// takenGroup tells whether another group than id has the name, and not both have an external id of their own.
func (m *model) takenGroup(id, displayName, external string) bool {
	return slices.ContainsFunc(m.groups, func(g *circle) bool {
		apart := g.externalID != "" && external != "" && g.externalID != external
		return g.id != id && asName(g.displayName) == asName(displayName) && !apart
	})
}

// asName is the same for two spellings of one name.
func asName(s string) string { return norm.NFC.String(strings.ToLower(width.Fold.String(s))) }

// forget removes an id from all groups, which is a change of each.
func (m *model) forget(id string) {
	for _, g := range m.groups {
		if g.members[id] {
			delete(g.members, id)
			g.version++
		}
	}
}

// exists tells whether an id names somebody.
func (m *model) exists(id string) bool { return m.user(id) != nil || m.group(id) != nil }

// condition is a filter and what it means.
type condition struct {
	text  string
	holds func(*person) bool
}

func compare(path, op, value string) condition {
	value0 := func(p *person) (string, bool) { v, ok := p.attributes[path]; return v, ok }
	fold := strings.ToLower
	switch path {
	case "externalId":
		fold = func(s string) string { return s }
	case "userName":
		fold = asName
	}
	test := map[string]func(a, b string) bool{
		"eq": func(a, b string) bool { return a == b }, "co": strings.Contains, "sw": strings.HasPrefix, "ew": strings.HasSuffix,
	}[op]
	return condition{
		text: path + " " + op + " " + quoted(value),
		holds: func(p *person) bool {
			v, ok := value0(p)
			return ok && test(fold(v), fold(value))
		},
	}
}

func present(path string) condition {
	return condition{path + " pr", func(p *person) bool { return p.attributes[path] != "" }}
}

func isActive(active bool, literal string) condition {
	return condition{"active eq " + literal, func(p *person) bool { return p.active == active }}
}

func hasEmail(kind, value string) condition {
	return condition{
		fmt.Sprintf(`emails[type eq "%s"].value eq %s`, kind, quoted(value)),
		func(p *person) bool {
			return slices.ContainsFunc(p.emails, func(e email) bool { return e.kind == kind && strings.EqualFold(e.value, value) })
		},
	}
}

// inAnyGroup is about the groups of a user as they are when it is asked.
func (m *model) inAnyGroup() condition {
	return condition{"groups pr", func(p *person) bool {
		return slices.ContainsFunc(m.groups, func(g *circle) bool { return g.members[p.id] })
	}}
}

func (m *model) inGroupCalled(op, name string) condition {
	called := func(g *circle) bool {
		return compare("userName", op, name).holds(&person{attributes: map[string]string{"userName": g.displayName}}) // names both
	}
	return condition{`groups[type eq "direct" and display ` + op + " " + quoted(name) + "]", func(p *person) bool {
		return slices.ContainsFunc(m.groups, func(g *circle) bool { return g.members[p.id] && called(g) })
	}}
}

func both(a, b condition) condition {
	return condition{"(" + a.text + ") and (" + b.text + ")", func(p *person) bool { return a.holds(p) && b.holds(p) }}
}

func either(a, b condition) condition {
	return condition{"(" + a.text + ") or (" + b.text + ")", func(p *person) bool { return a.holds(p) || b.holds(p) }}
}

func no(a condition) condition {
	return condition{"not (" + a.text + ")", func(p *person) bool { return !a.holds(p) }}
}

// quoted is a JSON string.
func quoted(s string) string {
	encoded, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be encoded
	}
	return string(encoded)
}
