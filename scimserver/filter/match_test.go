package filter_test

import (
	"testing"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

const anna = `{"userName":"Anna.K@Contoso.test","externalId":"Ext-1","active":true,"title":"Årsbok",
	"meta":{"lastModified":"2026-03-01T10:00:00Z"},"name":{"givenName":"Anna"},
	"emails":[{"type":"work","value":"anna@contoso.test","primary":true},{"type":"home","value":"a@home.test"}],
	"roles":[{"value":"{\"id\":1}"}],"phoneNumbers":[{"value":"1"}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"M1"},"department":"Sales"},
	"urn:ietf:params:scim:schemas:extension:tenantry:2.0:User":{"companies":["Contoso AB","Other"]},
	"urn:example:device:1.0:User":{"seats":10,"weight":1.50,"bought":"2026-01-31T12:00:00+01:00","tags":["x","y"]}}`

func TestMatch(t *testing.T) {
	obj, err := schema.Decode([]byte(anna))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		want bool
		in   []string
	}{
		{"userName in any case (validator)", true, []string{`userName eq "ANNA.K@contoso.TEST"`, `userName sw "anna"`, `userName ew "TEST"`, `userName co "k@C"`}},
		{"userName not ne in any case", false, []string{`userName ne "anna.k@contoso.test"`, `userName gt "ANNA.K@CONTOSO.TEST"`}},
		{"letters beyond ASCII in any case", true, []string{`title eq "åRSBOK"`, `title sw "år"`}},
		{"userName in any normalization form and width (RFC 7644 section 5)", true, []string{`userName eq "Ａnna.K@contoso.test"`, `userName sw "ＡＮＮＡ"`,
			`userName co "．ｋ"`, `userName ew "ｔｅｓｔ"`, `userName le "Ａnna.K@contoso.test"`, `not (userName ne "ａnna.k@contoso.test")`}},
		{"other text as it is but for its case", false, []string{`title eq "A\u030arsbok"`, `name.givenName eq "Ａnna"`}},
		{"externalId only as it is", false, []string{`externalId eq "ext-1"`, `externalId sw "ext"`}},
		{"externalId as it is", true, []string{`externalId eq "Ext-1"`, `externalId ne "ext-1"`, `externalId co "t-"`, `externalId ge "Ext-1"`, `externalId lt "e"`}},
		{"order of text by code point, case aside", true, []string{`userName gt "ANNA.J"`, `userName le "anna.l"`, `userName ge "anna.k@contoso.test"`}},
		{"booleans in every spelling", true, []string{`active eq true`, `active eq "True"`, `active ne false`, `emails.primary eq "True"`}},
		{"booleans that differ", false, []string{`active eq "False"`, `active ne true`}},
		{"any element of several", true, []string{`emails.value eq "a@HOME.test"`, `emails eq "a@home.test"`, `emails.type eq "work" and emails.type eq "home"`, `companies eq "contoso ab"`, `tags eq "y"`}},
		{"ne when any element differs (RFC)", true, []string{`emails.type ne "work"`, `companies ne "Other"`}},
		{"not eq when none is equal", false, []string{`not (emails.type eq "work")`}},
		{"ne when there is no value", true, []string{`nickName ne "x"`, `ims.value ne "x"`, `phoneNumbers.type ne "work"`, `name.familyName ne "K"`, `costCenter ne "1"`}},
		{"nothing else when there is no value", false, []string{`nickName eq "x"`, `nickName lt "x"`, `ims.value co ""`, `costCenter sw ""`, `nickName eq ""`}},
		{"one element that meets all", true, []string{`emails[type eq "work" and value co "@contoso"]`, `emails[type eq "work"].value eq "anna@contoso.test"`,
			`emails[type ne "work"].value pr`, `emails[not (type eq "work") and (value eq "x" or value eq "a@home.test")]`, `emails[primary eq "True"]`}},
		{"no element that meets all", false, []string{`emails[type eq "home" and value co "@contoso"]`, `emails[type eq "work"].value eq "a@home.test"`, `ims[type ne "x"]`}},
		{"ne inside an element without the sub-attribute", true, []string{`emails[primary ne true].type eq "home"`, `phoneNumbers[type ne "work"]`}},
		{"elements that are simple values", true, []string{`companies[value sw "other"]`, `tags[value eq "x"]`}},
		{"the manager's id only as it is", true, []string{`manager eq "M1"`, `manager.value eq "M1"`, `manager[value eq "M1"]`, `not (manager eq "m1")`}},
		{"presence", true, []string{`name pr`, `emails pr`, `emails.type pr`, `manager pr`, `companies pr`, `title eq "x" or title pr`, `meta.lastModified pr`}},
		{"absence", true, []string{`not (nickName pr)`, `nickName eq null`, `ims eq null`, `name.familyName eq null`, `not (emails.display pr)`}},
		{"dateTimes as points in time", true, []string{`bought eq "2026-01-31T11:00:00Z"`, `bought eq "2026-01-31T11:00:00.000Z"`, `bought lt "2026-01-31T11:00:01Z"`,
			`bought ge "2026-01-31T12:00:00+01:00"`, `meta.lastModified gt 2026-02-28T23:00:00-05:00`, `bought ne "2026-01-31T12:00:00Z"`}},
		{"dateTimes as text when a part is asked for", true, []string{`bought sw "2026-01-31T12"`}},
		{"numbers by value", true, []string{`seats gt 9`, `seats eq 1e1`, `seats le 10.0`, `weight eq 1.5`, `weight ne 1.51`, `seats lt 100`}},
		{"precedence", true, []string{`title pr or nickName pr and nickName pr`, `nickName pr and nickName pr or title pr`}},
		{"precedence of groups", false, []string{`(title pr or nickName pr) and nickName pr`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, in := range c.in {
				f := parse(t, in)
				if got := filter.Match(f, obj); got != c.want {
					t.Errorf("%s is %v", in, got)
				}
				if got := filter.Match(filter.Not{Term: f}, obj); got == c.want {
					t.Errorf("not (%s) is %v", in, got)
				}
			}
		})
	}
}

func TestTheKeyOfAComparisonIsTheKeyOfAnEqualValue(t *testing.T) {
	rt := users()
	obj, err := schema.Decode([]byte(anna))
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{`userName eq "ANNA.K@contoso.TEST"`, `externalId eq "Ext-1"`, `active eq "True"`, `seats eq 1e1`, `weight eq 1.5`,
		`bought eq "2026-01-31T11:00:00Z"`, `companies eq "CONTOSO AB"`, `manager eq "M1"`} {
		c, ok := parse(t, in).(filter.Compare)
		if !ok {
			t.Fatalf("%s is no comparison", in)
		}
		want, _ := c.Key()
		path, err := rt.Path(c.Path.String())
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, value := range path.Values(obj) {
			if key, ok := path.Key(value); ok && key == want {
				found = true
			}
		}
		if !found || want == "" {
			t.Errorf("%s: no value has the key %q", in, want)
		}
	}
}
