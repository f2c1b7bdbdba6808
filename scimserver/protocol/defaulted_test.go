package protocol_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

const tenantryURN = schema.TenantryUser

// finance gives something of each kind that a UserDefaults can give.
func finance(mode v1alpha1.ApplyMode) *v1alpha1.UserDefaults {
	return &v1alpha1.UserDefaults{ObjectMeta: metav1.ObjectMeta{Name: "finance"}, Spec: v1alpha1.UserDefaultsSpec{
		Apply: mode, Companies: []string{"Contoso AB"}, Roles: []string{"approver"}, Locale: "sv-SE",
		Attributes: []v1alpha1.AttributeDefault{{Path: "name.honorificPrefix", Value: "Dr"}, {Path: enterpriseURN + ":costCenter", Value: "100"}},
	}}
}

// setDefaults replaces the tenant's defaults. Users that arrive or change from now on receive them.
func (f *fixture) setDefaults(all ...*v1alpha1.UserDefaults) {
	f.t.Helper()
	var checked []*directory.Defaults
	for _, ud := range all {
		d, err := directory.NewDefaults(ud, v1alpha1.Catalog{Companies: ud.Spec.Companies, Roles: ud.Spec.Roles}, f.directory.Type(store.User))
		if err != nil {
			f.t.Fatal(err)
		}
		checked = append(checked, d)
	}
	f.directory.SetDefaults(checked)
}

// followDefaults replaces the tenant's defaults, and holds every user against them.
func (f *fixture) followDefaults(all ...*v1alpha1.UserDefaults) {
	f.t.Helper()
	f.setDefaults(all...)
	f.follow(f.directory)
}

// follow lets a directory look twice whether users are to be held against its defaults.
func (f *fixture) follow(d *directory.Directory) {
	f.t.Helper()
	ctx, stop := context.WithCancel(f.t.Context())
	defer stop()
	again, ended := make(chan time.Time), make(chan error, 1)
	go func() { ended <- d.Follow(ctx, again) }()
	for range 2 { // it takes the second when it is through with the first
		again <- time.Time{}
	}
	stop()
	if err := <-ended; err != nil {
		f.t.Fatal(err)
	}
}

// values is what an answer says of the attributes that finance gives, a line each, in their order: name, value, and behind
// "<" who is said to have given it. No other attribute may be listed, but for those beside.
func (f *fixture) values(a answer, beside ...string) string {
	f.t.Helper()
	by := map[string]string{}
	list, _ := f.field(a, tenantryURN, "defaulted").([]any)
	for _, element := range list {
		e := element.(map[string]any)
		from, _ := e["defaults"].(string)
		by[e["path"].(string)] = " <" + from
	}
	var lines []string
	for _, path := range [][]string{{"roles"}, {"locale"}, {"title"}, {"name", "honorificPrefix"}, {enterpriseURN, "costCenter"}} {
		name := strings.Replace(strings.Join(path, "."), enterpriseURN+".", enterpriseURN+":", 1)
		value := f.field(a, path...)
		if elements, ok := value.([]any); ok {
			var roles []string
			for _, element := range elements {
				roles = append(roles, element.(map[string]any)["value"].(string))
			}
			value = strings.Join(roles, "+")
		}
		if value != nil || by[name] != "" {
			text, _ := value.(string)
			lines = append(lines, path[len(path)-1]+" "+text+by[name])
		}
		delete(by, name)
	}
	for _, name := range beside {
		delete(by, name)
	}
	if len(by) > 0 {
		f.t.Errorf("defaulted also lists %v", by)
	}
	return strings.Join(lines, "\n")
}

// given is what a user has of finance as long as the client speaks of nothing else.
const given = "roles approver <finance\nlocale sv-SE <finance\nhonorificPrefix Dr <finance\ncostCenter 100 <finance"

// givenBut returns given without the lines of these attributes.
func givenBut(names ...string) string {
	lines := slices.DeleteFunc(strings.Split(given, "\n"), func(line string) bool {
		name, _, _ := strings.Cut(line, " ")
		return slices.Contains(names, name)
	})
	return strings.Join(lines, "\n")
}

