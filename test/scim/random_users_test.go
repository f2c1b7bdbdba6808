package scim

import (
	"slices"
)

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
