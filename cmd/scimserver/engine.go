package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
)

// engine says where the directory is kept. The server, export and import have these flags in common.
type engine struct {
	data string
}

func (e *engine) flags(set *flag.FlagSet) {
	set.StringVar(&e.data, "data", "data", "`folder` that keeps the directory and the last known good settings; made if it is missing")
}

func (e *engine) open(ctx context.Context) (store.Store, error) {
	database, err := sqlite.Open(ctx, e.data)
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	return database, nil
}
