package filter_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

const (
	enterprise = schema.EnterpriseUser + ":"
	medius     = schema.MediusUser + ":"
	device     = "urn:example:device:1.0:User:"
)

// users has an extension with an attribute of every type, as a tenant can declare it.
func users() *schema.ResourceType {
	return schema.User(&schema.Schema{ID: "urn:example:device:1.0:User", Attributes: []*schema.Attribute{
		{Name: "seats", Type: schema.TypeInteger},
		{Name: "weight", Type: schema.TypeDecimal},
		{Name: "bought", Type: schema.TypeDateTime},
		{Name: "tags", MultiValued: true},
	}})
}

func parse(t testing.TB, s string) filter.Filter {
	t.Helper()
	f, err := filter.Parse(users(), s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return f
}

// In the names of cases, "entra 1.5" is a section of the project's fact sheet on Entra's provisioning client, and "bug 4" a
// row of its table of bugs that SCIM servers had with that client.

// TestParse shows the canonical print of what was read; TestPrintReadsBack shows that the print says all of the tree.
func TestParse(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"RFC figure 2: eq", `userName eq "bjensen"`, `userName eq "bjensen"`},
		{"RFC figure 2: co in a sub-attribute", `name.familyName co "O'Malley"`, `name.familyName co "O'Malley"`},
		{"RFC figure 2: sw", `userName sw "J"`, `userName sw "J"`},
		{"RFC figure 2: a core URN", `urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"`, `userName sw "J"`},
		{"RFC figure 2: pr", `title pr`, `title pr`},
		{"RFC figure 2: gt of a dateTime", `meta.lastModified gt "2011-05-13T04:42:34Z"`, `meta.lastModified gt "2011-05-13T04:42:34Z"`},
		{"RFC figure 2: and", `title pr and userType eq "Employee"`, `title pr and userType eq "Employee"`},
		{"RFC figure 2: or", `title pr or userType eq "Intern"`, `title pr or userType eq "Intern"`},
		{"RFC figure 2: schemas", `schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`,
			`schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`},
		{"RFC figure 2: and with a group", `userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")`,
			`userType eq "Employee" and (emails.value co "example.com" or emails.value co "example.org")`},
		{"RFC figure 2: not", `userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")`,
			`userType ne "Employee" and not (emails.value co "example.com" or emails.value co "example.org")`},
		{"RFC figure 2: a group for nothing", `userType eq "Employee" and (emails.type eq "work")`, `userType eq "Employee" and emails.type eq "work"`},
		{"RFC figure 2: a value path", `userType eq "Employee" and emails[type eq "work" and value co "@example.com"]`,
			`userType eq "Employee" and emails[type eq "work" and value co "@example.com"]`},
		{"RFC figure 2: two value paths", `emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]`,
			`emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]`},

		{"Test Connection (entra 1.1)", `userName eq "7b2c1a9e-0000-4000-8000-000000000000"`, `userName eq "7b2c1a9e-0000-4000-8000-000000000000"`},
		{"a matching look-up by value path (entra 1.2)", `emails[type eq "work"].value eq "anna@contoso.test"`,
			`emails[type eq "work" and value eq "anna@contoso.test"]`},
		{"a sub-attribute behind a value path with or", `emails[type eq "work" or primary eq true].value pr`,
			`emails[(type eq "work" or primary eq true) and value pr]`},
		{"a bare word (entra 1.2)", `externalId eq jyoung`, `externalId eq "jyoung"`},
		{"a bare word of Postman (entra 5.3)", `userName sw O`, `userName sw "O"`},
		{"bare words in a group, with odd case (entra 5.3)",
			`name.FamilyName eq Employee and (emails.Value co example.com or emails.Value co example.org)`,
			`name.familyName eq "Employee" and (emails.value co "example.com" or emails.value co "example.org")`},
		{"an attribute in odd case (entra 5.3)", `DisplayName eq "B"`, `displayName eq "B"`},
		{"a bare dateTime (entra 5.3)", `meta.Created gt 2026-01-31T12:00:00Z`, `meta.created gt "2026-01-31T12:00:00Z"`},
		{"the reference check of older docs (entra 1.2)", `id eq "u" and manager eq "m"`,
			`id eq "u" and ` + enterprise + `manager.value eq "m"`},
		{"an extension's attribute (entra 1.7)", medius + `customFieldText1 eq "CC-100"`, medius + `customFieldText1 eq "CC-100"`},
		{"an extension's attribute without URN", `department eq "Finance"`, enterprise + `department eq "Finance"`},
		{"a custom attribute behind the core URN (bug 20)", schema.CoreUser + `:nameIdentifier eq "n"`, medius + `nameIdentifier eq "n"`},
		{"externalId is an attribute to match by (bug 19)", `externalId eq "e"`, `externalId eq "e"`},
		{"externalID as MediusFlow spells it (entra 7)", `externalID eq "e"`, `externalId eq "e"`},
		{"a role by its string primary (entra 1.8)", `roles[primary eq "True"].value eq "Admin"`, `roles[primary eq true and value eq "Admin"]`},
		{"booleans in any spelling (entra 1.8)", `active eq true or active eq "true" or active eq True or active ne "False"`,
			`active eq true or active eq true or active eq true or active ne false`},
		{"escapes are undone (entra 1.2)", `userName eq "a\"b\\c\u00e5\/"`, `userName eq "a\"b\\cå/"`},
		{"a plus in an address", `userName eq "a+b@x"`, `userName eq "a+b@x"`},

		{"operators and keywords in any case", `userName EQ "a" AND NOT (title PR) Or title Sw "b"`,
			`userName eq "a" and not (title pr) or title sw "b"`},
		{"and binds tighter than or", `title pr or nickName pr and userType pr or locale pr`, `title pr or nickName pr and userType pr or locale pr`},
		{"groups change that", `(title pr or nickName pr) and (userType pr or locale pr)`, `(title pr or nickName pr) and (userType pr or locale pr)`},
		{"groups that change nothing are gone", `((title pr and (nickName pr and userType pr)))`, `title pr and nickName pr and userType pr`},
		{"not without a space", `not(title pr)`, `not (title pr)`},
		{"not of not", `not (not (title pr))`, `not (not (title pr))`},
		{"not within a value path", `emails[not (type eq "work") and (value pr or display pr)]`, `emails[not (type eq "work") and (value pr or display pr)]`},
		{"a value path of an extension", `manager[value eq "m"]`, enterprise + `manager[value eq "m"]`},
		{"a value path of simple values", `companies[value eq "Contoso AB"]`, schema.TenantryUser + `:companies[value eq "Contoso AB"]`},
		{"spaces wherever they can be", "  ( title  pr )\tand ( emails[ type eq \"work\" ] ) ", `title pr and emails[type eq "work"]`},
		{"null means absent", `title eq null`, `not (title pr)`},
		{"not null means present", `emails[type ne NULL]`, `emails[type pr]`},
		{"a quoted null is text", `title eq "null"`, `title eq "null"`},
		{"bare words that look otherwise are text for a string", `title eq true and nickName eq 12 and userType eq and`,
			`title eq "true" and nickName eq "12" and userType eq "and"`},
		{"numbers", device + `seats ge 4 and ` + device + `weight lt "1.5e3"`, device + `seats ge 4 and ` + device + `weight lt 1.5e3`},
		{"a part of a dateTime as text", `meta.lastModified sw "2026-01"`, `meta.lastModified sw "2026-01"`},
		{"an attribute called like a keyword is none", `not (title eq "not")`, `not (title eq "not")`},
		{"pr of a complex attribute", `name pr and emails pr`, `name pr and emails pr`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := parse(t, c.in).String(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestParseGivesTheTreeThatIsDocumented(t *testing.T) {
	rt := users()
	path := func(name string) schema.Path {
		p, err := rt.Path(name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	at, ok := schema.ParseDateTime("2026-01-31T12:00:00+01:00")
	if !ok {
		t.Fatal("no dateTime")
	}
	for _, c := range []struct {
		name, in string
		want     filter.Filter
	}{
		{"a comparison behind a value path", `emails[type eq "work"].value eq "x"`, filter.Elements{Path: path("emails"), Filter: filter.And{Terms: []filter.Filter{
			filter.Compare{Path: path("emails.type"), Op: filter.Eq, Value: filter.Value{Text: "work"}},
			filter.Compare{Path: path("emails.value"), Op: filter.Eq, Value: filter.Value{Text: "x"}}}}}},
		{"the manager's id", `manager eq "m"`, filter.Compare{Path: path("manager.value"), Op: filter.Eq, Value: filter.Value{Text: "m"}}},
		{"a boolean", `active eq "False"`, filter.Compare{Path: path("active"), Op: filter.Eq, Value: filter.Value{Kind: filter.Boolean}}},
		{"a number", `seats gt 3`, filter.Compare{Path: path("seats"), Op: filter.Gt, Value: filter.Value{Kind: filter.Number, Text: "3"}}},
		{"a dateTime", `bought le "2026-01-31T12:00:00+01:00"`,
			filter.Compare{Path: path("bought"), Op: filter.Le, Value: filter.Value{Kind: filter.DateTime, Text: "2026-01-31T12:00:00+01:00", Time: at}}},
		{"absence", `not (title ne null)`, filter.Not{Term: filter.Present{Path: path("title")}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := filter.Parse(rt, c.in)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %#v\nwant %#v", got, c.want)
			}
		})
	}
}

func TestMembersOfAGroupAreFoundByTheirID(t *testing.T) {
	f, err := filter.Parse(schema.Group(), `id eq "g" and members eq "u"`)
	if err != nil || f.String() != `id eq "g" and members.value eq "u"` {
		t.Errorf("got %v, %v", f, err)
	}
}

const notNeedsParentheses = "not needs parentheses around what it negates, as in not (active eq true)"

const half = `the quoted value at byte 12 has an unpaired surrogate: an escape from \uD800 to \uDFFF without its counterpart`

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", ``, "an attribute name was expected at byte 0 of the filter"},
		{"an unknown attribute", `shoeSize eq 44`, `this resource has no attribute "shoeSize"; /Schemas lists those that it has`},
		{"what is no attribute, without repeating it", `anna@contoso.test pr`,
			"an attribute name was expected, such as userName, name.givenName or " + enterprise + "department"},
		{"an unknown operator", `userName is "a"`, "one of the operators eq, ne, co, sw, ew, gt, ge, lt, le, pr was expected at byte 9 of the filter"},
		{"a name alone", `userName`, "one of the operators eq, ne, co, sw, ew, gt, ge, lt, le, pr was expected at byte 8 of the filter"},
		{"no value", `userName eq `, "a value was expected at byte 12 of the filter"},
		{"an open string", `userName eq "a`, "the quoted value at byte 12 has no closing quote"},
		{"a wrong escape", `userName eq "\x"`, "the quoted value at byte 12 is not a JSON string"},
		{"an open group", `(title pr`, "and, or, or ) was expected at byte 9 of the filter"},
		{"an open bracket", `emails[type eq "work"`, "and, or, or ] was expected at byte 21 of the filter"},
		{"a closing parenthesis too many", `title pr)`, "and, or, or the end was expected at byte 8 of the filter"},
		{"two comparisons without and", `title pr title pr`, "and, or, or the end was expected at byte 9 of the filter"},
		{"an end behind and", `title pr and`, "an attribute name was expected at byte 12 of the filter"},
		{"an unknown sub-attribute in brackets", `emails[colour eq "x"]`, "emails has the sub-attributes value, display, type, primary; another was named"},
		{"a filter without content", `emails[]`, "an attribute name was expected at byte 7 of the filter"},
		{"brackets within brackets", `emails[type[value pr]]`, "one of the operators eq, ne, co, sw, ew, gt, ge, lt, le, pr was expected at byte 11 of the filter"},
		{"brackets behind a simple attribute", `userName[value eq "x"]`, "userName has no elements to choose from with brackets"},
		{"a comparison with a whole name", `name eq "Anna"`, "name can be tested with pr; to compare, name one of its sub-attributes"},
		{"an order of booleans (RFC table 3)", `active gt true`, "active can be compared with eq or ne, and with true or false"},
		{"a word for a boolean", `active eq "yes"`, "active can be compared with eq or ne, and with true or false"},
		{"an order of certificates (RFC table 3)", `x509Certificates.value gt "a"`, "x509Certificates.value can be compared with eq or ne"},
		{"a word for a number", `seats eq many`, device + "seats can be compared with eq, ne, gt, ge, lt or le, and with a number"},
		{"a part of a number", `seats co 1`, device + "seats can be compared with eq, ne, gt, ge, lt or le, and with a number"},
		{"a word for a dateTime", `meta.created gt yesterday`, "meta.created can be compared with a dateTime such as 2026-01-31T12:00:00Z"},
		{"an order of null", `title gt null`, "null can be compared with eq and ne only"},
		{"the character that no database takes", `userName eq "\u0000"`, "the character U+0000 cannot be compared"},
		{"an unpaired surrogate", `userName eq "a\ud800"`, half},
		{"halves in the wrong order", `userName eq "\udc00\ud800"`, half},
		{"an unpaired surrogate in other quotes", `userName eq '\ud83d\n'`, half},
		{"an unpaired surrogate before a quote in other quotes", `userName eq '\ud83d\'\ude00'`, half},
		{"text that is not UTF-8", "userName eq \"\xff\"", "the filter must be UTF-8"},
		{"a long filter", `userName eq "` + strings.Repeat("x", filter.MaxLength) + `"`, "the filter is longer than 8192 bytes"},
		{"deep parentheses", strings.Repeat("(", filter.MaxDepth+1) + "title pr" + strings.Repeat(")", filter.MaxDepth+1), "the filter nests more than 32 levels"},
		{"deep nots", strings.Repeat("not (", filter.MaxDepth+1) + "title pr" + strings.Repeat(")", filter.MaxDepth+1), "the filter nests more than 32 levels"},
		{"many terms", strings.Repeat("title pr or ", filter.MaxTerms) + "title pr", "the filter has more than 256 comparisons"},
		{"not without parentheses", `not userName eq "a"`, notNeedsParentheses},
		{"not of a name alone, in any case", `title pr and NOT active`, notNeedsParentheses},
		{"not of a value path", `not emails[type eq "work"]`, notNeedsParentheses},
		{"not within a value path", `emails[not type eq "work"]`, notNeedsParentheses},
		{"not of not", `not NOT (title pr)`, notNeedsParentheses},
		{"not of nothing", `not`, notNeedsParentheses},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := filter.Parse(users(), c.in)
			wantError(t, err, schema.InvalidFilter, c.want)
		})
	}
	t.Run("but not what just fits", func(t *testing.T) {
		parse(t, strings.Repeat("(", filter.MaxDepth)+"title pr"+strings.Repeat(")", filter.MaxDepth))
		parse(t, strings.Repeat("title pr or ", filter.MaxTerms-1)+"title pr")
	})
}

