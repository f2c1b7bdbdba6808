package directory

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tenantry/tenantry/scimserver/store"
)

// Position is a place in the provisioning log: behind one entry. The zero value is the place before the first that there ever was.
//
// It has the entry's sequence number and a fingerprint of what the entry says, because a number alone does not tell one log from
// another: a directory that is restored from a copy gives numbers again that it gave before, for other changes.
type Position struct {
	sequence    int64
	fingerprint uint64
}

// PositionOf returns the place behind an entry; before the first for one without a number.
func PositionOf(e *store.Entry) Position {
	if e.Sequence == 0 {
		return Position{}
	}
	// Times of all entries are kept to the microsecond, and its request has an id of its own.
	text := fmt.Sprintf("%d\n%s\n%s\n%d\n%s\n%s\n%s", e.Time.UnixMicro(), e.Client, e.RequestID, e.Kind, e.ResourceID, e.Operation, e.Outcome)
	sum := sha256.Sum256([]byte(text))
	return Position{e.Sequence, binary.BigEndian.Uint64(sum[:])}
}

// positionFormat is the first byte of a position as text.
const positionFormat = 1

// String returns the position as clients have it: 23 of the unreserved characters of RFC 3986.
func (p Position) String() string {
	data := []byte{positionFormat}
	data = binary.BigEndian.AppendUint64(data, uint64(p.sequence))
	data = binary.BigEndian.AppendUint64(data, p.fingerprint)
	return base64.RawURLEncoding.EncodeToString(data)
}

// ErrNoPosition is for a text that String never returned.
var ErrNoPosition = errors.New("this is no position in the provisioning log")

// ParsePosition reads what String returned. The error is ErrNoPosition.
func ParsePosition(text string) (Position, error) {
	const size = 17
	if strings.ContainsAny(text, "\r\n") { // which the decoder passes over
		return Position{}, ErrNoPosition
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(data) != size || data[0] != positionFormat {
		return Position{}, ErrNoPosition
	}
	sequence, fingerprint := binary.BigEndian.Uint64(data[1:]), binary.BigEndian.Uint64(data[9:])
	if sequence > math.MaxInt64 || sequence == 0 && fingerprint != 0 {
		return Position{}, ErrNoPosition
	}
	return Position{int64(sequence), fingerprint}, nil
}

// GoneError says that the provisioning log does not go on from a position without a gap.
type GoneError struct{ reason string }

func (e *GoneError) Error() string { return e.reason }

func ahead() error {
	return &GoneError{"the provisioning log does not reach as far as this position: the directory was restored from a copy, or is another"}
}

func trimmed() error {
	return &GoneError{"the provisioning log does not go back as far as this position any more"}
}

// entriesAfter reads at most limit entries behind a position, and tells whether there may be more. The error is the store's, or a *GoneError.
//
// Numbers are given without a gap, so a number that is missing is that of a change which nobody can read any more: the log was
// trimmed, or an import brought resources without the entries of how they came about (see importing.log).
func (d *Directory) entriesAfter(ctx context.Context, at Position, limit int) (entries []store.Entry, more bool, err error) {
	if at.sequence == 0 {
		entries, err = d.store.Log(ctx, 0, limit)
	} else if entries, err = d.store.Log(ctx, at.sequence-1, limit+1); err == nil {
		switch {
		case len(entries) == 0:
			err = ahead()
		case entries[0].Sequence != at.sequence:
			err = trimmed()
		case PositionOf(&entries[0]) != at:
			err = &GoneError{foreignPosition}
		default:
			entries = entries[1:]
		}
	}
	if err != nil {
		return nil, false, err
	}
	for i := range entries {
		switch {
		case entries[i].Sequence == at.sequence+int64(i)+1:
		case i > 0:
			return entries[:i], true, nil
		default:
			return nil, false, &GoneError{"changes after this position are not in the provisioning log: it does not go back as far any more, " +
				"or an import brought resources without it"}
		}
	}
	return entries, len(entries) == limit, nil
}

// entriesBefore reads at most limit entries that are older than the one at a position, newest first, and tells whether there may be more.
// Where the position is as old as all that is kept, there are none. The error is the store's, or a *GoneError.
func (d *Directory) entriesBefore(ctx context.Context, at Position, limit int) (entries []store.Entry, more bool, err error) {
	if at.sequence == math.MaxInt64 {
		return nil, false, ahead()
	}
	entries, err = d.store.LogBack(ctx, at.sequence+1, limit+1)
	switch {
	case err != nil || len(entries) == 0:
		return nil, false, err
	case entries[0].Sequence != at.sequence:
		return nil, false, ahead()
	case PositionOf(&entries[0]) != at:
		return nil, false, &GoneError{foreignPosition}
	}
	return entries[1:], len(entries) > limit, nil
}

// foreignPosition is what is wrong with a position that an entry of the same number does not have.
const foreignPosition = "this position is not one of this provisioning log: the directory was restored from a copy, or is another"

// Position returns the place behind the newest entry of the provisioning log.
func (d *Directory) Position(ctx context.Context) (Position, error) {
	newest, err := d.store.LogBack(ctx, math.MaxInt64, 1)
	if err != nil || len(newest) == 0 {
		return Position{}, err
	}
	return PositionOf(&newest[0]), nil
}

// PositionAt returns the place behind the entry with a sequence number; 0 is before the first. The error is the store's, or a *GoneError.
func (d *Directory) PositionAt(ctx context.Context, sequence int64) (Position, error) {
	if sequence <= 0 {
		return Position{}, nil
	}
	entries, err := d.store.Log(ctx, sequence-1, 1)
	switch {
	case err != nil:
		return Position{}, err
	case len(entries) == 0:
		return Position{}, ahead()
	case entries[0].Sequence != sequence:
		return Position{}, trimmed()
	}
	return PositionOf(&entries[0]), nil
}

// recentFor is for how long RecentPosition is not looked for again.
const recentFor = time.Minute

// recent is what RecentPosition remembers.
type recent struct {
	reading chan struct{} // has room for the one that reads
	known   atomic.Pointer[known]
}

type known struct {
	text  string
	since time.Time
}

// RecentPosition returns a position, as text, that was the end of the provisioning log at some time of the last minute, as far as its
// entries had numbers. Whatever came before it can be read by now. It asks the store once a minute, and after a position was gone.
func (d *Directory) RecentPosition(ctx context.Context) (string, error) {
	r := &d.recent
	last := r.known.Load()
	switch {
	case last == nil:
		select {
		case r.reading <- struct{}{}:
		case <-ctx.Done(): // the store may hang
			return "", ctx.Err()
		}
	case d.now().Sub(last.since) < recentFor:
		return last.text, nil
	default:
		select {
		case r.reading <- struct{}{}:
		default:
			return last.text, nil
		}
	}
	defer func() { <-r.reading }()
	if again := r.known.Load(); again != nil && again != last {
		return again.text, nil
	}
	since := d.now()
	newest, err := d.store.Newest(ctx)
	if err != nil {
		return "", err
	}
	next := &known{PositionOf(&newest).String(), since}
	r.known.Store(next)
	return next.text, nil
}
