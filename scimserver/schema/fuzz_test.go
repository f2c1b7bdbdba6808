package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// FuzzNormalize checks that whatever is accepted is canonical: normalizing, projecting and indexing it again changes
// nothing, no text has become another, all of it is named, and every error is the client's.
func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{
		anna,
		`{"userName":"a","active":"False","emails":[{"primary":"True","type":"work","value":"a@x"}],"roles":[]}`,
		`{"userName":"a","name.givenName":"A","emails.type":"work","emails.value":"x"}`,
		`{"userName":"a","urn:ietf:params:scim:schemas:core:2.0:User":{"title":"T"},"manager":[{"$ref":null,"value":"m"}]}`,
		`{"userName":"a","urn:ietf:params:scim:schemas:extension:medius:2.0:User:customFieldText1":"1"}`,
		`{"userName":"a","urn:example:device:1.0:User":{"seats":"4","weight":1.5e3,"bought":"2026-01-31T12:00:00","key":"AQI","tags":"x","place.floor":1,"ports":[{"value":"p","names":["a",""]}]}}`,
		`{"USERNAME":[{"value":"a"}],"nickName":null,"addresses":[{"type":"work"}]}`,
		`{"userName":"a","urn:example:device:1.0:User":{"seats":-0,"weight":1.00,"bought":"1999-12-31T23:59:59.5-11:30","key":"-_8"}}`,
		`{"userName":"  İ\u212a\ud83e\uddd1 \u202e","emails":[{"value":"a","primary":true},{"value":"b","primary":"true"}],"name":{"displayName":""}}`,
		`{"userName":"a","emails":[{"value":null,"type":"work","primary":false}],"photos":[null,"",{"value":"x"}],"active":[{"value":"True"}]}`,
		`{"userName":"\ud83d\ude00","\udc00":1}`, `{"userName":"\ud83d\\ude00"}`, `{"userName":"\uFFFD\ud7ff\ue000"}`,
		`{"userName":7.50,"addresses":[{"type":"work","primary":"true"},{"locality":1}],"emails":[{"display":"d"}],"emails.type":"x"}`,
		`{"userName":"a","urn:scim:schemas:extension:enterprise:1.0":{"manager":{"managerId":"","$ref":"../Users/%6d","displayName":"M"}},"urn:scim:schemas:core:1.0.title":"\u2800"}`,
		`{"userName":"a","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"Users/Users%2F0192F0C1-0A00-7000-8000-00000000000F"}}}`,
		`{"userName":1}`, `{"userName":"a"`, `[]`, `{"a":{"a":{"a":{}}}}`,
	} {
		f.Add([]byte(seed))
	}
	rt := schema.User(device())
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := schema.Decode(data)
		if err == nil && strings.Contains(encode(t, in), "\ufffd") && !bytes.Contains(bytes.ToLower(data), []byte(`fffd`)) && !bytes.Contains(data, []byte("\ufffd")) {
			t.Fatalf("%s: a text has become another", data)
		}
		if err == nil {
			likeTheLibrary(t, data, in)
		}
		sent := in
		if err == nil {
			in, _, err = rt.Normalize(in)
		}
		if err != nil {
			if cause := (*schema.Error)(nil); !errors.As(err, &cause) || cause.Detail == "" {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		wantNamed(t, rt, sent, in)
		again, _, err := rt.Normalize(in)
		if err != nil || !schema.Equal(in, again) {
			t.Fatalf("%s\nbecame %s, %v", encode(t, in), encode(t, again), err)
		}
		if err := rt.CheckCanonical(in); err != nil {
			t.Fatalf("%s is not canonical: %v", encode(t, in), err)
		}
		same := schema.Equal(sent, in) || schema.Equal(managed(sent), managed(in)) // whose id may be stored in any spelling
		if err := rt.CheckCanonical(sent); (err == nil) != same {
			t.Fatalf("%s is taken for canonical, or not: %v; it is normalized to %s", encode(t, sent), err, encode(t, in))
		}
		if p, err := project(rt, in, nil, nil); err != nil || len(p) > len(in) {
			t.Fatal(err)
		}
		for _, key := range rt.IndexKeys(in) {
			if p, err := rt.Path(key.Path); err != nil || p.String() != key.Path || len(key.Key) > schema.MaxKey {
				t.Fatalf("index key %v: %v", key, err)
			}
		}
		if stored, err := schema.Decode([]byte(encode(t, in))); err != nil || !schema.Equal(in, stored) {
			t.Fatalf("%s does not survive being stored: %v", encode(t, in), err)
		}
	})
}

// managed returns a user with another manager in the place of the one that it has.
func managed(user schema.Object) schema.Object {
	values, _ := user[schema.EnterpriseUser].(schema.Object)
	manager, _ := values["manager"].(schema.Object)
	if id, _ := manager["value"].(string); id == "" {
		return user
	}
	user, values, manager = maps.Clone(user), maps.Clone(values), maps.Clone(manager)
	user[schema.EnterpriseUser], values["manager"], manager["value"] = values, manager, "m"
	return user
}

// likeTheLibrary holds what Decode made of a text, and what Encode makes of that, against encoding/json.
func likeTheLibrary(t *testing.T, data []byte, decoded schema.Object) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var want any
	if err := d.Decode(&want); err != nil || !reflect.DeepEqual(decoded, want) {
		t.Fatalf("%s: %v, want %v (%v)", data, decoded, want, err)
	}
	encoded, err := schema.Encode(decoded)
	if want := encode(t, decoded); err != nil || string(encoded) != want {
		t.Fatalf("%s: encoded %s (%v), want %s", data, encoded, err, want)
	}
}
