package sqlite

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
)

// Against a sorted list of all ids, which is what the outline saves.
func TestTheOutlineCountsAndFindsEveryPosition(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		o, all := &outline{}, [][]byte{}
		find := func(id []byte) (int, bool) { return slices.BinarySearchFunc(all, id, bytes.Compare) }
		after := func(from []byte, skip int) ([]byte, error) {
			i, _ := find(from)
			if i+skip >= len(all) {
				return nil, sql.ErrNoRows
			}
			return all[i+skip], nil
		}
		refine := func() {
			if err := o.refine(store.Group, after); err != nil {
				t.Fatal(err)
			}
		}
		for n := range []int{0, 1, 3 * blockMax, 3*blockMax - 1}[seed] {
			all = append(all, binary.BigEndian.AppendUint64(nil, uint64(n)<<40+1))
		}
		err := o.start(store.Group, after, func(from []byte) (int, error) {
			i, _ := find(from)
			return len(all) - i, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for step := range 30_000 {
			id := binary.BigEndian.AppendUint64(nil, r.Uint64N(1<<60)>>r.IntN(30))
			if i, there := find(id); step%3 == 2 && len(all) > 0 {
				i = r.IntN(len(all))
				if seed == 3 { // empty it from one side
					i = 0
				}
				o.remove(store.Group, all[i])
				all = slices.Delete(all, i, i+1)
			} else if !there && (seed != 3 || step < 9000) {
				all = slices.Insert(all, i, id)
				o.add(store.Group, id)
			}
			if step%100 == 0 {
				refine()
			}
			if step%500 != 0 || len(all) == 0 {
				continue
			}
			offset := r.IntN(len(all))
			total, from, skip := o.seek(store.Group, offset)
			i, _ := find(from)
			if total != len(all) || i+skip != offset || skip > blockMax+100 {
				t.Fatalf("seed %d, step %d: offset %d of %d is %d+%d of %d", seed, step, offset, len(all), i, skip, total)
			}
		}
		if total, _, _ := o.seek(store.User, 0); total != 0 {
			t.Errorf("%d users", total)
		}
	}
}
