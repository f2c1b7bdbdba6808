package schema_test

import (
	"reflect"
	"strings"
	"testing"
	"testing/quick"
	"unicode/utf8"

	"github.com/tenantry/tenantry/scimserver/schema"
)

func TestPath(t *testing.T) {
	const (
		enterpriseURN = schema.EnterpriseUser + ":"
		mediusURN     = schema.MediusUser + ":"
	)
	for _, c := range []struct{ name, in, want string }{
		{"a simple attribute", "userName", "userName"},
		{"any case", "USERname", "userName"},
		{"a sub-attribute", "name.familyName", "name.familyName"},
		{"MediusFlow's name.displayName (entra 7)", "name.displayName", "name.displayName"},
		{"MediusFlow's externalID (entra 7)", "externalID", "externalId"},
		{"a sub-attribute that starts with a dollar", "groups.$ref", "groups.$ref"},
		{"a common attribute", "meta.LASTmodified", "meta.lastModified"},
		{"the core URN in front (bug 20)", schema.CoreUser + ":userName", "userName"},
		{"the core URN in front of a common attribute", schema.CoreUser + ":externalId", "externalId"},
		{"a custom attribute behind the core URN (bug 20)", schema.CoreUser + ":customFieldText3", mediusURN + "customFieldText3"},
		{"an extension's attribute, the dot in 2.0 notwithstanding (bug 5)", mediusURN + "customFieldText1", mediusURN + "customFieldText1"},
		{"a URN in any case", strings.ToUpper(mediusURN) + "CustomFieldText1", mediusURN + "customFieldText1"},
		{"an extension's sub-attribute", enterpriseURN + "manager.value", enterpriseURN + "manager.value"},
		{"a dot behind the URN, as before 2018 (entra 1.7)", schema.EnterpriseUser + ".department", enterpriseURN + "department"},
		{"an extension's attribute without URN", "department", enterpriseURN + "department"},
		{"a name of two schemas is the core one", "displayName", "displayName"},
		{"value of simple values is the attribute itself", schema.TenantryUser + ":companies.value", schema.TenantryUser + ":companies"},
		{"display under the name displayName", "roles.displayName", "roles.display"},
		{"the longest of two URNs", "urn:example:a:b:c", "urn:example:a:b:c"},
		{"the shorter of two URNs", "urn:example:a:d", "urn:example:a:d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rt := schema.User(
				&schema.Schema{ID: "urn:example:a", Attributes: []*schema.Attribute{{Name: "d"}}},
				&schema.Schema{ID: "urn:example:a:b", Attributes: []*schema.Attribute{{Name: "c"}, {Name: "displayName"}}})
			p, err := rt.Path(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if p.String() != c.want {
				t.Errorf("got %s, want %s", p, c.want)
			}
			if again, err := rt.Path(p.String()); err != nil || again != p {
				t.Errorf("%s reads back as %v, %v", p, again, err)
			}
		})
	}
	for _, c := range []struct{ name, in, want string }{
		{"an unknown attribute", "shoeSize", `this resource has no attribute "shoeSize"; /Schemas lists those that it has`},
		{"an unknown attribute of a known extension", mediusURN + "customFieldText9",
			`this resource has no attribute "` + mediusURN + `customFieldText9"; /Schemas lists those that it has`},
		{"an unknown URN", "urn:x:y:2.0:User:title", `this resource has no attribute "urn:x:y:2.0:User:title"; /Schemas lists those that it has`},
		{"an unknown sub-attribute", "groups.colour", "groups has the sub-attributes value, $ref, display, type; another was named"},
		{"a sub-attribute of a simple attribute", "title.value", "title has no sub-attributes; one was named"},
		{"two dots", "name.givenName.x", "name has the sub-attributes formatted, familyName, givenName, middleName, honorificPrefix, honorificSuffix, displayName; another was named"},
		{"what is no name, without repeating it", "anna@contoso.test",
			"an attribute name was expected, such as userName, name.givenName or " + enterpriseURN + "department"},
		{"nothing", "", "an attribute name was expected, such as userName, name.givenName or " + enterpriseURN + "department"},
		{"a schema alone", schema.MediusUser, `this resource has no attribute "` + schema.MediusUser + `"; /Schemas lists those that it has`},
	} {
		t.Run("refuses "+c.name, func(t *testing.T) {
			_, err := schema.User().Path(c.in)
			wantError(t, err, schema.InvalidPath, c.want)
		})
	}
}

