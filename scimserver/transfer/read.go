package transfer

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	kjson "sigs.k8s.io/json"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// maxLine is the greatest length of a line in bytes: several times that of the largest resource a client can send.
const maxLine = 32 << 20

// So many lines are read at once, or fewer where they have so many bytes.
const (
	linesAtOnce = 500
	bytesAtOnce = 8 << 20
)

// reader makes of the lines all that can be made of them without the directory that they go to.
type reader struct {
	lines    *bufio.Scanner
	restorer Restorer
	number   int
	sum      hash.Hash
	ended    bool
}

func newReader(from io.Reader, restorer Restorer) *reader {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	return &reader{lines: lines, restorer: restorer, sum: sha256.New()}
}

// parsed is a line that was read.
type parsed struct {
	line

	number int
	record *store.Record // of a user or a group
	sum    string        // SHA-256 of the lines before the last
	err    error         // after which nothing is read any more
}

// read reads the next lines: none when there are no more.
func (r *reader) read() (some []parsed) {
	for size := 0; len(some) < linesAtOnce && size < bytesAtOnce && !r.ended; {
		r.number++
		p := parsed{number: r.number}
		switch {
		case r.lines.Scan():
			size += len(r.lines.Bytes())
			p.err = r.parse(&p, r.lines.Bytes())
		case r.lines.Err() == nil:
			r.ended = true
			return some
		case errors.Is(r.lines.Err(), bufio.ErrTooLong):
			p.err = damaged("it has more than %d bytes", maxLine)
		default:
			p.err = r.lines.Err()
		}
		r.ended = p.err != nil
		some = append(some, p)
	}
	return some
}

func (r *reader) parse(p *parsed, data []byte) (err error) {
	if p.line, err = parse(data); err != nil {
		return err
	}
	if p.End != nil {
		p.sum = hex.EncodeToString(r.sum.Sum(nil))
		return nil
	}
	r.sum.Write(data)
	r.sum.Write([]byte{'\n'})
	switch {
	case (p.Header != nil) != (r.number == 1):
		return damaged("the first line, and only that, says which format this is")
	case p.Header != nil:
		return r.header(p.Header)
	case p.User != nil:
		p.record, err = r.restored(store.User, p.User)
	case p.Group != nil:
		p.record, err = r.restored(store.Group, p.Group)
	}
	return err
}

// parse reads a line that has exactly one of the fields. It refuses two of one name, and one in another case: other programs read those
// otherwise.
func parse(data []byte) (line, error) {
	if !schema.IsText(data) {
		return line{}, damaged("it has text that is not UTF-8, or an unpaired surrogate")
	}
	var l line
	if strict, err := kjson.UnmarshalStrict(data, &l); err != nil || len(strict) > 0 {
		return line{}, damaged("it is not the JSON of an export: %w", errors.Join(append(strict, err)...))
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

// header brings back the declared schemas, by which what follows is read, and the defaults.
func (r *reader) header(h *header) error {
	if h.Format != Format {
		return fmt.Errorf("%w: it has format %d, and this program reads %d", ErrFormat, h.Format, Format)
	}
	if err := r.restorer.Recall(h.Schemas); err != nil {
		return damaged("%w", err)
	}
	var err error
	if h.Defaults, err = r.restorer.RecallDefaults(h.Defaults); err != nil {
		return damaged("%w", err)
	}
	return nil
}

func (r *reader) restored(kind store.Kind, from *resource) (*store.Record, error) {
	switch _, valid := store.ParseID(from.ID); {
	case !valid:
		return nil, damaged("the id is not a UUID in canonical form")
	case from.Version < 1:
		return nil, damaged("the version is not positive")
	case from.Created.IsZero() || from.Modified.IsZero():
		return nil, damaged("a time is missing")
	}
	record := &store.Record{
		Kind: kind, ID: from.ID, Version: from.Version, Created: from.Created.UTC(), Modified: from.Modified.UTC(),
		Deactivated: from.Deactivated.UTC(), Defaults: from.Defaults, Matched: from.Matched, Document: from.Document, Overlay: from.Overlay,
	}
	if err := r.restorer.Restore(record); err != nil {
		return nil, damaged("%s %s: %w", kind, from.ID, err)
	}
	if record.Active && !record.Deactivated.IsZero() {
		return nil, damaged("%s %s: it has a time of deactivation and is active", kind, from.ID)
	}
	return record, nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}
