package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"slices"
	"sort"
	"sync"

	"github.com/tenantry/tenantry/scimserver/store"
)

// How many ids a block of the outline has when it begins, and when it is divided.
const (
	blockSize = 512
	blockMax  = 2 * blockSize
)

// outline knows how many resources there are and, roughly, where in the order of ids each stands: it divides the ids into
// blocks and counts them. So a list has its total without counting, and its thousandth page is as near as its first. It
// holds what is committed; only the writer changes it.
type outline struct {
	mu    sync.RWMutex
	kinds [3]kindOutline // by store.Kind
}

type kindOutline struct {
	blocks []block
	total  int
}

// block is the ids from first up to the next block's. The first block also has those before it.
type block struct {
	first []byte
	count int
}

// seek returns how many resources there are, and where to begin in order to stand at an offset below that: at the
// first id from there on, then skip that many.
func (o *outline) seek(kind store.Kind, offset int) (total int, from []byte, skip int) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	k := &o.kinds[kind]
	from, skip = []byte{}, offset
	for i, b := range k.blocks {
		if i > 0 {
			from = b.first
		}
		if skip < b.count {
			break
		}
		skip -= b.count
	}
	return k.total, from, skip
}

func (k *kindOutline) find(id []byte) int {
	i := sort.Search(len(k.blocks), func(i int) bool { return bytes.Compare(k.blocks[i].first, id) > 0 })
	return max(i-1, 0)
}

// add counts one id.
func (o *outline) add(kind store.Kind, id []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	k := &o.kinds[kind]
	k.total++
	if len(k.blocks) == 0 {
		k.blocks = append(k.blocks, block{first: id})
	}
	k.blocks[k.find(id)].count++
}

// remove uncounts one id.
func (o *outline) remove(kind store.Kind, id []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	k := &o.kinds[kind]
	i := k.find(id)
	k.total--
	k.blocks[i].count--
	if k.blocks[i].count == 0 {
		k.blocks = slices.Delete(k.blocks, i, i+1)
	}
}

// refine divides the blocks that have grown too large. The function after returns the id that stands skip places behind
// the first id from there on; what it reads must be what the outline counts.
func (o *outline) refine(kind store.Kind, after func(from []byte, skip int) ([]byte, error)) error {
	k := &o.kinds[kind] // only the writer changes it, and this is the writer: reading needs no lock
	for i := 0; i < len(k.blocks); i++ {
		if k.blocks[i].count <= blockMax {
			continue
		}
		from := k.blocks[i].first
		if i == 0 {
			from = []byte{}
		}
		middle, err := after(from, blockSize)
		if err != nil {
			return err
		}
		o.mu.Lock()
		rest := block{first: middle, count: k.blocks[i].count - blockSize}
		k.blocks[i].count = blockSize
		k.blocks = slices.Insert(k.blocks, i+1, rest)
		o.mu.Unlock()
	}
	return nil
}

// start reads what was there before, once. The function after is as for refine, and returns sql.ErrNoRows behind the last id; rest counts the
// ids from there on.
func (o *outline) start(kind store.Kind, after func(from []byte, skip int) ([]byte, error), rest func(from []byte) (int, error)) error {
	k := &o.kinds[kind]
	for from := []byte{}; ; {
		next, err := after(from, blockSize)
		count := blockSize
		last := errors.Is(err, sql.ErrNoRows)
		if last {
			count, err = rest(from)
		}
		if err != nil {
			return err
		}
		if count > 0 {
			k.blocks, k.total = append(k.blocks, block{first: from, count: count}), k.total+count
		}
		if last {
			return nil
		}
		from = next
	}
}
