package scim

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	steps = flag.Int("steps", 150, "how many requests of the random client are compared with the model")
	seeds = flag.Int("seeds", 2, "how many random clients there are; the n-th is the same in each run")
)

// TestARandomClientFindsWhatTheModelHolds lets a random client create, replace, patch, delete and look up in both dialects
// of Entra, and compares each answer, and what is stored after it, with the model.
func TestARandomClientFindsWhatTheModelHolds(t *testing.T) {
	t.Parallel()
	for seed := range *seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			onEachEngine(t, func(t *testing.T, s *server) {
				c := &client{T: t, server: s, random: rand.New(rand.NewPCG(uint64(seed), 0)), model: &model{}}
				for range *steps {
					c.step()
				}
				c.compareAll()
			})
		})
	}
}

// client is a random client with the model of what it has done.
type client struct {
	*testing.T
	server *server
	random *rand.Rand
	model  *model
	done   []string // the last requests, for who reads a failure
}

func (c *client) step() {
	for _, action := range []struct {
		weight int
		do     func()
	}{
		{6, c.createUser}, {4, c.replaceUser}, {16, c.patchUser}, {2, c.deleteUser},
		{3, c.createGroup}, {2, c.renameGroup}, {14, c.patchMembers}, {1, c.deleteGroup},
		{10, c.lookUp}, {4, c.page}, {2, c.lookUpGroup},
	} {
		// Each action has its share of what is left of the hundred or so.
		if c.random.IntN(64) < action.weight {
			action.do()
			return
		}
	}
	c.patchUser()
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// word is a value of which few exist, so that random values meet each other.
func (c *client) word() string {
	return pick(c.random, "Anna", "ANNA", "anna k", "Bo", "Åsa", "åSA", `q"uo\te`, "a+b", "50%", "x&y=z", " blank ", "日本", "null", "true", "0", "<i>", "'; --")
}

func (c *client) userName() string {
	return pick(c.random, c.word(), fmt.Sprintf("user%d@contoso.test", c.random.IntN(40)), fmt.Sprintf("USER%d@Contoso.test", c.random.IntN(40)))
}

func (c *client) send(method, target string, body any, statuses ...int) answer {
	c.Helper()
	text := ""
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			c.Fatal(err)
		}
		text = string(encoded)
	}
	c.done = append(c.done, method+" "+target+" "+text)
	got := c.server.send(c.T, method, target, text, nil)
	if !slices.Contains(statuses, got.status) {
		c.fail("%s %s = %d, want %v\n%s", method, target, got.status, statuses, got.body)
	}
	if err := wellFormed(method, got); err != nil {
		c.fail("%s %s: %v\n%s", method, target, err, got.body)
	}
	return got
}

func (c *client) fail(format string, args ...any) {
	c.Helper()
	c.Fatalf("%s\nafter:\n%s", fmt.Sprintf(format, args...), strings.Join(c.done[max(0, len(c.done)-12):], "\n"))
}

// compare holds an answer against the model, but for the times, which must be there.
func (c *client) compare(what string, got answer, want map[string]any) {
	c.Helper()
	var have map[string]any
	if err := json.Unmarshal([]byte(got.body), &have); err != nil {
		c.fail("%s: %v", what, err)
	}
	times, _ := have["meta"].(map[string]any)
	for _, name := range []string{"created", "lastModified"} {
		if text, _ := times[name].(string); !strings.HasPrefix(text, "2026-11-2") {
			c.fail("%s: meta.%s is %q", what, name, text)
		}
		delete(times, name)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		c.fail("%s (-model +server):\n%s", what, diff)
	}
}

func (c *client) compareUser(p *person) {
	c.Helper()
	c.compare("user "+p.id, c.send("GET", "/Users/"+p.id, nil, 200), c.model.seen(p))
}

func (c *client) compareGroup(g *circle) {
	c.Helper()
	c.compare("group "+g.id, c.send("GET", "/Groups/"+g.id, nil, 200), c.model.seenGroup(g))
}

func (c *client) compareAll() {
	c.Helper()
	for _, p := range c.model.users {
		c.compareUser(p)
	}
	for _, g := range c.model.groups {
		c.compareGroup(g)
	}
}

