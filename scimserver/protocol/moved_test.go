package protocol_test

import (
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// sells is what a user of sales has of the defaults as long as the client speaks of nothing else.
const sells = "roles approver+seller <sales\nlocale de-DE <sales"

// sales are defaults that users follow for as long as they match filter.
func sales(filter string) *v1alpha1.UserDefaults {
	ud := finance(v1alpha1.ApplyAlways)
	ud.Name, ud.Spec.Filter, ud.Spec.Attributes = "sales", filter, nil
	ud.Spec.Roles, ud.Spec.Locale, ud.Spec.Companies = []string{"approver", "seller"}, "de-DE", []string{"Contoso GmbH"}
	return ud
}

// A PATCH by which the user comes to follow other defaults works on the values of these, in whatever order its operations are:
// nothing of the former ones becomes the client's.
func TestAPatchThatMovesAUserWorksOnTheDefaultsThatItMovesTo(t *testing.T) {
	const (
		moves   = `{"op":"replace","path":"` + enterpriseURN + `:department","value":"Sales"}`
		hasDE   = "\nlocale de-DE <sales"
		addX    = `{"op":"add","path":"roles","value":[{"value":"extra"}]}`
		without = `{"op":"remove","path":"roles[value eq \"ROLE\"]"}`
	)
	removal := func(role string) string { return strings.Replace(without, "ROLE", role, 1) }
	for name, c := range map[string]struct{ operations, then, cleared string }{
		"nothing beside":              {moves, sells, ""},
		"add a role":                  {moves + "," + addX, "roles approver+seller+extra" + hasDE, ""},
		"add a role before":           {addX + "," + moves, "roles approver+seller+extra" + hasDE, ""},
		"in one operation":            {`{"op":"add","value":{"roles":[{"value":"extra"}],"department":"Sales"}}`, "roles approver+seller+extra" + hasDE, ""},
		"add a role of the former":    {moves + `,{"op":"add","path":"roles","value":[{"value":"purchaser"}]}`, "roles approver+seller+purchaser" + hasDE, ""},
		"add a role of the new":       {moves + `,{"op":"add","path":"roles","value":[{"value":"seller"}]}`, "roles approver+seller" + hasDE, ""},
		"remove a former role":        {moves + "," + removal("purchaser"), sells, ""},
		"remove a former role before": {removal("purchaser") + "," + moves, sells, ""},
		"remove a role of both":       {removal("approver") + "," + moves, "roles seller" + hasDE, ""},
		"remove a role of both, by value": {`{"op":"Remove","path":"roles","value":[{"value":"approver"}]},` + moves,
			"roles seller" + hasDE, ""},
		"remove a new role":                        {removal("seller") + "," + moves, "roles approver" + hasDE, ""},
		"remove both former roles":                 {removal("approver") + "," + removal("purchaser") + "," + moves, "roles seller" + hasDE, ""},
		"remove all new roles":                     {removal("approver") + "," + moves + "," + removal("seller"), "locale de-DE <sales", "roles"},
		"remove the roles":                         {`{"op":"remove","path":"roles"},` + moves, "locale de-DE <sales", "roles"},
		"remove the roles and add one":             {`{"op":"remove","path":"roles"},` + addX + "," + moves, "roles extra" + hasDE, ""},
		"remove a role and add one":                {removal("approver") + "," + addX + "," + moves, "roles seller+extra" + hasDE, ""},
		"remove a former role and add one":         {moves + "," + addX + "," + removal("purchaser"), "roles approver+seller+extra" + hasDE, ""},
		"replace the roles":                        {moves + `,{"op":"replace","path":"roles","value":[{"value":"boss"}]}`, "roles boss" + hasDE, ""},
		"change a former role":                     {moves + `,{"op":"replace","path":"roles[value eq \"approver\"].display","value":"A"}`, "roles approver+seller" + hasDE, ""},
		"replace a text":                           {moves + `,{"op":"replace","path":"locale","value":"fi-FI"}`, "roles approver+seller <sales\nlocale fi-FI", ""},
		"remove a text":                            {`{"op":"remove","path":"locale"},` + moves, "roles approver+seller <sales", "locale"},
		"remove a text that the former gave":       {`{"op":"remove","path":"name.honorificPrefix"},` + moves, sells, "name.honorificPrefix"},
		"move, add and move back":                  {moves + "," + addX + `,{"op":"replace","path":"department","value":"Finance"}`, strings.Replace(followed, "purchaser <finance", "purchaser+extra", 1), ""},
		"move to none and add a role":              {`{"op":"remove","path":"department"},` + addX, "roles extra", ""},
		"move to none and remove one that was":     {`{"op":"remove","path":"department"},` + removal("approver"), "", "roles"},
		"move to none with the extension, and add": {addX + `,{"op":"remove","path":"` + enterpriseURN + `"}`, "roles extra", "costCenter"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.setDefaults(department(), sales(`department eq "Sales"`))
			f.create("anna", "/Users", `{"userName":"anna",`+inFinance+`}`)
			f.create("ben", "/Users", `{"userName":"ben",`+inFinance+`}`)
			body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + c.operations + `]}`
			f.expect("PATCH", "/Users/{anna}", body, 204, "")
			patched := f.sees("after the PATCH", "anna", c.then, c.cleared)
			again := f.expect("PATCH", "/Users/{anna}", body, 204, "")
			if was := f.field(patched, "meta", "version"); again.header.Get("ETag") != was {
				t.Errorf("the PATCH made the version %v, and %s when it was sent again", was, again.header.Get("ETag"))
			}
			f.expect("POST", "/Bulk", `{"Operations":[{"method":"PATCH","path":"/Users/{ben}","data":`+body+`}]}`, 200, "")
			f.sees("after the PATCH in a bulk request", "ben", c.then, c.cleared)
		})
	}
}

// Defaults may be chosen by another attribute than the department.
func TestAPatchMovesAUserByWhateverChoosesTheDefaults(t *testing.T) {
	f := newFixture(t)
	f.create("boss", "/Users", `{"userName":"boss"}`)
	for name, c := range map[string]struct{ filter, operation string }{
		"active":              {`active eq false`, `{"op":"Replace","path":"active","value":"False"}`},
		"manager":             {`manager.value eq "{boss}"`, `{"op":"Add","path":"` + enterpriseURN + `:manager","value":"{boss}"}`},
		"an e-mail":           {`emails[type eq "work" and value ew "@sales.example"]`, `{"op":"Add","path":"emails[type eq \"work\"].value","value":"a@sales.example"}`},
		"configurationFilter": {`configurationFilter eq "sales"`, `{"op":"Add","value":{"` + schema.MediusUser + `:configurationFilter":"sales"}}`},
		"the added role":      {`roles.value eq "extra"`, `{"op":"Add","path":"nickName","value":"N"}`},
	} {
		t.Run(name, func(t *testing.T) {
			f.setDefaults(sales(strings.Replace(c.filter, "{boss}", f.ids["boss"], 1)), department())
			f.create(name, "/Users", `{"userName":"`+name+`",`+inFinance+`}`)
			f.sees("before", name, followed, "")
			f.expect("PATCH", "/Users/{"+name+"}", `{"Operations":[{"op":"add","path":"roles","value":[{"value":"extra"}]},`+c.operation+`]}`, 204, "")
			a := f.sees("after", name, "roles approver+seller+extra\nlocale de-DE <sales", "")
			if got := f.field(a, tenantryURN, "companies").([]any); len(got) != 1 || got[0] != "Contoso GmbH" {
				t.Errorf("companies are %v", got)
			}
		})
	}
}