func TestPathValues(t *testing.T) {
	rt := schema.User()
	obj := decode(t, `{"userName":"a","name":{"givenName":"A"},"emails":[{"value":"x"},{"type":"work"},{"value":"y"}],
		"urn:ietf:params:scim:schemas:extension:tenantry:2.0:User":{"companies":["c","d"]}}`)
	for path, want := range map[string][]any{
		"userName":       {"a"},
		"name.givenName": {"A"},
		"name.formatted": nil,
		"title":          nil,
		"emails.value":   {"x", "y"},
		"companies":      {"c", "d"},
		"manager.value":  nil,
	} {
		p, err := rt.Path(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Values(obj); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
}

func TestFoldIsTheEqualityOfEqualFold(t *testing.T) {
	alphabet := []rune("aAkKsSſKåÅÅßẞσςΣµμ1İıiI\U0001F600ǅǆǄᲀвВꙊ")
	word := func(picks []uint8) string {
		var b strings.Builder
		for _, p := range picks {
			b.WriteRune(alphabet[int(p)%len(alphabet)])
		}
		return b.String()
	}
	property := func(a, b []uint8, any1, any2 string) bool {
		for _, pair := range [][2]string{{word(a), word(b)}, {word(a), strings.ToUpper(word(a))}, {any1, any2}, {any1, strings.ToLower(any1)}} {
			x, y := pair[0], pair[1]
			if (schema.Fold(x) == schema.Fold(y)) != strings.EqualFold(x, y) || schema.Fold(schema.Fold(x)) != schema.Fold(x) {
				t.Logf("%q and %q", x, y)
				return false
			}
		}
		return true
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 3000}); err != nil {
		t.Error(err)
	}
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if s := string(r); schema.Fold(s) != schema.Fold(strings.ToUpper(s)) && strings.EqualFold(s, strings.ToUpper(s)) {
			t.Fatalf("U+%04X and its upper case fold to different texts", r)
		}
	}
	if got := schema.Fold("Anna.K@CONTOSO.test ÅSA"); got != "anna.k@contoso.test Åsa" {
		t.Errorf("got %q", got)
	}
}

