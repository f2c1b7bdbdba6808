package protocol_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/signin"
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

const mediusURN = "urn:ietf:params:scim:schemas:extension:medius:2.0:User"

// signsIn is what a user's resource says of how they sign in, as JSON. {v1} and {v2} are the issuers of the tenant's login authority.
func (f *fixture) signsIn(userName, externalID, provider, name string) string {
	f.t.Helper()
	way := map[string]any{}
	if provider != "" {
		way["identityProvider"] = strings.NewReplacer("{v1}", f.issuer.IssuerV1(), "{v2}", f.issuer.Issuer()).Replace(provider)
	}
	if name != "" {
		way["nameIdentifier"] = name
	}
	user := map[string]any{"userName": userName, mediusURN: way}
	if externalID != "" {
		user["externalId"] = externalID
	}
	body, err := json.Marshal(user)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(body)
}

const (
	annasName = "anna.k@contoso.test"
	otherIDP  = "https://login.microsoftonline.com/11111111-1111-4111-8111-111111111111/v2.0"
)

// Each combination stands in the table of package signin. These are what users of real tenants have, and go through the directory.
func TestMeIsTheUserWhoSignedIn(t *testing.T) {
	type stored struct{ userName, externalID, provider, name string }
	v1 := authtest.Claims{"preferred_username": nil, "upn": annasName}
	for name, c := range map[string]struct {
		users  []stored
		claims authtest.Claims
		want   int    // which of the users, counted from 1
		refuse string // else why nobody
	}{
		"by identityProvider and nameIdentifier":    {[]stored{{"x", "x", "{v2}", annasOID}}, nil, 1, ""},
		"by them, of the other version of issuer":   {[]stored{{"x", "x", "{v1}", annasOID}}, nil, 1, ""},
		"by them, from a token of version 1":        {[]stored{{"x", "x", "{v2}", annasOID}}, authtest.Claims{"iss": "{v1}"}, 1, ""},
		"by them, in other letters":                 {[]stored{{"x", "x", "{v2}/", "{" + strings.ToUpper(annasOID) + "}"}}, nil, 1, ""},
		"by the issuer of version 1 and the sub":    {[]stored{{"x", "", "{v1}", "AAAAsubject"}}, nil, 1, ""},
		"by the issuer and the user name":           {[]stored{{"x", "anna", "{v2}", annasName}}, nil, 1, ""},
		"by externalId":                             {[]stored{{"x", annasOID, "", ""}}, nil, 1, ""},
		"by externalId in capitals":                 {[]stored{{annasName, "bo", "", ""}, {"x", strings.ToUpper(annasOID), "", ""}}, nil, 2, ""},
		"by userName":                               {[]stored{{"Anna.K@contoso.test", "anna", "", ""}}, nil, 1, ""},
		"by userName, from a token of version 1":    {[]stored{{annasName, "", "", ""}}, v1, 1, ""},
		"the ID goes before the name":               {[]stored{{annasName, "", "", ""}, {"x", annasOID, "", ""}}, nil, 2, ""},
		"the ID goes before the name at the issuer": {[]stored{{"x", "", "{v2}", annasName}, {"y", annasOID, "", ""}}, nil, 2, ""},

		"the sub in other letters":                       {[]stored{{"x", "", "{v1}", "aaaaSUBJECT"}}, nil, 0, "unknown"},
		"another identity provider":                      {[]stored{{annasName, "", otherIDP, annasOID}}, nil, 0, "unknown"},
		"another name at our provider":                   {[]stored{{annasName, "anna", "{v2}", bosOID}}, nil, 0, "unknown"},
		"another name at no provider":                    {[]stored{{annasName, "anna", "", bosOID}}, nil, 0, "unknown"},
		"another name at another provider":               {[]stored{{annasName, "anna", otherIDP, "bo"}}, nil, 0, "unknown"},
		"a provider and no name":                         {[]stored{{annasName, "anna", "{v2}", ""}}, nil, 0, "unknown"},
		"a provider and no name, and the object ID":      {[]stored{{annasName, annasOID, "{v2}", ""}}, nil, 0, "unknown"},
		"a name and no provider":                         {[]stored{{annasName, annasOID, "", annasOID}}, nil, 0, "unknown"},
		"the userName of somebody before them":           {[]stored{{annasName, bosOID, "", ""}}, nil, 0, "unknown"},
		"that, in capitals and braces":                   {[]stored{{annasName, "{" + strings.ToUpper(bosOID) + "}", "", ""}}, nil, 0, "unknown"},
		"the name at the issuer of somebody before them": {[]stored{{"x", bosOID, "{v2}", annasName}}, nil, 0, "unknown"},
		"the userName, where another has the object ID":  {[]stored{{annasName, "", "", ""}, {"x", annasOID, otherIDP, "x"}}, nil, 0, "unknown"},
		"nobody":                                        {[]stored{{"x", "", "", ""}}, nil, 0, "unknown"},
		"a quote in a claim":                            {[]stored{{"x", "", "", ""}}, authtest.Claims{"preferred_username": `x" or userName eq "x`}, 0, "unknown"},
		"a name that a guest brings along":              {[]stored{{annasName, "", "", ""}}, authtest.Claims{"idp": "https://sts.windows.net/1111/"}, 0, "unknown"},
		"a guest by object ID":                          {[]stored{{"x", annasOID, "", ""}}, authtest.Claims{"idp": "live.com"}, 1, ""},
		"names that differ":                             {[]stored{{annasName, "", "", ""}}, authtest.Claims{"upn": "bo@contoso.test"}, 0, "unknown"},
		"an e-mail address":                             {[]stored{{annasName, "", "", ""}}, authtest.Claims{"preferred_username": nil, "email": annasName, "unique_name": annasName}, 0, "unknown"},
		"two by object ID":                              {[]stored{{"x", annasOID, "", ""}, {"y", annasOID, "", ""}}, nil, 0, "ambiguous"},
		"two by object ID, in different ways":           {[]stored{{"x", annasOID, "", ""}, {"y", "", "{v2}", annasOID}}, nil, 0, "ambiguous"},
		"one by object ID and one by sub":               {[]stored{{"x", annasOID, "", ""}, {"y", "", "{v2}", "AAAAsubject"}}, nil, 0, "ambiguous"},
		"two by object ID, at issuers of both versions": {[]stored{{"x", "", "{v1}", annasOID}, {"y", "", "{v2}", strings.ToUpper(annasOID)}}, nil, 0, "ambiguous"},
		"two by name, in different ways":                {[]stored{{annasName, "", "", ""}, {"y", "", "{v2}", annasName}}, nil, 0, "ambiguous"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixtureForUsers(t)
			var ids []string
			for i, u := range c.users {
				id := "user" + strconv.Itoa(i+1)
				f.create(id, "/Users", f.signsIn(u.userName, u.externalID, u.provider, u.name))
				ids = append(ids, f.ids[id])
			}
			if c.claims["iss"] == "{v1}" {
				c.claims = c.claims.With(authtest.Claims{"iss": f.issuer.IssuerV1()})
			}
			got := f.sendWith("GET", "/Me", "", bearer(f.userToken(c.claims)))
			if c.want == 0 {
				status := map[string]int{"unknown": 404, "ambiguous": 403}[c.refuse]
				f.wantError(got, status, c.refuse)
				return
			}
			id := ids[c.want-1]
			if got.status != 200 || f.field(got, "id") != id {
				t.Fatalf("got %d %s, want user %s", got.status, got.body, id)
			}
			if want := tenantURL + "/Users/" + id; got.header.Get("Location") != want || f.field(got, "meta", "location") != want {
				t.Errorf("Location = %s, meta.location = %v, want %s", got.header.Get("Location"), f.field(got, "meta", "location"), want)
			}
			canonical := f.expect("GET", "/Users/"+id, "", 200, "")
			if string(canonical.body) != string(got.body) {
				t.Errorf("/Me has\n%s\nand the resource\n%s", got.body, canonical.body)
			}
		})
	}
}

