package patch_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// FuzzPatch checks that a PATCH request that is accepted leaves a resource that is canonical, is reproducible, and never
// touches the resource that it started from; that it names all that it changes; and that every error is the client's.
func FuzzPatch(f *testing.F) {
	for _, operations := range []string{
		`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x"},{"op":"Replace","path":"active","value":"False"}`,
		`{"op":"replace","value":{"displayName":"A","name.givenName":"B","urn:ietf:params:scim:schemas:extension:medius:2.0:User:customFieldText1":"1"}}`,
		`{"op":"add","path":"emails","value":[{"value":"y","primary":"True"},{"value":"a@x"}]}`,
		`{"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":""}`,
		`{"op":"Add","path":"manager","value":[{"$ref":null,"value":"m"}]},{"op":"remove","path":"manager[value eq \"m\"]"}`,
		`{"op":"Replace","path":"roles[primary eq \"True\"].value","value":"User"},{"op":"remove","path":"roles","value":[{"value":"User"}]}`,
		`{"op":"remove","path":"urn:example:device:1.0:User"},{"op":"add","path":"ports","value":{"value":"p","names":["a"]}}`,
		`{"op":"replace","path":"place","value":{"room":"1","floor":null}},{"op":"add","path":"tags[value eq \"x\"]","value":"y"}`,
		`{"op":"replace","path":"name","value":{"givenName":"","familyName":"K"}},{"op":"remove","path":"emails[not (type eq \"home\")].type"}`,
		`{"op":"add","path":"emails[type eq 'other'].primary","value":true},{"op":"add","path":"emails[type eq “other”].value","value":"o"}`,
		`{"op":"replace","path":"emails","value":[]},{"op":"replace","path":"title","value":null}`, `{"op":"remove"}`, ``,
		`{"op":"add","path":"addresses","value":[{"type":"home"}]},{"op":"add","path":"addresses[type eq \"home\"].primary","value":true},{"op":"remove","path":"addresses","value":[{"type":"work"}]}`,
		`{"op":"remove","path":"active"},{"op":"add","path":"manager","value":{"$ref":"../Users/n"}},{"op":"remove","path":"manager[$ref eq \"Users/n\"]"},{"op":"replace","path":"title","value":1}`,
	} {
		f.Add(body(operations))
	}
	f.Add([]byte(`{"operations":[{"OP":"ADD","Path":"userName","Value":[{"value":"b"}]}]}`))

	rt := schema.User(device())
	f.Fuzz(func(t *testing.T, data []byte) { check(t, rt, data) })
}

const start = `{"userName":"a","active":true,"name":{"givenName":"A","familyName":"K"},
	"emails":[{"type":"work","value":"a@x","primary":true},{"type":"home","value":"b@x"},{"value":"c@x","display":"c"}],
	"roles":[{"value":"Admin"}],"addresses":[{"type":"work","locality":"L"}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":{"value":"m"}},
	"urn:example:device:1.0:User":{"seats":4,"tags":["x","y"],"place":{"room":"1"},"ports":[{"value":"p","names":["n"]}]}}`

func check(t *testing.T, rt *schema.ResourceType, request []byte) (applied bool) {
	t.Helper()
	current := decode(t, start)
	r, err := patch.Parse(rt, request)
	if err != nil {
		checkError(t, err)
		return false
	}
	before := show(t, r)
	got, _, err := patch.Apply(rt, current, r.Operations)
	if !patch.Equal(current, decode(t, start)) || show(t, r) != before {
		t.Fatalf("%s changed the resource or the request", request)
	}
	if err != nil {
		checkError(t, err)
		return false
	}
	if canonical, _, err := rt.Normalize(got); err != nil || !patch.Equal(got, canonical) {
		t.Fatalf("%s\nresults in %s\nwhich is    %s, %v", request, encode(t, got), encode(t, canonical), err)
	}
	if again, _, err := patch.Apply(rt, current, r.Operations); err != nil || !patch.Equal(got, again) {
		t.Fatalf("%s\nagain: %s\nfirst: %s, %v", request, encode(t, again), encode(t, got), err)
	}
	names, was, is := patch.Named(r.Operations), keys(rt, current), keys(rt, got)
	for path := range was {
		if was[path] != is[path] && !names.Has(path) {
			t.Fatalf("%s\nchanges %s and names only %v", request, path, names)
		}
	}
	return true
}

