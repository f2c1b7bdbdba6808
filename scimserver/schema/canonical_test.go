package schema_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

func TestAStoredObjectIsWhatNormalizeReturns(t *testing.T) {
	const enterprise, own = `"` + schema.EnterpriseUser + `"`, `"urn:example:device:1.0:User"`
	for name, c := range map[string]struct{ in, want string }{
		"a user":                                    {`{"userName":"a","active":true,"emails":[{"type":"work","value":"x"}],` + enterprise + `:{"manager":{"value":"m"}}}`, ""},
		"values of a declared schema":               {`{"userName":"a",` + own + `:{"seats":4,"tags":["x"],"ports":[{"value":"p","names":["a"]}]}}`, ""},
		"a name that nobody can see":                {`{"userName":"\u200b"}`, ""}, // taken before there was a rule
		"the id of a manager in upper case":         {`{"userName":"a",` + enterprise + `:{"manager":{"value":"0192F0C1-0A00-7000-8000-00000000000F"}}}`, ""},
		"an address of labels alone":                {`{"userName":"a","addresses":[{"type":"work"}]}`, ""},
		"an id":                                     {`{"userName":"a","id":"x"}`, "id is the server's and does not stand in a document"},
		"meta":                                      {`{"userName":"a","meta":{"version":"W/\"9\""}}`, "meta is the server's and does not stand in a document"},
		"schemas":                                   {`{"userName":"a","schemas":["` + schema.CoreUser + `"]}`, "schemas is the server's and does not stand in a document"},
		"groups":                                    {`{"userName":"a","groups":[{"value":"x"}]}`, "groups does not stand in a document: memberships are kept beside it"},
		"a password":                                {`{"userName":"a","password":"secret"}`, "password is never stored"},
		"an unknown attribute":                      {`{"userName":"a","isAdmin":true}`, `this resource has no attribute "isAdmin"; /Schemas lists those that it has`},
		"an unknown one of an extension":            {`{"userName":"a",` + enterprise + `:{"rank":1,"department":"d"}}`, `this resource has no attribute "` + schema.EnterpriseUser + `:rank"; /Schemas lists those that it has`},
		"an unknown schema":                         {`{"userName":"a","urn:x:y":{"a":1}}`, `this resource has no attribute "urn:x:y"; /Schemas lists those that it has`},
		"a name that is none":                       {`{"userName":"a","Anna Smith":1}`, "an attribute name was expected, such as userName, name.givenName or " + schema.EnterpriseUser + ":department"},
		"another spelling":                          {`{"userName":"a","Title":"t"}`, "title must be spelled so, and stand in the object of its schema"},
		"another spelling in a schema":              {`{"userName":"a",` + enterprise + `:{"Department":"d"}}`, schema.EnterpriseUser + ":department must be spelled so, and stand in the object of its schema"},
		"an extension's attribute alone":            {`{"userName":"a","department":"d"}`, schema.EnterpriseUser + ":department must be spelled so, and stand in the object of its schema"},
		"another spelling of a URN":                 {`{"userName":"a","` + strings.ToUpper(schema.EnterpriseUser) + `":{"department":"d"}}`, schema.EnterpriseUser + " must be spelled so, and left out where it has no values"},
		"the core schema's URN":                     {`{"userName":"a","` + schema.CoreUser + `":{"title":"t"}}`, "the attributes of " + schema.CoreUser + " must not stand under its URN"},
		"an extension without values":               {`{"userName":"a",` + enterprise + `:{}}`, schema.EnterpriseUser + " must be spelled so, and left out where it has no values"},
		"a dotted name":                             {`{"userName":"a","name.givenName":"g"}`, "name.givenName must stand inside of its attribute"},
		"a number for a text":                       {`{"userName":"a","title":7}`, "title accepts a string"},
		"a text for a boolean":                      {`{"userName":"a","active":"True"}`, "active accepts true or false"},
		"nonsense for a boolean":                    {`{"userName":"a","active":"perhaps"}`, "active accepts true or false"},
		"a text for a number":                       {`{"userName":"a",` + own + `:{"seats":"4"}}`, "urn:example:device:1.0:User:seats accepts a whole number"},
		"no array":                                  {`{"userName":"a","emails":{"value":"x"}}`, "emails accepts an array of its values"},
		"a text for an element":                     {`{"userName":"a","roles":["r"]}`, "roles accepts an object"},
		"an empty text":                             {`{"userName":"a","title":""}`, "title must be left out where it has no value"},
		"null":                                      {`{"userName":"a","title":null}`, "title must be left out where it has no value"},
		"an empty array":                            {`{"userName":"a","emails":[]}`, "emails must be left out where it has no value"},
		"an empty element":                          {`{"userName":"a","emails":[{"value":"x"},null]}`, "emails accepts elements that have a value"},
		"an element of labels":                      {`{"userName":"a","emails":[{"value":"x"},{"type":"work"}]}`, "emails[1].value is required: without it the element says nothing"},
		"two primary values":                        {`{"userName":"a","emails":[{"value":"x","primary":true},{"value":"y","primary":true}]}`, "emails accepts one value with primary true; several were sent"},
		"an unknown sub-attribute":                  {`{"userName":"a","emails":[{"value":"x"},{"value":"x","rank":1}]}`, "emails[1] accepts only value, display, type, primary, spelled so"},
		"a wrong type in an element":                {`{"userName":"a","emails":[{"value":"x","primary":"true"}]}`, "emails.primary accepts true or false"},
		"no value in an element":                    {`{"userName":"a","emails":[{"value":"x","type":""}]}`, "emails[0].type must be left out where it has no value"},
		"what follows from an id":                   {`{"userName":"a",` + enterprise + `:{"manager":{"value":"m","displayName":"M"}}}`, schema.EnterpriseUser + ":manager accepts only value, spelled so"},
		"the URL of a manager":                      {`{"userName":"a",` + enterprise + `:{"manager":{"value":"m","$ref":"../Users/m"}}}`, schema.EnterpriseUser + ":manager accepts only value, spelled so"},
		"U+0000":                                    {`{"userName":"a\u0000"}`, "userName accepts text without the character U+0000"},
		"no userName":                               {`{"active":true}`, "userName is required"},
		"what the server says of a user":            {`{"userName":"a","` + schema.TenantryUser + `":{"companies":["c"]}}`, schema.TenantryUser + " must be spelled so, and left out where it has no values"},
		"an element more than an attribute accepts": {`{"userName":"a","roles":[` + strings.Repeat(`{"value":"r"},`, schema.MaxValues) + `{"value":"r"}]}`, "roles accepts at most 1000 values"},
	} {
		t.Run(name, func(t *testing.T) {
			wantCanonical(t, schema.User(device()), c.in, c.want)
		})
	}
	wantCanonical(t, schema.Group(), `{"displayName":"\u3000","externalId":"e"}`, "")
	for _, members := range []string{`"members":[{"value":"x"}]`, `"members":[]`} {
		wantCanonical(t, schema.Group(), `{"displayName":"g",`+members+`}`, "members does not stand in a document: memberships are kept beside it")
	}
	wantCanonical(t, schema.Group(), `{"displayName":"g","members.value":"x"}`, "members.value must stand inside of its attribute")
}

func wantCanonical(t *testing.T, rt *schema.ResourceType, in, want string) {
	t.Helper()
	err := rt.CheckCanonical(decode(t, in))
	if got := (*schema.Error)(nil); want == "" && err != nil || want != "" && (!errors.As(err, &got) || got.Detail != want) {
		t.Errorf("%s\ngot  %v\nwant %s", in, err, want)
	}
}