// The refusal of a person without a user must not tell whether there is a user of their name.
func TestARefusalTellsNothingOfOthers(t *testing.T) {
	told := map[string]bool{}
	for _, user := range []string{
		`{"userName":"x"}`, `{"userName":"` + annasName + `","externalId":"` + bosOID + `"}`,
		`{"userName":"` + annasName + `","externalId":"` + bosOID + `","active":false}`,
		`{"userName":"` + annasName + `","` + mediusURN + `":{"identityProvider":"` + otherIDP + `","nameIdentifier":"x"}}`,
		`{"userName":"x","externalId":"` + annasOID + `","` + mediusURN + `":{"nameIdentifier":"x"}}`,
	} {
		f := newFixtureForUsers(t)
		f.create("user", "/Users", user)
		got := f.sendWith("GET", "/Me", "", bearer(f.userToken(nil)))
		f.wantError(got, http.StatusNotFound, "unknown")
		if got.header.Get("Location") != "" || got.header.Get("ETag") != "" {
			t.Errorf("the header has %v", got.header)
		}
		told[strings.ReplaceAll(string(got.body), got.header.Get("X-Request-Id"), "")] = true
	}
	if len(told) != 1 {
		t.Errorf("there are %d answers, want one: %v", len(told), told)
	}
}

