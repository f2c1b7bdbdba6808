package entra_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/internal/fakescim"
	"github.com/tenantry/tenantry/test/entra/job"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// Verify is worth something only if it sees every kind of damage. Each row damages a directory that was found right,
// and names the one difference that must be found.
func TestVerifyFindsEveryKindOfDeviation(t *testing.T) {
	type objects = map[string]fakescim.Object
	sub := func(o fakescim.Object, name string) fakescim.Object { return o[name].(fakescim.Object) }
	for name, tt := range map[string]struct {
		damage            func(bo, team fakescim.Object, users, groups objects)
		object, attribute string
		count             int
	}{
		"a userName":            {func(bo, _ fakescim.Object, _, _ objects) { bo["userName"] = "x" }, "User", "userName", 1},
		"only the case changed": {func(bo, _ fakescim.Object, _, _ objects) { bo["userName"] = "BO@contoso.test" }, "User", "userName", 1},
		"an attribute lost":     {func(bo, _ fakescim.Object, _, _ objects) { delete(bo, "displayName") }, "User", "displayName", 1},
		"a sub-attribute": {
			func(bo, _ fakescim.Object, _, _ objects) { sub(bo, "name")["givenName"] = "Bo " }, "User", "name.givenName", 1,
		},
		"an e-mail": {
			func(bo, _ fakescim.Object, _, _ objects) { bo["emails"].([]any)[0].(fakescim.Object)["value"] = "x" },
			"User", `emails[type eq "work"].value`, 1,
		},
		"an e-mail's type": {
			func(bo, _ fakescim.Object, _, _ objects) { bo["emails"].([]any)[0].(fakescim.Object)["type"] = "home" },
			"User", `emails[type eq "work"].value`, 1,
		},
		"an extension attribute": {
			func(bo, _ fakescim.Object, _, _ objects) { sub(bo, wire.SchemaMediusUser)["customFieldText1"] = "x" },
			"User", wire.SchemaMediusUser + ":customFieldText1", 1,
		},
		"an extension lost": {
			func(bo, _ fakescim.Object, _, _ objects) { delete(bo, wire.SchemaMediusUser) },
			"User", wire.SchemaMediusUser + ":customFieldText1", 1,
		},
		"inactive":           {func(bo, _ fakescim.Object, _, _ objects) { bo["active"] = false }, "User", "active", 1},
		"active as a string": {func(bo, _ fakescim.Object, _, _ objects) { bo["active"] = "True" }, "User", "active", 1},
		"no active at all":   {func(bo, _ fakescim.Object, _, _ objects) { delete(bo, "active") }, "User", "active", 1},
		"another manager": {
			func(bo, _ fakescim.Object, _, _ objects) {
				sub(bo, wire.SchemaEnterpriseUser)["manager"] = fakescim.Object{"value": "u-9"}
			}, "User", wire.SchemaEnterpriseUser + ":manager", 1,
		},
		"a manager as a bare string": {
			func(bo, _ fakescim.Object, _, _ objects) { sub(bo, wire.SchemaEnterpriseUser)["manager"] = "u-0001" },
			"User", wire.SchemaEnterpriseUser + ":manager", 1,
		},
		"a user gone": {
			func(bo, _ fakescim.Object, users, _ objects) { delete(users, bo["id"].(string)) }, "User", "id", 1,
		},
		"a user twice": {
			func(bo, _ fakescim.Object, users, _ objects) {
				twin := maps.Clone(bo)
				twin["id"] = "twin"
				users["twin"] = twin
			}, "User", "id", 1,
		},
		"a group's name": {func(_, team fakescim.Object, _, _ objects) { team["displayName"] = "x" }, "Group", "displayName", 1},
		"a group gone": {
			func(_, team fakescim.Object, _, groups objects) { delete(groups, team["id"].(string)) }, "Group", "id", 1,
		},
		"a group unknown": {
			func(_, _ fakescim.Object, _, groups objects) { groups["g"] = fakescim.Object{"id": "g"} }, "Group", "id", 1,
		},
		"a member lost": {
			func(_, team fakescim.Object, _, _ objects) { team["members"] = team["members"].([]any)[1:] },
			"Group", "members", 1,
		},
		"all members lost": {func(_, team fakescim.Object, _, _ objects) { delete(team, "members") }, "Group", "members", 3},
		"a member too many": {
			func(_, team fakescim.Object, _, _ objects) {
				team["members"] = append(team["members"].([]any), fakescim.Object{"value": "x"})
			}, "Group", "members", 1,
		},
		"a member twice": {
			func(_, team fakescim.Object, _, _ objects) {
				team["members"] = append(team["members"].([]any), team["members"].([]any)[0])
			}, "Group", "members", 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, small())
			w.cycleOK()
			w.verifyOK()
			w.server.Edit(func(users, groups map[string]fakescim.Object) {
				tt.damage(users[w.service.State().Users["o-bo"].ID], groups[w.service.State().Groups["o-team"].ID], users, groups)
			})
			found := w.verify()
			if len(found) != tt.count || found[0].Object != tt.object || found[0].Attribute != tt.attribute {
				t.Fatalf("found %v", found)
			}
			if w.service.State().Users["o-bo"] == nil || found[0].String() == "" {
				t.Fatal("verifying changed the state")
			}
		})
	}
}

