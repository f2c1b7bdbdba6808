package store

// Size is how many bytes of a record a client may be sent: its document and the values that follow a UserDefaults.
func (r *Record) Size() int { return len(r.Document) + len(r.Overlay) }

// Portion makes the page of a query of the records that belong to it, in their order, and ends it early by Query.Bytes.
type Portion struct {
	Page Page

	limit, bytes, size int
}

// NewPortion returns a Portion that is empty.
func NewPortion(q Query) *Portion { return &Portion{limit: q.Limit, bytes: q.Bytes} }

// Add takes the next record. It returns false when no more is wanted.
func (p *Portion) Add(record *Record) bool {
	if p.Page.More || len(p.Page.Records) >= p.limit {
		return false
	}
	p.Page.Records = append(p.Page.Records, *record)
	p.size += record.Size()
	p.Page.More = p.bytes > 0 && p.size >= p.bytes && len(p.Page.Records) < p.limit
	return !p.Page.More && len(p.Page.Records) < p.limit
}

// turns are how many records of a page that is in no order of ids are read together.
const turns = 100

// InTurn adds the records of a part of a sorted list in just this order. load reads some of them, in any order. They may have changed since
// they were found, or be gone: a record says by which key it was found, and where some are gone Page.More says that the list goes on.
func (p *Portion) InTurn(found []Found, load func(ids []string) ([]Record, error)) error {
	full := len(found) >= p.limit
	for len(found) > 0 {
		some := found
		if p.bytes > 0 {
			some = found[:min(len(found), turns)]
		}
		ids := make([]string, len(some))
		for i := range some {
			ids[i] = some[i].ID
		}
		records, err := load(ids)
		if err != nil {
			return err
		}
		byID := make(map[string]*Record, len(records))
		for i := range records {
			byID[records[i].ID] = &records[i]
		}
		for _, f := range some {
			record := byID[f.ID]
			if record == nil {
				continue
			}
			record.SortKey = f.Key
			if !p.Add(record) {
				return nil
			}
		}
		found = found[len(some):]
	}
	p.Page.More = full && len(p.Page.Records) < p.limit
	return nil
}
