package patch

import (
	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// MaxWork bounds what one request may do with the values of multi-valued attributes, because others wait for it to be
// carried out. Each value that an operation looks at counts one, and one more for each comparison of a filter with it or
// with a value of the operation; each that it changes counts changeWork.
const MaxWork = 1_000_000

const changeWork = 10

// spend counts work. The error is an *schema.Error tooMany, or ErrBudget.
func (d *document) spend(work int) error {
	if d.work += work; d.work > MaxWork {
		return schema.Errorf(schema.TooMany,
			"the operations of a PATCH request can compare at most %d values of multi-valued attributes; send fewer in one request", MaxWork)
	}
	return d.budget.Spend(work)
}

// comparisons counts those of the filter of a value path, none for nil.
func comparisons(f filter.Filter) (n int) {
	switch f := f.(type) {
	case filter.And:
		for _, term := range f.Terms {
			n += comparisons(term)
		}
	case filter.Or:
		for _, term := range f.Terms {
			n += comparisons(term)
		}
	case filter.Not:
		n = comparisons(f.Term)
	case filter.Compare, filter.Present:
		n = 1
	}
	return n
}
