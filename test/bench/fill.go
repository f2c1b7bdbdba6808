//go:build linux

package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// filling is how many clients fill a directory; so many that a slow disk is asked seldom.
const filling = 128

// fill creates the users of the two directories that the other parts ask.
func (b *bench) fill(ctx context.Context) error {
	for t, size := range map[*tenant]int{b.large: b.users, b.small: 1000} {
		if err := b.fillOne(ctx, t, size); err != nil {
			return err
		}
	}
	return nil
}

// recent is how many users are always created by the server whose directory it is, last: their rows are what it writes.
const recent = 2000

// fillOne creates users. Where the tenant is not kept in SQLite most of them are created there and carried over, which takes a
// fraction of the time.
func (b *bench) fillOne(ctx context.Context, t *tenant, size int) error {
	if _, here := b.engine.(embedded); !here && size > recent {
		if err := b.carry(ctx, t, size-recent); err != nil {
			return err
		}
	}
	return b.populate(ctx, t, size)
}

// carry creates users in SQLite and carries them over.
func (b *bench) carry(ctx context.Context, t *tenant, size int) error {
	source := newTenant(b, t.name+"-source")
	source.engine = embedded{b.folder}
	defer source.stop()
	if err := b.populate(ctx, source, size); err != nil {
		return err
	}
	file := filepath.Join(source.folder, "export.jsonl")
	if _, _, err := b.export(ctx, source, file); err != nil {
		return err
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	if _, _, err := b.transfer(ctx, t, "import", in, io.Discard); err != nil {
		return err
	}
	t.users = source.users
	return os.RemoveAll(source.folder)
}

// populate creates users until there are so many.
func (b *bench) populate(ctx context.Context, t *tenant, size int) error {
	if err := t.opened(ctx); err != nil {
		return err
	}
	client := newClient(filling)
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	before := len(t.users)
	ids := append(t.users, make([]string, size-before)...)
	_, err := turn(ctx, filling, time.Hour, func(ctx context.Context, i int) error {
		if i += before; i >= size {
			return errEnough
		}
		data, err := t.send(ctx, client, http.MethodPost, "/Users", user(i), http.StatusCreated)
		if err != nil {
			return err
		}
		id, err := idOf(data)
		mu.Lock()
		defer mu.Unlock()
		ids[i] = id
		return err
	})
	t.users = ids
	return err
}