func TestIndexKeys(t *testing.T) {
	rt := schema.User(device())
	obj, _, err := rt.Normalize(decode(t, `{"userName":"Anna@X","externalId":"Ext","active":"True","title":"Boss",
		"name":{"givenName":"Anna","middleName":"Maria"},"locale":"sv-SE","password":"hidden",
		"emails":[{"value":"A@x"},{"value":"a@X"},{"value":"b@x"},{"type":"work","value":""}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"M1","department":"Sales"},
		"urn:ietf:params:scim:schemas:extension:medius:2.0:User":{"customFieldText5":"Five"},
		"urn:example:device:1.0:User":{"weight":1.50,"bought":"2026-01-31T12:00:00+01:00","tags":["x"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []schema.Key{
		{"externalId", "Ext"}, {"userName", "anna@x"}, {"name.givenName", "anna"}, {"name.middleName", "maria"}, {"title", "boss"},
		{"locale", "sv-se"}, {"active", "true"},
		{"emails.value", "a@x"}, {"emails.value", "b@x"},
		{schema.EnterpriseUser + ":department", "sales"}, {schema.EnterpriseUser + ":manager.value", "M1"},
		{schema.MediusUser + ":customFieldText5", "five"},
		{"urn:example:device:1.0:User:weight", "1.5"},
		{"urn:example:device:1.0:User:bought", "2026-01-31T11:00:00.000000000Z"},
		{"urn:example:device:1.0:User:tags", "x"},
	}
	if got := rt.IndexKeys(obj); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	obj[schema.TenantryUser] = schema.Object{"defaults": "Finance", "companies": []any{"Contoso AB", "B"}}
	got := rt.IndexKeys(schema.Object{schema.TenantryUser: obj[schema.TenantryUser]})
	want = []schema.Key{{schema.TenantryUser + ":defaults", "Finance"}, {schema.TenantryUser + ":companies", "contoso ab"}, {schema.TenantryUser + ":companies", "b"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	group := schema.Group().IndexKeys(decode(t, `{"displayName":"Buyers","externalId":"E","members":[{"value":"m"}]}`))
	if want := []schema.Key{{"externalId", "E"}, {"displayName", "buyers"}}; !reflect.DeepEqual(group, want) {
		t.Errorf("got %v, want %v", group, want)
	}
}

func TestWhatAFilterCanCompareIsIndexed(t *testing.T) {
	for _, name := range []string{"userName", "externalId", "displayName", "nickName", "title", "userType", "active", "locale",
		"name.givenName", "name.familyName", "name.formatted", "name.displayName", "emails.value", "emails.type", "phoneNumbers.value",
		"roles.value", "roles.primary", "addresses.country", "photos.value", "employeeNumber", "department", "costCenter",
		"organization", "division", "manager.value", "configurationFilter", "identityProvider", "nameIdentifier", "customFieldText1",
		"customFieldText5", "defaults", "companies", "urn:example:device:1.0:User:tags"} {
		p, err := schema.User(device()).Path(name)
		if err != nil || !p.Indexed() {
			t.Errorf("%s is not indexed (%v)", name, err)
		}
	}
}

// TestWhatTheStoreKeepsElsewhereIsNotIndexed is for what a filter finds in columns and rows, and what none may find.
func TestWhatTheStoreKeepsElsewhereIsNotIndexed(t *testing.T) {
	for _, name := range []string{"id", "meta.created", "schemas", "groups.value", "groups.display", "name", "emails",
		"password", "x509Certificates.value"} {
		p, err := schema.User().Path(name)
		if err != nil || p.Indexed() {
			t.Errorf("%s is indexed (%v)", name, err)
		}
	}
	if p, err := schema.Group().Path("members.value"); err != nil || p.Indexed() {
		t.Errorf("members.value is indexed (%v)", err)
	}
}

func TestKeysAreCutAtTheEndOfACharacter(t *testing.T) {
	p, err := schema.User().Path("userName")
	if err != nil {
		t.Fatal(err)
	}
	key, ok := p.Key("x" + strings.Repeat("å", schema.MaxKey))
	if !ok || len(key) != schema.MaxKey-1 || !utf8.ValidString(key) {
		t.Errorf("got %d bytes, valid %v", len(key), utf8.ValidString(key))
	}
	if key, _ = p.Key(strings.Repeat("x", schema.MaxKey)); len(key) != schema.MaxKey {
		t.Errorf("a key of just the greatest length was cut to %d", len(key))
	}
}

func TestEqualNumbersHaveEqualKeysAndAreOrdered(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1", "1.0", 0}, {"100", "1e2", 0}, {"10000000", "1e7", 0}, {"-0", "0", 0}, {"1.5", "1.50", 0}, {"0.1", "1e-1", 0},
		{"9", "10", -1}, {"-2", "-1", -1}, {"9007199254740993", "9007199254740992", 1}, {"1e400", "1e300", 1}, {"2", "1.5", 1},
	} {
		if got := schema.CompareNumbers(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: got %d, want %d", c.a, c.b, got, c.want)
		}
		if got := schema.CompareNumbers(c.b, c.a); got != -c.want {
			t.Errorf("%s and %s: got %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}
