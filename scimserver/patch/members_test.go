package patch_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
)

func TestSplitMembers(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string
		rest     string
	}{
		{"Entra adds a member (entra 1.10)", `{"op":"Add","path":"members","value":[{"$ref":null,"value":"u1"}]}`, []string{"add [u1]"}, ""},
		{"Entra's default dialect removes only these members (bugs 6 and 6b)", `{"op":"Remove","path":"members","value":[{"$ref":null,"value":"u1"},{"value":"u2"}]}`, []string{"remove [u1 u2]"}, ""},
		{"Entra's flagged dialect removes one member", `{"op":"remove","path":"members[value eq \"u1\"]"}`, []string{"remove [u1]"}, ""},
		{"members removed by a filter with or", `{"op":"remove","path":"members[value eq \"u1\" or value eq \"u2\"]"}`, []string{"remove [u1 u2]"}, ""},
		{"Postman removes all members (entra 1.10)", `{"op":"remove","path":"members"}`, []string{"remove all"}, ""},
		{"all members removed, with a null value", `{"op":"Remove","path":"members","value":null}`, []string{"remove all"}, ""},
		{"an empty list removes nobody: emptying a group by mistake is worse (bug 6)", `{"op":"Remove","path":"members","value":[]}`, nil, ""},
		{"what follows from the id has no key of its own", `{"op":"replace","value":{"members.type":"User","members.$ref":"x","members[value eq \"u1\"].$ref":"x"}}`, nil, ""},
		{"nor does an empty text", `{"op":"Remove","path":"members","value":""}`, nil, ""},
		{"members removed by their ids alone", `{"op":"remove","path":"members.value","value":"u1"},{"op":"remove","path":"members.value","value":["u2",{"value":"u3"}]}`, []string{"remove [u1]", "remove [u2 u3]"}, ""},
		{"nothing is removed by nothing", `{"op":"remove","path":"members.value","value":""},{"op":"remove","path":"members.value","value":[]}`, nil, ""},
		{"nothing is added by nothing", `{"op":"add","path":"members.value","value":null},{"op":"add","path":"members.value","value":""},{"op":"add","path":"members","value":[]}`, nil, ""},
		{"members by their URL", `{"op":"add","path":"members","value":[{"$ref":"https://h/scim/v2/Users/u1"},{"$ref":"../Groups/g1"}]},{"op":"remove","path":"members","value":{"$ref":"Users/u1"}}`, []string{"add [u1 g1]", "remove [u1]"}, ""},
		{"a member chosen by its URL", `{"op":"remove","path":"members[$ref eq \"https://h/scim/v2/Users/u1\"]"},{"op":"replace","path":"members[$ref eq \"../Users/u1\"]","value":{"$ref":"../Users/u2"}}`,
			[]string{"remove [u1]", "remove [u1]", "add [u2]"}, ""},
		{"members chosen by a URL or an id", `{"op":"remove","path":"members[$ref eq \"/Users/u1\" or value eq \"u2\"]"}`, []string{"remove [u1 u2]"}, ""},
		{"Postman adds a bare string (entra 1.10)", `{"op":"add","path":"members","value":"string id 1"}`, []string{"add [string id 1]"}, ""},
		{"one object without an array", `{"op":"Remove","path":"members","value":{"value":"u1"}}`, []string{"remove [u1]"}, ""},
		{"bare strings in an array", `{"op":"Add","path":"members","value":["u1","u2"]}`, []string{"add [u1 u2]"}, ""},
		{"Postman's element with displayName, in an operation with a name (entra 5.3)", `{"op":"add","name":"x","path":"members","value":[{"displayName":"U","value":"u1"}]}`, []string{"add [u1]"}, ""},
		{"each member once", `{"op":"add","path":"members","value":[{"value":"u1"},{"value":"u1"},{"value":"u2"}]}`, []string{"add [u1 u2]"}, ""},
		{"replace leaves exactly these, and is no merge (entra 1.10)", `{"op":"Replace","path":"members","value":[{"value":"u1"}]}`, []string{"replace [u1]"}, ""},
		{"replace by nothing removes all", `{"op":"replace","path":"members","value":[]}`, []string{"remove all"}, ""},
		{"members without path", `{"op":"add","value":{"members":[{"value":"u1"}],"displayName":"B"}}`, []string{"add [u1]"}, `add displayName = "B"`},
		{"a path behind the core URN", `{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:Group:members","value":"u1"}`, []string{"add [u1]"}, ""},
		{"the validator's path by type (entra 5.1)", `{"op":"add","path":"members[type eq \"Group\"].value","value":"g1"}`, []string{"add [g1]"}, ""},
		{"members.value", `{"op":"add","path":"members.value","value":"u1"},{"op":"remove","path":"members.value"}`, []string{"add [u1]", "remove all"}, ""},
		{"one member becomes another", `{"op":"replace","path":"members[value eq \"u1\"].value","value":"u2"}`, []string{"remove [u1]", "add [u2]"}, ""},
		{"members removed by more than their ids", `{"op":"remove","path":"members[type eq \"Group\"]"}`, []string{`remove those with type eq "Group"`}, ""},
		{"members removed that a filter selects and the value names", `{"op":"remove","path":"members[type eq \"User\"]","value":[{"value":"u1"},{"value":"u2"}]}`, []string{`remove [u1 u2] with type eq "User"`}, ""},
		{"and by their ids alone", `{"op":"remove","path":"members[type eq \"User\"].value","value":"u1"}`, []string{`remove [u1] with type eq "User"`}, ""},
		{"members removed that are named twice", `{"op":"remove","path":"members[value eq \"u1\" or value eq \"u2\"]","value":[{"value":"u2"},{"value":"u3"}]}`, []string{"remove [u2]"}, ""},
		{"members by URLs and ids in upper case", `{"op":"remove","path":"members[$ref eq \"https://h/Users/0192F0C1-0000-7000-8000-00000000000A\"]"},{"op":"remove","path":"members[value ne \"0192F0C1-0000-7000-8000-00000000000A\"]"}`,
			[]string{"remove [0192f0c1-0000-7000-8000-00000000000a]", `remove those with value ne "0192f0c1-0000-7000-8000-00000000000a"`}, ""},
		{"and by a value of nobody", `{"op":"remove","path":"members[value eq \"u1\"]","value":[{}]}`, []string{"remove [u1]"}, ""},
		{"several operations keep their order", `{"op":"Remove","path":"members","value":[{"value":"u1"}]},{"op":"Replace","path":"displayName","value":"B"},{"op":"Add","path":"members","value":[{"value":"u1"}]}`,
			[]string{"remove [u1]", "add [u1]"}, `replace displayName = "B"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := patch.Parse(schema.Group(), body(c.in))
			if err != nil {
				t.Fatal(err)
			}
			members, rest := r.SplitMembers()
			var got []string
			for _, m := range members {
				switch {
				case m.All:
					got = append(got, fmt.Sprintf("%s all", m.Op))
				case m.Filter != nil && m.IDs != nil:
					got = append(got, fmt.Sprintf("%s %s with %s", m.Op, m.IDs, strings.ReplaceAll(m.Filter.String(), "members.", "")))
				case m.Filter != nil:
					got = append(got, fmt.Sprintf("%s those with %s", m.Op, strings.ReplaceAll(m.Filter.String(), "members.", "")))
				default:
					got = append(got, fmt.Sprintf("%s %s", m.Op, m.IDs))
				}
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
			if s := show(t, patch.Request{Operations: rest}); s != c.rest {
				t.Errorf("the rest is %q, want %q", s, c.rest)
			}
		})
	}
	for _, c := range []struct{ in, scimType, want string }{
		{`{"op":"Remove","path":"members","value":[{"type":"User"}]}`, schema.InvalidValue, "members[0].value is required: the id of a user or group, or its URL as $ref"},
		{`{"op":"Remove","path":"members","value":[{"value":"u1"},{"$ref":null,"value":""}]}`, schema.InvalidValue, "members[1].value is required: the id of a user or group, or its URL as $ref"},
		{`{"op":"remove","path":"members","value":[["u1"]]}`, schema.InvalidValue, "members[0] is an array; an element of members is an object or its value"},
		{`{"op":"replace","path":"members","value":{"members":[{"value":"u1"}]}}`, schema.InvalidValue, "members[0].value is required: the id of a user or group, or its URL as $ref"},
		{`{"op":"replace","value":{"members":[{"value":"u1"},null]}}`, schema.InvalidValue, "members[1].value is required: the id of a user or group, or its URL as $ref"},
		{`{"op":"replace","path":"members[value eq \"u1\"]","value":{"display":"x"}}`, schema.InvalidValue, "members.value is required: the id of a user or group, or its URL as $ref"},
		{`{"op":"remove","path":"members[$ref co \"u1\"]"}`, schema.InvalidFilter, "a value of members is chosen by its value, by type, or by $ref eq and its URL"},
		{`{"op":"remove","path":"members[$ref eq \"u1\"]"}`, schema.InvalidFilter, "a value of members is chosen by its value, by type, or by $ref eq and its URL"},
		{`{"op":"remove","path":"members[value eq \"u1\" and display eq \"x\"]"}`, schema.InvalidFilter, "a value of members is chosen by its value, by type, or by $ref eq and its URL"},
		{`{"op":"remove","path":"members[not (display pr)]"}`, schema.InvalidFilter, "a value of members is chosen by its value, by type, or by $ref eq and its URL"},
	} {
		t.Run("refuses "+c.in, func(t *testing.T) {
			_, err := patch.Parse(schema.Group(), body(c.in))
			wantError(t, err, c.scimType, c.want)
		})
	}
	t.Run("a user has none", func(t *testing.T) {
		r, err := patch.Parse(schema.User(), body(`{"op":"replace","path":"title","value":"T"}`))
		if err != nil {
			t.Fatal(err)
		}
		if members, rest := r.SplitMembers(); len(members) != 0 || len(rest) != 1 {
			t.Errorf("got %v, %v", members, rest)
		}
	})
}
