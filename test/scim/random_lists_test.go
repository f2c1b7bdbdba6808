package scim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
)

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
	switch c.random.IntN(7) {
	case 0:
		return present(path)
	case 1:
		active := c.random.IntN(2) == 0
		return isActive(active, pick(c.random, fmt.Sprint(active), `"`+fmt.Sprint(active)+`"`))
	case 2:
		return hasEmail(pick(c.random, "work", "home"), c.word())
	case 3:
		return compare(path, pick(c.random, "co", "sw", "ew"), pick(c.random, c.word(), "a", "N", "å"))
	case 4:
		return c.model.inAnyGroup()
	case 5:
		return c.model.inGroupCalled(pick(c.random, "eq", "co", "sw", "ew"), pick(c.random, c.word(), "a", "@contoso.test"))
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
	name := c.userName()
	var want []string
	for _, g := range c.model.groups {
		if g.members[ids[0]] || asName(g.displayName) == asName(name) {
			want = append(want, g.id)
		}
	}
	member := pick(c.random, "members eq %s", "members.value eq %s", "members[value eq %s]", `members[type pr and value eq %s]`, "not (not (members eq %s))")
	filter := fmt.Sprintf(member+" or displayName eq %s", quoted(ids[0]), quoted(name))
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
