package protocol_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// modelled is a model of who set a user's values, in four sentences. A request changes what the client sees, of the defaults that the
// user has after it. What it names has that value, and is the client's. What a PUT does not name stays if it was stamped, and goes if it
// was the client's. A value that follows defaults shows where there is no other, unless the client said that there be none. Roles that a PATCH has changed are
// left by a PUT that does not name them.
type modelled struct {
	held    map[string]held
	cleared map[string]bool
	patched bool   // the roles
	in      string // the department
}

type held struct{ value, by string }

var (
	modelPaths = []string{"roles", "locale", "title", "name.honorificPrefix", "costCenter"}
	// modelStamp is stamped on who arrives in Other, and gives all that any defaults give.
	modelStamp = map[string]string{"roles": "approver", "locale": "sv-SE", "name.honorificPrefix": "Dr", "costCenter": "100"}
	// modelFollowed is what users of a department follow.
	modelFollowed = map[string]map[string]string{
		"Finance": {"roles": "v0+v1", "locale": "da-DK", "costCenter": "v1"},
		"Sales":   {"roles": "v1+v3", "name.honorificPrefix": "v2", "costCenter": "v0"},
	}
)

// modelDefaults are the resources of modelFollowed and modelStamp.
func modelDefaults() []*v1alpha1.UserDefaults {
	all := []*v1alpha1.UserDefaults{finance(v1alpha1.ApplyAlways), finance(v1alpha1.ApplyAlways), finance(v1alpha1.ApplyOnCreate)}
	for i, in := range []string{"Finance", "Sales"} {
		gives, spec := modelFollowed[in], &all[i].Spec
		all[i].Name, spec.Filter = in, `department eq "`+in+`"`
		spec.Roles, spec.Locale = strings.Split(gives["roles"], "+"), gives["locale"]
		spec.Attributes = []v1alpha1.AttributeDefault{{Path: enterpriseURN + ":costCenter", Value: gives["costCenter"]}}
		if prefix := gives["name.honorificPrefix"]; prefix != "" {
			spec.Attributes = append(spec.Attributes, v1alpha1.AttributeDefault{Path: "name.honorificPrefix", Value: prefix})
		}
	}
	return all
}

// arrive is what becomes of a user who arrives with values: null is no mention.
func arrive(named map[string]any, in string) *modelled {
	m := &modelled{map[string]held{}, map[string]bool{}, false, in}
	if modelFollowed[in] == nil {
		for path, value := range modelStamp {
			m.held[path] = held{value, " <finance"}
		}
	}
	for path, value := range named {
		if value != nil {
			m.held[path] = held{value: value.(string)}
		}
	}
	return m
}

// shows is what a client sees of an attribute.
func (m *modelled) shows(path string) (held, bool) {
	if h, ok := m.held[path]; ok {
		return h, true
	}
	value, ok := modelFollowed[m.in][path]
	if !ok || m.cleared[path] {
		return held{}, false
	}
	return held{value, " <" + m.in}, true
}

func (m *modelled) hear(named map[string]any) {
	for path, value := range named {
		delete(m.held, path)
		delete(m.cleared, path)
		if value != nil {
			m.held[path] = held{value: value.(string)}
		} else if modelStamp[path] != "" {
			m.cleared[path] = true
		}
	}
}

func (m *modelled) put(named map[string]any) {
	_, speaks := named["roles"]
	m.patched = m.patched && !speaks
	maps.DeleteFunc(m.held, func(path string, h held) bool { return h.by == "" && (path != "roles" || !m.patched) })
	m.hear(named)
}

func (m *modelled) patch(named map[string]any) {
	if roles, speaks := named["roles"]; speaks {
		m.patched = roles != nil
	}
	m.hear(named)
}

// changeRole adds or removes one role among those that the client sees. To remove one that is not among those of defaults takes
// charge of nothing.
func (m *modelled) changeRole(op, role string) {
	seen, shown := m.shows("roles")
	if op == "remove" && shown && seen.by != "" && !slices.Contains(strings.Split(seen.value, "+"), role) {
		return
	}
	roles := slices.DeleteFunc(strings.Split(seen.value, "+"), func(r string) bool { return r == "" || r == role && op == "remove" })
	if op == "add" && !slices.Contains(roles, role) {
		roles = append(roles, role)
	}
	if len(roles) == 0 {
		m.patch(map[string]any{"roles": nil})
	} else {
		m.patch(map[string]any{"roles": strings.Join(roles, "+")})
	}
}

