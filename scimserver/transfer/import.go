package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/scimserver/store"
)

var (
	// ErrNotEmpty says that there is a directory already.
	ErrNotEmpty = errors.New("the directory is not empty: import only into a new one")
	// ErrDamaged is what is wrong with a file that no export wrote, or not all of it.
	ErrDamaged = errors.New("this is no whole export")
	// ErrFormat says that the file is of another version.
	ErrFormat = errors.New("this is an export of another format")
)

// Restorer knows what a directory's records owe to their documents; *directory.Directory is one.
type Restorer interface {
	// Recall takes the declared schemas, as store.MetaSchemas has them, "" for none. It comes first.
	Recall(schemas string) error
	// RecallDefaults returns what the directory may keep of the last good defaults, as store.MetaDefaults has them, "" for none.
	RecallDefaults(defaults string) (string, error)
	// Restore checks a record of a file, which anybody may have written, and fills it in.
	Restore(record *store.Record) error
	// RestoreEntry checks an entry of the provisioning log of a file.
	RestoreEntry(entry *store.Entry) error
	// Derive fills a record in that clients are served already, as it is.
	Derive(record *store.Record) error
}

// Import reads what Export wrote into an empty directory, in one transaction: whatever goes wrong, and whenever the
// process ends, all of it is there or nothing. Where the engine has to begin the transaction again, from must be an
// io.Seeker.
func Import(ctx context.Context, to store.Store, restorer Restorer, from io.Reader) (Counts, error) {
	begun := false
	var counts Counts
	err := to.Update(ctx, func(tx store.Tx) error {
		if begun {
			if err := rewind(from); err != nil {
				return err
			}
		}
		begun = true
		i := importer{ctx: ctx, tx: tx, restorer: restorer}
		err := i.run(newReader(from, restorer))
		counts = i.counts
		return err
	})
	switch {
	case errors.Is(err, store.ErrUncertain):
		return Counts{}, fmt.Errorf("import: %w", err)
	case err != nil:
		return Counts{}, fmt.Errorf("import: %w; nothing was imported", err)
	}
	return counts, nil
}

func rewind(from io.Reader) error {
	seeker, ok := from.(io.Seeker)
	if !ok {
		return errors.New("the database asks to begin again, which needs a file that can be read twice")
	}
	if _, err := seeker.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("the database asks to begin again, which needs a file that can be read twice: %w", err)
	}
	return nil
}

// section is a part of the file. They follow each other in this order.
type section int

const (
	start section = iota
	users
	groups
	memberships
	entries
	ended
)

type importer struct {
	ctx      context.Context
	tx       store.Tx
	restorer Restorer

	section  section
	last     string // id of the resource before
	sequence int64  // of the entry before
	counts   Counts

	waiting []*store.Record // not inserted yet
	first   int             // number of the line that has the first of them; the others follow
}

// run reads the next lines while it writes those before.
func (i *importer) run(from *reader) error {
	stats, err := i.tx.Stats(i.ctx)
	if err != nil {
		return err
	}
	if stats.Users+stats.Groups+stats.Memberships > 0 {
		return ErrNotEmpty
	}
	for lines := from.read(); len(lines) > 0; {
		var next []parsed
		var reading errgroup.Group
		reading.Go(func() error {
			return panicked.Guard(func() error { // as the store does where the function of an update panics
				next = from.read()
				return nil
			})
		})
		err := i.write(lines)
		if err := cmp.Or(err, reading.Wait()); err != nil {
			return err
		}
		lines = next
	}
	if i.section != ended {
		return fmt.Errorf("line %d: %w: the file was cut off here, its last line is missing", from.number, ErrDamaged)
	}
	// Only now, because two names of the file may be one: an earlier version took them for two.
	return store.Rekey(i.ctx, func(_ context.Context, change func(store.Tx) error) error { return change(i.tx) })
}

func (i *importer) write(lines []parsed) error {
	if err := i.ctx.Err(); err != nil {
		return err
	}
	for _, p := range lines {
		if len(i.waiting) > 0 && (p.record == nil || p.record.Kind != i.waiting[0].Kind) {
			if err := i.insert(); err != nil {
				return err
			}
		}
		err := p.err
		if err == nil {
			err = i.line(p)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", p.number, err)
		}
	}
	return i.insert()
}

func (i *importer) line(p parsed) error {
	switch {
	case p.Header != nil:
		return i.header(p.Header)
	case p.User != nil:
		i.counts.Users++
		return i.resource(users, p)
	case p.Group != nil:
		i.counts.Groups++
		return i.resource(groups, p)
	case p.Members != nil:
		return i.members(p.Members)
	case p.Entry != nil:
		return i.entry(p.Entry)
	default:
		return i.end(p)
	}
}

func (i *importer) header(h *header) error {
	for _, kept := range []struct{ key, value string }{{store.MetaSchemas, h.Schemas}, {store.MetaDefaults, h.Defaults}} {
		if kept.value == "" {
			continue
		}
		if err := i.tx.SetMeta(i.ctx, kept.key, kept.value); err != nil {
			return err
		}
	}
	return nil
}