// putBodies are what clients that update by PUT send: the whole of what they know of a user, which is not what the defaults gave.
var putBodies = map[string]string{
	"authentik": `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{anna}","externalId":"e1","userName":"anna",
		"name":{"formatted":"Anna K","givenName":"Anna","familyName":"K"},"photos":[],"emails":[{"value":"NEW","type":"other","primary":true}]}`,
	"OneLogin": `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"userName":"anna","externalId":"e1","name":{"givenName":"Anna","familyName":"K","formatted":"Anna K"},"displayName":"Anna K","active":true,
		"emails":[{"value":"NEW","type":"work","primary":true}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales"},
		"groups":[],"meta":{"resourceType":"User"}}`,
	"Auth0": `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"auth0|1","userName":"anna","displayName":"Anna K","active":true,
		"name":{"formatted":"Anna K","givenName":"Anna","familyName":"K"},"emails":[{"value":"NEW","primary":true,"type":"work"}]}`,
	"a minimal client": `{"userName":"anna","nickName":"NEW"}`,
}

func TestWhatTheDefaultsGaveSurvivesThePutsOfRealClients(t *testing.T) {
	for client, body := range putBodies {
		t.Run(client, func(t *testing.T) {
			f := newFixture(t)
			f.setDefaults(finance(v1alpha1.ApplyOnCreate))
			f.create("anna", "/Users", body)
			for _, text := range []string{"a@x", "b@x", "c@x"} {
				changed := f.expect("PUT", "/Users/{anna}", strings.Replace(body, "NEW", text, 1), 200, "")
				if got := f.values(changed); got != given {
					t.Fatalf("after a PUT that changes something else:\n%s\nwant\n%s", got, given)
				}
				if !strings.Contains(string(changed.body), text) {
					t.Errorf("the PUT was not followed: %s", changed.body)
				}
			}
			before := f.expect("GET", "/Users/{anna}", "", 200, "")
			again := f.expect("PUT", "/Users/{anna}", strings.Replace(body, "NEW", "c@x", 1), 200, "")
			if string(before.body) != string(again.body) {
				t.Errorf("the same PUT again made of %s\n%s", before.body, again.body)
			}
			found := f.expect("GET", `/Users?filter=roles.value eq "approver" and locale eq "sv-SE" and defaulted[path eq "roles" and defaults eq "finance"]&count=0`, "", 200, "")
			if n := f.field(found, "totalResults"); n != float64(1) {
				t.Errorf("%v users are found by what the defaults gave, want 1", n)
			}
		})
	}
}

