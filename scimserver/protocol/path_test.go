package protocol_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/protocol"
)

func TestAPathIsCleaned(t *testing.T) {
	for escaped, want := range map[string]string{
		"":                    "/",
		"*":                   "/*",
		"/":                   "/",
		"/a/b":                "/a/b",
		"//a///b/":            "/a/b",
		"/a/../b/./c":         "/b/c",
		"/../../a":            "/a",
		"/Schemas/urn%3Aietf": "/Schemas/urn%3Aietf",
		"/a/2%2e0/b%20c":      "/a/2%2e0/b%20c",
		"/a/%252e%252e":       "/a/%252e%252e",
		"/a/%252f":            "/a/%252f",
		"/a/...":              "/a/...",
		"/a/%2e%2e%2e":        "/a/%2e%2e%2e",
		"/a/%C3%A5/%EF%BC%8F": "/a/%C3%A5/%EF%BC%8F",
		"/a/..;/b":            "/a/..;/b",
		"/a/%2e":              "",
		"/a/%2E%2e/b":         "",
		"/a/.%2e/b":           "",
		"/a/%2e./../b":        "",
		"/%2e%2e/../a":        "",
		"/a%2fb":              "",
		"/a/..%2Fb":           "",
		"/a/%2e%2e%2fb":       "",
		"/a%5cb":              "",
		"/a/..%5Cb":           "",
		"/a/%00":              "",
		"/a/b%00c":            "",
		"/a/%ff":              "",
		"/a/%c0%ae%c0%ae/b":   "",
		"/a/%C3":              "",
		"/a/%zz":              "",
	} {
		if got := protocol.CleanPath(escaped); got != want {
			t.Errorf("%s: got %q, want %q", escaped, got, want)
		}
	}
}

func FuzzCleanPath(f *testing.F) {
	for _, seed := range []string{"/scim/v2/Users", "//a/../b/.", "/a/%2e%2e%2fb", "/a/.%2e/..", "/%5c/%00/%ff", "/Schemas/urn%3Aietf:2%2e0", "%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		clean := protocol.CleanPath(escaped)
		if clean == "" {
			return
		}
		if again := protocol.CleanPath(clean); again != clean || clean[0] != '/' {
			t.Fatalf("%q is cleaned to %q, and that to %q", escaped, clean, again)
		}
		for segment := range strings.SplitSeq(clean[1:], "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q is cleaned to %q", escaped, clean)
			}
		}
	})
}

