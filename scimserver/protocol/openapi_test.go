package protocol_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// described reads the tenant's OpenAPI document.
func (f *fixture) described() (document map[string]any, paths string, version string) {
	f.t.Helper()
	got := f.expect("GET", "/openapi.json", "", 200, "")
	document, _ = f.field(got).(map[string]any)
	return document, strings.Join(slices.Sorted(maps.Keys(document["paths"].(map[string]any))), " "), got.header.Get("ETag")
}

func TestTheOpenAPIDocumentIsOfWhatTheTenantOffers(t *testing.T) {
	f := newFixture(t)
	document, paths, first := f.described()
	const both = "/ /.search /Bulk /Changes /Groups /Groups/.search /Groups/{id} /ResourceTypes /ResourceTypes/{id} /Schemas /Schemas/{id} " +
		"/ServiceProviderConfig /Users /Users/.search /Users/{id} /openapi.json"
	if paths != both || document["openapi"] != "3.1.0" {
		t.Errorf("of a tenant as it comes:\n%s\nwant\n%s", paths, both)
	}
	if diff := cmp.Diff([]any{map[string]any{"url": tenantURL}}, document["servers"]); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	versions := map[string]bool{first: true}
	changes := func(what string, want func(document map[string]any, paths string) bool) {
		t.Helper()
		document, paths, version := f.described()
		if !want(document, paths) || versions[version] {
			t.Errorf("%s: version %s, paths\n%s", what, version, paths)
		}
		versions[version] = true
		if _, _, again := f.described(); again != version {
			t.Errorf("%s: the version is %s, and the next time %s", what, version, again)
		}
	}
	f.declare(hrSchema())
	changes("with a schema of its own", func(document map[string]any, _ string) bool {
		schemas := document["components"].(map[string]any)["schemas"].(map[string]any)
		user := schemas["User"].(map[string]any)["properties"].(map[string]any)
		return user[hrURN] != nil && user[schema.MediusUser] != nil
	})
	f.snapshot.Tenant.Spec.Provisioning.Groups = v1alpha1.SwitchDisabled
	changes("without groups", func(_ map[string]any, paths string) bool { return !strings.Contains(paths, "Groups") })
	f.withClient()
	changes("with a token endpoint", func(_ map[string]any, paths string) bool { return strings.Contains(paths, v1alpha1.TokenPath) })
	f.snapshot.Tenant.Spec.Authentication.UserToken = &v1alpha1.UserToken{}
	changes("with people who sign in", func(_ map[string]any, paths string) bool { return strings.Contains(paths, "/Me") })
	f.snapshot.Tenant.Spec.DisplayName = "Contoso Ltd"
	changes("with a name", func(document map[string]any, _ string) bool {
		return strings.Contains(document["info"].(map[string]any)["title"].(string), "Contoso Ltd")
	})
}

func TestTheOpenAPIDocumentIsForWhoeverMayReadSchemas(t *testing.T) {
	f := newFixture(t)
	reader := f.withReader("payroll")
	got := f.as(reader, "GET", "/openapi.json", "")
	if got.status != 200 || got.header.Get("Content-Type") != "application/json" || got.header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("a reader: %d %v", got.status, got.header)
	}
	version := got.header.Get("ETag")
	for header, want := range map[string]int{version: 304, strings.TrimSuffix(version, `"`) + `-gzip"`: 304, `"1"`: 200, "*": 304, "nonsense": 400} {
		again := f.sendWith("GET", "/openapi.json", "", http.Header{"Authorization": {"Bearer " + reader}, "If-None-Match": {header}})
		if again.status != want || want == 304 && (len(again.body) > 0 || again.header.Get("ETag") != version) {
			t.Errorf("If-None-Match: %s is %d %v, want %d", header, again.status, again.header, want)
		}
	}
	if head := f.as(reader, "HEAD", "/openapi.json", ""); head.status != 200 || head.header.Get("ETag") != version || len(head.body) > 0 {
		t.Errorf("HEAD: %d %v", head.status, head.header)
	}
	f.wantError(f.sendWith("GET", "/openapi.json", "", http.Header{}), 401, "")
	f.wantError(f.as(reader, "POST", "/openapi.json", "{}"), 405, "")
	f.wantError(f.as(reader, "GET", "/openapi.json?filter=id+pr", ""), 403, "")
	unknown := tokenOf(t, "unknown")
	f.trust(token.NewVerifier(unknown, "auditor", f.now))
	f.wantError(f.as(unknown, "GET", "/openapi.json", ""), 403, "")
}
