package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// age takes from a user's document, and from what is laid under it, the lists that versions before this did not keep.
func (f *fixture) age(name string) {
	f.t.Helper()
	ctx := f.t.Context()
	unlisted := func(data []byte) []byte {
		if len(data) == 0 {
			return data
		}
		values, err := schema.Decode(data)
		if err != nil {
			f.t.Fatal(err)
		}
		if stamp, ok := values[tenantryURN].(schema.Object); ok {
			delete(stamp, "defaulted")
		}
		if data, err = json.Marshal(values); err != nil {
			f.t.Fatal(err)
		}
		return data
	}
	err := f.database.Update(ctx, func(tx store.Tx) error {
		rec, err := tx.Get(ctx, store.User, f.ids[name])
		if err != nil {
			return err
		}
		rec.Document, rec.Overlay = unlisted(rec.Document), unlisted(rec.Overlay)
		return tx.Replace(ctx, &rec)
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func TestWhereNotAllIsKnownOfAUserThereIsNoList(t *testing.T) {
	race.Meets(t)
	always := finance(v1alpha1.ApplyAlways)
	always.Name, always.Spec.Attributes = "always", []v1alpha1.AttributeDefault{{Path: "title", Value: "Employee"}}
	f := newFixture(t)
	listed := func(id string) bool {
		return f.field(f.expect("GET", "/Users/{"+id+"}", "", 200, ""), tenantryURN, "defaulted") != nil
	}
	f.followDefaults(finance(v1alpha1.ApplyOnCreate))
	f.create("stamped", "/Users", `{"userName":"stamped"}`)
	f.age("stamped")
	f.followDefaults(always)
	f.create("followed", "/Users", `{"userName":"followed"}`)
	f.age("followed")
	for _, id := range []string{"stamped", "followed"} {
		if listed(id) {
			t.Errorf("a user %s by an older version has a list", id)
		}
		f.expect("PATCH", "/Users/{"+id+"}", `{"Operations":[{"op":"add","path":"nickName","value":"N"}]}`, 204, "")
		if !listed(id) {
			t.Errorf("a user %s by an older version has no list after the client's next write", id)
		}
	}
	want := strings.Replace(strings.ReplaceAll(given, "<finance", "<"), "honorificPrefix", "title Employee <always\nhonorificPrefix", 1)
	if got := f.values(f.expect("PUT", "/Users/{stamped}", `{"userName":"stamped"}`, 200, "")); got != want {
		t.Errorf("stamped before, and followed now:\n%s\nwant\n%s", got, want)
	}
}

// Of a user that an older version stamped nobody knows who gave which value: all that defaults can give stay until the
// client speaks of them. What defaults cannot give is the client's, as ever.
func TestValuesOfUnknownOriginSurviveAPut(t *testing.T) {
	const arrived = `{"userName":"anna","externalId":"e1","title":"Boss","emails":[{"value":"a@x"}],"active":false,"name":{"givenName":"A"}}`
	unknown := strings.ReplaceAll(given, "<finance", "<")
	titled := strings.Replace(unknown, "honorificPrefix", "title Boss <\nhonorificPrefix", 1)
	for name, c := range map[string]struct{ method, body, then, later string }{
		"a PUT that says nothing of them": {"PUT", `{"userName":"anna","active":false}`, titled, titled},
		"a PUT that says something":       {"PUT", `{"userName":"anna","active":false,"roles":null,"title":"Boss"}`, strings.Replace(strings.Replace(titled, "Boss <", "Boss", 1), "roles approver <\n", "", 1), strings.Replace(unknown, "roles approver <\n", "", 1)},
		"a PATCH that says nothing":       {"PATCH", `{"Operations":[{"op":"replace","path":"nickName","value":"N"}]}`, titled, titled},
		"a PATCH that says something":     {"PATCH", `{"Operations":[{"op":"replace","path":"title","value":"Boss"},{"op":"add","path":"costCenter","value":"7"}]}`, strings.Replace(strings.Replace(titled, "100 <", "7", 1), "Boss <", "Boss", 1), strings.Replace(unknown, "\ncostCenter 100 <", "", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.setDefaults(finance(v1alpha1.ApplyOnCreate))
			f.create("anna", "/Users", arrived)
			f.age("anna")
			f.setDefaults() // since then they are deleted
			before := f.expect("GET", "/Users/{anna}", "", 200, "")
			if list := f.field(before, tenantryURN, "defaulted"); list != nil {
				t.Fatalf("an old user has the list %v", list)
			}
			status := map[string]int{"PUT": 200, "PATCH": 204}[c.method]
			f.expect(c.method, "/Users/{anna}", c.body, status, "")
			then := f.expect("GET", "/Users/{anna}", "", 200, "")
			if got := f.values(then, "name.givenName"); got != c.then {
				t.Errorf("then:\n%s\nwant\n%s", got, c.then)
			}
			for range 2 {
				later := f.expect("PUT", "/Users/{anna}", `{"userName":"anna","active":false}`, 200, "")
				if got := f.values(later, "name.givenName"); got != c.later {
					t.Errorf("later:\n%s\nwant\n%s", got, c.later)
				}
				if f.field(later, "emails") != nil || f.field(later, "externalId") != nil {
					t.Errorf("what no defaults give is still there: %s", later.body)
				}
			}
		})
	}
}
