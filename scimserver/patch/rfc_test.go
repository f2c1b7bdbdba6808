package patch_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// TestPatchToTheLetter has the sentences of RFC 7644 section 3.5.2 that are about one resource and one request, in the order
// of the RFC. Those about HTTP, versions and memberships are in scimserver/protocol.TestPatchToTheLetterOverHTTP. What we
// make of requests that are not to the letter is in TestParse and TestApply.
func TestPatchToTheLetter(t *testing.T) {
	const hardware = "urn:example:device:1.0:User"
	for _, c := range []struct {
		section, sentence   string
		current, operations string
		want                string // the resource afterwards, "unchanged", or the error's scimType
	}{
		{"3.5.2", "each operation has exactly one op: there is none", `{"userName":"b"}`, `{"path":"title","value":"T"}`, schema.InvalidSyntax},
		{"3.5.2", "each operation has exactly one op: there are two", `{"userName":"b"}`, `{"op":"remove","OP":"add","path":"title","value":"T"}`, schema.InvalidSyntax},
		{"3.5.2", "op is one of add, remove, or replace", `{"userName":"b"}`, `{"op":"move","path":"title","value":"T"}`, schema.InvalidSyntax},
		{"3.5.2", "a path is a string", `{"userName":"b"}`, `{"op":"add","path":{"title":1},"value":"T"}`, schema.InvalidSyntax},
		{"3.5.2", "a path is an attribute", `{"userName":"b"}`, `{"op":"add","path":"title","value":"T"}`, `{"userName":"b","title":"T"}`},
		{"3.5.2", "a path is a sub-attribute", `{"userName":"b"}`, `{"op":"add","path":"name.familyName","value":"K"}`, `{"userName":"b","name":{"familyName":"K"}}`},
		{"3.5.2", "a path is the values that a filter selects", `{"userName":"b","addresses":[{"type":"work","locality":"L"},{"type":"home","locality":"M"}]}`,
			`{"op":"add","path":"addresses[type eq \"work\"]","value":{"region":"R"}}`, `{"userName":"b","addresses":[{"type":"work","locality":"L","region":"R"},{"type":"home","locality":"M"}]}`},
		{"3.5.2", "a path is a sub-attribute of the values that a filter selects", `{"userName":"b","emails":[{"value":"x"},{"value":"y"}]}`,
			`{"op":"add","path":"emails[value eq \"y\"].display","value":"Y"}`, `{"userName":"b","emails":[{"value":"x"},{"value":"y","display":"Y"}]}`},
		{"3.5.2", "a path that is none of these is refused", `{"userName":"b"}`, `{"op":"add","path":"emails[type eq \"work\"].value.more","value":"x"}`, schema.InvalidPath},
		{"3.5.2", "a path of an attribute that the schema does not have is refused", `{"userName":"b"}`, `{"op":"add","path":"shoeSize","value":"x"}`, schema.InvalidPath},
		{"3.5.2", "an operation must be compatible with the attribute's schema", `{"userName":"b"}`, `{"op":"add","path":"active","value":7}`, schema.InvalidValue},
		{"3.5.2", "a client must not modify what is readOnly", `{"userName":"b"}`, `{"op":"replace","path":"meta.created","value":"2026-01-01T00:00:00Z"}`, schema.IsMutability},
		{"3.5.2", "a client must not modify what is immutable", `{"userName":"b","` + hardware + `":{"serial":"1"}}`, `{"op":"replace","path":"serial","value":"2"}`, schema.IsMutability},
		{"3.5.2", "nor remove it", `{"userName":"b","` + hardware + `":{"serial":"1"}}`, `{"op":"remove","path":"serial"}`, schema.IsMutability},
		{"3.5.2", "nor with its whole schema", `{"userName":"b","` + hardware + `":{"serial":"1"}}`, `{"op":"remove","path":"` + hardware + `"}`, schema.IsMutability},
		{"3.5.2", "but may add it where it had no value", `{"userName":"b"}`, `{"op":"add","path":"serial","value":"1"}`, `{"userName":"b","` + hardware + `":{"serial":"1"}}`},
		{"3.5.2", "and send the value that it has", `{"userName":"b","` + hardware + `":{"serial":"1"}}`, `{"op":"replace","path":"serial","value":"1"}`, "unchanged"},
		{"3.5.2", "once only, even in one request", `{"userName":"b"}`, `{"op":"add","path":"serial","value":"1"},{"op":"replace","path":"serial","value":"2"}`, schema.IsMutability},
		{"3.5.2", "not even to set it again", `{"userName":"b","` + hardware + `":{"serial":"1"}}`, `{"op":"remove","path":"serial"},{"op":"add","path":"serial","value":"1"}`, schema.IsMutability},
		{"3.5.2", "the notation of 3.10: a URN stands before the name, of the core schema too", `{"userName":"b"}`,
			`{"op":"add","path":"` + schema.CoreUser + `:name.familyName","value":"K"},{"op":"add","path":"` + enterprise + `department","value":"D"}`,
			`{"userName":"b","name":{"familyName":"K"},"` + schema.EnterpriseUser + `":{"department":"D"}}`},
		{"3.5.2", "the notation of 3.10: before a filter as well", `{"userName":"b","emails":[{"value":"x","type":"work"}]}`,
			`{"op":"replace","path":"` + schema.CoreUser + `:emails[type eq \"work\"].value","value":"y"}`, `{"userName":"b","emails":[{"value":"y","type":"work"}]}`},
		{"3.5.2", "the notation of 3.10: in any case", `{"userName":"b"}`, `{"op":"add","path":"` + strings.ToUpper(enterprise) + `DEPARTMENT","value":"D"}`,
			`{"userName":"b","` + schema.EnterpriseUser + `":{"department":"D"}}`},
		{"3.5.2", "operations are applied in their order, each to what the one before left", `{"userName":"b","title":"T"}`,
			`{"op":"remove","path":"title"},{"op":"add","path":"emails","value":[{"value":"x","type":"work"}]},{"op":"replace","path":"emails[type eq \"work\"].value","value":"y"}`,
			`{"userName":"b","emails":[{"value":"y","type":"work"}]}`},
		{"3.5.2", "of several with primary true the others become false: added", `{"userName":"b","emails":[{"value":"x","primary":true},{"value":"z"}]}`,
			`{"op":"add","path":"emails","value":[{"value":"y","primary":true}]}`, `{"userName":"b","emails":[{"value":"x","primary":false},{"value":"z"},{"value":"y","primary":true}]}`},
		{"3.5.2", "of several with primary true the others become false: one that was there", `{"userName":"b","emails":[{"value":"x","primary":true},{"value":"y"}]}`,
			`{"op":"add","path":"emails","value":[{"value":"y","primary":true}]}`, `{"userName":"b","emails":[{"value":"x","primary":false},{"value":"y","primary":true}]}`},
		{"3.5.2", "of several with primary true the others become false: chosen by a filter", `{"userName":"b","emails":[{"value":"x","type":"home","primary":true},{"value":"y","type":"work"}]}`,
			`{"op":"replace","path":"emails[type eq \"work\"].primary","value":true}`, `{"userName":"b","emails":[{"value":"x","type":"home","primary":false},{"value":"y","type":"work","primary":true}]}`},
		{"3.5.2", "of several with primary true the others become false: replaced by a filter", `{"userName":"b","emails":[{"value":"x","primary":true},{"value":"y"}]}`,
			`{"op":"replace","path":"emails[value eq \"y\"]","value":{"value":"z","primary":true}}`, `{"userName":"b","emails":[{"value":"x","primary":false},{"value":"z","primary":true}]}`},
		{"3.5.2", "of several with primary true the others become false: without path", `{"userName":"b","emails":[{"value":"x","primary":true}]}`,
			`{"op":"add","value":{"emails":[{"value":"y","primary":true}]}}`, `{"userName":"b","emails":[{"value":"x","primary":false},{"value":"y","primary":true}]}`},
		{"3.5.2", "if one operation fails, the resource stays as it was", `{"userName":"b"}`,
			`{"op":"add","path":"title","value":"T"},{"op":"add","path":"emails","value":[{"value":"x"}]},{"op":"remove","path":"userName"}`, schema.IsMutability},

		{"3.5.2.1", "an add must have a value", `{"userName":"b"}`, `{"op":"add","path":"title"}`, schema.InvalidValue},
		{"3.5.2.1", "without path, the value has attributes of the resource", `{"userName":"b"}`,
			`{"op":"add","value":{"emails":[{"value":"babs@jensen.org","type":"home"}],"nickName":"Babs"}}`, `{"userName":"b","nickName":"Babs","emails":[{"type":"home","value":"babs@jensen.org"}]}`},
		{"3.5.2.1", "without path, also complex ones and whole extensions, of which the rest stays",
			`{"userName":"b","name":{"givenName":"A","familyName":"K"},"` + schema.EnterpriseUser + `":{"department":"D"}}`,
			`{"op":"add","value":{"name":{"givenName":"B"},"` + schema.EnterpriseUser + `":{"costCenter":"C","manager":{"value":"m"}}}}`,
			`{"userName":"b","name":{"givenName":"B","familyName":"K"},"` + schema.EnterpriseUser + `":{"department":"D","costCenter":"C","manager":{"value":"m"}}}`},
		{"3.5.2.1", "without path, a value that is no object is refused", `{"userName":"b"}`, `{"op":"add","value":"T"}`, schema.InvalidValue},
		{"3.5.2.1", "what does not exist is added", `{"userName":"b"}`, `{"op":"add","path":"emails","value":[{"value":"x"}]}`, `{"userName":"b","emails":[{"value":"x"}]}`},
		{"3.5.2.1", "to a complex attribute, a set of sub-attributes", `{"userName":"b","name":{"givenName":"A","familyName":"K"}}`,
			`{"op":"add","path":"name","value":{"givenName":"B","middleName":"M"}}`, `{"userName":"b","name":{"givenName":"B","familyName":"K","middleName":"M"}}`},
		{"3.5.2.1", "to a complex attribute, nothing but sub-attributes", `{"userName":"b"}`, `{"op":"add","path":"name","value":"K"}`, schema.InvalidValue},
		{"3.5.2.1", "to a multi-valued attribute, a new value", `{"userName":"b","emails":[{"value":"x","type":"work"}]}`,
			`{"op":"add","path":"emails","value":[{"value":"y","type":"other"}]}`, `{"userName":"b","emails":[{"value":"x","type":"work"},{"value":"y","type":"other"}]}`},
		{"3.5.2.1", "to a single-valued attribute, its value is replaced", `{"userName":"b","title":"T"}`, `{"op":"add","path":"title","value":"U"}`, `{"userName":"b","title":"U"}`},
		{"3.5.2.1", "a value that is there already changes nothing: single", `{"userName":"b","title":"T"}`, `{"op":"add","path":"title","value":"T"}`, "unchanged"},
		{"3.5.2.1", "a value that is there already changes nothing: complex", `{"userName":"b","name":{"givenName":"A","familyName":"K"}}`, `{"op":"add","path":"name","value":{"givenName":"A"}}`, "unchanged"},
		{"3.5.2.1", "a value that is there already changes nothing: one of several", `{"userName":"b","emails":[{"value":"w"},{"type":"home","value":"x","display":"d","primary":true}]}`,
			`{"op":"add","path":"emails","value":[{"value":"x","type":"home"},{"value":"w"}]}`, "unchanged"},
		{"3.5.2.1", "a value that is there already changes nothing: without value, as an address", `{"userName":"b","addresses":[{"type":"work","locality":"L"}]}`,
			`{"op":"add","path":"addresses","value":[{"locality":"L","type":"work"}]}`, "unchanged"},
		{"3.5.2.1", "a value that is there already changes nothing: by a filter", `{"userName":"b","emails":[{"value":"x","type":"work"}]}`, `{"op":"add","path":"emails[type eq \"work\"].value","value":"x"}`, "unchanged"},
		{"3.5.2.1", "a value that is there already changes nothing: without path", `{"userName":"b","name":{"givenName":"A"},"emails":[{"value":"x"}]}`,
			`{"op":"add","value":{"name":{"givenName":"A"},"emails":[{"value":"x"}],"userName":"b"}}`, "unchanged"},

		{"3.5.2.2", "without path, a remove fails with noTarget", `{"userName":"b"}`, `{"op":"remove"}`, schema.NoTarget},
		{"3.5.2.2", "a single-valued attribute becomes unassigned", `{"userName":"b","title":"T"}`, `{"op":"remove","path":"title"}`, `{"userName":"b"}`},
		{"3.5.2.2", "so does a complex one", `{"userName":"b","name":{"givenName":"A"}}`, `{"op":"remove","path":"name"}`, `{"userName":"b"}`},
		{"3.5.2.2", "so does a sub-attribute", `{"userName":"b","name":{"givenName":"A","familyName":"K"}}`, `{"op":"remove","path":"name.givenName"}`, `{"userName":"b","name":{"familyName":"K"}}`},
		{"3.5.2.2", "so does a multi-valued one without a filter, with all of its values", `{"userName":"b","emails":[{"value":"x"},{"value":"y"}]}`, `{"op":"remove","path":"emails"}`, `{"userName":"b"}`},
		{"3.5.2.2", "so does an extension's, and the extension with its last", `{"userName":"b","` + schema.EnterpriseUser + `":{"department":"D"}}`, `{"op":"remove","path":"` + enterprise + `department"}`, `{"userName":"b"}`},
		{"3.5.2.2", "the values that a filter matches are removed", `{"userName":"b","emails":[{"value":"a@example.com","type":"work"},{"value":"b@x","type":"work"}]}`,
			`{"op":"remove","path":"emails[type eq \"work\" and value ew \"example.com\"]"}`, `{"userName":"b","emails":[{"value":"b@x","type":"work"}]}`},
		{"3.5.2.2", "if no values remain, the attribute is unassigned", `{"userName":"b","emails":[{"value":"x","type":"work"}]}`, `{"op":"remove","path":"emails[value eq \"X\"]"}`, `{"userName":"b"}`},
		{"3.5.2.2", "a filter that matches nothing removes nothing", `{"userName":"b","emails":[{"value":"x"}]}`, `{"op":"remove","path":"emails[value eq \"y\"]"}`, "unchanged"},
		{"3.5.2.2", "sub-attributes of the matching records become unassigned", `{"userName":"b","addresses":[{"type":"work","locality":"L","region":"R"},{"type":"home","locality":"M"}]}`,
			`{"op":"remove","path":"addresses[type eq \"work\"].locality"}`, `{"userName":"b","addresses":[{"type":"work","region":"R"},{"type":"home","locality":"M"}]}`},
		{"3.5.2.2", "if no records remain, the attribute is unassigned", `{"userName":"b","addresses":[{"type":"work","locality":"L"}]}`, `{"op":"remove","path":"addresses[type eq \"work\"].locality"}`, `{"userName":"b"}`},
		{"3.5.2.2", "what is required cannot be removed", `{"userName":"b"}`, `{"op":"remove","path":"userName"}`, schema.IsMutability},
		{"3.5.2.2", "nor become unassigned", `{"userName":"b"}`, `{"op":"replace","path":"userName","value":null}`, schema.IsMutability},
		{"3.5.2.2", "not even to be set again", `{"userName":"b"}`, `{"op":"remove","path":"userName"},{"op":"add","path":"userName","value":"c"}`, schema.IsMutability},
		{"3.5.2.2", "nor a required sub-attribute", `{"userName":"b","` + hardware + `":{"place":{"room":"1","floor":"2"}}}`, `{"op":"remove","path":"place.room"}`, schema.IsMutability},
		{"3.5.2.2", "nor that of one value", `{"userName":"b","` + hardware + `":{"ports":[{"value":"p","names":["n"]}]}}`, `{"op":"remove","path":"ports[value eq \"p\"].value"}`, schema.IsMutability},
		{"3.5.2.2", "what is readOnly cannot be removed", `{"userName":"b"}`, `{"op":"remove","path":"id"}`, schema.IsMutability},

		{"3.5.2.3", "without path, the value has attributes to be replaced", `{"userName":"b","title":"T","emails":[{"value":"x"}]}`,
			`{"op":"replace","value":{"title":"U","emails":[{"value":"y"}]}}`, `{"userName":"b","title":"U","emails":[{"value":"y"}]}`},
		{"3.5.2.3", "without path, also complex ones and whole extensions, of which the rest stays",
			`{"userName":"b","name":{"givenName":"A","familyName":"K"},"` + schema.EnterpriseUser + `":{"department":"D","costCenter":"C"}}`,
			`{"op":"replace","value":{"name":{"givenName":"B"},"` + schema.EnterpriseUser + `":{"costCenter":"D"}}}`,
			`{"userName":"b","name":{"givenName":"B","familyName":"K"},"` + schema.EnterpriseUser + `":{"department":"D","costCenter":"D"}}`},
		{"3.5.2.3", "a single value is replaced", `{"userName":"b","title":"T"}`, `{"op":"replace","path":"title","value":"U"}`, `{"userName":"b","title":"U"}`},
		{"3.5.2.3", "all values are replaced where there is no filter", `{"userName":"b","emails":[{"value":"x"},{"value":"y"}]}`, `{"op":"replace","path":"emails","value":[{"value":"z","primary":true}]}`,
			`{"userName":"b","emails":[{"value":"z","primary":true}]}`},
		{"3.5.2.3", "what does not exist is added", `{"userName":"b"}`, `{"op":"replace","path":"title","value":"T"},{"op":"replace","path":"name.givenName","value":"A"},{"op":"replace","path":"` + medius + `nameIdentifier","value":"n"}`,
			`{"userName":"b","title":"T","name":{"givenName":"A"},"` + schema.MediusUser + `":{"nameIdentifier":"n"}}`},
		{"3.5.2.3", "of a complex attribute, sub-attributes that are not given stay", `{"userName":"b","name":{"givenName":"A","familyName":"K"}}`,
			`{"op":"replace","path":"name","value":{"familyName":"L","middleName":"M"}}`, `{"userName":"b","name":{"givenName":"A","familyName":"L","middleName":"M"}}`},
		{"3.5.2.3", "all values that a filter matches are replaced", `{"userName":"b","addresses":[{"type":"work","locality":"L"},{"type":"home","locality":"M"},{"type":"work","region":"R"}]}`,
			`{"op":"replace","path":"addresses[type eq \"work\"]","value":{"type":"work","country":"US"}}`,
			`{"userName":"b","addresses":[{"type":"work","country":"US"},{"type":"home","locality":"M"},{"type":"work","country":"US"}]}`},
		{"3.5.2.3", "the sub-attribute of all records that a filter matches is replaced", `{"userName":"b","addresses":[{"type":"work","locality":"L"},{"type":"home","locality":"M"},{"type":"work","region":"R"}]}`,
			`{"op":"replace","path":"addresses[type eq \"work\"].locality","value":"N"}`,
			`{"userName":"b","addresses":[{"type":"work","locality":"N"},{"type":"home","locality":"M"},{"type":"work","region":"R","locality":"N"}]}`},
		{"3.5.2.3", "if a filter matches nothing, the operation fails with noTarget", `{"userName":"b","emails":[{"value":"x"}]}`, `{"op":"replace","path":"emails[value co \"y\"]","value":{"value":"z"}}`, schema.NoTarget},
		{"3.5.2.3", "so it does for a sub-attribute", `{"userName":"b"}`, `{"op":"replace","path":"emails[type ne \"work\" and value co \"y\"].display","value":"x"}`, schema.NoTarget},
	} {
		t.Run(c.section+" "+c.sentence, func(t *testing.T) {
			rt, current := schema.User(device()), decode(t, c.current)
			request, err := patch.Parse(rt, body(c.operations))
			var got schema.Object
			if err == nil {
				got, _, err = patch.Apply(rt, current, request.Operations)
			}
			if refused := (*schema.Error)(nil); errors.As(err, &refused) {
				if refused.ScimType != c.want {
					t.Errorf("got %s: %s, want %s", refused.ScimType, refused.Detail, c.want)
				}
			} else if want := strings.Replace(c.want, "unchanged", c.current, 1); encode(t, got) != encode(t, decode(t, want)) {
				t.Errorf("got  %s\nwant %s", encode(t, got), want)
			}
			if encode(t, current) != encode(t, decode(t, c.current)) {
				t.Errorf("the current resource was changed to %s", encode(t, current))
			}
		})
	}
}