// id is the id in an answer.
func (c *client) id(got answer) string {
	c.Helper()
	var body struct{ ID string }
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || body.ID == "" {
		c.fail("no id: %v\n%s", err, got.body)
	}
	return body.ID
}

// randomPerson is somebody with any values.
func (c *client) randomPerson() *person {
	p := &person{attributes: map[string]string{"userName": c.userName()}, active: c.random.IntN(4) > 0, version: 1}
	for _, path := range simplePaths {
		if c.random.IntN(2) == 0 {
			p.attributes[path] = c.word()
		}
	}
	for _, kind := range []string{"work", "home"} {
		if c.random.IntN(2) == 0 {
			p.emails = append(p.emails, email{kind, c.word()})
		}
	}
	return p
}

func (c *client) createUser() {
	p := c.randomPerson()
	if c.model.taken("", p.attributes["userName"]) {
		c.send("POST", "/Users", p.body(), 409)
		return
	}
	got := c.send("POST", "/Users", p.body(), 201)
	p.id = c.id(got)
	c.model.users = append(c.model.users, p)
	c.compare("the created user", got, c.model.seen(p))
}

// someone is a user that exists, or nil while there are none.
func (c *client) someone() *person {
	if len(c.model.users) == 0 {
		c.createUser()
		return nil
	}
	return pick(c.random, c.model.users...)
}

func (c *client) replaceUser() {
	p := c.someone()
	if p == nil {
		return
	}
	next := c.randomPerson()
	if c.random.IntN(2) == 0 {
		next.attributes["userName"] = p.attributes["userName"]
	}
	c.become(p, next, "PUT", next.body())
}

// become sends a change of p, which fails where the name is taken.
func (c *client) become(p, next *person, method string, body any) {
	target := "/Users/" + p.id
	if c.model.taken(p.id, next.attributes["userName"]) {
		c.send(method, target, body, 409)
		c.compareUser(p)
		return
	}
	c.send(method, target, body, 200, 204)
	if !p.equal(next) {
		p.attributes, p.active, p.emails = next.attributes, next.active, next.emails
		p.version++
	}
	c.compareUser(p)
}