// enter tells where in the file a line stands.
func (i *importer) enter(s section) error {
	if s < i.section {
		return damaged("it does not belong after the line before it")
	}
	i.section = s
	return nil
}

func (i *importer) resource(s section, p parsed) error {
	if s != i.section {
		i.last = ""
	}
	if err := i.enter(s); err != nil {
		return err
	}
	if p.record.ID <= i.last {
		return damaged("the id does not follow that of the line before")
	}
	i.last = p.record.ID
	if len(i.waiting) == 0 {
		i.first = p.number
	}
	i.waiting = append(i.waiting, p.record)
	return nil
}

// insert inserts what waits.
func (i *importer) insert() error {
	if len(i.waiting) == 0 {
		return nil
	}
	if i.section == groups {
		if err := i.apartFromUsers(); err != nil {
			return err
		}
	}
	if before, err := i.tx.InsertAll(i.ctx, i.waiting); err != nil {
		r := i.waiting[before]
		return fmt.Errorf("line %d: %s %s: %w", i.first+before, r.Kind, r.ID, taken(r, err))
	}
	i.waiting = i.waiting[:0]
	return nil
}

// taken names the attribute that another resource has the value of already.
func taken(r *store.Record, err error) error {
	conflict, ok := errors.AsType[*store.ConflictError](err)
	switch {
	case !ok:
		return err
	case conflict.Existing == r.ID:
		return fmt.Errorf("its id is %w", err)
	case r.Kind == store.Group:
		return fmt.Errorf("its displayName, or its externalId beside it, is %w", err)
	default:
		return fmt.Errorf("its userName is %w", err)
	}
}

// apartFromUsers returns an error where a group that waits has the id of a user: a member is told by its id alone.
func (i *importer) apartFromUsers() error {
	ids := make([]string, len(i.waiting))
	for n, r := range i.waiting {
		ids[n] = r.ID
	}
	taken, err := i.tx.Kinds(i.ctx, ids)
	if err != nil {
		return err
	}
	for n, id := range ids {
		if _, found := taken[id]; found {
			return fmt.Errorf("line %d: %w", i.first+n, damaged("%s %s: a user has this id", store.Group, id))
		}
	}
	return nil
}

func (i *importer) members(m *members) error {
	if err := i.enter(memberships); err != nil {
		return err
	}
	kinds, err := i.tx.Kinds(i.ctx, slices.Concat([]string{m.Group}, m.Users, m.Groups))
	if err != nil {
		return err
	}
	if kinds[m.Group] != store.Group {
		return damaged("there is no group of this id")
	}
	rows := make([]store.Member, 0, len(m.Users)+len(m.Groups))
	for kind, ids := range map[store.Kind][]string{store.User: m.Users, store.Group: m.Groups} {
		for _, id := range ids {
			switch {
			case kinds[id] != kind:
				return damaged("a member of group %s is no %s", m.Group, kind)
			case id == m.Group:
				return damaged("group %s is its own member", m.Group)
			}
			rows = append(rows, store.Member{ID: id, Kind: kind})
		}
	}
	added, err := i.tx.AddMembers(i.ctx, m.Group, rows, nil)
	if err != nil {
		return err
	}
	if added != len(rows) {
		return damaged("a member of group %s is there twice", m.Group)
	}
	i.counts.Memberships += int64(added)
	return nil
}

func (i *importer) entry(e *Entry) error {
	if i.section != entries {
		older, err := i.tx.Log(i.ctx, 0, 1)
		if err != nil {
			return err
		}
		if len(older) > 0 {
			return fmt.Errorf("%w: its provisioning log has entries", ErrNotEmpty)
		}
	}
	if err := i.enter(entries); err != nil {
		return err
	}
	kind, known := ParseKind(e.ResourceType)
	switch {
	case !known:
		return damaged("the resourceType is neither User nor Group")
	case e.Sequence <= i.sequence:
		return damaged("the sequence does not follow that of the line before")
	case e.Count < 1:
		return damaged("the count is not positive")
	}
	changed, err := e.Members.restored(kind)
	if err != nil {
		return err
	}
	restored := store.Entry{
		Sequence: e.Sequence, Time: e.Time, Client: e.Client, RequestID: e.RequestID, Kind: kind, ResourceID: e.ResourceID,
		Operation: e.Operation, Attributes: e.Attributes, Members: changed, Defaults: e.Defaults, Outcome: e.Outcome, Count: e.Count,
	}
	if err := i.restorer.RestoreEntry(&restored); err != nil {
		return damaged("%w", err)
	}
	i.sequence = e.Sequence
	i.counts.Entries++
	return i.tx.Append(i.ctx, restored)
}

func (i *importer) end(p parsed) error {
	if i.section == ended {
		return damaged("it follows the last line")
	}
	i.section = ended
	if p.End.Counts != i.counts {
		return damaged("it counts %+v, and before it stand %+v", p.End.Counts, i.counts)
	}
	if p.End.SHA256 != p.sum {
		return damaged("the SHA-256 of the lines before it is another: the file was changed after it was written")
	}
	return nil
}
