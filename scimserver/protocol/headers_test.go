package protocol_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/protocol"
)

// wantProtected checks the headers that every answer has, each once.
func wantProtected(t *testing.T, what string, header http.Header) {
	t.Helper()
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %s = %q, want %q", what, name, got, want)
		}
	}
}

func TestEveryAnswerIsForWhoAskedAlone(t *testing.T) {
	f := withAnnaAndBuyers(t)
	secret := f.withClient()
	reader := tokenOf(t, "reader")
	f.trust(token.NewVerifier(reader, token.RoleReader, f.now))
	seen := map[int]bool{}
	check := func(method, target, body string, header http.Header) {
		t.Helper()
		got := f.sendWith(method, f.http.URL+target, body, header)
		seen[got.status] = true
		wantProtected(t, method+" "+target+" "+http.StatusText(got.status), got.header)
	}
	const base = v1alpha1.BasePath
	for _, c := range []struct {
		method, target, body string
		header               http.Header
	}{
		{"GET", base + "/Users", "", bearer(f.token)},
		{"GET", base + "/Users/{anna}", "", bearer(f.token)},
		{"HEAD", base + "/Users/{anna}", "", bearer(f.token)},
		{"OPTIONS", base + "/Users", "", bearer(f.token)},
		{"GET", base + "/Users/{anna}?attributes=userName", "", http.Header{"Authorization": {"Bearer " + f.token}, "If-None-Match": {"*"}}},
		{"POST", base + "/Users", `{"userName":"bob"}`, bearer(f.token)},
		{"POST", base + "/Users", `{"userName":"bob"}`, bearer(f.token)},
		{"POST", base + "/Users", `{`, bearer(f.token)},
		{"POST", base + "/Users", `{}`, bearer(reader)},
		{"PATCH", base + "/Users/{anna}", patchOf(`{"op":"add","path":"title","value":"CFO"}`), bearer(f.token)},
		{"PUT", base + "/Users/{anna}", `{"userName":"anna"}`, http.Header{"Authorization": {"Bearer " + f.token}, "If-Match": {`"77"`}}},
		{"DELETE", base + "/Groups/{buyers}", "", bearer(f.token)},
		{"DELETE", base + "/Groups/{buyers}", "", bearer(f.token)},
		{"POST", base + "/Bulk", bulkOf(post("a", "/Users", `{"userName":"carl"}`)), bearer(f.token)},
		{"GET", base + "/Me", "", bearer(f.token)},
		{"GET", base, "", bearer(f.token)}, {"GET", base + "/Schemas", "", bearer(f.token)},
		{"GET", base + "/Users", "", http.Header{}}, {"GET", "/", "", bearer(f.token)}, {"GET", "/favicon.ico", "", http.Header{}},
		{"GET", base + "/Users/%2e%2e", "", bearer(f.token)},
		{"TRACE", base + "/Users", "", bearer(f.token)},
		{"GET", v1alpha1.TokenPath, "", http.Header{}},
		{"POST", v1alpha1.TokenPath, "grant_type=client_credentials", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
		{"POST", v1alpha1.TokenPath, formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", secret), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
	} {
		check(c.method, c.target, c.body, c.header)
	}
	f.limit(1, 1)
	for range 3 {
		check("GET", base+"/Users", "", bearer(f.token))
	}
	f.limit(1000, 1000)
	f.snapshot.Tenant.Spec.Provisioning.Users = v1alpha1.SwitchDisabled
	check("GET", base+"/Users", "", bearer(f.token))
	f.snapshot = nil
	check("GET", base+"/Users", "", bearer(f.token))
	for _, status := range []int{200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 412, 429, 501, 503} {
		if !seen[status] {
			t.Errorf("no answer %d was looked at", status)
		}
	}
	out := httptest.NewRecorder()
	protocol.Unavailable("the directory is being moved").ServeHTTP(out, httptest.NewRequest(http.MethodGet, base+"/Users", http.NoBody))
	wantProtected(t, "while there is no server", out.Result().Header)
}