func wantError(t *testing.T, err error, scimType, detail string) {
	t.Helper()
	var got *schema.Error
	if !errors.As(err, &got) {
		t.Fatalf("got %v, want an *schema.Error", err)
	}
	if got.ScimType != scimType || got.Detail != detail {
		t.Errorf("got  %s: %s\nwant %s: %s", got.ScimType, got.Detail, scimType, detail)
	}
}

func TestParsePath(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"an attribute", "displayName", "displayName"},
		{"a sub-attribute", "name.givenName", "name.givenName"},
		{"RFC: a value path", `addresses[type eq "work"]`, `addresses[type eq "work"]`},
		{"RFC: a sub-attribute of a value path", `addresses[type eq "work"].streetAddress`, `addresses[type eq "work"].streetAddress`},
		{"RFC: a value path with and", `emails[type eq "work" and value ew "example.com"]`, `emails[type eq "work" and value ew "example.com"]`},
		{"Entra's e-mail (entra 1.5)", `emails[type eq "work"].value`, `emails[type eq "work"].value`},
		{"Entra's role (entra 1.8)", `roles[primary eq "True"].value`, `roles[primary eq true].value`},
		{"Entra's extension attribute (bug 5)", medius + "customFieldText1", medius + "customFieldText1"},
		{"Entra before 2018 (entra 1.7)", schema.MediusUser + ".customFieldText1", medius + "customFieldText1"},
		{"Entra's manager (entra 1.6)", enterprise + "manager", enterprise + "manager"},
		{"a value path behind a URN", schema.CoreUser + `:emails[Type EQ "work"].Value`, `emails[type eq "work"].value`},
		{"spaces", ` emails [ type eq "work" ].value `, `emails[type eq "work"].value`},
		{"simple values", `tags[value eq "x"].value`, device + `tags[value eq "x"]`},
		{"brackets and quotes in a literal", `emails[value eq "a]\"[b"].type`, `emails[value eq "a]\"[b"].type`},
	} {
		t.Run(c.name, func(t *testing.T) {
			rt := users()
			p, _, err := filter.ParsePath(rt, c.in)
			if err != nil {
				t.Fatal(err)
			}
			if p.String() != c.want {
				t.Errorf("got  %s\nwant %s", p, c.want)
			}
			if again, _, err := filter.ParsePath(rt, p.String()); err != nil || !reflect.DeepEqual(again, p) {
				t.Errorf("%s reads back as %v, %v", p, again, err)
			}
		})
	}
	for _, c := range []struct{ name, in, scimType, want string }{
		{"nothing", "", schema.InvalidPath, "an attribute name was expected, such as userName, name.givenName or " + enterprise + "department"},
		{"an unknown attribute", "dispalyName", schema.InvalidPath, `this resource has no attribute "dispalyName"; /Schemas lists those that it has`},
		{"an unknown sub-attribute behind brackets", `emails[type eq "work"].colour`, schema.InvalidPath,
			"emails has the sub-attributes value, display, type, primary; another was named"},
		{"more behind the path", `emails[type eq "work"].value x`, schema.InvalidPath, "the path goes on at byte 29, where its end was expected"},
		{"a filter that does not parse", `emails[type work].value`, schema.InvalidFilter,
			"one of the operators eq, ne, co, sw, ew, gt, ge, lt, le, pr was expected at byte 12 of the filter"},
		{"brackets behind a sub-attribute", `emails.value[type eq "work"]`, schema.InvalidFilter, "emails.value has no elements to choose from with brackets"},
		{"a long path", strings.Repeat("x", filter.MaxLength+1), schema.InvalidPath, "the path must be UTF-8 and at most 8192 bytes"},
	} {
		t.Run("refuses "+c.name, func(t *testing.T) {
			_, _, err := filter.ParsePath(users(), c.in)
			wantError(t, err, c.scimType, c.want)
		})
	}
}
