package protocol_test

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
)

const (
	inFinance = `"` + enterpriseURN + `":{"department":"Finance"}`
	inSales   = `"` + enterpriseURN + `":{"department":"Sales"}`
	// followed is what a user of the department has as long as the client speaks of nothing else.
	followed = "roles approver+purchaser <finance\nlocale sv-SE <finance\nhonorificPrefix Dr <finance\ncostCenter 100 <finance"
)

// followedBut returns followed without the lines of these attributes.
func followedBut(names ...string) string {
	return strings.Replace(givenBut(names...), "roles approver", "roles approver+purchaser", 1)
}

// department are defaults that users follow for as long as they are in Finance.
func department() *v1alpha1.UserDefaults {
	ud := finance(v1alpha1.ApplyAlways)
	ud.Spec.Filter, ud.Spec.Roles = enterpriseURN+`:department eq "Finance"`, []string{"approver", "purchaser"}
	return ud
}

// everybody are defaults that are stamped on all others.
func everybody() *v1alpha1.UserDefaults {
	return &v1alpha1.UserDefaults{ObjectMeta: metav1.ObjectMeta{Name: "everybody"}, Spec: v1alpha1.UserDefaultsSpec{
		Apply: v1alpha1.ApplyOnCreate, Companies: []string{"Contoso AB"}, Roles: []string{"viewer"},
	}}
}

// cleared is what an answer says that the client has taken away, sorted as the server has it.
func (f *fixture) cleared(a answer) string {
	f.t.Helper()
	list, _ := f.field(a, tenantryURN, "cleared").([]any)
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), enterpriseURN+":", ""), "[]")
}

// sees holds the user of that name against values and cleared, in an answer by itself and by filters: what is stored, seen and found
// is the same.
func (f *fixture) sees(when, name, values, cleared string) answer {
	f.t.Helper()
	a := f.expect("GET", "/Users/{"+name+"}", "", 200, "")
	if got := f.values(a); got != values {
		f.t.Errorf("%s:\n%s\nwant\n%s", when, got, values)
	}
	if got := f.cleared(a); got != cleared {
		f.t.Errorf("%s, cleared are %q, want %q", when, got, cleared)
	}
	for filter, want := range map[string]bool{
		`roles.value eq "approver"`: strings.Contains(values, "approver"), `roles pr`: strings.Contains(values, "roles "),
		`locale eq "sv-SE"`: strings.Contains(values, "sv-SE"), `name.honorificPrefix pr`: strings.Contains(values, "honorificPrefix"),
		`defaulted.path eq "roles"`: strings.Contains(values, "roles") && strings.Contains(strings.SplitN(values, "\n", 2)[0], "<"),
		`cleared eq "roles"`:        strings.Contains(cleared, "roles"), `cleared pr`: cleared != "",
	} {
		found := f.field(f.expect("GET", `/Users?filter=id eq "`+f.ids[name]+`" and `+filter+`&count=0`, "", 200, ""), "totalResults")
		if (found == float64(1)) != want {
			f.t.Errorf("%s, %s finds the user: %t, want %t", when, filter, !want, want)
		}
	}
	return a
}