// wants is what fixture.values and fixture.cleared are to return.
func (m *modelled) wants() (values, cleared string) {
	var lines, names []string
	for _, path := range modelPaths {
		if h, ok := m.shows(path); ok {
			lines = append(lines, path[strings.LastIndexByte(path, '.')+1:]+" "+h.value+h.by)
		}
	}
	for _, path := range []string{"locale", "name.honorificPrefix", "roles", "costCenter"} { // as they are sorted with their URNs
		if m.cleared[path] {
			names = append(names, path)
		}
	}
	return strings.Join(lines, "\n"), strings.Join(names, " ")
}

func TestWhoSetAValueIsKnownAfterAnySequenceOfWrites(t *testing.T) {
	f := newFixture(t)
	f.setDefaults(modelDefaults()...)
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 7644))
		// some returns attributes by name with new values, null for some.
		some := func() map[string]any {
			named := map[string]any{}
			for _, path := range modelPaths {
				if random.IntN(4) > 0 {
					continue
				}
				named[path] = nil
				if text := fmt.Sprint("v", random.IntN(3)); random.IntN(3) > 0 {
					named[path] = text
				}
			}
			return named
		}
		// sent is what a client sends of these, and beside them.
		sent := func(named, beside map[string]any) map[string]any {
			body := maps.Clone(named)
			if text, ok := body["roles"].(string); ok {
				body["roles"] = []any{map[string]any{"value": text}}
			}
			maps.Copy(body, beside)
			return body
		}
		department := func() string { return []string{"Finance", "Sales", "Other"}[random.IntN(3)] }
		userName, in, named := fmt.Sprint("u", seed), department(), some()
		model := arrive(named, in)
		f.create(userName, "/Users", encoded(t, sent(named, map[string]any{"userName": userName, "department": in})))
		for step := range 8 {
			method, body := "PATCH", map[string]any{}
			named, in = some(), department()
			model.in = in
			switch random.IntN(3) {
			case 0:
				method, body = "PUT", sent(named, map[string]any{"userName": userName, "department": in})
				model.put(named)
			case 1:
				body["Operations"] = []any{map[string]any{"op": "replace", "value": sent(named, map[string]any{"department": in})}}
				model.patch(named)
			default:
				var operations []any
				for range 1 + random.IntN(3) {
					role := fmt.Sprint("v", random.IntN(4))
					if random.IntN(2) == 0 {
						operations = append(operations, map[string]any{"op": "add", "path": "roles", "value": []any{map[string]any{"value": role}}})
						model.changeRole("add", role)
					} else {
						operations = append(operations, map[string]any{"op": "remove", "path": `roles[value eq "` + role + `"]`})
						model.changeRole("remove", role)
					}
				}
				move := map[string]any{"op": "replace", "path": "department", "value": in}
				body["Operations"] = slices.Insert(operations, random.IntN(len(operations)+1), any(move))
			}
			done := f.send(method, "/Users/{"+userName+"}", encoded(t, body))
			again := f.send(method, "/Users/{"+userName+"}", encoded(t, body))
			if done.status/100 != 2 || done.header.Get("ETag") != again.header.Get("ETag") {
				t.Fatalf("seed %d, step %d: %s %s = %d, version %s, and once more %d, %s", seed, step, method, encoded(t, body),
					done.status, done.header.Get("ETag"), again.status, again.header.Get("ETag"))
			}
			values, cleared := model.wants()
			seen := f.expect("GET", "/Users/{"+userName+"}", "", 200, "")
			if got := f.values(seen); got != values || f.cleared(seen) != cleared {
				t.Fatalf("seed %d, step %d, %s %s:\n%s\nwant\n%s\ncleared are %q, want %q",
					seed, step, method, encoded(t, body), got, values, f.cleared(seen), cleared)
			}
		}
	}
}

func encoded(t *testing.T, body any) string {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
