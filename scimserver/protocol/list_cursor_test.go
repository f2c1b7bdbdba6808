package protocol_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/cursor"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/test/race"
)

// pages walks through a list by cursor.
func (f *fixture) pages(first func(cursor string) answer) (names []string, totals []int) {
	f.t.Helper()
	cursor := ""
	for {
		p := f.page(first(cursor))
		names, totals = append(names, strings.Join(p.Names, " ")), append(totals, p.Total)
		if p.HasStart {
			f.t.Error("a page by cursor has a startIndex")
		}
		if cursor = p.NextCursor; cursor == "" {
			return names, totals
		}
		if len(names) > 20 {
			f.t.Fatal("the walk does not end")
		}
	}
}

func TestListsAreWalkedByCursor(t *testing.T) {
	f := people(t)
	for _, c := range []struct{ name, query, want string }{
		{"two at a time", "/Users?count=2", "dag Bea|alf Cia"},
		{"three at a time", "/Users?count=3", "dag Bea alf|Cia"},
		{"in one page", "/Users", "dag Bea alf Cia"},
		{"more than there may be", "/Users?count=5000", "dag Bea alf Cia"},
		{"sorted", "/Users?sortBy=title&count=1", "Bea|dag|Cia|alf"},
		{"sorted, descending", "/Users?sortBy=title&sortOrder=descending&count=3", "alf Cia dag|Bea"},
		{"sorted by one of several values", "/Users?sortBy=emails&count=3", "alf Bea dag|Cia"},
		{"filtered", "/Users?count=1&filter=" + url.QueryEscape(`title eq "clerk"`), "dag|Cia"},
		{"filtered and sorted", "/Users?count=1&sortBy=userName&filter=" + url.QueryEscape(`title pr`), "Bea|Cia|dag"},
		{"nothing", "/Users?count=9&filter=" + url.QueryEscape(`title eq "x"`), ""},
		{"whatever the startIndex", "/Users?count=3&startIndex=4", "dag Bea alf|Cia"},
	} {
		t.Run(c.name, func(t *testing.T) {
			separator := "?"
			if strings.Contains(c.query, "?") {
				separator = "&"
			}
			names, totals := f.pages(func(cursor string) answer {
				return f.send(http.MethodGet, f.http.URL+"/scim/v2"+c.query+separator+"cursor="+cursor, "")
			})
			if got := strings.Join(names, "|"); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			for _, total := range totals {
				if total != len(strings.Fields(strings.Join(names, " "))) {
					t.Errorf("totals %v of %v", totals, names)
				}
			}
		})
	}
	t.Run("by POST, across both types", func(t *testing.T) {
		names, _ := f.pages(func(cursor string) answer {
			return f.send(http.MethodPost, "/.search", fmt.Sprintf(`{%s,"count":3,"sortBy":"displayName","cursor":%q}`, searchRequest, cursor))
		})
		if got := strings.Join(names, "|"); got != "dag Bea alf|Cia Admins Staff" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("while resources come and go", func(t *testing.T) {
		f := people(t)
		first := f.page(f.send(http.MethodGet, "/Users?cursor&count=2&sortBy=userName", ""))
		f.expect(http.MethodDelete, "/Users/{Bea}", "", http.StatusNoContent, "")
		f.create("aba", "/Users", `{"userName":"aba"}`)
		f.create("bo", "/Users", `{"userName":"bo"}`)
		next := f.page(f.send(http.MethodGet, "/Users?count=9&sortBy=userName&cursor="+first.NextCursor, ""))
		if got := strings.Join(append(first.Names, next.Names...), " "); got != "alf Bea bo Cia dag" {
			t.Errorf("got %s", got)
		}
		if next.Total != 4 {
			t.Errorf("the total is that of the beginning, 4; got %d", next.Total)
		}
	})
}

func TestCursorsAreRefused(t *testing.T) {
	f := people(t)
	cursor := f.page(f.send(http.MethodGet, "/Users?cursor=&count=1&sortBy=title", "")).NextCursor
	if cursor == "" || strings.Contains(cursor, f.ids["Bea"]) {
		t.Fatalf("cursor = %q", cursor)
	}
	for name, c := range map[string]struct{ path, scimType string }{
		"made up":                    {"/Users?cursor=VZUTiyhEQJ94IR&sortBy=title", "invalidCursor"},
		"of another order":           {"/Users?cursor=" + cursor, "invalidCursor"},
		"of another direction":       {"/Users?sortBy=title&sortOrder=descending&cursor=" + cursor, "invalidCursor"},
		"of another type":            {"/Groups?sortBy=title&cursor=" + cursor, "invalidCursor"},
		"of another filter":          {"/Users?sortBy=title&filter=" + url.QueryEscape("title pr") + "&cursor=" + cursor, "invalidCursor"},
		"of the whole directory":     {"?filter=title pr&sortBy=title&cursor=" + cursor, "invalidCursor"},
		"with no count":              {"/Users?sortBy=title&count=none&cursor=" + cursor, "invalidCount"},
		"with a count of nothing":    {"/Users?sortBy=title&count=0&cursor=" + cursor, "invalidCount"},
		"with a count below nothing": {"/Users?sortBy=title&count=-1&cursor=" + cursor, "invalidCount"},
		"with half a count":          {"/Users?count=1.5&cursor", "invalidCount"},
	} {
		t.Run(name, func(t *testing.T) {
			f.wantError(f.send(http.MethodGet, f.http.URL+"/scim/v2"+c.path, ""), http.StatusBadRequest, c.scimType)
		})
	}
	t.Run("of another client", func(t *testing.T) {
		other, _ := token.New(strings.NewReader(strings.Repeat("another's token ", 2)))
		f.snapshot.Verifiers.Verifiers = append(f.snapshot.Verifiers.Verifiers, token.NewVerifier(other, token.RoleProvisioner, f.now))
		got := f.sendWith(http.MethodGet, "/Users?sortBy=title&cursor="+cursor, "", http.Header{"Authorization": {"Bearer " + other}})
		f.wantError(got, http.StatusBadRequest, "invalidCursor")
	})
	t.Run("when it has expired, and not before", func(t *testing.T) {
		f.advance(protocol.CursorTimeout - 1)
		f.expect(http.MethodGet, "/Users?sortBy=title&cursor="+cursor, "", http.StatusOK, "")
		f.advance(1)
		f.wantError(f.send(http.MethodGet, "/Users?sortBy=title&cursor="+cursor, ""), http.StatusBadRequest, "expiredCursor")
	})
}

// TestACursorOfOneReplicaIsHonouredByTheOthers has all replicas make their first cursor at once, when none has the key yet.
func TestACursorOfOneReplicaIsHonouredByTheOthers(t *testing.T) {
	race.Meets(t)
	f := people(t)
	replicas := []string{f.http.URL + v1alpha1.BasePath, f.replica(), f.replica()}
	first := make([]answer, len(replicas))
	var all sync.WaitGroup
	for i, base := range replicas {
		all.Go(func() { first[i] = f.send(http.MethodGet, base+"/Users?count=2&cursor=", "") })
	}
	all.Wait()
	for i := range replicas {
		cursor := f.page(first[i]).NextCursor
		for j, base := range replicas {
			got := f.send(http.MethodGet, base+"/Users?count=2&cursor="+cursor, "")
			if got.status != http.StatusOK {
				t.Fatalf("replica %d refuses the cursor of replica %d: %d %s", j, i, got.status, got.body)
			}
			if names := f.names(got); names != "alf Cia" {
				t.Errorf("behind the cursor of replica %d, replica %d finds %s", i, j, names)
			}
		}
	}
}

func TestACursorThatNoListHasMadeIsInvalidThoughItIsSealed(t *testing.T) {
	f := newFixture(t)
	sealer, err := cursor.NewSealer(make([]byte, cursor.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	const anna = "01890a5d-ac96-774b-bcce-b302099a8057"
	for _, c := range []struct {
		cursor.Place

		valid bool
	}{
		{cursor.Place{Kind: 1, ID: anna, Total: 1}, true}, {cursor.Place{Kind: 2, ID: anna}, true}, {cursor.Place{Kind: 1, ID: "anna"}, false},
		{cursor.Place{Kind: 1}, false}, {cursor.Place{Kind: 3, ID: anna}, false}, {cursor.Place{ID: anna}, false}, {cursor.Place{Kind: 1, ID: anna, Total: -1}, false},
	} {
		text, err := sealer.Seal(c.Place, nil, time.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.server.Place(text, sealer, nil); (err == nil) != c.valid {
			t.Errorf("%+v: %v", c.Place, err)
		}
	}
}
