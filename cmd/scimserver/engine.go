package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/settings/manifests"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
)

// engine says where the directory is kept. The server, export and import have these flags in common.
type engine struct {
	data            string
	databaseURLFile string
	databaseSchema  string
	// url is the connection URL, where the manifests name the database and no flag does.
	url func() (string, error)
	// guard decides which directory is served; nil for the subcommands, which take the one that they are told.
	guard *owner.Guard
	// search has a directory looked for in other schemas before a new one is begun in that of --database-schema.
	search bool
	// log gets what an administrator of the database should know.
	log logr.Logger
}

func (e *engine) flags(set *flag.FlagSet) {
	set.StringVar(&e.data, "data", "data", "`folder` that keeps the directory and the last known good settings; made if it is missing")
	set.StringVar(&e.databaseURLFile, "database-url-file", "",
		"keep the directory in the PostgreSQL that the connection URL in this `file` names, instead of in SQLite in the data folder; "+
			"as in postgres://user:password@host:5432/database?search_path=contoso. The file is read again for each new connection")
	set.StringVar(&e.databaseSchema, "database-schema", "",
		"`name` of the schema that keeps the directory, and is made if it is missing; the URL's search_path where left out, else public")
}

// follow has the directory kept where the manifests say, unless a flag says where.
func (e *engine) follow(source *manifests.Source, log logr.Logger) error {
	e.search = e.databaseSchema != "" // which the operator does not mistype
	if err := source.Load(); err != nil || e.databaseURLFile != "" {
		return err
	}
	tenant := source.Current().Tenant
	if tenant.Spec.Storage.Type != v1alpha1.StoragePostgreSQL {
		return nil
	}
	e.url = source.DatabaseURL
	e.databaseSchema = cmp.Or(e.databaseSchema, v1alpha1.DatabaseSchema(tenant.Namespace, tenant.Name))
	log.Info("the directory is kept in PostgreSQL, as spec.storage says", "schema", e.databaseSchema)
	if sqlite.Exists(e.data) {
		log.Info("the data folder has a directory in SQLite, which is not served; scimserver move copies it", "folder", e.data)
	}
	return nil
}

// database tells whether the directory is in a PostgreSQL.
func (e *engine) database() bool { return e.url != nil || e.databaseURLFile != "" }

// check refuses flags that make no sense together.
func (e *engine) check() error {
	if !e.database() && e.databaseSchema != "" {
		return errors.New("--database-schema names a schema in the database of --database-url-file, which is missing")
	}
	return nil
}

func (e *engine) open(ctx context.Context) (store.Store, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	switch {
	case e.url != nil:
		return e.connect(ctx, "the connection Secret", e.url)
	case e.database():
		return e.openDatabase(ctx)
	default:
		return e.openFolder(ctx)
	}
}

func (e *engine) openFolder(ctx context.Context) (database store.Store, err error) {
	if e.guard != nil {
		database, err = sqlite.OpenGuarded(ctx, e.data, e.guard)
	} else {
		database, err = sqlite.Open(ctx, e.data)
	}
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	return database, nil
}

func (e *engine) openDatabase(ctx context.Context) (store.Store, error) {
	if _, err := os.Stat(e.databaseURLFile); err != nil {
		return nil, store.WithCause(v1alpha1.ReasonDatabaseURLInvalid, fmt.Errorf("--database-url-file: %w", err))
	}
	return e.connect(ctx, "--database-url-file", func() (string, error) {
		url, err := os.ReadFile(e.databaseURLFile)
		if err == nil && len(url) == 0 {
			err = errors.New("the file is empty")
		}
		return string(url), err
	})
}

// connect opens the directory in the database of a connection URL; from says where that stands.
func (e *engine) connect(ctx context.Context, from string, url func() (string, error)) (store.Store, error) {
	database, err := postgres.Open(ctx, postgres.Options{Schema: e.databaseSchema, URL: url, Log: e.log, Guard: e.guard, Search: e.search})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return database, nil
}