// An encoded slash or dot is part of a segment and leads to no other resource (RFC 3986 section 2.2). No id has one.
func TestEncodedDotsAndSlashesLeadNowhere(t *testing.T) {
	f := withAnnaAndBuyers(t)
	f.withClient()
	before := f.everything()
	entries := func() int {
		list, err := f.database.Log(context.Background(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	written := entries()
	const base = v1alpha1.BasePath
	for _, target := range []string{
		base + "/Users/%2e%2e%2fServiceProviderConfig",
		base + "/Users/%2E%2E/ServiceProviderConfig",
		base + "/Users/.%2e/Users/{anna}",
		base + "/Groups/%2e./Users/{anna}",
		base + "/Groups/%2e%2e/Users/{anna}",
		base + "/Groups/..%2fUsers%2f{anna}",
		base + "/Groups/..%2FUsers/{anna}",
		base + "/Groups/%2e%2e%2fUsers%2f{anna}",
		base + "/Groups/..%5cUsers%5c{anna}",
		base + "/Groups/%2e%2e%5CUsers/{anna}",
		base + "/Users/%2e/{anna}",
		base + "/Users/{anna}/%2e",
		base + "/Users/{anna}%2f",
		base + "/Users%2f{anna}",
		base + "/Users/%2f{anna}",
		base + "/Users/{anna}%5c",
		base + "/Users/x/%2e%2e/../{anna}",
		base + "/Users/x/../%2e/{anna}",
		base + "//Groups//%2e%2e//Users//{anna}/",
		base + "/Users/%2esearch/%2e%2e",
		base + "/%2e%2e/v2/Users/{anna}",
		base + "/Users/{anna}%00",
		base + "/Users/%ff",
		base + "/Users/%c0%ae%c0%ae/Users/{anna}",
		"/scim%2fv2/Users/{anna}",
		"/scim/v2%2fUsers",
		"/%2e/scim/v2/Users/{anna}",
		"/oauth2%2ftoken",
		"/oauth2/token%2f",
		"/oauth2/x%2f%2e%2e%2ftoken",
		"/oauth2/%2e/token",
		"/scim/v2/%2e%2e/%2e%2e/oauth2/token",
		"/scim/v2/..%2f..%2foauth2/token",
	} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"} {
			body := ""
			switch method {
			case "POST", "PUT":
				body = `{"userName":"bob","displayName":"bob"}`
			case "PATCH":
				body = patchOf(`{"op":"add","path":"displayName","value":"bob"}`)
			}
			got := f.rawWith(method, target, body, bearer(f.token))
			if method == "HEAD" {
				got.body = []byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"-"}`)
			}
			f.wantError(got, http.StatusNotFound, "")
		}
	}
	if after := f.everything(); after != before {
		t.Errorf("a path that leads nowhere made\n%s\nof\n%s", after, before)
	}
	if got := entries(); got != written {
		t.Errorf("paths that lead nowhere have %d entries in the provisioning log", got-written)
	}
	// Nobody without a credential learns which paths there are.
	f.wantError(f.rawWith("GET", base+"/Users/%2e%2e", "", http.Header{}), http.StatusUnauthorized, "")
}

func TestOtherSpellingsOfAPathAreUnderstood(t *testing.T) {
	f := withAnnaAndBuyers(t)
	secret := f.withClient()
	for target, name := range map[string]string{
		"/scim//v2//Users//{anna}/":       "userName",
		"/scim/v2/Groups/../Users/{anna}": "userName",
		"/scim/v2/Users/./{anna}":         "userName",
		"/scim/v2/%55sers/{anna}":         "userName",
		"/scim/v2/Schemas/urn%3Aietf%3Aparams%3Ascim%3Aschemas%3Acore%3A2%2e0%3AUser": "attributes",
		"/scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:User":                 "attributes",
		"/scim/v2":  "patch",
		"/scim/v2/": "patch",
	} {
		if got := f.rawWith("GET", target, "", bearer(f.token)); got.status != http.StatusOK || f.field(got, name) == nil {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
	}
	form := formOf("grant_type", "client_credentials", "client_id", "contoso", "client_secret", secret)
	for _, target := range []string{"/oauth2/token", "/oauth2//token/", "/x/../oauth2/./token", "/oauth2/%74oken"} {
		f.issued(f.rawWith("POST", target, form, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}))
	}
}

// Neither engine can store such an id, so nobody has it. PostgreSQL would take the question for an error.
func TestAnIDThatNoDatabaseTakesIsNobodys(t *testing.T) {
	f := withAnnaAndBuyers(t)
	operation := func(method, path, data string) string {
		return `{"method":"` + method + `","path":"` + path + `"` + data + `}`
	}
	const user = `,"data":{"userName":"bob","displayName":"bob"}`
	got := f.expect("POST", "/Bulk", bulkOf(strings.Join([]string{
		operation("DELETE", `/Users/\u0000`, ""), operation("DELETE", `/Groups/a\u0000b`, ""), operation("PUT", `/Users/\u0000`, user), operation("PUT", `/Groups/\u0000`, user),
		operation("PATCH", `/Users/\u0000`, `,"data":`+patchOf(`{"op":"add","path":"title","value":"x"}`)),
		operation("PATCH", `/Groups/\u0000`, `,"data":`+patchOf(`{"op":"add","path":"members","value":[{"value":"{anna}"}]}`)),
	}, ",")), http.StatusOK, "")
	operations := f.field(got, "Operations").([]any)
	for _, one := range operations {
		if status := one.(map[string]any)["status"]; status != "404" {
			t.Errorf("an operation is answered %v: %v", status, one)
		}
	}
	if len(operations) != 6 {
		t.Errorf("%d operations are answered", len(operations))
	}
	if _, err := f.directory.WriteFailures(context.Background()); err != nil {
		t.Errorf("the failures cannot be logged: %v", err)
	}
	for _, path := range []string{"/Users", "/Groups"} {
		for _, id := range []string{`\u0000`, `a\u0000`} {
			for _, filter := range []string{`id eq \"` + id + `\"`, `meta.location eq \"` + id + `\"`} {
				f.wantError(f.send("POST", path+"/.search", `{"filter":"`+filter+`"}`), http.StatusBadRequest, "invalidFilter")
			}
		}
	}
}

// An administrator leaves out the end of the Tenant URL, or looks for the admin port's paths at it.
func TestAPathThatLeadsNowhereSaysWhereToLookInstead(t *testing.T) {
	f := newFixture(t)
	for path, want := range map[string]string{
		"/Users":          "there is no such endpoint; a Tenant URL ends with /scim/v2, and the endpoints are below that",
		"/":               "there is no such endpoint; a Tenant URL ends with /scim/v2, and the endpoints are below that",
		"/scim":           "there is no such endpoint; a Tenant URL ends with /scim/v2, and the endpoints are below that",
		"/scim/v2/People": "there is no such endpoint; those of this server are listed in /ResourceTypes",
		"/scim/v2/log":    "there is no such endpoint; /log is at the server's admin port, which no Tenant URL leads to",
		"/scim/v2/export": "there is no such endpoint; /export is at the server's admin port, which no Tenant URL leads to",
	} {
		got := f.rawWith("GET", path, "", bearer(f.token))
		f.wantError(got, http.StatusNotFound, "")
		if detail, _ := f.field(got, "detail").(string); !strings.HasPrefix(detail, want+" (request ") {
			t.Errorf("%s: %s, want %s", path, detail, want)
		}
		if got := f.rawWith("GET", path, "", http.Header{"Accept": {"application/json"}}); got.status != http.StatusUnauthorized {
			t.Errorf("%s tells a stranger %d %s", path, got.status, got.body)
		}
	}
}
