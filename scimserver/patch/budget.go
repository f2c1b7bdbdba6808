package patch

import "errors"

// Budget is the work, in the unit of MaxWork, that changes may do together which a client asks for at once. The nil one has no
// end. It belongs to one goroutine.
type Budget struct{ left int }

// ErrBudget says that a change is more work than its Budget had left.
var ErrBudget = errors.New("more work than is left for this request")

// NewBudget returns a budget of so much work.
func NewBudget(work int) *Budget { return &Budget{left: work} }

// Spend takes work away. What does not fit takes all that was left, so that nobody tries again and again, and is ErrBudget.
func (b *Budget) Spend(work int) error {
	switch {
	case b == nil:
		return nil
	case work > b.left:
		b.left = -1
		return ErrBudget
	}
	b.left -= work
	return nil
}

// Exceeded tells whether something did not fit.
func (b *Budget) Exceeded() bool { return b != nil && b.left < 0 }

// Part is what a change may spend that is perhaps tried more than once: it counts when it is given back by Keep.
func (b *Budget) Part() *Budget {
	if b == nil {
		return nil
	}
	return NewBudget(b.left)
}

// Keep makes what is left of a part what is left of all.
func (b *Budget) Keep(part *Budget) {
	if b != nil && part != nil {
		*b = *part
	}
}
