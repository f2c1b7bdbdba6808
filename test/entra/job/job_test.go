package job

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/wire"
)

func TestTheDefaultsAreTheTutorialsTable(t *testing.T) {
	var users, groups []string
	for _, m := range MediusFlowUserMappings() {
		users = append(users, m.Target)
	}
	for _, m := range GroupMappings() {
		groups = append(groups, m.Target)
	}
	medius := "urn:ietf:params:scim:schemas:extension:medius:2.0:User:"
	want := []string{
		"userName", `emails[type eq "work"].value`, "name.displayName", "active", "name.givenName", "name.familyName",
		"name.formatted", "externalId", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
		medius + "configurationFilter", medius + "identityProvider", medius + "nameIdentifier", medius + "customFieldText1",
		medius + "customFieldText2", medius + "customFieldText3", medius + "customFieldText4", medius + "customFieldText5",
	}
	if !slices.Equal(users, want) || !slices.Equal(groups, []string{"displayName", "externalID", "members"}) {
		t.Errorf("users %v, groups %v", users, groups)
	}
}

func TestMappingsGiveTheValuesThatAreSent(t *testing.T) {
	kind := Constant("Employee", "userType")
	title := Direct("jobTitle", "title")
	title.Default = "None"
	j := Job{UserMappings: []Mapping{
		Direct("userPrincipalName", "userName"), Direct("mail", `emails[type eq "work"].value`), kind, title,
		SwitchIsSoftDeleted("active"), Reference("manager", "manager"),
	}}
	u := &company.User{UserPrincipalName: "eva_partner.test#EXT#@contoso.test", Manager: "m"}
	want := []wire.Attribute{
		{Path: "userName", Value: "eva_partner.test@contoso.test"}, {Path: "userType", Value: "Employee"},
		{Path: "title", Value: "None"}, {Path: "active", Value: true},
	}
	if got := j.UserAttributes(u, false); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if got := j.UserAttributes(u, true); got[3].Value != false {
		t.Errorf("inactive is %v", got)
	}
	if j.ManagerPath() != "manager" || j.ActivePath() != "active" || j.MapsMembers() {
		t.Error("the special mappings are not found")
	}
}

func TestAJobIsCompletedOrRefusedWithTheReason(t *testing.T) {
	good := Job{TenantURL: " https://h.test/scim/?aadOptscim062020", SecretToken: " t \n"}
	j, err := good.Complete()
	if err != nil || j.TenantURL != "https://h.test/scim" || j.SecretToken != "t" || j.Dialect != wire.Flagged ||
		j.Concurrency != 5 || j.MembersPerRequest != 1 || len(j.UserMappings) == 0 || len(j.GroupMappings) == 0 {
		t.Fatalf("%+v, %v", j, err)
	}
	if again, err := j.Complete(); err != nil || !reflect.DeepEqual(again, j) {
		t.Errorf("completing twice is not completing once: %+v, %v", again, err)
	}
	matching := Direct("userPrincipalName", "userName")
	matching.Matching = 1
	switched := SwitchIsSoftDeleted("active")
	switched.Matching = 1
	for want, spoil := range map[string]func(*Job){
		"Tenant URL":         func(j *Job) { j.TenantURL = "h" },
		"Secret Token":       func(j *Job) { j.SecretToken = " " },
		"dialect":            func(j *Job) { j.Dialect, j.TenantURL = "new", "https://h.test" },
		"precedence 1":       func(j *Job) { j.UserMappings = []Mapping{Direct("mail", "userName")} },
		"two mappings":       func(j *Job) { j.UserMappings = []Mapping{matching, Direct("mail", "USERNAME")} },
		"names no attribute": func(j *Job) { j.GroupMappings = []Mapping{Direct("displayName", "")} },
		"cannot match":       func(j *Job) { j.UserMappings = []Mapping{switched} },
		"operator":           func(j *Job) { j.Scope.UserFilter = []Clause{{"department", "LIKE", "x"}} },
		"missing closing )":  func(j *Job) { j.Scope.GroupFilter = []Clause{{"displayName", RegexMatch, "("}} },
	} {
		bad := good
		spoil(&bad)
		if _, err := bad.Complete(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestAScopeIsTheAssignedOnesAndTheFilter(t *testing.T) {
	c := &company.Company{
		Users: []*company.User{
			{ObjectID: "a", Department: "Finance", UserPrincipalName: "a@contoso.test"},
			{ObjectID: "b", Department: "Sales", UserPrincipalName: "b@fabrikam.test"},
			{ObjectID: "c", UserPrincipalName: "c@contoso.test"},
		},
		Groups: []*company.Group{
			{ObjectID: "g", DisplayName: "G", Members: []string{"a", "h"}},
			{ObjectID: "h", DisplayName: "H", Members: []string{"b"}},
		},
	}
	for name, tt := range map[string]struct {
		scope         Scope
		users, groups string
	}{
		"everybody":                      {Scope{}, "a b c", "g h"},
		"nobody":                         {Scope{Assigned: []string{}}, "", ""},
		"a user":                         {Scope{Assigned: []string{"c"}}, "c", ""},
		"a group, and not the one in it": {Scope{Assigned: []string{"g"}}, "a", "g"},
		"a group with the wrong members": {Scope{Assigned: []string{"g"}, UserFilter: []Clause{{"department", IsNull, ""}}}, "", "g"},
		"equals":                         {Scope{UserFilter: []Clause{{"department", Equals, "Finance"}}}, "a", "g h"},
		"equals minds case":              {Scope{UserFilter: []Clause{{"department", Equals, "finance"}}}, "", "g h"},
		"not equals":                     {Scope{UserFilter: []Clause{{"department", NotEquals, "Finance"}}}, "b c", "g h"},
		"is not null":                    {Scope{UserFilter: []Clause{{"department", IsNotNull, ""}}}, "a b", "g h"},
		"a pattern and another clause": {Scope{UserFilter: []Clause{
			{"userPrincipalName", RegexMatch, `@contoso\.test$`}, {"department", IsNotNull, ""},
		}}, "a", "g h"},
		"groups": {Scope{GroupFilter: []Clause{{"displayName", Equals, "H"}}}, "a b c", "h"},
	} {
		in := tt.scope.Of(c)
		if users, groups := listed(in.Users), listed(in.Groups); users != tt.users || groups != tt.groups {
			t.Errorf("%s: users %q, groups %q", name, users, groups)
		}
	}
}

func listed(set map[string]bool) string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(set)) {
		if set[id] {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, " ")
}

func TestMatchingGoesByPrecedenceAndLeavesOutWhatIsNotSet(t *testing.T) {
	second, first, third := Direct("mail", "userName"), Direct("x", "externalId"), Direct("y", "nickName")
	second.Matching, first.Matching, third.Matching = 2, 1, 3
	got := Matching([]Mapping{second, first, third, Direct("z", "title")}, []wire.Attribute{
		{Path: "title", Value: "t"}, {Path: "userName", Value: "u"}, {Path: "externalId", Value: "e"},
	})
	if len(got) != 2 || got[0].Path != "externalId" || got[1].Path != "userName" {
		t.Errorf("got %v", got)
	}
}