// Each operation is about values that follow a UserDefaults: the client changes what it sees of them, and what it takes away stays
// away. A PUT that says nothing takes what the client has set, and leaves what it took away.
func TestAPatchChangesTheValuesThatTheClientSees(t *testing.T) {
	const roles = "roles approver+purchaser\n"
	replaced := func(old, by string) string { return strings.Replace(followed, old, by, 1) }
	for name, c := range map[string]struct{ operations, then, cleared string }{
		"another attribute":                {`{"op":"replace","path":"nickName","value":"A"}`, followed, ""},
		"remove one":                       {`{"op":"remove","path":"roles[value eq \"approver\"]"}`, "roles purchaser\n" + givenBut("roles"), ""},
		"remove one by value":              {`{"op":"remove","path":"roles","value":[{"value":"approver"}]}`, "roles purchaser\n" + givenBut("roles"), ""},
		"remove one, as Entra does":        {`{"op":"Remove","path":"roles","value":[{"value":"APPROVER"}]}`, "roles purchaser\n" + givenBut("roles"), ""},
		"remove each":                      {`{"op":"remove","path":"roles[value eq \"approver\"]"},{"op":"remove","path":"roles[value eq \"purchaser\"]"}`, givenBut("roles"), "roles"},
		"remove both by value":             {`{"op":"remove","path":"roles","value":[{"value":"approver"},{"value":"purchaser"}]}`, givenBut("roles"), "roles"},
		"remove one that is not":           {`{"op":"remove","path":"roles[value eq \"boss\"]"}`, followed, ""},
		"remove one that is not, by value": {`{"op":"remove","path":"roles","value":[{"value":"boss"}]}`, followed, ""},
		"remove one that is not, and change another attribute": {`{"op":"remove","path":"roles[value eq \"boss\"]"},{"op":"replace","path":"nickName","value":"A"}`, followed, ""},
		"remove":                     {`{"op":"remove","path":"roles"}`, givenBut("roles"), "roles"},
		"replace with none":          {`{"op":"replace","path":"roles","value":[]}`, givenBut("roles"), "roles"},
		"replace with null":          {`{"op":"replace","path":"roles","value":null}`, givenBut("roles"), "roles"},
		"replace with others":        {`{"op":"replace","path":"roles","value":[{"value":"boss"}]}`, "roles boss\n" + givenBut("roles"), ""},
		"remove and add":             {`{"op":"remove","path":"roles"},{"op":"add","path":"roles","value":[{"value":"boss"}]}`, "roles boss\n" + givenBut("roles"), ""},
		"add another":                {`{"op":"add","path":"roles","value":[{"value":"extra"}]}`, "roles approver+purchaser+extra\n" + givenBut("roles"), ""},
		"add another without a path": {`{"op":"add","value":{"roles":[{"value":"extra"}]}}`, "roles approver+purchaser+extra\n" + givenBut("roles"), ""},
		"add what is there":          {`{"op":"add","path":"roles","value":[{"value":"approver"}]}`, roles + givenBut("roles"), ""},
		"change one":                 {`{"op":"replace","path":"roles[value eq \"approver\"].display","value":"Boss"}`, roles + givenBut("roles"), ""},
		"remove a text":              {`{"op":"remove","path":"locale"}`, followedBut("locale"), "locale"},
		"remove a text by a filter":  {`{"op":"remove","path":"name[honorificPrefix eq \"Dr\"].honorificPrefix"}`, followedBut("honorificPrefix"), "name.honorificPrefix"},
		"replace a text with none":   {`{"op":"replace","path":"locale","value":""}`, followedBut("locale"), "locale"},
		"replace a text":             {`{"op":"replace","path":"locale","value":"de-DE"}`, replaced("sv-SE <finance", "de-DE"), ""},
		"replace with the same":      {`{"op":"replace","path":"locale","value":"sv-SE"}`, replaced("sv-SE <finance", "sv-SE"), ""},
		"several without a path":     {`{"op":"replace","value":{"locale":null,"costCenter":"7"}}`, strings.Replace(followedBut("locale"), "100 <finance", "7", 1), "locale"},
		"a part":                     {`{"op":"remove","path":"name.honorificPrefix"}`, followedBut("honorificPrefix"), "name.honorificPrefix"},
		"another part":               {`{"op":"add","path":"name","value":{"givenName":"A"}}`, followed, ""},
		"the whole":                  {`{"op":"remove","path":"name"}`, followedBut("honorificPrefix"), "name.honorificPrefix"},
		"of an extension":            {`{"op":"remove","path":"` + enterpriseURN + `:costCenter"}`, followedBut("costCenter"), "costCenter"},
		"what only the server sets":  {`{"op":"add","value":{"` + tenantryURN + `":{"cleared":["roles"]}}}`, followed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.setDefaults(department(), everybody())
			f.create("anna", "/Users", `{"userName":"anna",`+inFinance+`}`)
			body := `{"Operations":[` + c.operations + `]}`
			f.expect("PATCH", "/Users/{anna}", body, 204, "")
			patched := f.sees("after the PATCH", "anna", c.then, c.cleared)
			again := f.expect("PATCH", "/Users/{anna}", body, 204, "")
			if was := f.field(patched, "meta", "version"); again.header.Get("ETag") != was {
				t.Errorf("the PATCH made the version %v, and %s when it was sent again", was, again.header.Get("ETag"))
			}
			f.expect("PATCH", "/Users/{anna}", `{"Operations":[{"op":"add","path":"nickName","value":"N"}]}`, 204, "")
			f.sees("after another PATCH", "anna", c.then, c.cleared)
			// Of values of its own a PUT that does not name them leaves the patched roles.
			later := followed
			if c.cleared != "" {
				later = followedBut(c.cleared[strings.LastIndexByte(c.cleared, '.')+1:])
			} else if roles, _, _ := strings.Cut(c.then, "\n"); !strings.HasSuffix(roles, "<finance") {
				later = roles + "\n" + followedBut("roles")
			}
			for range 2 {
				f.expect("PUT", "/Users/{anna}", `{"userName":"anna",`+inFinance+`}`, 200, "")
				f.sees("after a PUT without", "anna", later, c.cleared)
			}
			f.expect("PUT", "/Users/{anna}", `{"userName":"anna","roles":[{"value":"own"}],"locale":"fi-FI","name":{"honorificPrefix":"Prof"},
				"`+enterpriseURN+`":{"department":"Finance","costCenter":"1"}}`, 200, "")
			f.sees("after the client has sent all", "anna", "roles own\nlocale fi-FI\nhonorificPrefix Prof\ncostCenter 1", "")
			f.expect("PUT", "/Users/{anna}", `{"userName":"anna",`+inFinance+`}`, 200, "")
			f.sees("after the client has left all out", "anna", followed, "")
		})
	}
}

