package patch_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
)

const legacy = `{"op":"Replace","path":"displayName","value":"Anna New"},
	{"op":"Replace","path":"emails[type eq \"work\"].value","value":"anna@new.test"},
	{"op":"Replace","path":"name.givenName","value":"Anna"},
	{"op":"Replace","path":"active","value":"False"},
	{"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"m2"}`

func BenchmarkParse(b *testing.B) {
	rt := schema.User()
	for name, in := range map[string][]byte{
		"legacy": body(legacy),
		"flagged": body(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"anna@new.test"},{"op":"replace","value":{"displayName":"Anna New",
			"name.givenName":"Anna","active":false,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager":"m2"}}`),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := patch.Parse(rt, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseAThousandMembers(b *testing.B) {
	members := make([]string, 1000)
	for i := range members {
		members[i] = fmt.Sprintf(`{"$ref":null,"value":"0199f7b0-0000-7000-8000-%012d"}`, i)
	}
	rt, in := schema.Group(), body(`{"op":"Add","path":"members","value":[`+strings.Join(members, ",")+`]}`)
	b.ReportAllocs()
	for b.Loop() {
		r, err := patch.Parse(rt, in)
		if err != nil {
			b.Fatal(err)
		}
		if m, _ := r.SplitMembers(); len(m[0].IDs) != len(members) {
			b.Fatal("members are missing")
		}
	}
}

func BenchmarkApply(b *testing.B) {
	rt := schema.User()
	current := decode(b, `{"userName":"anna","displayName":"Anna","active":true,"name":{"givenName":"A","familyName":"K"},
		"emails":[{"type":"work","value":"anna@old.test","primary":true}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"m"},"department":"D"}}`)
	r, err := patch.Parse(rt, body(legacy))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := patch.Apply(rt, current, r.Operations); err != nil {
			b.Fatal(err)
		}
	}
}
