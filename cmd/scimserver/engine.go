package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
)

// engine says where the directory is kept. The server, export and import have these flags in common.
type engine struct {
	data            string
	databaseURLFile string
}

func (e *engine) flags(set *flag.FlagSet) {
	set.StringVar(&e.data, "data", "data", "`folder` that keeps the directory and the last known good settings; made if it is missing")
	set.StringVar(&e.databaseURLFile, "database-url-file", "",
		"keep the directory in the PostgreSQL that the connection URL in this `file` names, instead of in SQLite in the data folder; "+
			"as in postgres://user:password@host:5432/database?search_path=contoso. The file is read again for each new connection")
}

func (e *engine) open(ctx context.Context) (store.Store, error) {
	if e.databaseURLFile == "" {
		database, err := sqlite.Open(ctx, e.data)
		if err != nil {
			return nil, fmt.Errorf("open the directory: %w", err)
		}
		return database, nil
	}
	if _, err := os.Stat(e.databaseURLFile); err != nil {
		return nil, fmt.Errorf("--database-url-file: %w", err)
	}
	database, err := postgres.Open(ctx, postgres.Options{URL: func() (string, error) {
		url, err := os.ReadFile(e.databaseURLFile)
		if err == nil && len(url) == 0 {
			err = errors.New("the file is empty")
		}
		return string(url), err
	}})
	if err != nil {
		return nil, fmt.Errorf("--database-url-file: %w", err)
	}
	return database, nil
}
