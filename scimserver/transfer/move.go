package transfer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
)

var (
	// ErrOccupied says that the directory to move to holds something else than the one to move.
	ErrOccupied = errors.New("another directory is there already")
	// ErrDiffers says that a copy is not what it was made from.
	ErrDiffers = errors.New("the copy differs from what it was made from")
)

// Move copies a directory with its mark, its provisioning log and its secrets into an empty one of nobody or of the same tenant, and compares
// the two, counts and checksum. Nobody may use either meanwhile. The source stays as it was. A move that was cut off can be made again:
// where the copy was complete by then, it is only compared.
//
// secrets are the keys of Meta that belong to the directory and are left out of an export.
func Move(ctx context.Context, from, to store.Store, restorer Restorer, secrets ...string) (Counts, error) {
	if err := checkOwners(ctx, from, to); err != nil {
		return Counts{}, fmt.Errorf("move: %w", err)
	}
	source := &restartable{ctx: ctx, from: from}
	_, err := Import(ctx, to, asStored{restorer}, source)
	source.stop()
	there := errors.Is(err, ErrNotEmpty)
	if err != nil && !there {
		return Counts{}, fmt.Errorf("move: %w", err)
	}
	counts, err := compare(ctx, from, to)
	switch {
	case errors.Is(err, ErrDiffers) && there:
		return Counts{}, fmt.Errorf("move: %w: %w", ErrOccupied, err)
	case err != nil:
		return Counts{}, fmt.Errorf("move: %w", err)
	}
	if err := copySecrets(ctx, from, to, append(secrets, store.MetaOwner)); err != nil {
		return Counts{}, fmt.Errorf("move: secrets of the server: %w", err)
	}
	return counts, nil
}

// checkOwners looks whether the directory to move to is nobody's, or the same tenant's. With the copy goes the mark of the one to move.
func checkOwners(ctx context.Context, from, to store.Store) error {
	own, err := from.Meta(ctx, store.MetaOwner)
	if err != nil {
		return err
	}
	there, err := to.Meta(ctx, store.MetaOwner)
	if err != nil {
		return err
	}
	if !owner.SameTenant(own, there) {
		return fmt.Errorf("%w: it is marked as that of another tenant", ErrOccupied)
	}
	return nil
}

// asStored restores what clients are served already. Nothing is checked: a server that cannot be moved would not serve less of it.
type asStored struct{ Restorer }

// Restore implements Restorer.
func (a asStored) Restore(record *store.Record) error { return a.Derive(record) }

// RecallDefaults implements Restorer.
func (asStored) RecallDefaults(defaults string) (string, error) { return defaults, nil }

// RestoreEntry implements Restorer.
func (asStored) RestoreEntry(*store.Entry) error { return nil }

// compare holds the exports of two directories against each other.
func compare(ctx context.Context, from, to store.Store) (Counts, error) {
	before, sum, err := digest(ctx, from)
	if err != nil {
		return Counts{}, err
	}
	after, copied, err := digest(ctx, to)
	switch {
	case err != nil:
		return Counts{}, err
	case before != after:
		return Counts{}, fmt.Errorf("%w: it has %+v, and that %+v", ErrDiffers, after, before)
	case sum != copied:
		return Counts{}, fmt.Errorf("%w: its checksum is another", ErrDiffers)
	}
	return before, nil
}

func digest(ctx context.Context, of store.Store) (counts Counts, sum [sha256.Size]byte, err error) {
	hash := sha256.New()
	if counts, err = Export(ctx, of, hash, Options{Log: true}); err != nil {
		return counts, sum, err
	}
	return counts, [sha256.Size]byte(hash.Sum(nil)), nil
}

func copySecrets(ctx context.Context, from, to store.Store, keys []string) error {
	values := make(map[string]string, len(keys))
	for _, key := range keys {
		value, err := from.Meta(ctx, key)
		if err != nil {
			return err
		}
		if value != "" {
			values[key] = value
		}
	}
	return to.Update(ctx, func(tx store.Tx) error {
		for _, key := range keys {
			// Read even where there is nothing to write: where it is not known whether the copy is final, an update that holds a row tells.
			if _, err := tx.Meta(ctx, key); err != nil {
				return err
			}
			if value := values[key]; value != "" {
				if err := tx.SetMeta(ctx, key, value); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// restartable is an export as it is being read. An engine that begins its transaction again reads it from the beginning, so
// it needs no room on a disk.
type restartable struct {
	ctx  context.Context //nolint:containedctx // io.Reader has no room for one
	from store.Store

	pipe  *io.PipeReader
	ended chan struct{}
}

// Read implements io.Reader.
func (r *restartable) Read(p []byte) (int, error) {
	if r.pipe == nil {
		reader, writer := io.Pipe()
		r.pipe, r.ended = reader, make(chan struct{})
		go func() {
			defer close(r.ended)
			err := panicked.Guard(func() error {
				_, err := Export(r.ctx, r.from, writer, Options{Log: true})
				return err
			})
			_ = writer.CloseWithError(err) // which is nil for io.EOF, and never fails
		}()
	}
	return r.pipe.Read(p)
}

// Seek implements io.Seeker, to the beginning alone.
func (r *restartable) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart {
		return 0, errors.New("an export is read from its beginning only")
	}
	r.stop()
	return 0, nil
}

// stop ends the export that is being read, if there is one.
func (r *restartable) stop() {
	if r.pipe == nil {
		return
	}
	_ = r.pipe.Close()
	<-r.ended
	r.pipe = nil
}
