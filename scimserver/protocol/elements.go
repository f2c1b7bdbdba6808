package protocol

import (
	"encoding/json"
	"errors"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
)

// parts are the sub-attributes that are shown of the elements of members or groups.
type parts struct{ value, display, kind, ref bool }

// elements writes the members of a group, or the groups of a user, into an answer as they are read.
type elements struct {
	server *Server
	answer *answer
	name   string // of the attribute
	shown  parts
	refs   [store.Group + 1]string // what stands before the id in $ref, by kind, as it stands in JSON; "" where it was not needed yet

	begun bool // there is an element in the answer
	any   bool // there is an element, shown or not
}

// errNothingShown ends the reading of elements of which the client wants no sub-attribute that they have.
var errNothingShown = errors.New("nothing is shown of the elements")

func (e *elements) members(links []store.Link) error {
	for i := range links {
		if err := e.add(store.FormatID(links[i].Member), "", links[i].Kind.String(), links[i].Kind); err != nil {
			return err
		}
	}
	return nil
}

func (e *elements) groups(groups []directory.Membership) error {
	for i := range groups {
		if err := e.add(groups[i].Group, groups[i].Display, "direct", store.Group); err != nil {
			return err
		}
	}
	return nil
}

// add adds an element. kind is that of the resource which it refers to.
func (e *elements) add(id, display, typed string, kind store.Kind) error {
	e.any = true
	if e.shown == (parts{}) {
		return errNothingShown
	}
	made := e.answer.made
	separator := byte(',')
	if !e.begun {
		made = append(append(append(made, `,"`...), e.name...), `":`...)
		separator = '['
	}
	begin := len(made)
	made = append(made, separator, '{')
	part := func(texts ...string) {
		if made[len(made)-1] != '{' {
			made = append(made, ',')
		}
		for _, text := range texts {
			made = append(made, text...)
		}
	}
	if e.shown.value {
		part(`"value":"`, id, `"`)
	}
	if e.shown.display && display != "" {
		text, _ := json.Marshal(display) // a string can always be encoded
		part(`"display":`, string(text))
	}
	if e.shown.kind {
		part(`"type":"`, typed, `"`)
	}
	if e.shown.ref {
		part(`"$ref":"`, e.ref(kind), id, `"`)
	}
	if len(made) == begin+2 {
		return nil // a group without a name, of which only the name is shown
	}
	e.answer.made, e.begun = append(made, '}'), true
	return e.answer.flow()
}

func (e *elements) ref(kind store.Kind) string {
	if e.refs[kind] == "" {
		quoted, _ := json.Marshal(e.server.location(e.answer.request, kind, "")) // a string can always be encoded
		e.refs[kind] = string(quoted[1 : len(quoted)-1])
	}
	return e.refs[kind]
}

// end ends the attribute.
func (e *elements) end(err error) error {
	switch {
	case err != nil && !errors.Is(err, errNothingShown):
		return err
	case e.begun:
		e.answer.made = append(e.answer.made, ']')
	case e.name == "members" && !e.any:
		// A group without members says so: without the attribute, some clients take it that this server does not show members.
		e.answer.made = append(e.answer.made, `,"members":[]`...)
	}
	return nil
}