// Each request is a PUT after which another one comes that says nothing of what defaults give: what the client has spoken
// of once is the client's, and goes where a PUT leaves it out.
func TestWhatAPutSpeaksOfIsTheClientsFromThenOn(t *testing.T) {
	const core = "urn:ietf:params:scim:schemas:core:2.0:User"
	for name, c := range map[string]struct{ attributes, then, later string }{
		"roles null":                     {`"roles":null`, givenBut("roles"), givenBut("roles")},
		"roles empty":                    {`"roles":[]`, givenBut("roles"), givenBut("roles")},
		"roles as empty text":            {`"roles":""`, givenBut("roles"), givenBut("roles")},
		"roles in another case":          {`"ROLES":null`, givenBut("roles"), givenBut("roles")},
		"roles behind the core URN":      {`"` + core + `:roles":null`, givenBut("roles"), givenBut("roles")},
		"roles under the core URN":       {`"` + core + `":{"roles":[]}`, givenBut("roles"), givenBut("roles")},
		"roles of the client's":          {`"roles":[{"value":"boss"}]`, "roles boss\n" + givenBut("roles"), givenBut("roles")},
		"the roles that are there":       {`"roles":[{"value":"approver"}]`, "roles approver\n" + givenBut("roles"), givenBut("roles")},
		"locale null":                    {`"locale":null`, givenBut("locale"), givenBut("locale")},
		"locale of the client's":         {`"locale":"de-DE"`, strings.Replace(given, "sv-SE <finance", "de-DE", 1), givenBut("locale")},
		"another part of name":           {`"name":{"givenName":"A"}`, given, given},
		"no part of name":                {`"name":{}`, given, given},
		"name null":                      {`"name":null`, givenBut("honorificPrefix"), givenBut("honorificPrefix")},
		"a part of name null":            {`"name":{"givenName":"A","honorificPrefix":null}`, givenBut("honorificPrefix"), givenBut("honorificPrefix")},
		"a part of name empty, dotted":   {`"Name.HonorificPrefix":""`, givenBut("honorificPrefix"), givenBut("honorificPrefix")},
		"a part of name of the client's": {`"name":{"honorificPrefix":"Prof"}`, strings.Replace(given, "Dr <finance", "Prof", 1), givenBut("honorificPrefix")},
		"another one of the extension":   {`"` + enterpriseURN + `":{"department":"Sales"}`, given, given},
		"the extension without any":      {`"` + enterpriseURN + `":{}`, given, given},
		"the extension null":             {`"` + enterpriseURN + `":null`, givenBut("costCenter"), givenBut("costCenter")},
		"the extension as empty text":    {`"` + strings.ToUpper(enterpriseURN) + `":""`, givenBut("costCenter"), givenBut("costCenter")},
		"one of the extension null":      {`"` + enterpriseURN + `":{"costcenter":null}`, givenBut("costCenter"), givenBut("costCenter")},
		"one behind the extension's URN": {`"` + enterpriseURN + `:costCenter":null`, givenBut("costCenter"), givenBut("costCenter")},
		"one of the extension, bare":     {`"costCenter":null`, givenBut("costCenter"), givenBut("costCenter")},
		"what the server writes":         {`"` + tenantryURN + `":null`, given, given},
		"what nobody knows":              {`"shoeSize":1,"name":{"shoeSize":null}`, given, given},
		"all of it":                      {`"roles":null,"locale":null,"name":null,"` + enterpriseURN + `":null`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.setDefaults(finance(v1alpha1.ApplyOnCreate))
			f.create("anna", "/Users", `{"userName":"anna"}`)
			if got := f.values(f.expect("PUT", "/Users/{anna}", `{"userName":"anna",`+c.attributes+`}`, 200, "")); got != c.then {
				t.Errorf("after a PUT with %s:\n%s\nwant\n%s", c.attributes, got, c.then)
			}
			for range 2 {
				got := f.expect("PUT", "/Users/{anna}", `{"userName":"anna"}`, 200, "")
				if values := f.values(got); values != c.later {
					t.Errorf("after the next PUT, without:\n%s\nwant\n%s", values, c.later)
				}
				if f.field(got, tenantryURN, "defaults") != "finance" {
					t.Errorf("the user's defaults are gone: %s", got.body)
				}
			}
			f.expect("PUT", "/Users/{anna}", `{"userName":"anna","title":"Boss"}`, 200, "")
			if got := f.values(f.expect("PUT", "/Users/{anna}", `{"userName":"anna"}`, 200, "")); got != c.later {
				t.Errorf("after the client gave a title and took it away:\n%s\nwant\n%s", got, c.later)
			}
		})
	}
}