func TestAPutThatNamesAnAttributeWithoutAValueClearsIt(t *testing.T) {
	for name, c := range map[string]struct{ attributes, cleared string }{
		"roles null":                   {`"roles":null`, "roles"},
		"roles empty":                  {`"ROLES":[]`, "roles"},
		"roles as empty text":          {`"roles":""`, "roles"},
		"locale null":                  {`"locale":null`, "locale"},
		"locale empty":                 {`"locale":""`, "locale"},
		"a part of name":               {`"name":{"givenName":"A","honorificPrefix":null}`, "name.honorificPrefix"},
		"name":                         {`"name":null`, "name.honorificPrefix"},
		"no part of name":              {`"name":{}`, ""},
		"behind the extension's URN":   {`"` + enterpriseURN + `:costCenter":null`, "costCenter"},
		"an attribute that is no ones": {`"nickName":null`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.setDefaults(department(), everybody())
			f.create("anna", "/Users", `{"userName":"anna",`+inFinance+`}`)
			body := `{"userName":"anna",` + inFinance + `,` + c.attributes + `}`
			put := f.expect("PUT", "/Users/{anna}", body, 200, "")
			then := followedBut(c.cleared[strings.LastIndexByte(c.cleared, '.')+1:])
			seen := f.sees("after the PUT", "anna", then, c.cleared)
			if string(put.body) != string(seen.body) {
				t.Errorf("the PUT answers %s\nand a GET %s", put.body, seen.body)
			}
			if again := f.expect("PUT", "/Users/{anna}", body, 200, ""); string(again.body) != string(put.body) {
				t.Errorf("the same PUT again made of %s\n%s", put.body, again.body)
			}
			f.expect("PUT", "/Users/{anna}", `{"userName":"anna",`+inFinance+`}`, 200, "")
			f.sees("after a PUT without", "anna", then, c.cleared)
		})
	}
}

