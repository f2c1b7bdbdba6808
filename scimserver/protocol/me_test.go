package protocol_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
)

const (
	annasOID = "0c7d2b9f-3f1e-4a55-8f0b-2a1c6d5e4f30"
	bosOID   = "77d1a3c2-9be0-4c1f-a6de-0f0e8b7c5a11"
)

// userToken is the token of a user who signed in to the application api://app.
func (f *fixture) userToken(changes authtest.Claims) string {
	return f.issuer.Sign(authtest.Times(f.clock()).With(authtest.Claims{
		"iss": f.issuer.Issuer(), "aud": "api://app", "sub": "AAAAsubject", "oid": annasOID, "tid": authtest.TenantID,
		"scp": "access", "preferred_username": "anna.k@contoso.test",
	}).With(changes))
}

func newFixtureForUsers(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.allow(func(a *v1alpha1.Authentication) { a.UserToken = &v1alpha1.UserToken{Audiences: []string{"api://app"}} })
	return f
}

func TestMeIsTheUserWhoSignedIn(t *testing.T) {
	medius := func(provider, name string) string {
		return `"urn:ietf:params:scim:schemas:extension:medius:2.0:User":{"identityProvider":"` + provider + `","nameIdentifier":"` + name + `"}`
	}
	for name, c := range map[string]struct {
		stored func(f *fixture) string
		claims authtest.Claims
		status int
	}{
		"by identityProvider and nameIdentifier, the object ID": {func(f *fixture) string {
			return `{"userName":"x","externalId":"x",` + medius(f.issuer.Issuer(), annasOID) + `}`
		}, nil, 200},
		"by the issuer of version 1 and the subject": {func(f *fixture) string { return `{"userName":"x",` + medius(f.issuer.IssuerV1(), "AAAAsubject") + `}` }, nil, 200},
		"by the issuer and the user name": {func(f *fixture) string {
			return `{"userName":"x",` + medius(f.issuer.Issuer(), "anna.k@contoso.test") + `}`
		}, nil, 200},
		"by externalId":                          {func(*fixture) string { return `{"userName":"x","externalId":"` + annasOID + `"}` }, nil, 200},
		"by userName":                            {func(*fixture) string { return `{"userName":"Anna.K@contoso.test","externalId":"anna"}` }, nil, 200},
		"by userName, from a token of version 1": {func(*fixture) string { return `{"userName":"anna.k@contoso.test"}` }, authtest.Claims{"preferred_username": nil, "upn": "anna.k@contoso.test"}, 200},
		"another identity provider":              {func(*fixture) string { return `{"userName":"x",` + medius("https://other.example/", annasOID) + `}` }, nil, 404},
		"another name at our provider":           {func(f *fixture) string { return `{"userName":"x",` + medius(f.issuer.Issuer(), bosOID) + `}` }, nil, 404},
		"the userName of somebody before them":   {func(*fixture) string { return `{"userName":"anna.k@contoso.test","externalId":"` + bosOID + `"}` }, nil, 404},
		"nobody":                                 {func(*fixture) string { return `{"userName":"x"}` }, nil, 404},
		"a quote in a claim":                     {func(*fixture) string { return `{"userName":"x"}` }, authtest.Claims{"preferred_username": `x" or userName eq "x`, "oid": annasOID}, 404},
		"inactive":                               {func(*fixture) string { return `{"userName":"anna.k@contoso.test","active":false}` }, nil, 403},
		"inactive, by externalId": {func(*fixture) string {
			return `{"userName":"x","active":"False","externalId":"` + annasOID + `"}`
		}, nil, 403},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixtureForUsers(t)
			f.create("anna", "/Users", c.stored(f))
			got := f.sendWith("GET", "/Me", "", bearer(f.userToken(c.claims)))
			if c.status != 200 {
				f.wantError(got, c.status, "")
				return
			}
			if got.status != 200 || f.field(got, "id") != f.ids["anna"] {
				t.Fatalf("got %d %s, want user %s", got.status, got.body, f.ids["anna"])
			}
			if want := tenantURL + "/Users/" + f.ids["anna"]; got.header.Get("Location") != want || f.field(got, "meta", "location") != want {
				t.Errorf("Location = %s, meta.location = %v, want %s", got.header.Get("Location"), f.field(got, "meta", "location"), want)
			}
			canonical := f.expect("GET", "/Users/{anna}", "", 200, "")
			if string(canonical.body) != string(got.body) {
				t.Errorf("/Me has\n%s\nand the resource\n%s", got.body, canonical.body)
			}
		})
	}
}

