package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

var portionTests = []testCase{
	{"a page whose records have many bytes comes in portions", func(t *testing.T, s store.Store) {
		const users = 300
		for n := 1; n <= users; n++ {
			insert(t, s, record(store.User, n, schema.Object{
				"userName": fmt.Sprintf("user%d", users-n), "title": strings.Repeat("t", 1000), "nickName": fmt.Sprintf("nick%03d", n*7%users),
			}))
		}
		byName := sortBy(store.User, "userName", false)
		for name, q := range map[string]store.Query{
			"all":                     {Limit: 250},
			"behind an offset":        {Offset: 20, Limit: 250},
			"sorted by a column":      {Sort: byName, Offset: 3, Limit: 250},
			"sorted by an index":      {Sort: sortBy(store.User, "nickName", true), Limit: 250},
			"filtered":                {Filter: parse(t, store.User, `title sw "ttt"`), Limit: 250},
			"filtered by Match":       {Filter: parse(t, store.User, `not (x509Certificates pr) and title pr`), Limit: 250},
			"filtered and sorted":     {Filter: parse(t, store.User, `not (x509Certificates pr)`), Sort: sortBy(store.User, "nickName", false), Limit: 250},
			"few candidates":          {Filter: parse(t, store.User, `nickName sw "nick0" and not (x509Certificates pr)`), Limit: 250},
			"few candidates, sorted":  {Filter: parse(t, store.User, `nickName sw "nick0" and not (x509Certificates pr)`), Sort: byName, Limit: 250},
			"one":                     {Filter: parse(t, store.User, `userName eq "user7"`), Limit: 250},
			"a total":                 {},
			"a walk":                  {After: store.Start, Limit: 250},
			"a sorted walk":           {After: store.Start, Sort: sortBy(store.User, "nickName", false), Limit: 250},
			"a walk through a filter": {After: store.Start, Filter: parse(t, store.User, `title co "t" and not (x509Certificates pr)`), Limit: 250},
		} {
			q.Kind = store.User
			if q.Filter != nil {
				q.Match = match(q.Filter)
			}
			whole := find(t, s, q)
			equal(t, name+": without Bytes there is no more", false, whole.More)
			q.Bytes = 20_000
			portion := find(t, s, q)
			equal(t, name+": total", whole.Total, portion.Total)
			got, most, left := portion.Records, len(portion.Records), q.Limit
			for portion.More {
				last := &portion.Records[len(portion.Records)-1]
				q.Offset, q.After, left = 0, last.ID, left-len(portion.Records)
				if q.Limit = left; q.Sort != nil {
					sort := *q.Sort
					if key, ok, err := sort.Key(last); err != nil {
						t.Fatal(err)
					} else if sort.After = nil; ok {
						sort.After = &key
					}
					q.Sort = &sort
				}
				portion = find(t, s, q)
				got, most = append(got, portion.Records...), max(most, len(portion.Records))
			}
			equal(t, name, numbers(t, whole.Records), numbers(t, got))
			// A hundred candidates may be in a portion of which the filter decides nothing but Match.
			if most > 20 && !strings.Contains(name, "few candidates, sorted") {
				t.Errorf("%s: %d records came together, want 20 at most", name, most)
			}
		}
	}},
	{"a record that is larger than a portion is one", func(t *testing.T, s store.Store) {
		for n := range 2 {
			insert(t, s, record(store.User, n+1, schema.Object{"title": strings.Repeat("t", 5000)}))
		}
		page := find(t, s, store.Query{Kind: store.User, Limit: 10, Bytes: 10})
		equal(t, "the first", []int{1}, numbers(t, page.Records))
		equal(t, "there is more", true, page.More)
		equal(t, "total", 2, page.Total)
		page = find(t, s, store.Query{Kind: store.User, Limit: 1, Bytes: 10})
		equal(t, "a page that is whole has no more", false, page.More)
	}},
}