func TestWhatAPatchSpeaksOfIsTheClientsFromThenOn(t *testing.T) {
	for name, c := range map[string]struct{ operations, then, later string }{
		"another attribute":       {`{"op":"replace","path":"nickName","value":"A"}`, given, given},
		"replace":                 {`{"op":"replace","path":"locale","value":"de-DE"}`, strings.Replace(given, "sv-SE <finance", "de-DE", 1), givenBut("locale")},
		"replace with the same":   {`{"op":"Replace","path":"locale","value":"sv-SE"}`, strings.Replace(given, "sv-SE <finance", "sv-SE", 1), givenBut("locale")},
		"replace with nothing":    {`{"op":"replace","path":"locale","value":""}`, givenBut("locale"), givenBut("locale")},
		"add":                     {`{"op":"add","path":"roles","value":[{"value":"boss"}]}`, "roles approver+boss\n" + givenBut("roles"), givenBut("roles")},
		"add what is there":       {`{"op":"add","path":"roles","value":[{"value":"approver"}]}`, "roles approver\n" + givenBut("roles"), givenBut("roles")},
		"remove":                  {`{"op":"remove","path":"roles"}`, givenBut("roles"), givenBut("roles")},
		"remove one that is not":  {`{"op":"remove","path":"roles[value eq \"boss\"]"},{"op":"remove","path":"roles","value":"boss"}`, given, given},
		"remove none of a part":   {`{"op":"remove","path":"name[honorificPrefix eq \"Prof\"].honorificPrefix"}`, given, given},
		"remove none of a whole":  {`{"op":"remove","path":"name[honorificPrefix eq \"Prof\"]"}`, given, given},
		"remove by value":         {`{"op":"remove","path":"roles[value eq \"approver\"]"}`, givenBut("roles"), givenBut("roles")},
		"change by value":         {`{"op":"replace","path":"roles[value eq \"approver\"].type","value":"x"}`, "roles approver\n" + givenBut("roles"), givenBut("roles")},
		"without a path":          {`{"op":"replace","value":{"locale":"de-DE","costCenter":null}}`, strings.Replace(givenBut("costCenter"), "sv-SE <finance", "de-DE", 1), givenBut("locale", "costCenter")},
		"a part":                  {`{"op":"replace","path":"name.honorificPrefix","value":"Prof"}`, strings.Replace(given, "Dr <finance", "Prof", 1), givenBut("honorificPrefix")},
		"another part":            {`{"op":"replace","path":"name.givenName","value":"A"}`, given, given},
		"other parts as a whole":  {`{"op":"replace","path":"name","value":{"givenName":"A"}}`, given, given},
		"a part of the whole":     {`{"op":"add","path":"name","value":{"givenName":"A","honorificPrefix":null}}`, givenBut("honorificPrefix"), givenBut("honorificPrefix")},
		"the whole":               {`{"op":"remove","path":"name"}`, givenBut("honorificPrefix"), givenBut("honorificPrefix")},
		"of an extension":         {`{"op":"add","path":"` + enterpriseURN + `:costCenter","value":"7"}`, strings.Replace(given, "100 <finance", "7", 1), givenBut("costCenter")},
		"another of an extension": {`{"op":"add","value":{"` + enterpriseURN + `":{"department":"Sales"}}}`, given, given},
		"an extension":            {`{"op":"remove","path":"` + enterpriseURN + `"}`, givenBut("costCenter"), givenBut("costCenter")},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.setDefaults(finance(v1alpha1.ApplyOnCreate))
			f.create("anna", "/Users", `{"userName":"anna"}`)
			f.expect("PATCH", "/Users/{anna}", `{"Operations":[`+c.operations+`]}`, 204, "")
			patched := f.expect("GET", "/Users/{anna}", "", 200, "")
			if got := f.values(patched); got != c.then {
				t.Errorf("after the PATCH:\n%s\nwant\n%s", got, c.then)
			}
			if c.then != given && f.field(patched, "meta", "version") != `W/"2"` {
				t.Errorf("what changed is no new version: %s", patched.body)
			}
			again := f.expect("PATCH", "/Users/{anna}", `{"Operations":[`+c.operations+`]}`, 204, "")
			if was := f.field(patched, "meta", "version"); again.header.Get("ETag") != was {
				t.Errorf("the same PATCH again made the version %s of %s", again.header.Get("ETag"), was)
			}
			if got := f.values(f.expect("PUT", "/Users/{anna}", `{"userName":"anna"}`, 200, "")); got != c.later {
				t.Errorf("after a PUT without:\n%s\nwant\n%s", got, c.later)
			}
		})
	}
}

