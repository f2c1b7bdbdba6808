package openapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/openapi"
	"github.com/tenantry/tenantry/scimserver/schema"
)

var update = flag.Bool("update", false, "write the documents to testdata")

// tenants are those of testdata, by the name of the file.
func tenants() map[string]*openapi.Tenant {
	limits := openapi.Limits{Count: 1000, Operations: 1000, Changes: 1000, Wait: 30}
	badges := &schema.Schema{ID: "urn:contoso:scim:schemas:hr:1.0:User", Name: "HR", Description: "What HR knows", Attributes: []*schema.Attribute{
		{Name: "badge", Required: true, Description: "The number on the badge.", Mutability: schema.Immutable},
		{Name: "level", Type: schema.TypeInteger},
		{Name: "rate", Type: schema.TypeDecimal, Returned: schema.ReturnedRequest, Description: "What an hour costs."},
		{Name: "shifts", MultiValued: true, CanonicalValues: []string{"day", "night"}},
		{Name: "since", Type: schema.TypeDateTime}, {Name: "photo", Type: schema.TypeBinary}, {Name: "remote", Type: schema.TypeBoolean},
		{Name: "page", Type: schema.TypeReference, ReferenceTypes: []string{"external"}},
		{Name: "desks", Type: schema.TypeComplex, MultiValued: true, SubAttributes: []*schema.Attribute{
			{Name: "floor", Type: schema.TypeInteger, Required: true}, {Name: "type", CanonicalValues: []string{"home", "office"}},
		}},
	}}
	enterprise := &schema.Schema{ID: schema.EnterpriseUser, Attributes: []*schema.Attribute{{Name: "team"}}}
	budget := &schema.Schema{ID: "urn:contoso:scim:schemas:budget:1.0:Group", Name: "Budget", Attributes: []*schema.Attribute{{Name: "owner"}}}
	return map[string]*openapi.Tenant{
		"default.json": {
			Name: "contoso", URL: "https://scim.contoso.test/scim/v2", Types: []*schema.ResourceType{schema.User(), schema.Group()}, Limits: limits,
		},
		"declared.json": {
			Name: "Contoso Ltd", URL: "https://scim.contoso.test/scim/v2", TokenURL: "https://scim.contoso.test/oauth2/token", SignsIn: true, Limits: limits,
			Types: []*schema.ResourceType{schema.User(badges, enterprise), schema.Group(budget)},
		},
	}
}

// TestTheDocumentIsAsInTestdata: hack/verify/openapi.sh has these files looked at by a linter, and types made of them.
func TestTheDocumentIsAsInTestdata(t *testing.T) {
	for name, tenant := range tenants() {
		made, err := openapi.Document(tenant)
		if err != nil {
			t.Fatal(err)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, append(made, '\n'), "", "  "); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, indented.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), indented.String()); diff != "" {
			t.Errorf("%s is another than before; see it through and write it with -update (-want +got):\n%s", name, diff)
		}
	}
}

func BenchmarkDocument(b *testing.B) {
	tenant := tenants()["declared.json"]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := openapi.Document(tenant); err != nil {
			b.Fatal(err)
		}
	}
}
