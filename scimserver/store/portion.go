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

// InTurn adds the records with these ids in just this order. load reads some of them, in any order.
func (p *Portion) InTurn(ids []string, load func(ids []string) ([]Record, error)) error {
	for len(ids) > 0 {
		some := ids
		if p.bytes > 0 {
			some = ids[:min(len(ids), turns)]
		}
		records, err := load(some)
		if err != nil {
			return err
		}
		found := make(map[string]*Record, len(records))
		for i := range records {
			found[records[i].ID] = &records[i]
		}
		for _, id := range some {
			if record := found[id]; record != nil && !p.Add(record) { // or it was deleted just now
				return nil
			}
		}
		ids = ids[len(some):]
	}
	return nil
}
