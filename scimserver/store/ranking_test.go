package store_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/store"
)

func rank(t *testing.T, q store.Query, n int) ([]string, int, error) {
	t.Helper()
	q.Sort.Key = func(r *store.Record) (string, bool, error) { return r.Key, r.Key != "", nil }
	ranking := store.NewRanking(q)
	for i := range n {
		// The last come first, and every tenth has no key.
		record := store.Record{ID: fmt.Sprintf("%06d", n-i), Key: fmt.Sprintf("%06d", n-i)}
		if (n-i)%10 == 0 {
			record.Key = ""
		}
		if err := ranking.Add(&record); err != nil {
			t.Fatal(err)
		}
	}
	page, total, err := ranking.Page()
	var ids []string
	for _, found := range page {
		ids = append(ids, found.ID)
	}
	return ids, total, err
}

func TestARankingGivesAnyPage(t *testing.T) {
	ten := "000011"
	for _, c := range []struct {
		name  string
		query store.Query
		want  []string
		total int
	}{
		{"the first", store.Query{Limit: 2, Sort: &store.Sort{}}, []string{"000001", "000002"}, 25},
		{"those without a key last", store.Query{Offset: 22, Limit: 5, Sort: &store.Sort{}}, []string{"000025", "000010", "000020"}, 25},
		{"descending, those without a key first", store.Query{Limit: 3, Sort: &store.Sort{Descending: true}}, []string{"000020", "000010", "000025"}, 25},
		{"one behind the end", store.Query{Offset: 25, Limit: 5, Sort: &store.Sort{}}, nil, 25},
		{"one far behind the end", store.Query{Offset: math.MaxInt, Limit: math.MaxInt, Sort: &store.Sort{}}, nil, 25},
		{"all", store.Query{Offset: 24, Limit: math.MaxInt, Sort: &store.Sort{}}, []string{"000020"}, 25},
		{"none but the total", store.Query{Sort: &store.Sort{}}, nil, 25},
		{"the first step of a walk", store.Query{Limit: 1, Offset: 3, After: store.Start, Sort: &store.Sort{}}, []string{"000001"}, 0},
		{"a step of a walk", store.Query{Limit: 2, After: "000011", Sort: &store.Sort{After: &ten}}, []string{"000012", "000013"}, 0},
		{"a step among those without a key", store.Query{Limit: 2, After: "000010", Sort: &store.Sort{}}, []string{"000020"}, 0},
		{"a descending step", store.Query{Limit: 2, After: "000011", Sort: &store.Sort{After: &ten, Descending: true}}, []string{"000009", "000008"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			ids, total, err := rank(t, c.query, 25)
			if err != nil || total != c.total || !cmp.Equal(ids, c.want) {
				t.Errorf("got %v of %d, %v; want %v of %d", ids, total, err, c.want, c.total)
			}
		})
	}
}

func TestARankingIsBounded(t *testing.T) {
	const many = store.MaxRanked + 50
	ids, total, err := rank(t, store.Query{Offset: store.MaxRanked - 1, Limit: 1, Sort: &store.Sort{}}, many)
	if err != nil || total != many || len(ids) != 1 {
		t.Errorf("the last page within the bound: %v of %d, %v", ids, total, err)
	}
	if _, _, err := rank(t, store.Query{Offset: store.MaxRanked, Limit: 1, Sort: &store.Sort{}}, many); !errors.Is(err, store.ErrTooMany) {
		t.Errorf("beyond the bound: %v", err)
	}
	if _, total, err := rank(t, store.Query{Offset: many, Limit: 1, Sort: &store.Sort{}}, many); err != nil || total != many {
		t.Errorf("behind the end: %d, %v", total, err)
	}
}

// 2,048 bytes are the longest key that a store takes.
func TestARankingOfLongKeysIsBoundedInBytes(t *testing.T) {
	long := strings.Repeat("x", store.MaxKey-6)
	for _, c := range []struct {
		offset, records int
		reached         bool
	}{
		{10_000, 40_000, true}, {10_000, 10_000, true}, {20_000, 60_000, false}, {store.MaxRanked - 1, 60_000, false},
	} {
		q := store.Query{Offset: c.offset - 1, Limit: 1, Sort: &store.Sort{}}
		q.Sort.Key = func(r *store.Record) (string, bool, error) { return long + r.ID, true, nil }
		ranking := store.NewRanking(q)
		var err error
		for n := c.records; n > 0 && err == nil; n-- {
			err = ranking.Add(&store.Record{ID: fmt.Sprintf("%06d", n)})
		}
		if !c.reached {
			if !errors.Is(err, store.ErrTooMany) {
				t.Errorf("the record at %d of %d: %v", c.offset, c.records, err)
			}
			continue
		}
		found, total, paged := ranking.Page()
		if err != nil || paged != nil || total != c.records || len(found) != 1 || found[0].ID != fmt.Sprintf("%06d", c.offset) {
			t.Errorf("the record at %d of %d is %v of %d, %v, %v", c.offset, c.records, found, total, err, paged)
		}
	}
}
