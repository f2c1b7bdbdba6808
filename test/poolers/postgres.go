//go:build linux

package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tenantry/tenantry/test/debian"
)

// cluster is one PostgreSQL, run by hack/postgres/cluster.
type cluster struct {
	folder   string
	programs string // the folder of its programs
	address  string // host:port
}

// granted is what docs/storage.md asks for.
var granted = []string{"CREATE ROLE scim LOGIN PASSWORD 'tenantry'", "CREATE DATABASE scim", "GRANT CREATE ON DATABASE scim TO scim"}

// cluster makes a PostgreSQL of a major version with a database and a role scim, as docs/storage.md has them, and starts it.
func (s *scene) cluster(ctx context.Context, name, major string) (*cluster, error) {
	programs, err := s.programs.postgres(ctx, major)
	if err != nil {
		return nil, err
	}
	c := &cluster{folder: s.file(name), programs: programs}
	if err := c.start(ctx, s); err != nil {
		return nil, err
	}
	return c, c.administer(ctx, granted...)
}

// standby makes a PostgreSQL that follows c, and starts it.
func (c *cluster) standby(ctx context.Context, s *scene) (*cluster, error) {
	other := &cluster{folder: c.folder + "-standby", programs: c.programs}
	return other, other.started(ctx, s, "standby", c.folder)
}

func (c *cluster) start(ctx context.Context, s *scene) error { return c.started(ctx, s, "start") }

func (c *cluster) started(ctx context.Context, s *scene, how string, of ...string) error {
	first := c.address == ""
	address, err := c.do(ctx, how, of...)
	if err != nil {
		return err
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return err
	}
	c.address = parsed.Host
	if first {
		s.ends(func() { _, _ = c.do(context.WithoutCancel(ctx), "stop", "immediate") })
	}
	return nil
}

// stop ends it; mode is pg_ctl's, and immediate is as good as a crash.
func (c *cluster) stop(ctx context.Context, mode string) error {
	_, err := c.do(ctx, "stop", mode)
	return err
}

func (c *cluster) promote(ctx context.Context) error {
	_, err := c.do(ctx, "promote")
	return err
}

func (c *cluster) do(ctx context.Context, what string, more ...string) (string, error) {
	return debian.Output(ctx, []string{"TENANTRY_TEST_POSTGRES_PROGRAMS=" + c.programs}, "hack/postgres/cluster", append([]string{what, c.folder}, more...)...)
}

// url is the connection URL of the role scim; several hosts may take its place.
func (c *cluster) url() string { return databaseURL(c.address) }

func databaseURL(hosts string, parameters ...string) string {
	return "postgres://scim:tenantry@" + hosts + "/scim?" + strings.Join(append([]string{"sslmode=disable"}, parameters...), "&")
}

// administer runs statements as the superuser, each in a transaction of its own.
func (c *cluster) administer(ctx context.Context, statements ...string) error {
	_, err := c.ask(ctx, "postgres", statements...)
	return err
}

// ask runs statements in a database as the superuser, and returns the last one's first value.
func (c *cluster) ask(ctx context.Context, database string, statements ...string) (answer string, err error) {
	connection, err := pgx.Connect(ctx, "postgres://postgres:tenantry@"+c.address+"/"+database+"?sslmode=disable")
	if err != nil {
		return "", err
	}
	defer connection.Close(context.WithoutCancel(ctx))
	for _, statement := range statements {
		results, err := connection.PgConn().Exec(ctx, statement).ReadAll()
		if err != nil {
			return "", fmt.Errorf("%s: %w", statement, err)
		}
		if rows := results[len(results)-1].Rows; len(rows) > 0 {
			answer = string(rows[0][0])
		}
	}
	return answer, nil
}

// set changes settings that need a restart, and restarts.
func (c *cluster) set(ctx context.Context, s *scene, settings ...string) error {
	for _, setting := range settings {
		if err := c.administer(ctx, "ALTER SYSTEM SET "+setting); err != nil {
			return err
		}
	}
	if err := c.stop(ctx, "fast"); err != nil {
		return err
	}
	return c.start(ctx, s)
}
