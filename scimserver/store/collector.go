package store

import (
	"slices"
	"strings"
)

// Check makes the page of a query of all its candidates, which may come in any order: what Query.Match says yes to.
func Check(q Query, candidates []Record) (Page, error) {
	if q.Sort != nil {
		return rank(q, candidates)
	}
	slices.SortFunc(candidates, func(a, b Record) int { return strings.Compare(a.ID, b.ID) })
	collect := NewCollector(q)
	for i := range candidates {
		if q.After != "" && candidates[i].ID <= q.After {
			continue
		}
		matches, err := q.Match(&candidates[i])
		if err != nil {
			return Page{}, err
		}
		if matches && !collect.Add(&candidates[i]) {
			break
		}
	}
	return collect.Page(), nil
}

func rank(q Query, candidates []Record) (page Page, err error) {
	ranking := NewRanking(q)
	byID := make(map[string]*Record, len(candidates))
	for i := range candidates {
		record := &candidates[i]
		matches, err := q.Match(record)
		if err != nil {
			return Page{}, err
		}
		if !matches {
			continue
		}
		if err := ranking.Add(record); err != nil {
			return Page{}, err
		}
		byID[record.ID] = record
	}
	found, total, err := ranking.Page()
	page.Total = total
	for _, f := range found {
		record := byID[f.ID]
		record.SortKey = f.Key
		page.Records = append(page.Records, *record)
	}
	return page, err
}

// Collector makes the page of a query of what matches, in the order of ids: it counts all and keeps those of the page.
type Collector struct {
	portion *Portion
	query   Query
	seen    int
}

// NewCollector returns a Collector that has seen nothing.
func NewCollector(q Query) *Collector { return &Collector{portion: NewPortion(q), query: q} }

// Page is what has been collected.
func (c *Collector) Page() Page {
	page := c.portion.Page
	if c.query.After == "" {
		page.Total = c.seen
	}
	return page
}

// Add takes one record that matches. It returns false when no more is wanted.
func (c *Collector) Add(record *Record) bool {
	c.seen++
	if c.query.After != "" {
		return c.portion.Add(record)
	}
	if c.seen > c.query.Offset {
		c.portion.Add(record)
	}
	return true
}
