package protocol_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
)

const anySearch = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"title co \"x\""}`

// wideWays are the ways to ask for a list that may take long.
func wideWays() map[string][3]string {
	return map[string][3]string{
		"a filter of users":     {"GET", `/Users?filter=title co "x"`, ""},
		"a filter of groups":    {"GET", `/Groups?filter=displayName co "x"`, ""},
		"a filter of both":      {"GET", `/?filter=displayName co "x"`, ""},
		"a sort":                {"GET", `/Users?sortBy=emails`, ""},
		"a first page":          {"GET", `/Users?filter=title co "x"&cursor=`, ""},
		"a search of users":     {"POST", "/Users/.search", anySearch},
		"a search of both":      {"POST", "/.search", strings.ReplaceAll(anySearch, "title", "displayName")},
		"a search for a cursor": {"POST", "/Users/.search", strings.Replace(anySearch, "{", `{"cursor":"",`, 1)},
	}
}

func TestAListThatTakesTooLongIsToldTheWayOut(t *testing.T) {
	f := newFixture(t)
	for name, way := range wideWays() {
		f.database.find = func(store.Query) (store.Page, error) { return store.Page{}, fmt.Errorf("find: %w", store.ErrTooWide) }
		got := f.send(way[0], way[1], way[2])
		f.wantError(got, http.StatusBadRequest, "tooMany")
		for _, out := range []string{"eq or sw", "fewer terms", "cursor"} {
			if !strings.Contains(string(got.body), out) {
				t.Errorf("%s: the detail does not say %q: %s", name, out, got.body)
			}
		}
		f.database.find = func(store.Query) (store.Page, error) { return store.Page{}, fmt.Errorf("find: %w", store.ErrBusy) }
		f.wantLater(f.send(way[0], way[1], way[2]), http.StatusServiceUnavailable, 1)
	}
	if logged := f.logs.String(); strings.Contains(logged, "unavailable") || strings.Contains(logged, "failed") {
		t.Errorf("the server's log takes it for a failure:\n%s", logged)
	}
}

// A query names its client, so that a credential's queries wait for its own and not for those of others.
func TestAListIsMadeForTheClientThatAsks(t *testing.T) {
	f := newFixture(t)
	reader, _ := token.New(strings.NewReader(strings.Repeat("payroll's token ", 2)))
	f.snapshot.Verifiers.Verifiers = append(f.snapshot.Verifiers.Verifiers, token.NewVerifier(reader, token.RoleReader, f.now))
	for secret, class := range map[string]share.Class{f.token: share.Provisioner, reader: share.Reader} {
		for name, way := range wideWays() {
			asked := 0
			f.database.find = func(q store.Query) (store.Page, error) {
				asked++
				if q.Client.Class != class || q.Client.ID == "" {
					t.Errorf("%s of a %s: the store is told of %+v", name, class, q.Client)
				}
				return store.Page{}, nil
			}
			got := f.sendWith(way[0], way[1], way[2], http.Header{"Authorization": {"Bearer " + secret}})
			if got.status != http.StatusOK || asked == 0 {
				t.Errorf("%s: %d after %d queries\n%s", name, got.status, asked, got.body)
			}
		}
	}
}

// Ten look-ups for each term and each query of the store: that of users, and that of groups.
func TestAListThatLooksAtManyResourcesCountsAsManyRequests(t *testing.T) {
	for name, c := range map[string]struct {
		path  string
		wide  bool
		err   error
		costs int
	}{
		"a look-up":            {path: `/Users?filter=title eq "x" or title eq "y"`, costs: 1},
		"a term":               {path: `/Users?filter=title co "x"`, wide: true, costs: 10},
		"a sort":               {path: `/Users?sortBy=emails`, wide: true, costs: 10},
		"three terms":          {path: `/Users?filter=title co "x" or emails[value co "x" and type co "y"]`, wide: true, costs: 30},
		"the same three times": {path: `/Users?filter=title co "x" or title co "x" or title co "x"`, wide: true, costs: 10},
		"both types":           {path: `/?filter=displayName co "x"`, wide: true, costs: 20},
		"one that is cut off":  {path: `/Users?filter=title co "x" or title co "y"`, wide: true, err: store.ErrTooWide, costs: 20},
		"one that hung up":     {path: `/Users?filter=title co "x" or title co "y"`, wide: true, err: context.Canceled, costs: 20},
		"one that has no turn": {path: `/Users?filter=title co "x"`, err: store.ErrBusy, costs: 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.limit(1, 100)
			f.database.find = func(store.Query) (store.Page, error) { return store.Page{Wide: c.wide}, c.err }
			f.send("GET", c.path, "")
			f.database.find = nil
			left := 0
			for f.send("GET", "/Users?count=0", "").status == http.StatusOK {
				left++
			}
			if left != 100-c.costs {
				t.Errorf("of 100 requests it counted as %d, want %d", 100-left, c.costs)
			}
			f.advance(time.Second)
		})
	}
}