func TestWhatDefaultsGiveAfterAnotherIsSaidToBeTheirs(t *testing.T) {
	race.Meets(t)
	always := finance(v1alpha1.ApplyAlways)
	always.Name, always.Spec.Roles = "always", []string{"purchaser"}
	always.Spec.Attributes = []v1alpha1.AttributeDefault{{Path: "title", Value: "Employee"}}
	const both = "roles approver <finance\nlocale sv-SE <finance\ntitle Employee <always\nhonorificPrefix Dr <finance\ncostCenter 100 <finance"
	f := newFixture(t)
	wants := func(when string, a answer, want string) {
		t.Helper()
		if got := f.values(a); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", when, got, want)
		}
	}
	seen := func() answer { return f.expect("GET", "/Users/{anna}", "", 200, "") }
	f.followDefaults(finance(v1alpha1.ApplyOnCreate))
	f.create("anna", "/Users", `{"userName":"anna"}`)

	f.followDefaults(always)
	wants("stamped by one and followed by another", seen(), both)
	wants("after a PUT", f.expect("PUT", "/Users/{anna}", `{"userName":"anna"}`, 200, ""), both)
	wants("after a PUT that takes the roles away", f.expect("PUT", "/Users/{anna}", `{"userName":"anna","roles":[],"title":"Boss"}`, 200, ""),
		"locale sv-SE <finance\ntitle Boss\nhonorificPrefix Dr <finance\ncostCenter 100 <finance")
	wants("after a PUT without a title", f.expect("PUT", "/Users/{anna}", `{"userName":"anna"}`, 200, ""),
		"locale sv-SE <finance\ntitle Employee <always\nhonorificPrefix Dr <finance\ncostCenter 100 <finance")
	f.followDefaults(finance(v1alpha1.ApplyOnCreate))
	wants("stamped alone again", seen(), givenBut("roles"))
	f.followDefaults()
	wants("without any defaults", f.expect("PUT", "/Users/{anna}", `{"userName":"anna"}`, 200, ""), givenBut("roles"))

	// One resource that changes from the one mode to the other.
	f.followDefaults(finance(v1alpha1.ApplyAlways))
	f.create("ben", "/Users", `{"userName":"ben","name":{"honorificPrefix":"Prof"}}`)
	wants("followed from the start", f.expect("PUT", "/Users/{ben}", `{"userName":"ben"}`, 200, ""), given)
	f.followDefaults(finance(v1alpha1.ApplyOnCreate))
	wants("no longer followed", f.expect("PUT", "/Users/{ben}", `{"userName":"ben"}`, 200, ""), "")
	f.followDefaults(finance(v1alpha1.ApplyAlways))
	wants("followed again", f.expect("GET", "/Users/{ben}", "", 200, ""), given)
	wants("found by it", f.expect("GET", `/Users?filter=defaulted.path eq "locale" and userName eq "ben"`, "", 200, ""), "")
}

func TestAPutOfAUserWhomNoDefaultsWereStampedOnLeavesNothing(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna","title":"Boss","roles":[{"value":"boss"}]}`)
	f.setDefaults(finance(v1alpha1.ApplyOnCreate))
	f.expect("PUT", "/Users/{anna}", `{"userName":"anna"}`, 200, `{
		"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{anna}","userName":"anna","active":true,
		"meta":{"resourceType":"User","created":"`+started+`","lastModified":"2026-11-23T12:00:00.001Z","location":"`+tenantURL+`/Users/{anna}","version":"W/\"2\""}}`)
}

func TestWhatTheDefaultsGaveSurvivesPutsInABulkRequest(t *testing.T) {
	f := newFixture(t)
	f.setDefaults(finance(v1alpha1.ApplyOnCreate))
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.expect("POST", "/Bulk", `{"Operations":[
		{"method":"PUT","path":"/Users/{anna}","data":{"userName":"anna","nickName":"A","locale":null}},
		{"method":"PUT","path":"/Users/{anna}","data":{"userName":"anna"}}]}`, 200, "")
	if got := f.values(f.expect("GET", "/Users/{anna}", "", 200, "")); got != givenBut("locale") {
		t.Errorf("after two PUTs:\n%s\nwant\n%s", got, givenBut("locale"))
	}
	// Users who are each other's manager are created without, and then put again as they were sent.
	f.expect("POST", "/Bulk", `{"Operations":[
		{"method":"POST","bulkId":"a","path":"/Users","data":{"userName":"ben","`+enterpriseURN+`":{"manager":{"value":"bulkId:b"}}}},
		{"method":"POST","bulkId":"b","path":"/Users","data":{"userName":"clara","`+enterpriseURN+`":{"manager":{"value":"bulkId:a"}}}}]}`, 200, "")
	for _, userName := range []string{"ben", "clara"} {
		found := f.field(f.expect("GET", `/Users?filter=userName eq "`+userName+`"`, "", 200, ""), "Resources").([]any)[0]
		body, err := json.Marshal(found)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.values(answer{body: body}); got != given || !strings.Contains(string(body), `"manager"`) {
			t.Errorf("%s has\n%s\nwant\n%s\nand a manager", userName, got, given)
		}
	}
}