func TestVerifyFindsWhatTheCompanyHasAndTheServerHasNot(t *testing.T) {
	w := newWorld(t, small())
	w.cycleOK()
	for _, step := range []struct {
		change func()
		want   string
	}{
		{func() { w.company.User("o-bo").JobTitle = "Lead" }, `User o-bo: title should be "Lead" and is nothing`},
		{func() { w.company.User("o-bo").AccountEnabled = false }, `User o-bo: active should be "false" and is "true"`},
		{func() { w.company.User("o-bo").DeletedAt = w.now }, `User o-bo: active should be "false" and is "true"`},
		{func() { w.company.User("o-cy").Manager = "" }, `manager should be nothing and is "u-`},
		{func() {
			w.company.Users = append(w.company.Users, &company.User{ObjectID: "o-x", AccountEnabled: true})
		},
			`User o-x: id should be "a user" and is nothing`},
		{func() { w.company.Groups = nil }, `Group o-team: id should be nothing and is "g-`},
		{func() { w.company.Users = w.company.Users[:1] }, `User o-bo: id should be nothing and is "u-`},
	} {
		before := w.company.Clone()
		step.change()
		if found := fmt.Sprint(w.verify()); !strings.Contains(found, step.want) {
			t.Errorf("%s is missing in %s", step.want, found)
		}
		w.company = before
	}
	w.verifyOK()
}

func TestVerifyObjectsToPagesThatDoNotAddUp(t *testing.T) {
	page := func(total, start int, ids ...string) string {
		var list []string
		for _, id := range ids {
			list = append(list, fmt.Sprintf(`{"id":%q}`, id))
		}
		return fmt.Sprintf(`%s%d,"startIndex":%d,"Resources":[%s]}`, emptyList, total, start, strings.Join(list, ","))
	}
	for name, pages := range map[string]map[string]string{
		"a resource on two pages":     {"1": page(3, 1, "a", "b"), "3": page(3, 3, "b")},
		"fewer than totalResults":     {"1": page(3, 1, "a", "b"), "3": page(3, 3)},
		"another page than asked for": {"1": page(3, 1, "a", "b"), "3": page(3, 1, "c")},
		"a resource without an id":    {"1": page(1, 1, "")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, small())
			w.server.Intercept = func(rw http.ResponseWriter, r *http.Request) bool {
				_, _ = rw.Write([]byte(pages[r.URL.Query().Get("startIndex")]))
				return true
			}
			if _, err := w.service.Verify(t.Context(), w.company); err == nil {
				t.Fatal("nothing was found wrong")
			}
		})
	}
}

func TestWhatWasNeverSentIsNotCompared(t *testing.T) {
	w := newWorld(t, small())
	w.cycleOK()
	w.server.Edit(func(users, _ map[string]fakescim.Object) {
		for _, u := range users { // a default that the server filled in
			u["title"], u["locale"] = "Employee", "sv-SE"
		}
	})
	w.verifyOK()
}

func TestAMappingCanApplyOnCreationOnlyOrBeConstant(t *testing.T) {
	w := newWorld(t, small(), func(j *job.Job) {
		userType, title := job.Constant("Employee", "userType"), job.Direct("jobTitle", "title")
		userType.CreateOnly, title.Default = true, "None yet"
		j.UserMappings = append(job.MediusFlowUserMappings(), userType, title)
	})
	w.cycleOK()
	w.verifyOK()
	if got, _ := w.at("o-bo").Value("title"); got != "None yet" {
		t.Fatalf("title is %v", got)
	}
	if got, _ := w.at("o-bo").Value("userType"); got != "Employee" {
		t.Fatalf("userType is %v", got)
	}
	w.service.Restart()
	w.server.Edit(func(users, _ map[string]fakescim.Object) {
		for _, u := range users {
			u["userType"] = "Contractor"
		}
	})
	w.cycleOK()
	if got, _ := w.at("o-bo").Value("userType"); got != "Contractor" {
		t.Fatalf("userType was sent again: %v", got)
	}
}