// keys returns what is indexed of a resource, by path. Each path of the resource type is there.
func keys(rt *schema.ResourceType, resource schema.Object) map[string]string {
	found := map[string]string{}
	for _, s := range append([]*schema.Schema{rt.Schema}, rt.Extensions...) {
		for _, a := range s.Attributes {
			for _, sub := range append([]*schema.Attribute{nil}, a.SubAttributes...) {
				found[schema.Path{Schema: s, Attribute: a, Sub: sub}.String()] = ""
			}
		}
	}
	for _, key := range rt.IndexKeys(resource) {
		found[key.Path] += key.Key + "\n"
	}
	return found
}

func checkError(t *testing.T, err error) {
	t.Helper()
	if cause := (*schema.Error)(nil); !errors.As(err, &cause) || cause.Detail == "" {
		t.Fatalf("%T: %v", err, err)
	}
}

// TestRandomOperationsKeepTheResourceCanonical is FuzzPatch with requests that are likely to be accepted.
func TestRandomOperationsKeepTheResourceCanonical(t *testing.T) {
	paths := []string{`userName`, `title`, `active`, `name`, `name.givenName`, `emails`, `emails.value`, `emails.type`, `emails.primary`,
		`emails[type eq \"work\"]`, `emails[type eq \"work\"].value`, `emails[type eq \"other\"].value`, `emails[primary eq \"True\"].value`, `emails[primary eq true].primary`,
		`emails[value co \"x\"].type`, `emails[not (type eq \"work\")]`, `emails[type eq \"home\"].primary`, `emails[type eq 'other'].primary`, `emails[type eq \"other\"]`, `roles`, `roles[primary eq true]`, `addresses`,
		`addresses[type eq \"work\"].locality`, `addresses[type eq \"home\"].region`, `manager`, `manager.value`, `manager[value eq \"m\"]`, `department`,
		`seats`, `tags`, `tags[value eq \"x\"]`, `place`, `place.floor`, `place.room`, `ports`, `ports.names`, `ports[value eq \"p\"].names`, `ports[value eq \"q\"].names`,
		`urn:example:device:1.0:User`, `urn:ietf:params:scim:schemas:core:2.0:User`}
	values := []string{`"x"`, `"True"`, `true`, `""`, `null`, `[]`, `{}`, `4`, `["x","y"]`, `{"value":"x"}`, `[{"value":"x","type":"work"}]`, `[{"value":"y","primary":"True"},{"value":"A@x"}]`,
		`{"value":"x","type":"work","primary":true}`, `{"primary":true}`, `{"givenName":"G","familyName":null}`, `{"room":"2"}`, `{"locality":"M","type":"work"}`, `[{"type":"work"}]`,
		`{"emails":[{"value":"p"}],"name.givenName":"P","seats":"5"}`, `{"value":"p","names":["a","b"]}`, `[{"value":"p","names":"a"},{"value":"q"}]`}
	rt := schema.User(device())
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	applied := 0
	for range 10_000 {
		operations := make([]string, 1+random.IntN(3))
		for i := range operations {
			op := pick([]string{"Add", "replace", "remove"})
			switch random.IntN(10) {
			case 0:
				operations[i] = fmt.Sprintf(`{"op":%q,"value":%s}`, op, pick(values))
			case 1:
				operations[i] = fmt.Sprintf(`{"op":"remove","path":"%s"}`, pick(paths))
			default:
				operations[i] = fmt.Sprintf(`{"op":%q,"path":"%s","value":%s}`, op, pick(paths), pick(values))
			}
		}
		if check(t, rt, body(strings.Join(operations, ","))) {
			applied++
		}
	}
	if applied < 3_000 {
		t.Errorf("only %d requests were accepted: the test has lost its meaning", applied)
	}
	t.Logf("%d requests were accepted", applied)
}