func TestAManagerWhomTheDefaultsGaveAndWhoIsDeletedIsListedNoMore(t *testing.T) {
	f := newFixture(t)
	f.create("boss", "/Users", `{"userName":"boss"}`)
	ud := finance(v1alpha1.ApplyOnCreate)
	ud.Spec.Attributes = append(ud.Spec.Attributes, v1alpha1.AttributeDefault{Path: enterpriseURN + ":manager.value", Value: f.ids["boss"]})
	f.setDefaults(ud)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	manager := func() any {
		a := f.expect("PUT", "/Users/{anna}", `{"userName":"anna"}`, 200, "")
		if got := f.values(a, enterpriseURN+":manager.value"); got != given {
			t.Errorf("after a PUT:\n%s\nwant\n%s", got, given)
		}
		return f.field(a, enterpriseURN, "manager", "value")
	}
	if got := manager(); got != f.ids["boss"] {
		t.Errorf("after a PUT the manager is %v", got)
	}
	f.expect("DELETE", "/Users/{boss}", "", 204, "")
	if got := f.values(f.expect("GET", "/Users/{anna}", "", 200, "")); got != given {
		t.Errorf("without the manager:\n%s\nwant\n%s", got, given)
	}
	if got := manager(); got != nil {
		t.Errorf("after the next PUT the manager is %v again", got)
	}
}

func TestADefaultOfAnAttributeThatIsNotDeclaredForAWhileComesBackWithIt(t *testing.T) {
	const urn = "urn:contoso:scim:schemas:hr:1.0:User"
	hr := v1alpha1.SchemaExtension{ID: urn, Attributes: []v1alpha1.SchemaAttribute{{Name: "badge"}}}
	f := newFixture(t)
	f.declare(hr)
	ud := finance(v1alpha1.ApplyOnCreate)
	ud.Spec.Attributes = append(ud.Spec.Attributes, v1alpha1.AttributeDefault{Path: urn + ":badge", Value: "guest"})
	f.setDefaults(ud)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.declare()
	f.expect("PUT", "/Users/{anna}", `{"userName":"anna","`+urn+`":null}`, 200, "")
	f.declare(hr)
	a := f.expect("PUT", "/Users/{anna}", `{"userName":"anna"}`, 200, "")
	if got := f.values(a, urn+":badge"); got != given || f.field(a, urn, "badge") != "guest" {
		t.Errorf("after PUTs while it was not declared and after: %s", a.body)
	}
	if a = f.expect("PUT", "/Users/{anna}", `{"userName":"anna","`+urn+`":null}`, 200, ""); f.values(a) != given || f.field(a, urn) != nil {
		t.Errorf("after a PUT that takes it away: %s", a.body)
	}
}

