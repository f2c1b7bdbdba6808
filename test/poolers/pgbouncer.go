//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
)

// ignored is the setting to which PgBouncer's error leads people. It loses what a connection asks for.
const ignored = "ignore_startup_parameters = search_path,statement_timeout,idle_in_transaction_session_timeout"

func poolerRows() (rows []row) {
	for _, mode := range []string{"session", "transaction"} {
		rows = append(rows,
			row{
				name: "pgbouncer/" + mode, about: "three tenants on one database, PgBouncer, pool_mode=" + mode + ", six clients each for 8 s",
				run: sharing(3, mode),
			},
			row{name: "pgbouncer/" + mode + "-ignore", about: "the same with ignore_startup_parameters", run: sharing(3, mode, ignored)},
		)
	}
	one := row{
		name: "pgbouncer/one", about: "one tenant, PgBouncer, pool_mode=transaction, default_pool_size=1, six clients for 8 s",
		run: sharing(1, "transaction", "default_pool_size = 1"),
	}
	return append(rows, one, row{name: "pgbouncer/statement", about: "PgBouncer, pool_mode=statement", run: statements})
}

// pgbouncer starts a PgBouncer before a PostgreSQL, with its recipe and more settings, and returns its address.
func (s *scene) pgbouncer(ctx context.Context, c *cluster, mode string, settings ...string) (address string, err error) {
	free, err := freePorts(1)
	if err != nil {
		return "", err
	}
	users, err := s.write("userlist.txt", "\"scim\" \"tenantry\"\n\"postgres\" \"tenantry\"\n")
	if err != nil {
		return "", err
	}
	file, err := s.write("pgbouncer.ini", recipe("pgbouncer.ini", "host=db-1 port=5432 dbname=scim",
		"host=127.0.0.1 port="+port(c.address)+" dbname=scim\n* = host=127.0.0.1 port="+port(c.address),
		"listen_addr = *", "listen_addr = 127.0.0.1", "listen_port = 6432", "listen_port = "+port(free[0]),
		"/etc/pgbouncer/userlist.txt", users, "pool_mode = transaction", "pool_mode = "+mode)+
		"unix_socket_dir =\n"+strings.Join(append(settings, ""), "\n"))
	if err != nil {
		return "", err
	}
	process, err := s.startUnprivileged(ctx, s.programs.root+"/usr/sbin/pgbouncer", file)
	if err != nil {
		return "", err
	}
	return free[0], process.listens(ctx, free[0])
}

// sharing has so many tenants share a database and a PgBouncer before it.
func sharing(count int, mode string, settings ...string) func(context.Context, *scene, *seen) error {
	return func(ctx context.Context, s *scene, saw *seen) error {
		c, err := s.cluster(ctx, "database", "")
		if err != nil {
			return err
		}
		address, err := s.pgbouncer(ctx, c, mode, settings...)
		if err != nil {
			return err
		}
		tenants, err := s.tenants(ctx, databaseURL(address), count)
		if err != nil {
			return err
		}
		return s.together(ctx, tenants, 6, saw)
	}
}

// statements leads a server to a pooler that gives each statement another connection, with which nothing can be done.
func statements(ctx context.Context, s *scene, saw *seen) error {
	c, err := s.cluster(ctx, "database", "")
	if err != nil {
		return err
	}
	address, err := s.pgbouncer(ctx, c, "statement")
	if err != nil {
		return err
	}
	t, err := s.serve(ctx, "contoso", databaseURL(address))
	if err != nil {
		return err
	}
	notes, says := newTally(), ""
	names := func() bool {
		var ready bool
		ready, says = t.readiness(ctx)
		saw.must(!ready, "the server is ready")
		return ready || strings.Contains(says, "pooler")
	}
	if err := await(ctx, loadTime, names); err != nil {
		return fmt.Errorf("/readyz does not name the pooler: %s", says)
	}
	saw.say("/readyz: %s", says)
	t.create(ctx, t.name, notes)
	saw.must(notes.refused == 1, "the create was not answered 503")
	saw.heard(notes)
	return nil
}