// A removal never gives: neither where the values are the client's own, nor where others were stamped on the user, nor in the
// request by which the user comes to follow defaults, nor before that.
func TestWhatTheClientTookAwayNoDefaultsGive(t *testing.T) {
	const viewer = `"roles":[{"value":"viewer"}]`
	patched := func(operations string) [2]string { return [2]string{"PATCH", `{"Operations":[` + operations + `]}`} }
	put := func(attributes string) [2]string { return [2]string{"PUT", `{"userName":"anna",` + attributes + `}`} }
	for name, c := range map[string]struct {
		arrived  string
		requests [][2]string
	}{
		"an own one by a filter": {viewer + "," + inFinance, [][2]string{patched(`{"op":"remove","path":"roles[value eq \"viewer\"]"}`)}},
		"an own one by value":    {viewer + "," + inFinance, [][2]string{patched(`{"op":"remove","path":"roles","value":[{"value":"viewer"}]}`)}},
		"own ones":               {viewer + "," + inFinance, [][2]string{patched(`{"op":"remove","path":"roles"}`)}},
		"own ones by PUT":        {viewer + "," + inFinance, [][2]string{put(`"roles":[],` + inFinance)}},
		"stamped ones by PUT":    {inSales, [][2]string{put(`"roles":[],` + inFinance)}},
		"stamped ones by PATCH":  {inSales, [][2]string{patched(`{"op":"remove","path":"roles"},{"op":"replace","path":"` + enterpriseURN + `:department","value":"Finance"}`)}},
		"stamped ones before":    {inSales, [][2]string{put(`"roles":null,` + inSales), put(inFinance)}},
		"stamped ones before, and a PATCH": {inSales, [][2]string{
			patched(`{"op":"remove","path":"roles"}`), patched(`{"op":"replace","path":"` + enterpriseURN + `:department","value":"Finance"}`),
		}},
		"followed ones, away and back": {inFinance, [][2]string{patched(`{"op":"remove","path":"roles"}`), put(inSales), put(inFinance)}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.setDefaults(department(), everybody())
			f.create("anna", "/Users", `{"userName":"anna",`+c.arrived+`}`)
			for _, request := range c.requests {
				f.expect(request[0], "/Users/{anna}", request[1], map[string]int{"PUT": 200, "PATCH": 204}[request[0]], "")
			}
			f.sees("after all", "anna", givenBut("roles"), "roles")
			f.expect("PATCH", "/Users/{anna}", `{"Operations":[{"op":"add","path":"roles","value":[{"value":"boss"}]}]}`, 204, "")
			f.sees("after an add", "anna", "roles boss\n"+givenBut("roles"), "")
			f.expect("PUT", "/Users/{anna}", `{"userName":"anna",`+inFinance+`}`, 200, "")
			f.sees("after an add, and a PUT without", "anna", "roles boss\n"+givenBut("roles"), "")
		})
	}
}

func TestAUserThatArrivesWithNullFollowsTheDefaults(t *testing.T) {
	f := newFixture(t)
	f.setDefaults(department(), everybody())
	f.create("anna", "/Users", `{"userName":"anna","roles":null,"locale":"","name":{"honorificPrefix":null},`+inFinance+`}`)
	f.sees("alone", "anna", followed, "")
	// Users who are each other's manager are created without, and then put as they were sent.
	manages := func(id, department, other string) string {
		return `{"method":"POST","bulkId":"` + id + `","path":"/Users","data":{"userName":"` + id + `","roles":[],"locale":null,
			"` + enterpriseURN + `":{"department":"` + department + `","manager":{"value":"bulkId:` + other + `"}}}}`
	}
	f.expect("POST", "/Bulk", `{"Operations":[`+manages("ben", "Finance", "clara")+`,`+manages("clara", "Sales", "ben")+`]}`, 200, "")
	for name, want := range map[string]string{"ben": followed, "clara": "roles viewer <everybody"} {
		list := f.field(f.expect("GET", `/Users?filter=userName eq "`+name+`"`, "", 200, ""), "Resources").([]any)
		f.ids[name] = list[0].(map[string]any)["id"].(string)
		f.sees("in a circle", name, want, "")
	}
}