func TestUsersAreFoundByWhoSetTheirValues(t *testing.T) {
	f := newFixture(t)
	f.create("before", "/Users", `{"userName":"before"}`)
	f.setDefaults(finance(v1alpha1.ApplyOnCreate))
	f.create("given", "/Users", `{"userName":"given"}`)
	f.create("some", "/Users", `{"userName":"some","locale":"de-DE","roles":[{"value":"boss"}]}`)
	f.create("own", "/Users", `{"userName":"own","locale":"de-DE","roles":[{"value":"boss"}],"costCenter":"7","name":{"honorificPrefix":"Dr"}}`)
	for filter, want := range map[string]string{
		`defaulted pr`:                                               "given some",
		`not (defaulted pr)`:                                         "before own",
		`defaulted.path eq "LOCALE"`:                                 "given",
		`defaulted.path sw "name."`:                                  "given some",
		tenantryURN + `:defaulted.path pr`:                           "given some",
		`defaulted.defaults eq "finance"`:                            "given some",
		`defaulted.defaults eq "Finance"`:                            "",
		`defaulted[path eq "locale"]`:                                "given",
		`not (defaulted.path eq "locale")`:                           "before some own",
		`defaulted[not (path eq "locale")]`:                          "given some",
		`defaults eq "finance" and not (defaulted[path eq "roles"])`: "some own",
	} {
		list, _ := f.field(f.expect("GET", "/Users?filter="+filter, "", 200, ""), "Resources").([]any)
		var found []string
		for _, user := range list {
			found = append(found, user.(map[string]any)["userName"].(string))
		}
		if got := strings.Join(found, " "); got != want {
			t.Errorf("%s finds %q, want %q", filter, got, want)
		}
	}
	f.expect("GET", "/Users/{some}?attributes=defaulted.path", "", 200, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","`+enterpriseURN+`","`+tenantryURN+`"],"id":"{some}",
		"`+tenantryURN+`":{"defaulted":[{"path":"name.honorificPrefix"},{"path":"`+enterpriseURN+`:costCenter"}]}}`)
}

// A change of defaults is a new version of those users alone of whom something changes that a client can see.
func TestAChangeOfDefaultsThatNobodySeesMakesNoVersion(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	always := func(locale, company string, roles ...string) *v1alpha1.UserDefaults {
		return &v1alpha1.UserDefaults{ObjectMeta: metav1.ObjectMeta{Name: "all"}, Spec: v1alpha1.UserDefaultsSpec{
			Apply: v1alpha1.ApplyAlways, Companies: []string{company}, Roles: roles, Locale: locale,
		}}
	}
	f.setDefaults(finance(v1alpha1.ApplyOnCreate))
	f.create("stamped", "/Users", `{"userName":"stamped","`+mediusURN+`":{"configurationFilter":"finance"}}`)
	f.followDefaults(always("sv-SE", "Contoso AB", "viewer"))
	f.create("own", "/Users", `{"userName":"own","locale":"en-GB","roles":[{"value":"admin"}]}`)
	f.create("none", "/Users", `{"userName":"none"}`)
	f.create("cleared", "/Users", `{"userName":"cleared"}`)
	f.expect("PATCH", "/Users/{cleared}", patchOf(`{"op":"remove","path":"locale"},{"op":"remove","path":"roles"}`), 204, "")
	all := []string{"stamped", "own", "none", "cleared"}
	state := func() (versions map[string]string, entries int) {
		versions = map[string]string{}
		for _, name := range all {
			got := f.expect("GET", "/Users/{"+name+"}", "", 200, "")
			versions[name] = got.header.Get("ETag") + f.field(got, "meta", "lastModified").(string)
		}
		log, err := f.database.Log(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range log {
			if entry.Operation == directory.OperationDefaults && len(entry.Attributes) == 0 {
				t.Errorf("an entry names no attribute: %+v", entry)
			}
		}
		return versions, len(log)
	}
	for _, c := range []struct {
		name     string
		defaults *v1alpha1.UserDefaults
		seen     []string
	}{
		{"another locale", always("fi-FI", "Contoso AB", "viewer"), []string{"none"}},
		{"another role", always("fi-FI", "Contoso AB", "viewer", "approver"), []string{"none"}},
		{"another company", always("fi-FI", "Fabrikam", "viewer", "approver"), all},
		{"no roles", always("fi-FI", "Fabrikam"), []string{"none"}},
	} {
		f.advance(time.Minute)
		before, entries := state()
		f.followDefaults(c.defaults)
		after, now := state()
		for _, name := range all {
			if changed := before[name] != after[name]; changed != slices.Contains(c.seen, name) {
				t.Errorf("%s: %s was %s and is %s", c.name, name, before[name], after[name])
			}
		}
		if now-entries != len(c.seen) {
			t.Errorf("%s: %d entries, want %d", c.name, now-entries, len(c.seen))
		}
	}
	// The default is stored below the user's own values, although no client can see it.
	if own, err := f.database.Get(t.Context(), store.User, f.ids["own"]); err != nil || !strings.Contains(string(own.Overlay), "fi-FI") {
		t.Errorf("%s, %v", own.Overlay, err)
	}
}
