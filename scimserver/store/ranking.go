package store

import (
	"cmp"
	"slices"
	"strings"
)

// MaxRanked bounds the memory of a Ranking, in records of which the key and the id are kept. Pages that end beyond it
// can only be reached by a walk, which keeps no more than its own pages.
const MaxRanked = 100_000

// maxRankedBytes bounds the memory of a Ranking where keys are long. Half of it is room for 100,000 keys of 160 bytes.
const maxRankedBytes = 48 << 20

// Ranking finds one page of a sorted list among records that come in any order, for engines that cannot sort by
// themselves. It keeps keys and ids up to the end of the page, and no record.
type Ranking struct {
	query Query
	first []ranked // those that may be on the page or before it
	bytes int      // what these take in memory
	end   int      // where the page ends, at most MaxRanked
	total int
}

// NewRanking returns a Ranking for a query that has a Sort.
func NewRanking(q Query) *Ranking {
	if q.After != "" {
		q.Offset = 0
	}
	r := &Ranking{query: q}
	if q.Limit > 0 {
		r.end = min(min(q.Offset, MaxRanked)+min(q.Limit, MaxRanked), MaxRanked)
	}
	return r
}

// Add shows the Ranking a record that matches. The error is ErrTooMany or that of Sort.Key.
func (r *Ranking) Add(record *Record) error {
	key, ok, err := r.query.Sort.Key(record)
	if err != nil {
		return err
	}
	candidate := ranked{key: key, missing: !ok, id: record.ID}
	if after := r.query.After; after != "" && after != Start {
		last := ranked{missing: r.query.Sort.After == nil, id: after}
		if !last.missing {
			last.key = *r.query.Sort.After
		}
		if r.compare(candidate, last) <= 0 {
			return nil
		}
	}
	r.total++
	if r.end == 0 {
		return nil
	}
	r.first = append(r.first, candidate)
	r.bytes += candidate.size()
	if len(r.first) >= 2*r.end || r.bytes > maxRankedBytes {
		r.cut()
		if r.bytes > maxRankedBytes/2 { // or each of the next would have it cut again
			return ErrTooMany
		}
	}
	return nil
}

// cut sorts what is kept and drops what lies behind the page.
func (r *Ranking) cut() {
	slices.SortFunc(r.first, r.compare)
	kept := min(len(r.first), r.end)
	for _, dropped := range r.first[kept:] {
		r.bytes -= dropped.size()
	}
	clear(r.first[kept:])
	r.first = r.first[:kept]
}

// Found is a resource of a sorted list: its id, and the key by which it has its place there, nil for none.
type Found struct {
	ID  string
	Key *string
}

// Page returns what is on the page in its order and, but for a walk, how many records there were. The error is ErrTooMany.
func (r *Ranking) Page() (page []Found, total int, err error) {
	if r.query.After == "" {
		total = r.total
	}
	if r.query.Offset >= r.total || r.query.Limit == 0 {
		return nil, total, nil
	}
	if r.query.Limit > MaxRanked-min(r.query.Offset, MaxRanked) && r.total > MaxRanked {
		return nil, 0, ErrTooMany
	}
	r.cut()
	for _, record := range r.first[r.query.Offset:] {
		found := Found{ID: record.id}
		if !record.missing {
			found.Key = &record.key
		}
		page = append(page, found)
	}
	return page, total, nil
}

// ranked is what a sort knows of a record.
type ranked struct {
	key     string
	missing bool
	id      string
}

// size is about what it takes in memory, in bytes.
func (r *ranked) size() int { return 40 + len(r.key) + len(r.id) }

func (r *Ranking) compare(a, b ranked) int {
	missing := 0
	switch {
	case a.missing && !b.missing:
		missing = 1
	case b.missing && !a.missing:
		missing = -1
	}
	ascending := cmp.Or(missing, strings.Compare(a.key, b.key), strings.Compare(a.id, b.id))
	if r.query.Sort.Descending {
		return -ascending
	}
	return ascending
}
