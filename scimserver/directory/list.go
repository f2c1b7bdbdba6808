package directory

import (
	"context"
	"errors"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Query asks for a page of a list (RFC 7644 section 3.4.2).
type Query struct {
	// Filter in SCIM notation; "" lists everything.
	Filter string
	// SortBy is the attribute that orders the list, "" for the order in which resources were created.
	SortBy string
	// Descending makes that order its exact reverse.
	Descending bool
	// Offset of the first resource, counted from 0.
	Offset int
	// Limit of resources in the page; 0 only counts.
	Limit int
	// Bytes is how many bytes of resources are read together: List.Rest is where the page goes on. 0 reads it whole.
	Bytes int
	// Location is what stands before the id in the URL of a resource of a kind, for filters on meta.location and $ref.
	Location func(store.Kind) string
	// Walk asks for the page behind a place instead of that at Offset; nil for none.
	Walk *Place
	// Client is for whom the list is made, so that lists that take long wait for those of others and not for its own.
	Client share.Client
}

// scanCost is how many look-ups each term of a query is worth that looks at many resources.
const scanCost = 10

// Place is where a walk through a list is. The zero value is its beginning.
type Place struct {
	// Kind and ID of the last resource that was given.
	Kind store.Kind
	ID   string
	// Key is what that resource was sorted by, nil for nothing.
	Key *string
	// Total is how many matched when the walk began.
	Total int
}

// List is a page of resources.
type List struct {
	Resources []Resource
	// Total is how many match in all; in a walk, how many did when it began.
	Total int
	// Next is the place behind the last of a walk's resources, nil where nothing is left.
	Next *Place
	// Rest is the place behind the last of Resources where Query.Bytes left out a part of the page: a walk from there, with a Limit that
	// is less by what there is, reads on. It is nil where the page is whole.
	Rest *Place
	// Lenience is what had to be made of the query's filter.
	Lenience schema.Lenience
	// Cost is how many look-ups it was worth to look at many resources, 0 where that was not needed. It is there with an error, too.
	Cost int
}

// List returns the resources of one kind that match. The error is a *schema.Error for the query, or the store's.
func (d *Directory) List(ctx context.Context, kind store.Kind, q Query) (List, error) {
	return d.Search(ctx, []store.Kind{kind}, q)
}

// Search is List over several kinds: first all that match of the first kind, then those of the next, each sorted among
// themselves. An attribute that only other kinds have counts as one without a value.
func (d *Directory) Search(ctx context.Context, kinds []store.Kind, q Query) (List, error) {
	queries, lenience, err := d.queries(kinds, q)
	if err != nil {
		return List{}, err
	}
	var records []store.Record
	var list List
	if q.Walk != nil {
		records, list, err = d.walk(ctx, queries, q)
	} else {
		records, list, err = d.page(ctx, queries, q)
	}
	switch {
	case errors.Is(err, store.ErrTooMany):
		err = schema.Errorf(schema.TooMany,
			"this page of a sorted list lies too far behind its beginning: use a cursor (RFC 9865), a filter, or sort by userName or meta.lastModified")
	case errors.Is(err, store.ErrTooWide):
		err = schema.Errorf(schema.TooMany,
			"this list takes too long to find: filter by one attribute with eq or sw, use fewer terms, or read all pages by cursor (RFC 9865) without a filter")
	}
	if err != nil {
		return List{Cost: list.Cost}, err
	}
	list.Lenience = lenience
	list.Resources = make([]Resource, len(records))
	for i := range records {
		if err := ctx.Err(); err != nil {
			return List{Cost: list.Cost}, err
		}
		if list.Resources[i], err = d.resource(&records[i]); err != nil {
			return List{Cost: list.Cost}, err
		}
	}
	return list, nil
}

// queries are the questions to the store, one a kind, without a page.
func (d *Directory) queries(kinds []store.Kind, q Query) (queries []store.Query, lenience schema.Lenience, err error) {
	queries = make([]store.Query, len(kinds))
	sorted := false
	for i, kind := range kinds {
		queries[i].Kind, queries[i].Client = kind, q.Client
		if q.Filter != "" {
			made, err := d.filter(&queries[i], kinds, q)
			if err != nil {
				return nil, 0, err
			}
			lenience |= made
		}
		if q.SortBy == "" {
			continue
		}
		order, err := d.order(kind, q.SortBy, q.Descending)
		if err == nil {
			queries[i].Sort, sorted = order, true
		} else if i == len(kinds)-1 && !sorted {
			return nil, 0, err
		}
	}
	return queries, lenience, nil
}

func (d *Directory) filter(query *store.Query, kinds []store.Kind, q Query) (schema.Lenience, error) {
	var others []*schema.ResourceType
	for _, kind := range kinds {
		if kind != query.Kind {
			others = append(others, d.Type(kind))
		}
	}
	parsed, lenience, err := filter.ParseFor(d.Type(query.Kind), others, q.Filter)
	if err != nil {
		return 0, err
	}
	parsed = filter.Distinct(parsed)
	query.Filter, query.Location = parsed, q.Location
	query.Match = func(rec *store.Record) (bool, error) {
		attributes, err := effective(rec)
		if err != nil {
			return false, err
		}
		made := d.forFilter(rec, attributes)
		if meta, ok := made["meta"].(schema.Object); ok && q.Location != nil {
			meta["location"] = q.Location(rec.Kind) + rec.ID
		}
		return filter.Match(rec.Decided(parsed), made), nil
	}
	return lenience, nil
}

// order makes the sort of a list. The keys are those that store.Sort asks for.
func (d *Directory) order(kind store.Kind, name string, descending bool) (*store.Sort, error) {
	path, err := d.Type(kind).SortPath(name)
	if err != nil {
		return nil, err
	}
	canonical := path.String()
	if path.Rows() {
		return nil, schema.Errorf(schema.InvalidPath, "a list cannot be sorted by %s", path.Attribute.Name)
	}
	key := func(rec *store.Record) (string, bool, error) {
		switch canonical {
		case "id":
			return rec.ID, true, nil
		case uniqueAttribute(kind):
			return rec.Key, true, nil
		case "externalId":
			return rec.ExternalID, rec.ExternalID != "", nil
		case "meta.created":
			return store.TimeKey(rec.Created), true, nil
		case "meta.lastModified":
			return store.TimeKey(rec.Modified), true, nil
		}
		attributes, err := effective(rec)
		if err != nil {
			return "", false, err
		}
		key, ok := path.SortKey(d.forFilter(rec, attributes))
		return key, ok, nil
	}
	return &store.Sort{Path: path, Descending: descending, Key: key}, nil
}

// find asks the store for a part of a list, and adds to the list what that cost.
func (d *Directory) find(ctx context.Context, query store.Query, list *List) (store.Page, error) {
	page, err := d.store.Find(ctx, query)
	if page.Wide {
		list.Cost += scanCost * max(filter.Terms(query.Filter), 1)
	}
	return page, err
}

// page reads the page at an offset of the kinds' lists put together.
func (d *Directory) page(ctx context.Context, queries []store.Query, q Query) (records []store.Record, list List, err error) {
	offset, limit := q.Offset, q.Limit
	more := false
	for _, query := range queries {
		query.Offset, query.Limit, query.Bytes = offset, limit, q.Bytes
		page, err := d.find(ctx, query, &list)
		if err != nil {
			return nil, list, err
		}
		records = append(records, page.Records...)
		list.Total += page.Total
		if offset, limit = max(offset-page.Total, 0), limit-len(page.Records); page.More {
			more, limit = true, 0 // the other kinds are counted
		}
	}
	if more {
		list.Rest = behind(&records[len(records)-1], list.Total)
	}
	return records, list, nil
}

// walk reads the page behind a place, and one resource more to know whether anything is left.
func (d *Directory) walk(ctx context.Context, queries []store.Query, q Query) (records []store.Record, list List, err error) {
	place := *q.Walk
	list.Total = place.Total
	if place.ID == "" {
		_, counted, err := d.page(ctx, queries, Query{})
		list.Total, list.Cost = counted.Total, counted.Cost
		if err != nil {
			return nil, list, err
		}
	}
	for _, query := range queries {
		if query.Kind < place.Kind || len(records) > q.Limit { // the kinds are in their order
			continue
		}
		query.After, query.Limit, query.Bytes = store.Start, q.Limit+1-len(records), q.Bytes
		if query.Kind == place.Kind {
			query.After = place.ID
			if query.Sort != nil {
				query.Sort.After = place.Key
			}
		}
		page, err := d.find(ctx, query, &list)
		if err != nil {
			return nil, list, err
		}
		if records = append(records, page.Records...); page.More && len(records) < q.Limit {
			list.Rest = behind(&records[len(records)-1], list.Total)
			return records, list, nil
		} else if page.More {
			// The page is whole. Something may be left.
			list.Next = behind(&records[q.Limit-1], list.Total)
			return records, list, nil
		}
	}
	if len(records) <= q.Limit || q.Limit == 0 {
		return records[:min(len(records), q.Limit)], list, nil
	}
	records = records[:q.Limit]
	list.Next = behind(&records[q.Limit-1], list.Total)
	return records, list, nil
}

// behind is the place behind a record.
func behind(last *store.Record, total int) *Place {
	return &Place{Kind: last.Kind, ID: last.ID, Key: last.SortKey, Total: total}
}