func TestAPersonWhoseUserIsInactiveIsToldSo(t *testing.T) {
	for name, user := range map[string]string{
		"by userName":   `{"userName":"` + annasName + `","active":false}`,
		"by externalId": `{"userName":"x","active":"False","externalId":"` + annasOID + `"}`,
	} {
		f := newFixtureForUsers(t)
		f.create("anna", "/Users", user)
		f.create("by name", "/Users", `{"userName":"`+annasName+`2"}`)
		got := f.sendWith("GET", "/Me", "", bearer(f.userToken(nil)))
		f.wantError(got, http.StatusForbidden, "inactive")
		if detail, _ := f.field(got, "detail").(string); !strings.HasPrefix(detail, "this user is not active in the tenant") {
			t.Errorf("%s: %s", name, got.body)
		}
		f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"Replace","path":"active","value":"True"}`), 204, "")
		f.wantServed(name, f.userToken(nil), "/Me")
	}
}

// The identityProvider is the same for all users, so a UserDefaults can give it.
func TestTheProviderCanBeADefault(t *testing.T) {
	f := newFixtureForUsers(t)
	f.create("anna", "/Users", f.signsIn(annasName, "", "", annasOID))
	f.wantError(f.sendWith("GET", "/Me", "", bearer(f.userToken(nil))), http.StatusNotFound, "unknown")
	defaults, err := directory.NewDefaults(&v1alpha1.UserDefaults{ObjectMeta: metav1.ObjectMeta{Name: "everyone"}, Spec: v1alpha1.UserDefaultsSpec{
		Apply: v1alpha1.ApplyAlways, Attributes: []v1alpha1.AttributeDefault{{Path: mediusURN + ":identityProvider", Value: f.issuer.Issuer()}},
	}}, v1alpha1.Catalog{}, schema.User())
	if err != nil {
		t.Fatal(err)
	}
	f.directory.SetDefaults([]*directory.Defaults{defaults})
	f.create("bo", "/Users", f.signsIn("bo", "", "", bosOID))
	got := f.sendWith("GET", "/Me", "", bearer(f.userToken(authtest.Claims{"oid": bosOID})))
	if got.status != 200 || f.field(got, "id") != f.ids["bo"] {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// Users that have something of a person's are looked at, up to a bound.
func TestMoreUsersThanAreLookedAtAreAmbiguous(t *testing.T) {
	f := newFixtureForUsers(t)
	f.create("anna", "/Users", f.signsIn("anna", "", "{v2}", annasOID))
	for n := range signin.MaxUsers {
		f.wantServed("a person", f.userToken(nil), "/Me")
		f.create("twin", "/Users", f.signsIn("twin"+strconv.Itoa(n), "", otherIDP, annasOID))
	}
	f.wantError(f.sendWith("GET", "/Me", "", bearer(f.userToken(nil))), http.StatusForbidden, "ambiguous")
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
	f.database.finds.Store(0)
	got := f.sendWith("GET", "/Me", "", bearer(f.userToken(nil)))
	if read := f.database.groups.Load(); read != 1 || f.database.finds.Load() != 1 {
		t.Errorf("the groups of users were read %d times, and users were looked up %d times, want once each", read, f.database.finds.Load())
	}
	f.compare("/Me", got.body, string(f.expect("GET", "/Users/{anna}", "", 200, "").body))
}
