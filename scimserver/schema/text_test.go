package schema_test

import (
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

func TestVisible(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "blanks": " \t\r\n", "no-break spaces": "\u00a0\u2007\u202f", "every width of blank": "\u2000\u2003\u200a\u3000\u1680\u205f", "a line separator": "\u2028\u2029",
		"zero width": "\u200b\u200c\u200d\ufeff\u2060", "a soft hyphen": "\u00ad", "directions": "\u200e\u200f\u202a\u202e\u2066\u2069", "controls": "\u0001\u007f\u0085", "a blank of Braille": "\u2800",
		"fillers of Hangul": "\u115f\u1160\u3164\uffa0", "variations": "\ufe0f\ufe00\U000e0100\u180b", "tags": "\U000e0001\U000e0041\U000e007f", "a joiner of graphemes": "\u034f",
		"vowels of Khmer": "\u17b4\u17b5", "reserved for the invisible": "\U000e0fff\u2065\ufff0",
	} {
		if schema.Visible(text) {
			t.Errorf("%s: %q is taken for visible", name, text)
		}
	}
	for _, text := range []string{"a", " a ", "\u200bé\u200b", "。", "🧑", "\u2801", "-", "İ", "ﷺ", "\u0301", "\U0001f3f4\U000e0067\U000e007f", "\ue000"} {
		if !schema.Visible(text) {
			t.Errorf("%q is taken for invisible", text)
		}
	}
}

func TestARequiredTextHasAVisibleCharacter(t *testing.T) {
	badge := &schema.Schema{ID: "urn:example:badge:1.0:User", Attributes: []*schema.Attribute{
		{Name: "number", Required: true}, {Name: "colour"}, {Name: "since", Type: schema.TypeDateTime}}}
	for _, c := range []struct{ in, want string }{
		{`"userName":" "`, "userName needs a visible character"},
		{`"userName":"\u200b\u00a0"`, "userName needs a visible character"},
		{`"userName":[{"value":"\u3164"}]`, "userName needs a visible character"},
		{`"userName":"a","urn:example:badge:1.0:User":{"number":"\t"}`, "urn:example:badge:1.0:User:number needs a visible character"},
		{`"userName":"a","ports":[{"value":"p"},{"value":" "}]`, "urn:example:device:1.0:User:ports.value needs a visible character"},
	} {
		_, _, err := schema.User(device(), badge).Normalize(decode(t, `{`+c.in+`}`))
		wantError(t, err, schema.InvalidValue, c.want)
	}
	_, _, err := schema.Group().Normalize(decode(t, `{"displayName":"\u2800"}`))
	wantError(t, err, schema.InvalidValue, "displayName needs a visible character")
	const blanks = `{"userName":" a ","displayName":" ","externalId":"\u200b","name":{"givenName":" "},"emails":[{"value":" "}],"urn:example:badge:1.0:User":{"colour":" ","number":"7"}}`
	normalized(t, schema.User(device(), badge), blanks, blanks)
}

func TestANumberIsTakenForItsText(t *testing.T) {
	for _, c := range [][2]string{
		{`"userName":7`, `"userName":"7"`},
		{`"externalId":12345678901234567890`, `"externalId":"12345678901234567890"`},
		{`"title":1.50,"nickName":-0,"displayName":1E3`, `"title":"1.50","nickName":"-0","displayName":"1E3"`},
		{`"title":[{"$ref":null,"value":7}]`, `"title":"7"`},
		{`"emails":[{"value":5,"type":1,"display":0.10}]`, `"emails":[{"value":"5","type":"1","display":"0.10"}]`},
		{`"phoneNumbers":[46701234567]`, `"phoneNumbers":[{"value":"46701234567"}]`},
		{`"name":{"givenName":7}`, `"name":{"givenName":"7"}`},
		{enterprise + `:{"employeeNumber":701984,"manager":8}`, enterprise + `:{"employeeNumber":"701984","manager":{"value":"8"}}`},
		{`"urn:example:device:1.0:User":{"tags":[1,{"value":2.0}],"serial":3,"ports":[{"value":80}]}`, `"urn:example:device:1.0:User":{"tags":["1","2.0"],"serial":"3","ports":[{"value":"80"}]}`},
	} {
		in, want := `{`+c[0]+`}`, `{`+c[1]+`}`
		if !strings.Contains(in, "userName") {
			in, want = `{"userName":"a",`+c[0]+`}`, `{"userName":"a",`+c[1]+`}`
		}
		normalized(t, schema.User(device()), in, want, schema.QuirkNumberForText)
	}
	for _, c := range [][2]string{
		{`"title":true`, "title accepts a string"},
		{`"emails":[false]`, "emails.value accepts a string"},
		{`"profileUrl":7`, "profileUrl accepts a string"},
		{`"photos":[7]`, "photos.value accepts a string"},
		{`"x509Certificates":[7]`, "x509Certificates.value accepts base64 text"},
		{`"active":1`, "active accepts true or false"},
		{`"name":7`, "name accepts an object"},
		{`"urn:example:device:1.0:User":{"bought":2026}`, "urn:example:device:1.0:User:bought accepts a dateTime such as 2026-01-31T12:00:00Z"},
		{`"urn:example:device:1.0:User":{"key":1}`, "urn:example:device:1.0:User:key accepts base64 text"},
	} {
		_, _, err := schema.User(device()).Normalize(decode(t, `{"userName":"a",`+c[0]+`}`))
		wantError(t, err, schema.InvalidValue, c[1])
	}
}