func TestTheStrongerMatchWinsAndTwoAreNone(t *testing.T) {
	f := newFixtureForUsers(t)
	f.create("byName", "/Users", `{"userName":"anna.k@contoso.test"}`)
	f.create("byID", "/Users", `{"userName":"anna2","externalId":"`+annasOID+`"}`)
	if got := f.sendWith("GET", "/Me", "", bearer(f.userToken(nil))); f.field(got, "id") != f.ids["byID"] {
		t.Errorf("externalId does not go before userName: %s", got.body)
	}
	f.create("twin", "/Users", `{"userName":"anna3","externalId":"`+annasOID+`"}`)
	f.wantError(f.sendWith("GET", "/Me", "", bearer(f.userToken(nil))), http.StatusForbidden, "")
}

func TestMeTakesProjection(t *testing.T) {
	f := newFixtureForUsers(t)
	f.create("anna", "/Users", `{"userName":"anna.k@contoso.test","title":"Buyer"}`)
	got := f.sendWith("GET", "/Me?attributes=title", "", bearer(f.userToken(nil)))
	if f.field(got, "title") != "Buyer" || f.field(got, "userName") != nil {
		t.Errorf("got %s", got.body)
	}
}

func TestAUsersTokenOpensNothingButMe(t *testing.T) {
	f := newFixtureForUsers(t)
	f.create("anna", "/Users", `{"userName":"anna.k@contoso.test"}`)
	person := bearer(f.userToken(nil))
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/Users", ""}, {"GET", "/Users/{anna}", ""}, {"HEAD", "/Users/{anna}", ""}, {"GET", "/Groups", ""}, {"GET", "/Schemas", ""}, {"GET", "", ""},
		{"POST", "/Users", `{"userName":"x"}`}, {"PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"title","value":"x"}`)}, {"DELETE", "/Users/{anna}", ""},
	} {
		got := f.sendWith(c.method, c.path, c.body, person)
		if got.status != http.StatusForbidden {
			t.Errorf("%s %s = %d, want 403", c.method, c.path, got.status)
		}
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		f.wantError(f.sendWith(method, "/Me", `{"userName":"x"}`, person), http.StatusNotImplemented, "")
	}
	f.expect("GET", "/Users/{anna}", "", 200, "")
}

func TestAServiceIsNobodyAtMe(t *testing.T) {
	f := newFixtureForUsers(t)
	reader := tokenOf(t, "payroll")
	f.trust(token.NewReader(reader, "payroll", f.now))
	for _, credential := range []string{f.token, reader} {
		got := f.sendWith("GET", "/Me", "", bearer(credential))
		f.wantError(got, http.StatusNotImplemented, "")
		if !strings.Contains(string(got.body), "this credential is a service's") {
			t.Errorf("the detail is %s", got.body)
		}
	}
	f.wantError(f.sendWith("GET", "/Me", "", http.Header{}), http.StatusUnauthorized, "")
}

func TestMeListsEachGroupOnce(t *testing.T) {
	f := newFixtureForUsers(t)
	f.create("anna", "/Users", `{"userName":"anna.k@contoso.test"}`)
	f.create("buyers", "/Groups", `{"displayName":"Buyers","members":[{"value":"{anna}"}]}`)
	f.database.groups.Store(0)
	got := f.sendWith("GET", "/Me", "", bearer(f.userToken(nil)))
	if read := f.database.groups.Load(); read != 1 {
		t.Errorf("the groups of users were read %d times, want once", read)
	}
	f.compare("/Me", got.body, string(f.expect("GET", "/Users/{anna}", "", 200, "").body))
}
