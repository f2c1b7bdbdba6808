//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// engine is where the servers of a run keep their directories.
type engine interface {
	name() string
	goals() goals
	// flags are those of a server that keeps its directory here, apart from other names.
	flags(name string) ([]string, error)
	// written reads what a server wrote for users: those after the first so many, in the order of their creation. Nobody may be
	// writing.
	written(ctx context.Context, t *tenant, after int) ([]rows, error)
	// bare opens the engine with the server's tables and nothing in them.
	bare(ctx context.Context, name string) (bare, error)
	close() error
}

// goals are the budgets that differ between engines.
type goals struct {
	perSecond float64 // creates of 32 clients on a quiet machine
	ofBare    float64 // the same, as a part of what the bare engine does
	ofDisk    float64 // creates of one client, as a part of what the disk does; 0 for none
}

// bare is the baseline of what is written: the engine alone, with the same tables and the same durability, as fast as it lets
// anybody be. Any number of callers may write at once.
type bare interface {
	// insert returns when the rows of one user, and one of the log, are on the disk.
	insert(u rows) error
	// update writes what a change of one indexed attribute has to: both rows, the entry of the index, and a row of the log.
	// The first version of a user is 1.
	update(u rows, version int) error
	close() error
}

// rows are what the server wrote for one user.
type rows struct {
	resource, document, log []any
	attributes              []any // path, key, id of the resource, and so on
}

// key is that of the first entry of the index in a version of the user.
func (u rows) key(version int) []byte {
	key, _ := u.attributes[1].([]byte)
	if version > 1 {
		return fmt.Appendf(nil, "%s %d", key, version)
	}
	return key
}

// atOnce is how many writes one commit has at most.
const atOnce = 256

// queue has writes of many callers committed together.
type queue[T any] struct {
	waiting chan write[T]
	ended   []chan struct{}
}

type write[T any] struct {
	what T
	done chan error
}

// drain starts so many goroutines that commit what waits; each waits for nothing more.
func drain[T any](writers int, commit func(group []T) error) queue[T] {
	q := queue[T]{waiting: make(chan write[T], atOnce)}
	for range writers {
		ended := make(chan struct{})
		q.ended = append(q.ended, ended)
		go func() {
			defer close(ended)
			for first := range q.waiting {
				group := q.gather(first)
				what := make([]T, len(group))
				for i, w := range group {
					what[i] = w.what
				}
				err := commit(what)
				for _, w := range group {
					w.done <- err
				}
			}
		}()
	}
	return q
}

// gather takes what waits already.
func (q queue[T]) gather(first write[T]) []write[T] {
	group := []write[T]{first}
	for len(group) < atOnce {
		select {
		case next, open := <-q.waiting:
			if !open {
				return group
			}
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

// write returns when it is committed.
func (q queue[T]) write(what T) error {
	w := write[T]{what, make(chan error, 1)}
	q.waiting <- w
	return <-w.done
}

func (q queue[T]) end() {
	close(q.waiting)
	for _, ended := range q.ended {
		<-ended
	}
}

// syncs is the baseline of one client that writes: how often in a second 32 KiB, about one commit, are written and on the
// disk.
func syncs(ctx context.Context, folder string, length time.Duration) (perSecond float64, err error) {
	file, err := os.CreateTemp(folder, "syncs")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	block := make([]byte, 32<<10)
	s, err := turn(ctx, 1, length, func(_ context.Context, i int) error {
		if _, err := file.WriteAt(block, int64(i%1024)*int64(len(block))); err != nil {
			return err
		}
		return syscall.Fdatasync(int(file.Fd()))
	})
	return s.perSecond(), err
}
