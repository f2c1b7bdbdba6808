package transfer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/tenantry/tenantry/scimserver/store"
)

// maxLine is the greatest length of a line in bytes: several times that of the largest resource a client can send.
const maxLine = 32 << 20

var (
	// ErrNotEmpty says that there is a directory already.
	ErrNotEmpty = errors.New("the directory is not empty: import only into a new one")
	// ErrDamaged is what is wrong with a file that no export wrote, or not all of it.
	ErrDamaged = errors.New("this is no whole export")
)

// Restorer knows what a directory's records owe to their documents; *directory.Directory is one.
type Restorer interface {
	// Recall takes the declared schemas, as store.MetaSchemas has them, "" for none. It comes first.
	Recall(schemas string) error
	// Restore fills a record in.
	Restore(record *store.Record) error
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
		i := importer{ctx: ctx, tx: tx, restorer: restorer, sum: sha256.New()}
		err := i.run(from)
		counts = i.counts
		return err
	})
	if err != nil {
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

	number   int
	section  section
	last     string // id of the resource before
	sequence int64  // of the entry before
	counts   Counts
	sum      hash.Hash

	waiting []*store.Record // read last, and not inserted yet
	first   int             // number of the line that has the first of them; the others follow
	size    int             // of their documents, in bytes
}

// Resources are inserted so many at once, or fewer where their documents have so many bytes.
const (
	atOnce     = 1000
	sizeAtOnce = 8 << 20
)

func (i *importer) run(from io.Reader) error {
	stats, err := i.tx.Stats(i.ctx)
	if err != nil {
		return err
	}
	if stats.Users+stats.Groups > 0 {
		return ErrNotEmpty
	}
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		i.number++
		if err := i.ctx.Err(); err != nil {
			return err
		}
		if err := i.line(lines.Bytes()); err != nil {
			return fmt.Errorf("line %d: %w", i.number, err)
		}
	}
	if err := i.insert(); err != nil { // of a file that was cut off
		return fmt.Errorf("line %d: %w", i.number, err)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d: %w: it has more than %d bytes", i.number+1, ErrDamaged, maxLine)
	case err != nil:
		return fmt.Errorf("line %d: %w", i.number+1, err)
	case i.section != ended:
		return fmt.Errorf("line %d: %w: the file was cut off here, its last line is missing", i.number+1, ErrDamaged)
	}
	return nil
}

func (i *importer) line(data []byte) error {
	l, err := parse(data)
	if err != nil {
		return err
	}
	if l.End == nil {
		i.sum.Write(data)
		i.sum.Write([]byte{'\n'})
	}
	if (l.Header != nil) != (i.number == 1) {
		return damaged("the first line, and only that, says which format this is")
	}
	switch {
	case l.Header != nil:
		if l.Header.Format != Format {
			return fmt.Errorf("it has format %d, and this program reads %d", l.Header.Format, Format)
		}
		return i.schemas(l.Header.Schemas)
	case l.User != nil:
		i.counts.Users++
		return i.resource(users, store.User, l.User)
	case l.Group != nil:
		i.counts.Groups++
		return i.resource(groups, store.Group, l.Group)
	case l.Members != nil:
		return i.members(l.Members)
	case l.Entry != nil:
		return i.entry(l.Entry)
	default:
		return i.end(l.End)
	}
}

// schemas brings back the declared schemas.
func (i *importer) schemas(kept string) error {
	if err := i.restorer.Recall(kept); err != nil {
		return damaged("%w", err)
	}
	if kept == "" {
		return nil
	}
	return i.tx.SetMeta(i.ctx, store.MetaSchemas, kept)
}

// parse reads a line that has exactly one of the fields.
func parse(data []byte) (line, error) {
	var l line
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return line{}, damaged("it is not the JSON of an export: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return line{}, damaged("something follows its JSON")
	}
	fields := 0
	for _, there := range []bool{l.Header != nil, l.User != nil, l.Group != nil, l.Members != nil, l.Entry != nil, l.End != nil} {
		if there {
			fields++
		}
	}
	if fields != 1 {
		return line{}, damaged("it is %d things, want one", fields)
	}
	return l, nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}

// enter tells where in the file a line stands.
func (i *importer) enter(s section) error {
	if s < i.section {
		return damaged("it does not belong after the line before it")
	}
	if s == i.section {
		return nil
	}
	i.section = s
	return i.insert()
}

func (i *importer) resource(s section, kind store.Kind, r *resource) error {
	if s != i.section {
		i.last = ""
	}
	if err := i.enter(s); err != nil {
		return err
	}
	switch _, valid := store.ParseID(r.ID); {
	case !valid:
		return damaged("the id is not a UUID in canonical form")
	case r.ID <= i.last:
		return damaged("the id does not follow that of the line before")
	case r.Version < 1:
		return damaged("the version is not positive")
	case r.Created.IsZero() || r.Modified.IsZero():
		return damaged("a time is missing")
	}
	i.last = r.ID
	record := store.Record{
		Kind: kind, ID: r.ID, Version: r.Version, Created: r.Created.UTC(), Modified: r.Modified.UTC(),
		Deactivated: r.Deactivated.UTC(), Defaults: r.Defaults, Matched: r.Matched, Document: r.Document, Overlay: r.Overlay,
	}
	if err := i.restorer.Restore(&record); err != nil {
		return damaged("%s %s: %w", kind, r.ID, err)
	}
	if record.Active && !record.Deactivated.IsZero() {
		return damaged("%s %s: it has a time of deactivation and is active", kind, r.ID)
	}
	if len(i.waiting) == 0 {
		i.first = i.number
	}
	i.waiting = append(i.waiting, &record)
	i.size += len(record.Document)
	if len(i.waiting) < atOnce && i.size < sizeAtOnce {
		return nil
	}
	return i.insert()
}

// insert inserts what waits.
func (i *importer) insert() error {
	if len(i.waiting) == 0 {
		return nil
	}
	if before, err := i.tx.InsertAll(i.ctx, i.waiting); err != nil {
		i.number = i.first + before
		return fmt.Errorf("%s %s: %w", i.waiting[before].Kind, i.waiting[before].ID, err)
	}
	i.waiting, i.size = i.waiting[:0], 0
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
			if kinds[id] != kind {
				return damaged("a member of group %s is no %s", m.Group, kind)
			}
			rows = append(rows, store.Member{ID: id, Kind: kind})
		}
	}
	added, err := i.tx.AddMembers(i.ctx, m.Group, rows)
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
	i.sequence = e.Sequence
	i.counts.Entries++
	return i.tx.Append(i.ctx, store.Entry{
		Sequence: e.Sequence, Time: e.Time, Client: e.Client, RequestID: e.RequestID, Kind: kind, ResourceID: e.ResourceID,
		Operation: e.Operation, Attributes: e.Attributes, Defaults: e.Defaults, Outcome: e.Outcome, Count: e.Count,
	})
}

func (i *importer) end(e *end) error {
	if i.section == ended {
		return damaged("it follows the last line")
	}
	if err := i.enter(ended); err != nil {
		return err
	}
	if e.Counts != i.counts {
		return damaged("it counts %+v, and before it stand %+v", e.Counts, i.counts)
	}
	if e.SHA256 != hex.EncodeToString(i.sum.Sum(nil)) {
		return damaged("the SHA-256 of the lines before it is another: the file was changed after it was written")
	}
	return nil
}
