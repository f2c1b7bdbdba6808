package scim

import (
	"fmt"
	"maps"
	"slices"
)

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
	g := &circle{displayName: pick(c.random, c.word(), c.userName()), externalID: pick(c.random, "", c.word(), "e-1", "e-2"), members: map[string]bool{}, version: 1}
	ids := c.ids()
	body := map[string]any{"displayName": g.displayName, "externalId": g.externalID, "members": values(ids)}
	if c.model.takenGroup("", g.displayName, g.externalID) {
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
	name, external := pick(c.random, c.word(), c.userName(), g.displayName), g.externalID
	operation := map[string]any{"op": "Replace", "path": "displayName", "value": name}
	if c.random.IntN(2) == 0 {
		external = pick(c.random, external, "", c.word(), "e-1", "e-2")
		operation = map[string]any{"op": "replace", "value": map[string]any{"displayName": name, "externalId": external}}
	}
	body := map[string]any{"Operations": []any{operation}}
	if c.model.takenGroup(g.id, name, external) {
		c.send("PATCH", "/Groups/"+g.id, body, 409)
	} else {
		c.send("PATCH", "/Groups/"+g.id, body, 204)
		if g.displayName != name || g.externalID != external {
			g.displayName, g.externalID = name, external
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
	changed, refused := false, false // refused is what would leave nobody of those that were sent
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
			refused = refused || len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return c.model.exists(id) && id != g.id })
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
	if refused {
		c.send("PATCH", "/Groups/"+g.id, map[string]any{"Operations": operations}, 400)
		g.members = before
		c.compareGroup(g)
		return
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
