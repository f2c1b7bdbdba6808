package company

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func encode(t *testing.T, c *Company) string {
	t.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestTheSameSeedGivesTheSameCompanyAndTheSameLife(t *testing.T) {
	live := func(seed uint64) (*Company, []Event) {
		c := Generate(Size{Seed: seed, Users: 200, Groups: 30})
		var events []Event
		for i := range 6 {
			events = append(events, DefaultLife(seed).Period(c, start.AddDate(0, 0, 10*i))...)
		}
		return c, events
	}
	a, happenedA := live(1)
	b, happenedB := live(1)
	if encode(t, a) != encode(t, b) || !reflect.DeepEqual(happenedA, happenedB) {
		t.Error("the same seed gave two companies")
	}
	if other, _ := live(2); encode(t, a) == encode(t, other) {
		t.Error("two seeds gave the same company")
	}
}

// A life that is taken up from a file goes on as it would have without the pause.
func TestALifeGoesOnAfterBeingWrittenAndRead(t *testing.T) {
	c := Generate(Size{Seed: 4, Users: 50, Groups: 12})
	life := DefaultLife(4)
	life.Period(c, start)
	read, err := Read(strings.NewReader(encode(t, c)))
	if err != nil {
		t.Fatal(err)
	}
	life.Period(c, start.AddDate(0, 0, 1))
	life.Period(read, start.AddDate(0, 0, 1))
	if encode(t, c) != encode(t, read) {
		t.Error("the lives parted")
	}
}

func TestACompanyStaysSoundThroughItsLife(t *testing.T) {
	for _, size := range []Size{{Users: 300, Groups: 40}, {Users: 50, Groups: 400}, {Users: 3, Groups: 2}, {Users: 1}, {}, {Users: 20}, {Groups: 4}} {
		c := Generate(size)
		if len(c.Users) != size.Users || len(c.Groups) != size.Groups {
			t.Fatalf("%d users, %d groups, asked for %+v", len(c.Users), len(c.Groups), size)
		}
		names, groupNames := map[string]string{}, map[string]string{}
		now := start
		for range 12 {
			if err := c.Validate(); err != nil {
				t.Fatalf("%+v: %v", size, err)
			}
			groups := map[string]string{}
			for _, g := range c.Groups {
				name := strings.ToLower(g.DisplayName)
				if groups[name] != "" {
					t.Fatalf("two groups are called %s", name)
				}
				if owner := groupNames[name]; owner != "" && owner != g.ObjectID {
					t.Fatalf("%s was the name of another group a moment ago", name)
				}
				groups[name] = g.ObjectID
				if slices.Contains(g.Members, g.ObjectID) {
					t.Fatalf("%s is its own member", g.DisplayName)
				}
			}
			for _, u := range c.Users {
				if owner := names[u.MailNickname]; owner != "" && owner != u.ObjectID {
					t.Fatalf("%s was the name of someone else", u.MailNickname)
				}
				names[u.MailNickname] = u.ObjectID
				if ascii(u.MailNickname) != strings.ReplaceAll(u.MailNickname, ".", "") {
					t.Errorf("%s is no plain mail name", u.MailNickname)
				}
			}
			groupNames = groups
			managersFormATree(t, c)
			now = now.AddDate(0, 0, 7)
			DefaultLife(3).Period(c, now)
		}
	}
}

func managersFormATree(t *testing.T, c *Company) {
	t.Helper()
	for _, u := range c.Users {
		steps := 0
		for m := c.User(u.Manager); m != nil; m = c.User(m.Manager) {
			if steps++; steps > len(c.Users) {
				t.Fatalf("%s manages himself in the end", u.DisplayName)
			}
		}
	}
}

func TestWhoIsSoftDeletedIsPurgedAfter30DaysAndNotBefore(t *testing.T) {
	c := Generate(Size{Users: 4, Groups: 20})
	gone := c.Users[0]
	gone.DeletedAt = start
	nothing := Life{}
	if events := nothing.Period(c, start.Add(Retention-time.Second)); len(events) > 0 {
		t.Fatalf("too early: %v", events)
	}
	events := nothing.Period(c, start.Add(Retention))
	if !reflect.DeepEqual(events, []Event{{Purged, gone.ObjectID}}) || c.User(gone.ObjectID) != nil {
		t.Fatalf("got %v", events)
	}
	if err := c.Validate(); err != nil {
		t.Fatalf("something still refers to the purged user: %v", err)
	}
}

func TestGeneratedNamesAreOfManyPlacesAndInSeveralDomains(t *testing.T) {
	c := Generate(Size{Users: 500, Name: "Fabrikam Ltd"})
	domains, guests, foreign := map[string]int{}, 0, 0
	for _, u := range c.Users {
		_, domain, _ := strings.Cut(u.UserPrincipalName, "@")
		domains[domain]++
		if strings.Contains(u.UserPrincipalName, "#EXT#") {
			guests++
		}
		if strings.IndexFunc(u.DisplayName, func(r rune) bool { return r > 127 }) >= 0 {
			foreign++
		}
	}
	if len(domains) < 3 || domains["fabrikam.test"] == 0 || guests == 0 || foreign < 100 {
		t.Errorf("domains %v, %d guests, %d names beyond ASCII", domains, guests, foreign)
	}
}

// As docs/entra.md has it: the issuer of the Entra tenant's tokens, and what they have as oid.
func TestEveryoneCanSignIn(t *testing.T) {
	c := Generate(Size{Seed: 7, Users: 50})
	for _, u := range c.Users {
		if provider, name := u.Attribute("identityProvider"), u.Attribute("nameIdentifier"); provider != "https://login.microsoftonline.com/"+c.TenantID+"/v2.0" ||
			name != u.ObjectID {
			t.Fatalf("%s signs in as %s at %s", u.ObjectID, name, provider)
		}
	}
}

func TestAttributesAreReadAndSetByTheirEntraNames(t *testing.T) {
	u := &User{ObjectID: "o", Manager: "m", AccountEnabled: true}
	for _, name := range []string{
		"userPrincipalName", "mailNickname", "displayName", "givenName", "surname", "mail", "department", "jobTitle",
		"customFieldText1",
	} {
		if u.Set(name, "v-"+name); u.Attribute(name) != "v-"+name {
			t.Errorf("%s is %q", name, u.Attribute(name))
		}
		if u.Set(name, ""); u.Attribute(name) != "" {
			t.Errorf("%s was not cleared", name)
		}
	}
	if u.Attribute("objectId") != "o" || u.Attribute("manager") != "m" || u.Attribute("accountEnabled") != "True" {
		t.Error("a fixed attribute is wrong")
	}
	c := Generate(Size{Users: 5})
	c.Distribute("department", "A", "B")
	if c.Users[0].Department != "A" || c.Users[3].Department != "B" || c.Users[4].Department != "A" {
		t.Error("values are not distributed in turn")
	}
}

func TestACompanyFileIsChecked(t *testing.T) {
	user := `{"objectId":"1","userPrincipalName":"a@b.test"}`
	for text, want := range map[string]string{
		`{`:                                     "unexpected EOF",
		`{"user":[]}`:                           "unknown field",
		`{"users":[{"userPrincipalName":"a"}]}`: "no objectId",
		`{"users":[{"objectId":"1"}]}`:          "no userPrincipalName",
		`{"users":[` + user + `,` + user + `]}`: "already taken",
		`{"users":[` + user + `,{"objectId":"2","userPrincipalName":"A@B.test"}]}`: "already taken",
		`{"users":[{"objectId":"1","userPrincipalName":"a","manager":"9"}]}`:       "manager 9",
		`{"groups":[{"displayName":"x"}]}`:                                         "no objectId",
		`{"groups":[{"objectId":"1"}]}`:                                            "no displayName",
		`{"users":[` + user + `],"groups":[{"objectId":"1","displayName":"x"}]}`:   "already taken",
		`{"groups":[{"objectId":"1","displayName":"x","members":["9"]}]}`:          "member 9",
	} {
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestACloneSharesNothing(t *testing.T) {
	c := Generate(Size{Users: 30, Groups: 12})
	before := encode(t, c)
	DefaultLife(1).Period(c.Clone(), start)
	if encode(t, c) != before {
		t.Error("the clone's life changed the original")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"users":[{"objectId":"1","userPrincipalName":"a@b.test","manager":"1"}],"groups":[{"objectId":"2","displayName":"g","members":["1","2"]}]}`))
	f.Add([]byte(`{"users":[null]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := Read(bytes.NewReader(raw))
		if err == nil {
			DefaultLife(1).Period(c, start)
		}
	})
}

// When everything is renamed and as much is founded, no new group takes a name that has just become free.
func TestANewGroupDoesNotTakeANameThatHasJustBecomeFree(t *testing.T) {
	c := Generate(Size{Users: 10, Groups: 200})
	life := Life{GroupRename: 1, GroupFound: 1, GroupDissolve: 0.1}
	for i := range 4 {
		before := map[string]string{}
		for _, g := range c.Groups {
			before[g.DisplayName] = g.ObjectID
		}
		life.Period(c, start.AddDate(0, 0, i))
		for _, g := range c.Groups {
			if owner := before[g.DisplayName]; owner != "" && owner != g.ObjectID {
				t.Fatalf("period %d: %s was the name of another group a moment ago", i+1, g.DisplayName)
			}
		}
	}
}
