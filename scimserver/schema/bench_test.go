package schema_test

import (
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// entraUser is what Entra sends to create a user with the tutorial's mappings.
const entraUser = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
	"externalId":"anna.k","userName":"anna.k@contoso.test","active":true,"displayName":"Anna K",
	"emails":[{"primary":true,"type":"work","value":"anna.k@contoso.test"}],"meta":{"resourceType":"User"},
	"name":{"formatted":"Anna K","familyName":"K","givenName":"Anna","displayName":"Anna K"},"roles":[],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"0199f7b0-0000-7000-8000-000000000000"}},
	"urn:ietf:params:scim:schemas:extension:medius:2.0:User":{"configurationFilter":"finance","customFieldText1":"CC-100"}}`

func BenchmarkDecode(b *testing.B) {
	body := []byte(entraUser)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := schema.Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNormalize(b *testing.B) {
	rt, in := schema.User(), decode(b, entraUser)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := rt.Normalize(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIndexKeys(b *testing.B) {
	rt := schema.User()
	obj, _, err := rt.Normalize(decode(b, entraUser))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		rt.IndexKeys(obj)
	}
}

func BenchmarkProject(b *testing.B) {
	rt, obj := schema.User(), decode(b, anna)
	p, err := rt.Projection([]string{"userName", "emails.value", "name"}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Apply(obj)
	}
}
