package main

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/tenantry/tenantry/internal/panicked"
)

// group is what the server does at a time. A panic of one ends all, as an error does.
type group struct{ *errgroup.Group }

func newGroup(ctx context.Context) (group, context.Context) {
	all, ctx := errgroup.WithContext(ctx)
	return group{all}, ctx
}

// Go is that of errgroup.Group, for functions that may panic.
func (g group) Go(f func() error) { g.Group.Go(func() error { return panicked.Guard(f) }) }