func (c *client) patchUser() {
	p := c.someone()
	if p == nil {
		return
	}
	next := p.clone()
	legacy := c.random.IntN(2) == 0
	var operations []any
	folded := map[string]any{}
	operation := func(op, path string, value any) {
		operations = append(operations, map[string]any{"op": op, "path": path, "value": value})
	}
	for range c.random.IntN(4) + 1 {
		switch kind := c.random.IntN(6); {
		case kind == 0:
			next.active = c.random.IntN(2) == 0
			if legacy {
				operation(pick(c.random, "Replace", "Add"), "active", map[bool]string{true: "True", false: "False"}[next.active])
			} else {
				folded["active"] = next.active
			}
		case kind == 1:
			sort := pick(c.random, "work", "home")
			value := pick(c.random, c.word(), "")
			next.setEmail(sort, value)
			operation(pick(c.random, "Replace", "replace"), `emails[type eq "`+sort+`"].value`, value)
		case kind == 2 && legacy:
			path := pick(c.random, simplePaths...)
			next.set(path, "")
			operations = append(operations, map[string]any{"op": pick(c.random, "Remove", "remove"), "path": path})
		case kind == 3 && c.random.IntN(3) == 0:
			name := c.userName()
			next.set("userName", name)
			if legacy {
				operation("Replace", "userName", name)
			} else {
				folded["userName"] = name
			}
		default:
			path, value := pick(c.random, simplePaths...), pick(c.random, c.word(), c.word(), "")
			next.set(path, value)
			if legacy {
				operation(pick(c.random, "Replace", "Add"), path, value)
			} else {
				folded[path] = value
			}
		}
	}
	if len(folded) > 0 {
		operations = append(operations, map[string]any{"op": "replace", "value": folded})
	}
	c.become(p, next, "PATCH", map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": operations})
}

func (c *client) deleteUser() {
	p := c.someone()
	if p == nil {
		return
	}
	c.send("DELETE", "/Users/"+p.id, nil, 204)
	c.model.users = slices.DeleteFunc(c.model.users, func(o *person) bool { return o == p })
	c.model.forget(p.id)
	for _, method := range []string{"GET", "DELETE"} {
		c.send(method, "/Users/"+p.id, nil, 404)
	}
}

// ids are a few of those that exist, and now and then one that does not.
func (c *client) ids() []string {
	var ids []string
	for range c.random.IntN(4) {
		switch {
		case c.random.IntN(8) == 0:
			ids = append(ids, pick(c.random, "nobody", "01930000-0000-7000-8000-000000000000"))
		case c.random.IntN(8) == 0 && len(c.model.groups) > 0:
			ids = append(ids, pick(c.random, c.model.groups...).id)
		case len(c.model.users) > 0:
			ids = append(ids, pick(c.random, c.model.users...).id)
		}
	}
	return ids
}

func values(ids []string) []any {
	out := []any{}
	for _, id := range ids {
		out = append(out, map[string]any{"$ref": nil, "value": id})
	}
	return out
}

// join adds those that exist; a group is no member of itself.
func (c *client) join(g *circle, ids []string) {
	for _, id := range ids {
		if c.model.exists(id) && id != g.id {
			g.members[id] = true
		}
	}
}

func (c *client) createGroup() {
	g := &circle{displayName: pick(c.random, c.word(), c.userName()), externalID: pick(c.random, "", c.word()), members: map[string]bool{}, version: 1}
	ids := c.ids()
	body := map[string]any{"displayName": g.displayName, "externalId": g.externalID, "members": values(ids)}
	if c.model.takenGroup("", g.displayName) {
		c.send("POST", "/Groups", body, 409)
		return
	}
	got := c.send("POST", "/Groups", body, 201)
	g.id = c.id(got)
	c.join(g, ids)
	c.model.groups = append(c.model.groups, g)
	c.compare("the created group", got, c.model.seenGroup(g))
}

// somewhere is a group that exists, or nil while there are none.
func (c *client) somewhere() *circle {
	if len(c.model.groups) == 0 {
		c.createGroup()
		return nil
	}
	return pick(c.random, c.model.groups...)
}

func (c *client) renameGroup() {
	g := c.somewhere()
	if g == nil {
		return
	}
	name := pick(c.random, c.word(), c.userName(), g.displayName)
	operation := pick(c.random,
		map[string]any{"op": "Replace", "path": "displayName", "value": name},
		map[string]any{"op": "replace", "value": map[string]any{"displayName": name}})
	body := map[string]any{"Operations": []any{operation}}
	if c.model.takenGroup(g.id, name) {
		c.send("PATCH", "/Groups/"+g.id, body, 409)
	} else {
		c.send("PATCH", "/Groups/"+g.id, body, 204)
		if g.displayName != name {
			g.displayName = name
			g.version++
		}
	}
	c.compareGroup(g)
}

func (c *client) patchMembers() {
	g := c.somewhere()
	if g == nil {
		return
	}
	before := maps.Clone(g.members)
	operations := []any{}
	changed := false
	for range c.random.IntN(3) + 1 {
		was := maps.Clone(g.members)
		ids := c.ids()
		switch c.random.IntN(6) {
		case 0, 1:
			operations = append(operations, map[string]any{"op": pick(c.random, "Add", "add"), "path": "members", "value": values(ids)})
			c.join(g, ids)
		case 2:
			operations = append(operations, map[string]any{"op": "Remove", "path": "members", "value": values(ids)})
			for _, id := range ids {
				delete(g.members, id)
			}
		case 3:
			for _, id := range ids {
				operations = append(operations, map[string]any{"op": "remove", "path": `members[value eq "` + id + `"]`})
				delete(g.members, id)
			}
		case 4:
			operations = append(operations, map[string]any{"op": "Replace", "path": "members", "value": values(ids)})
			clear(g.members)
			c.join(g, ids)
		case 5:
			if c.random.IntN(4) == 0 {
				operations = append(operations, map[string]any{"op": "remove", "path": "members"})
				clear(g.members)
			}
		}
		changed = changed || !maps.Equal(was, g.members)
	}
	c.send("PATCH", "/Groups/"+g.id, map[string]any{"Operations": operations}, 204)
	switch {
	case !maps.Equal(before, g.members):
		g.version++
	case changed: // there and back again may count as a change
		g.version = c.version("/Groups/"+g.id, g.version, g.version+1)
	}
	c.compareGroup(g)
}

// version is the version on the server, which must be one of those.
func (c *client) version(target string, accepted ...int) int {
	c.Helper()
	got := c.send("GET", target, nil, 200)
	for _, version := range accepted {
		if got.header.Get("ETag") == fmt.Sprintf(`W/"%d"`, version) {
			return version
		}
	}
	c.fail("%s has version %s, want one of %v", target, got.header.Get("ETag"), accepted)
	return 0
}

func (c *client) deleteGroup() {
	g := c.somewhere()
	if g == nil {
		return
	}
	c.send("DELETE", "/Groups/"+g.id, nil, 204)
	c.model.groups = slices.DeleteFunc(c.model.groups, func(o *circle) bool { return o == g })
	c.model.forget(g.id)
	c.send("GET", "/Groups/"+g.id, nil, 404)
}

// condition is a random filter of users.
func (c *client) condition(depth int) condition {
	if depth > 0 && c.random.IntN(2) == 0 {
		switch a := c.condition(depth - 1); c.random.IntN(3) {
		case 0:
			return both(a, c.condition(depth-1))
		case 1:
			return either(a, c.condition(depth-1))
		default:
			return no(a)
		}
	}
	path := pick(c.random, append([]string{"userName"}, simplePaths...)...)
	switch c.random.IntN(5) {
	case 0:
		return present(path)
	case 1:
		active := c.random.IntN(2) == 0
		return isActive(active, pick(c.random, fmt.Sprint(active), `"`+fmt.Sprint(active)+`"`))
	case 2:
		return hasEmail(pick(c.random, "work", "home"), c.word())
	case 3:
		return compare(path, pick(c.random, "co", "sw", "ew"), pick(c.random, c.word(), "a", "N", "å"))
	default:
		return compare(path, "eq", pick(c.random, c.word(), c.userName()))
	}
}

func (c *client) lookUp() {
	f := c.condition(3)
	var want []string
	for _, p := range c.model.users {
		if f.holds(p) {
			want = append(want, p.id)
		}
	}
	c.compareList("/Users?attributes=id&count=1000&filter="+url.QueryEscape(f.text), len(want), want)
}

func (c *client) lookUpGroup() {
	ids := append(c.ids(), "nobody")
	name := c.word()
	var want []string
	for _, g := range c.model.groups {
		if g.members[ids[0]] || strings.EqualFold(g.displayName, name) {
			want = append(want, g.id)
		}
	}
	filter := fmt.Sprintf("members eq %s or displayName eq %s", quoted(ids[0]), quoted(name))
	c.compareList("/Groups?excludedAttributes=members&count=1000&filter="+url.QueryEscape(filter), len(want), want)
}

func (c *client) page() {
	start, count := c.random.IntN(len(c.model.users)+2)+1, c.random.IntN(8)
	var want []string
	for i := start - 1; i < min(start-1+count, len(c.model.users)); i++ {
		want = append(want, c.model.users[i].id)
	}
	c.compareList(fmt.Sprintf("/Users?startIndex=%d&count=%d", start, count), len(c.model.users), want)
}

// compareList wants exactly these, in this order.
func (c *client) compareList(target string, total int, want []string) {
	c.Helper()
	got := c.send("GET", target, nil, 200)
	var list struct {
		TotalResults, ItemsPerPage int
		Resources                  []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(got.body), &list); err != nil {
		c.fail("%s: %v", target, err)
	}
	var have []string
	for _, resource := range list.Resources {
		have = append(have, resource.ID)
	}
	if list.TotalResults != total || list.ItemsPerPage != len(want) || !slices.Equal(have, want) {
		c.fail("%s: %d of %d, want %d of %d: %v, want %v", target, list.ItemsPerPage, list.TotalResults, len(want), total, have, want)
	}
}