func TestABulkRequestChangesTheValuesThatTheClientSees(t *testing.T) {
	f := newFixture(t)
	f.setDefaults(department(), everybody())
	f.create("anna", "/Users", `{"userName":"anna",`+inFinance+`}`)
	f.create("ben", "/Users", `{"userName":"ben",`+inFinance+`}`)
	f.expect("POST", "/Bulk", `{"Operations":[
		{"method":"PATCH","path":"/Users/{anna}","data":{"Operations":[{"op":"remove","path":"roles[value eq \"approver\"]"}]}},
		{"method":"PATCH","path":"/Users/{anna}","data":{"Operations":[{"op":"add","path":"roles","value":[{"value":"extra"}]},{"op":"remove","path":"locale"}]}},
		{"method":"PUT","path":"/Users/{ben}","data":{"userName":"ben",`+inFinance+`,"roles":[]}},
		{"method":"PUT","path":"/Users/{ben}","data":{"userName":"ben",`+inFinance+`}}]}`, 200, "")
	f.sees("by PATCH", "anna", "roles purchaser+extra\n"+givenBut("roles", "locale"), "locale")
	f.sees("by PUT", "ben", givenBut("roles"), "roles")
}

func TestWhatAClientClearedStaysClearedWhateverBecomesOfTheDefaults(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	f.followDefaults(department())
	f.create("anna", "/Users", `{"userName":"anna",`+inFinance+`}`)
	f.create("ben", "/Users", `{"userName":"ben",`+inFinance+`}`)
	f.expect("PATCH", "/Users/{anna}", `{"Operations":[{"op":"remove","path":"roles"},{"op":"remove","path":"name.honorificPrefix"}]}`, 204, "")
	const cleared = "name.honorificPrefix roles"
	rest := givenBut("roles", "honorificPrefix")
	f.sees("followed", "anna", rest, cleared)
	f.followDefaults()
	f.sees("without any", "anna", "", cleared)
	f.expect("PUT", "/Users/{anna}", `{"userName":"anna",`+inFinance+`}`, 200, "")
	f.expect("PATCH", "/Users/{anna}", `{"Operations":[{"op":"remove","path":"roles"},{"op":"add","path":"nickName","value":"A"}]}`, 204, "")
	f.sees("without any, after writes", "anna", "", cleared)
	f.followDefaults(department())
	f.sees("with them again", "anna", rest, cleared)
	f.sees("another user", "ben", followed, "")
	changed := department()
	changed.Spec.Roles = []string{"boss"}
	f.followDefaults(changed)
	f.sees("with others", "anna", rest, cleared)
	f.expect("PATCH", "/Users/{anna}", `{"Operations":[{"op":"add","path":"roles","value":[{"value":"own"}]},{"op":"add","path":"name","value":{"honorificPrefix":"Prof"}}]}`, 204, "")
	f.sees("after values", "anna", "roles own\nlocale sv-SE <finance\nhonorificPrefix Prof\ncostCenter 100 <finance", "")

	// Without any defaults nothing is cleared: there is nothing that would show.
	f.followDefaults()
	f.create("clara", "/Users", `{"userName":"clara","title":"Boss"}`)
	f.expect("PATCH", "/Users/{clara}", `{"Operations":[{"op":"remove","path":"title"}]}`, 204, "")
	f.expect("GET", "/Users/{clara}", "", 200, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{clara}","userName":"clara","active":true,
		"meta":{"resourceType":"User","created":"`+started+`","lastModified":"2026-11-23T12:00:00.001Z","location":"`+tenantURL+`/Users/{clara}","version":"W/\"2\""}}`)
}

func TestWhatAClientPatchedStaysPatchedWhateverBecomesOfTheDefaults(t *testing.T) {
	f := newFixture(t)
	f.setDefaults(department())
	f.create("anna", "/Users", `{"userName":"anna",`+inFinance+`}`)
	f.expect("PATCH", "/Users/{anna}", `{"Operations":[{"op":"remove","path":"roles[value eq \"approver\"]"}]}`, 204, "")
	f.setDefaults()
	f.expect("PATCH", "/Users/{anna}", `{"Operations":[{"op":"add","path":"nickName","value":"N"}]}`, 204, "")
	f.expect("PATCH", "/Users/{anna}", `{"Operations":[{"op":"add","path":"roles","value":[{"value":"extra"}]}]}`, 204, "")
	f.expect("PUT", "/Users/{anna}", `{"userName":"anna",`+inFinance+`}`, 200, "")
	f.sees("without any", "anna", "roles purchaser+extra", "")
	f.setDefaults(department())
	f.expect("PUT", "/Users/{anna}", `{"userName":"anna","nickName":"A",`+inFinance+`}`, 200, "")
	f.sees("with them again", "anna", "roles purchaser+extra\n"+givenBut("roles"), "")

	f.setDefaults()
	f.expect("PATCH", "/Users/{anna}", `{"Operations":[{"op":"remove","path":"nickName"}]}`, 204, "")
	f.expect("PUT", "/Users/{anna}", `{"userName":"anna","roles":[],`+inFinance+`}`, 200, "")
	f.sees("without any, and cleared", "anna", "", "roles")
	f.setDefaults(department())
	f.expect("PUT", "/Users/{anna}", `{"userName":"anna","nickName":"A",`+inFinance+`}`, 200, "")
	f.sees("with them again, and cleared", "anna", givenBut("roles"), "roles")
}

// Until every user was held against new defaults, clients see values of the old ones, and can take them away.
func TestWhatIsStillSeenOfFormerDefaultsCanBeCleared(t *testing.T) {
	f := newFixture(t)
	f.setDefaults(department())
	f.create("anna", "/Users", `{"userName":"anna",`+inFinance+`}`)
	f.setDefaults()
	f.sees("of the former", "anna", followed, "")
	f.expect("PATCH", "/Users/{anna}", `{"Operations":[{"op":"remove","path":"roles"}]}`, 204, "")
	f.sees("without any", "anna", "", "roles")
	f.setDefaults(department())
	f.expect("PATCH", "/Users/{anna}", `{"Operations":[{"op":"add","path":"nickName","value":"A"}]}`, 204, "")
	f.sees("with them again", "anna", givenBut("roles"), "roles")
}

// A user that an older version followed, or stamped, has no list of who gave what; to clear makes none up.
func TestWhatIsClearedOfAUserOfAnOlderVersion(t *testing.T) {
	for name, c := range map[string]struct{ arrived, then string }{
		"followed": {inFinance, givenBut("roles")},
		"stamped":  {inSales, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.setDefaults(department(), everybody())
			f.create("anna", "/Users", `{"userName":"anna","title":"Boss",`+c.arrived+`}`)
			f.age("anna")
			f.expect("PATCH", "/Users/{anna}", `{"Operations":[{"op":"remove","path":"roles"}]}`, 204, "")
			a := f.expect("GET", "/Users/{anna}", "", 200, "")
			if f.field(a, "roles") != nil || f.cleared(a) != "roles" {
				t.Errorf("after the roles were removed: %s", a.body)
			}
		})
	}
}

// A role that the client has removed by PATCH no PUT gives again that does not name roles, wherever the user had the role from.
func TestARemovedRoleDoesNotComeBackByAPut(t *testing.T) {
	const (
		own     = `"roles":[{"value":"approver"},{"value":"own"}],`
		removal = `{"op":"remove","path":"roles[value eq \"approver\"]"}`
		add     = `{"op":"add","path":"roles","value":[{"value":"extra"}]}`
	)
	for name, c := range map[string]struct{ arrived, before, after, then string }{
		"of the defaults":           {inFinance, removal, inFinance, "purchaser"},
		"and one added":             {inFinance, removal + "," + add, inFinance, "purchaser+extra"},
		"after one added":           {inFinance, add + "," + removal, inFinance, "purchaser+extra"},
		"of its own":                {own + inFinance, removal, inFinance, "own"},
		"of its own, not there":     {`"roles":[{"value":"own"}],` + inFinance, removal, inFinance, "own"},
		"of its own, before":        {own + inSales, removal, inFinance, "own"},
		"all, and one added":        {inFinance, `{"op":"remove","path":"roles"},` + add, inFinance, "extra"},
		"all replaced":              {inFinance, `{"op":"replace","path":"roles","value":[{"value":"extra"}]}`, inFinance, "extra"},
		"all replaced, bare":        {inFinance, `{"op":"replace","value":{"roles":"extra"}}`, inFinance, "extra"},
		"of the defaults, by a PUT": {inFinance, removal, `"title":"T",` + inFinance, "purchaser"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.setDefaults(department(), everybody())
			f.create("anna", "/Users", `{"userName":"anna",`+c.arrived+`}`)
			f.expect("PATCH", "/Users/{anna}", `{"Operations":[`+c.before+`]}`, 204, "")
			for range 2 {
				a := f.expect("PUT", "/Users/{anna}", `{"userName":"anna",`+c.after+`}`, 200, "")
				if got, want := strings.SplitN(f.values(a), "\n", 2)[0], "roles "+c.then; got != want {
					t.Errorf("after a PUT without: %s, want %s", got, want)
				}
				if list := fmt.Sprint(f.field(a, tenantryURN, "patched")); list != "[roles]" {
					t.Errorf("patched are %s", list)
				}
			}
			f.expect("PUT", "/Users/{anna}", `{"userName":"anna",`+inSales+`}`, 200, "")
			f.expect("PUT", "/Users/{anna}", `{"userName":"anna",`+inFinance+`}`, 200, "")
			f.sees("away and back", "anna", "roles "+c.then+"\n"+givenBut("roles"), "")
			// A client that manages the roles by PUT leaves them out of a user who is to have none of its own.
			f.expect("PUT", "/Users/{anna}", `{"userName":"anna","roles":[{"value":"own"}],`+inFinance+`}`, 200, "")
			a := f.sees("with others by PUT", "anna", "roles own\n"+givenBut("roles"), "")
			if list := f.field(a, tenantryURN, "patched"); list != nil {
				t.Errorf("with others by PUT patched are %v", list)
			}
			f.expect("PUT", "/Users/{anna}", `{"userName":"anna",`+inFinance+`}`, 200, "")
			f.sees("without those", "anna", followed, "")
		})
	}
}

// Where no defaults are followed there is nothing that a PUT could give, and nothing is listed.
func TestWithoutDefaultsThatAreFollowedAPutTakesPatchedRoles(t *testing.T) {
	f := newFixture(t)
	for name, set := range map[string]func(){"none": func() { f.setDefaults() }, "stamped": func() { f.setDefaults(everybody()) }} {
		set()
		f.create(name, "/Users", `{"userName":"`+name+`"}`)
		f.expect("PATCH", "/Users/{"+name+"}", `{"Operations":[{"op":"add","path":"roles","value":[{"value":"extra"}]}]}`, 204, "")
		if a := f.expect("PUT", "/Users/{"+name+"}", `{"userName":"`+name+`"}`, 200, ""); f.values(a) != "" || f.field(a, tenantryURN, "patched") != nil {
			t.Errorf("%s: %s", name, a.body)
		}
	}
}

func TestAManagerWhoIsDeletedIsNotCleared(t *testing.T) {
	f := newFixture(t)
	f.create("boss", "/Users", `{"userName":"boss"}`)
	f.create("other", "/Users", `{"userName":"other"}`)
	ud := department()
	ud.Spec.Attributes = append(ud.Spec.Attributes, v1alpha1.AttributeDefault{Path: enterpriseURN + ":manager.value", Value: f.ids["boss"]})
	f.setDefaults(ud)
	f.create("anna", "/Users", `{"userName":"anna","`+enterpriseURN+`":{"department":"Finance","manager":"{other}"}}`)
	f.expect("DELETE", "/Users/{other}", "", 204, "")
	if a := f.expect("GET", "/Users/{anna}", "", 200, ""); f.cleared(a) != "" || f.field(a, enterpriseURN, "manager", "value") != f.ids["boss"] {
		t.Errorf("after the client's manager was deleted: %s", a.body)
	}
	f.expect("PATCH", "/Users/{anna}", `{"Operations":[{"op":"remove","path":"manager"}]}`, 204, "")
	if a := f.expect("GET", "/Users/{anna}", "", 200, ""); f.cleared(a) != "manager.value" || f.field(a, enterpriseURN, "manager") != nil {
		t.Errorf("after the client removed the manager: %s", a.body)
	}
}
