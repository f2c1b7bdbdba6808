package patch_test

import (
	"encoding/json"
	"testing"

	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
)

func decode(t testing.TB, in string) schema.Object {
	t.Helper()
	obj, err := schema.Decode([]byte(in))
	if err != nil {
		t.Fatalf("%s: %v", in, err)
	}
	return obj
}

func encode(t testing.TB, value any) string {
	t.Helper()
	out, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func apply(t testing.TB, rt *schema.ResourceType, current schema.Object, operations string) (schema.Object, error) {
	t.Helper()
	r, err := patch.Parse(rt, body(operations))
	if err != nil {
		t.Fatal(err)
	}
	next, _, err := patch.Apply(rt, current, r.Operations)
	return next, err
}

func TestApply(t *testing.T) {
	for _, c := range []struct{ name, current, operations, want string }{
		{"the last sub-attribute takes the attribute with it", `{"userName":"b","name":{"givenName":"A"}}`, `{"op":"remove","path":"name.givenName"}`, `{"userName":"b"}`},
		{"remove of what is not there changes nothing", `{"userName":"b"}`,
			`{"op":"remove","path":"title"},{"op":"remove","path":"name.givenName"},{"op":"remove","path":"emails[type eq \"work\"]"},{"op":"remove","path":"emails.value"},{"op":"remove","path":"` + medius + `nameIdentifier"}`,
			`{"userName":"b"}`},
		{"a replaced element stays one that the filter selects", `{"userName":"b","emails":[{"type":"work","value":"x","display":"d"}]}`, `{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"y"}}`,
			`{"userName":"b","emails":[{"type":"work","value":"y"}]}`},
		{"of several elements made primary the first is", `{"userName":"b","emails":[{"value":"x"},{"value":"y"}]}`, `{"op":"replace","path":"emails.primary","value":true}`,
			`{"userName":"b","emails":[{"value":"x","primary":true},{"value":"y","primary":false}]}`},

		{"an e-mail that is not there is created (bugs 4 and 26)", `{"userName":"b"}`, `{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x"}`, `{"userName":"b","emails":[{"type":"work","value":"x"}]}`},
		{"an e-mail of another type is left alone (bug 4)", `{"userName":"b","emails":[{"type":"home","value":"h"}]}`, `{"op":"Add","path":"emails[type eq \"work\"].value","value":"x"}`,
			`{"userName":"b","emails":[{"type":"home","value":"h"},{"type":"work","value":"x"}]}`},
		{"an e-mail that is there is replaced, not doubled", `{"userName":"b","emails":[{"type":"work","value":"h","primary":true}]}`, `{"op":"Add","path":"emails[type eq \"work\"].value","value":"x"}`,
			`{"userName":"b","emails":[{"type":"work","value":"x","primary":true}]}`},
		{"an address and a telephone are created the same way (entra 1.5, bug 27)", `{"userName":"b"}`,
			`{"op":"Add","path":"addresses[type eq \"work\"].formatted","value":"A"},{"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"}`,
			`{"userName":"b","addresses":[{"type":"work","formatted":"A"}],"phoneNumbers":[{"type":"mobile","value":"1"}]}`},
		{"the primary role is created with a boolean (bug 24)", `{"userName":"b"}`, `{"op":"Replace","path":"roles[primary eq \"True\"].value","value":"User"},{"op":"Replace","path":"roles[primary eq \"True\"].display","value":"U"}`,
			`{"userName":"b","roles":[{"primary":true,"value":"User","display":"U"}]}`},
		{"the primary role is replaced whether primary was sent as text or not", `{"userName":"b","roles":[{"primary":true,"value":"Admin"}]}`, `{"op":"Replace","path":"roles[primary eq \"True\"].value","value":"User"}`,
			`{"userName":"b","roles":[{"primary":true,"value":"User"}]}`},
		{"a created element meets every equality of its filter", `{"userName":"b"}`, `{"op":"add","path":"emails[type eq \"work\" and primary eq true]","value":{"value":"x"}}`,
			`{"userName":"b","emails":[{"type":"work","primary":true,"value":"x"}]}`},
		{"Entra's complex roles are only added to (entra 1.8)", `{"userName":"b","roles":[{"value":"{\"id\":\"1\"}"}]}`, `{"op":"Add","path":"roles","value":[{"value":"{\"id\":\"1\"}"},{"value":"{\"id\":\"2\"}"}]}`,
			`{"userName":"b","roles":[{"value":"{\"id\":\"1\"}"},{"value":"{\"id\":\"2\"}"}]}`},
		{"Entra's assertive roles are replaced, so that removals work (entra 1.8)", `{"userName":"b","roles":[{"value":"1"},{"value":"2"}]}`, `{"op":"replace","path":"roles","value":[{"value":"2","display":"Two"}]}`,
			`{"userName":"b","roles":[{"value":"2","display":"Two"}]}`},
		{"a work e-mail that is cleared is gone, not an empty shell (entra 1.9)", `{"userName":"b","emails":[{"type":"work","value":"x","primary":true},{"type":"home","value":"h"}]}`,
			`{"op":"replace","path":"emails[type eq \"work\"].value","value":""}`, `{"userName":"b","emails":[{"type":"home","value":"h"}]}`},
		{"clearing an e-mail that is not there creates none", `{"userName":"b"}`, `{"op":"replace","path":"emails[type eq \"work\"].value","value":null}`, `{"userName":"b"}`},
		{"the gallery validator clears each attribute twice (entra 1.9)", `{"userName":"b","title":"T","name":{"givenName":"A"},"urn:ietf:params:scim:schemas:extension:medius:2.0:User":{"nameIdentifier":"n"}}`,
			`{"op":"replace","path":"title","value":""},{"op":"replace","path":"title","value":null},{"op":"replace","path":"name.givenName","value":""},{"op":"replace","path":"` + medius + `nameIdentifier","value":""},{"op":"replace","path":"` + medius + `nameIdentifier","value":null}`,
			`{"userName":"b"}`},
		{"remove with values takes these only, display and primary aside", `{"userName":"b","phoneNumbers":[{"value":"1","type":"work"},{"value":"1","type":"home"},{"value":"2"}]}`,
			`{"op":"Remove","path":"phoneNumbers","value":[{"value":"1","type":"work","display":"x","primary":"True"},{"value":"2"}]}`, `{"userName":"b","phoneNumbers":[{"value":"1","type":"home"}]}`},
		{"remove of the value that is given takes only this", `{"userName":"b","emails":[{"value":"x","type":"work"},{"value":"y"}]}`, `{"op":"remove","path":"emails.value","value":"X"}`, `{"userName":"b","emails":[{"value":"y"}]}`},
		{"remove of what a filter selects and the value names", `{"userName":"b","emails":[{"value":"x","type":"work"},{"value":"y","type":"work"},{"value":"X","type":"home"}]}`,
			`{"op":"remove","path":"emails[type eq \"work\"]","value":[{"value":"X"},{"value":"z"}]}`, `{"userName":"b","emails":[{"value":"y","type":"work"},{"value":"X","type":"home"}]}`},
		{"of what the value names and the filter does not select nothing, and at one value what the path says", `{"userName":"b","emails":[{"value":"x","type":"work"},{"value":"h","type":"home"}]}`,
			`{"op":"remove","path":"emails[type eq \"work\"]","value":{"value":"zz"}},{"op":"remove","path":"emails[type eq \"home\"].value","value":"zz"}`, `{"userName":"b","emails":[{"value":"x","type":"work"}]}`},
		{"of the value of what a filter selects", `{"userName":"b","emails":[{"value":"x","type":"work"},{"value":"h","type":"home"}]}`,
			`{"op":"remove","path":"emails[type eq \"work\"].value","value":"X"}`, `{"userName":"b","emails":[{"value":"h","type":"home"}]}`},
		{"of what a filter selects with an empty value all of it", `{"userName":"b","emails":[{"value":"x","type":"work"},{"value":"h","type":"home"}]}`,
			`{"op":"Remove","path":"emails[type eq \"work\"].value","value":""},{"op":"Remove","path":"emails[type eq \"home\"]","value":""}`, `{"userName":"b"}`},
		{"of simple values by filter and value", `{"userName":"b","urn:example:device:1.0:User":{"tags":["a","b"]}}`,
			`{"op":"remove","path":"tags[value sw \"a\"]","value":["b"]},{"op":"remove","path":"tags[value sw \"b\"]","value":"B"}`, `{"userName":"b","urn:example:device:1.0:User":{"tags":["a"]}}`},
		{"of another manager by filter and value nothing", `{"userName":"b","` + schema.EnterpriseUser + `":{"manager":{"value":"m"}}}`, `{"op":"remove","path":"` + enterprise + `manager[value eq \"m\"]","value":{"value":"n"}}`,
			`{"userName":"b","` + schema.EnterpriseUser + `":{"manager":{"value":"m"}}}`},
		{"of the manager by filter and value", `{"userName":"b","` + schema.EnterpriseUser + `":{"manager":{"value":"m"}}}`, `{"op":"remove","path":"` + enterprise + `manager[value eq \"m\"]","value":"m"}`, `{"userName":"b"}`},
		{"labels that wait are none of the values that are removed", `{"userName":"b"}`,
			`{"op":"add","path":"emails[type eq \"work\"].primary","value":true},{"op":"remove","path":"emails[type eq \"work\"]","value":"z"},{"op":"add","path":"emails[type eq \"work\"].value","value":"x"}`,
			`{"userName":"b","emails":[{"type":"work","primary":true,"value":"x"}]}`},
		{"remove with a value that is not there changes nothing", `{"userName":"b","roles":[{"value":"1"}]}`, `{"op":"Remove","path":"roles","value":[{"value":"2"}]}`, `{"userName":"b","roles":[{"value":"1"}]}`},
		{"remove of an address by all that is given", `{"userName":"b","addresses":[{"type":"work","locality":"L"},{"type":"work","locality":"M"}]}`, `{"op":"remove","path":"addresses","value":[{"type":"work","locality":"l"}]}`,
			`{"userName":"b","addresses":[{"type":"work","locality":"M"}]}`},

		{"a manager is set, changed and removed (entra 1.6)", `{"userName":"b"}`,
			`{"op":"Add","path":"` + enterprise + `manager","value":"m1"},{"op":"Replace","path":"` + enterprise + `manager","value":"m2"}`, `{"userName":"b","` + schema.EnterpriseUser + `":{"manager":{"value":"m2"}}}`},
		{"a manager that is removed leaves nothing (entra 1.6)", `{"userName":"b","` + schema.EnterpriseUser + `":{"manager":{"value":"m"}}}`, `{"op":"Replace","path":"` + enterprise + `manager","value":""}`, `{"userName":"b"}`},
		{"a manager without id is none", `{"userName":"b","` + schema.EnterpriseUser + `":{"manager":{"value":"m"},"department":"D"}}`, `{"op":"replace","path":"manager","value":{"value":null}}`,
			`{"userName":"b","` + schema.EnterpriseUser + `":{"department":"D"}}`},
		{"what the server told of the old manager goes with it", `{"userName":"b","` + schema.EnterpriseUser + `":{"manager":{"value":"m","displayName":"M"}}}`, `{"op":"replace","path":"manager","value":{"value":"n"}}`,
			`{"userName":"b","` + schema.EnterpriseUser + `":{"manager":{"value":"n"}}}`},
		{"a manager by filter is the one there is", `{"userName":"b","` + schema.EnterpriseUser + `":{"manager":{"value":"m"}}}`, `{"op":"remove","path":"` + enterprise + `manager[value eq \"m\"]"}`, `{"userName":"b"}`},
		{"another manager is not removed by filter", `{"userName":"b","` + schema.EnterpriseUser + `":{"manager":{"value":"m"}}}`, `{"op":"remove","path":"` + enterprise + `manager[value eq \"n\"]"}`,
			`{"userName":"b","` + schema.EnterpriseUser + `":{"manager":{"value":"m"}}}`},

		{"the last of several operations wins (validator)", `{"userName":"b"}`, `{"op":"replace","path":"title","value":"1"},{"op":"replace","value":{"title":"2"}},{"op":"Replace","path":"title","value":"3"}`, `{"userName":"b","title":"3"}`},
		{"values in another case are as they were sent last", `{"userName":"b","emails":[{"value":"a@x"}]}`, `{"op":"replace","path":"emails","value":[{"value":"A@x"}]},{"op":"replace","path":"userName","value":"B"}`, `{"userName":"B","emails":[{"value":"A@x"}]}`},
		{"an added value that is there already stays as it is (RFC 7644 3.5.2.1)", `{"userName":"b","roles":[{"value":"r1"}]}`, `{"op":"add","path":"roles","value":[{"value":"R1"}]}`, `{"userName":"b","roles":[{"value":"r1"}]}`},
		{"without path too, and as a bare value", `{"userName":"b","entitlements":[{"value":"e"}]}`, `{"op":"add","value":{"entitlements":["E"]}}`, `{"userName":"b","entitlements":[{"value":"e"}]}`},
		{"and so does its type, while the rest is taken over", `{"userName":"b","emails":[{"value":"a@x","type":"work","display":"a"},{"value":"b@x","primary":true}]}`,
			`{"op":"add","path":"emails","value":[{"value":"A@X","type":"WORK","display":"A","primary":true}]}`,
			`{"userName":"b","emails":[{"value":"a@x","type":"work","display":"A","primary":true},{"value":"b@x","primary":false}]}`},
		{"a type that it had not is taken over", `{"userName":"b","emails":[{"value":"a@x"}]}`, `{"op":"add","path":"emails","value":[{"value":"A@x","type":"work"}]}`, `{"userName":"b","emails":[{"value":"a@x","type":"work"}]}`},
		{"an address that is there already stays as it is", `{"userName":"b","addresses":[{"type":"work","locality":"Lund","country":"SE"}]}`,
			`{"op":"add","path":"addresses","value":[{"type":"Work","locality":"LUND"}]}`, `{"userName":"b","addresses":[{"type":"work","locality":"Lund","country":"SE"}]}`},
		{"text that differs by more than its case is another value", `{"userName":"b","roles":[{"value":"r1"}]}`, `{"op":"add","path":"roles","value":[{"value":"R1 "}]}`, `{"userName":"b","roles":[{"value":"r1"},{"value":"R1 "}]}`},
		{"one value twice in one request is as it came first", `{"userName":"b"}`, `{"op":"add","path":"roles","value":[{"value":"R1"},{"value":"r1","display":"D"}]}`, `{"userName":"b","roles":[{"value":"R1","display":"D"}]}`},
		{"what only the server writes stays", `{"userName":"b","` + schema.TenantryUser + `":{"defaults":"d"}}`, `{"op":"replace","value":{"title":"T","` + schema.TenantryUser + `":{"defaults":"x"}}}`,
			`{"userName":"b","title":"T","` + schema.TenantryUser + `":{"defaults":"d"}}`},
		{"simple values are added, removed and selected", `{"userName":"b","urn:example:device:1.0:User":{"tags":["a","b","c"]}}`,
			`{"op":"add","path":"tags","value":["B","d"]},{"op":"remove","path":"tags","value":["a"]},{"op":"replace","path":"tags[value eq \"c\"]","value":"e"},{"op":"remove","path":"tags[value eq \"D\"]"}`,
			`{"userName":"b","urn:example:device:1.0:User":{"tags":["b","e"]}}`},
		{"a sub-attribute of all elements", `{"userName":"b","emails":[{"value":"x"},{"value":"y","type":"home"}]}`, `{"op":"replace","path":"emails.type","value":"work"}`,
			`{"userName":"b","emails":[{"value":"x","type":"work"},{"value":"y","type":"work"}]}`},
		{"a sub-attribute of no element creates one", `{"userName":"b"}`, `{"op":"add","path":"emails.value","value":"x"}`, `{"userName":"b","emails":[{"value":"x"}]}`},
		{"no operations", `{"userName":"b"}`, ``, `{"userName":"b"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			current := decode(t, c.current)
			got, err := apply(t, schema.User(device()), current, c.operations)
			if err != nil {
				t.Fatal(err)
			}
			if want := encode(t, decode(t, c.want)); encode(t, got) != want {
				t.Errorf("got  %s\nwant %s", encode(t, got), want)
			}
			if encode(t, current) != encode(t, decode(t, c.current)) {
				t.Errorf("the current resource was changed to %s", encode(t, current))
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	for _, c := range []struct{ name, current, operations, scimType, want string }{
		{"emptying userName", `{"userName":"b"}`, `{"op":"replace","path":"userName","value":""}`, schema.IsMutability, "userName is required and cannot be removed"},
		{"adding to such an element", `{"userName":"b"}`, `{"op":"add","path":"emails[type eq \"work\" or type eq \"home\"]","value":{"value":"x"}}`, schema.NoTarget, "no value of emails matches the filter of the path"},
		{"a filter that contradicts itself", `{"userName":"b"}`, `{"op":"replace","path":"emails[type eq \"work\" and type eq \"home\"].value","value":"x"}`, schema.NoTarget, "no value of emails matches the filter of the path"},
		{"a second manager by filter", `{"userName":"b","` + schema.EnterpriseUser + `":{"manager":{"value":"m"}}}`, `{"op":"replace","path":"manager[value eq \"n\"].value","value":"n"}`,
			schema.NoTarget, "no value of manager matches the filter of the path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			current := decode(t, c.current)
			_, err := apply(t, schema.User(device()), current, `{"op":"replace","path":"title","value":"before"},`+c.operations)
			wantError(t, err, c.scimType, c.want)
			if encode(t, current) != encode(t, decode(t, c.current)) {
				t.Errorf("the current resource was changed to %s", encode(t, current))
			}
		})
	}
	t.Run("more values than an attribute can have", func(t *testing.T) {
		emails := make([]any, schema.MaxValues)
		for i := range emails {
			emails[i] = schema.Object{"value": "x", "type": "t"}
		}
		_, err := apply(t, schema.User(), schema.Object{"userName": "b", "emails": emails}, `{"op":"add","path":"emails","value":[{"value":"y"}]}`)
		wantError(t, err, schema.InvalidValue, "emails accepts at most 1000 values")
	})
	t.Run("but not what an older schema allowed and the request leaves alone", func(t *testing.T) {
		rt := schema.User(&schema.Schema{ID: "urn:example:badge:1.0:User", Attributes: []*schema.Attribute{{Name: "colour"}, {Name: "number", Required: true}}})
		current := schema.Object{"userName": "b", "urn:example:badge:1.0:User": schema.Object{"colour": "red"}}
		if _, err := apply(t, rt, current, `{"op":"replace","path":"active","value":"False"}`); err != nil {
			t.Error(err)
		}
	})
}

func TestANoOpCanBeSeen(t *testing.T) {
	rt := schema.User(device())
	current := decode(t, `{"userName":"b","active":true,"name":{"givenName":"A"},"emails":[{"type":"work","value":"x","primary":true}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"m"}},"urn:example:device:1.0:User":{"seats":4}}`)
	for _, operations := range []string{
		`{"op":"Replace","path":"active","value":"True"}`,
		`{"op":"Add","path":"` + enterprise + `manager","value":"m"}`,
		`{"op":"replace","value":{"name.givenName":"A","userName":"b","seats":"4"}}`,
		`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x"}`,
		`{"op":"add","path":"emails","value":[{"value":"x","primary":true,"type":"work"}]}`,
		`{"op":"add","path":"emails","value":[{"value":"X","type":"Work"}]}`,
		`{"op":"remove","path":"title"}`,
	} {
		got, err := apply(t, rt, current, operations)
		if err != nil || !patch.Equal(current, got) {
			t.Errorf("%s gives %s, %v", operations, encode(t, got), err)
		}
	}
	for _, operations := range []string{`{"op":"replace","path":"userName","value":"B"}`, `{"op":"replace","path":"seats","value":5}`, `{"op":"add","path":"emails","value":[{"value":"y"}]}`,
		`{"op":"remove","path":"emails[type eq \"work\"].primary"}`, `{"op":"replace","path":"name.givenName","value":""}`} {
		if got, err := apply(t, rt, current, operations); err != nil || patch.Equal(current, got) {
			t.Errorf("%s is taken for a no-op (%v)", operations, err)
		}
	}
}

func TestMembersCanBeAppliedLikeAnyAttribute(t *testing.T) {
	current := decode(t, `{"displayName":"B","members":[{"value":"u1"},{"value":"u2"}]}`)
	got, err := apply(t, schema.Group(), current,
		`{"op":"Add","path":"members","value":[{"value":"u2"},{"value":"u3"}]},{"op":"Remove","path":"members","value":[{"$ref":null,"value":"u1"}]},{"op":"remove","path":"members[value eq \"nobody\"]"}`)
	if err != nil || encode(t, got) != `{"displayName":"B","members":[{"value":"u2"},{"value":"u3"}]}` {
		t.Errorf("got %s, %v", encode(t, got), err)
	}
}
