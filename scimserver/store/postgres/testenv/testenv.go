// Package testenv gives each test that needs PostgreSQL a schema of its own.
package testenv

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Variable names the environment variable with the connection URL of a PostgreSQL for tests. Where that leads to a pooler, Owner names the one
// with the URL of the database behind it, for what tests do as its owner.
const (
	Variable = "TENANTRY_TEST_POSTGRES_URL"
	Owner    = "TENANTRY_TEST_POSTGRES_OWNER_URL"
)

// Engines returns the names of the engines to run a test on, "sqlite" and "postgres": both, or those that TENANTRY_TEST_ENGINES lists.
func Engines() []string {
	if chosen := os.Getenv("TENANTRY_TEST_ENGINES"); chosen != "" {
		return strings.Split(chosen, ",")
	}
	return []string{"sqlite", "postgres"}
}

// URL returns the connection URL of a PostgreSQL for tests, or what to do to have one.
func URL() (string, error) {
	address := os.Getenv(Variable)
	if address == "" {
		return "", fmt.Errorf("this test needs PostgreSQL and %s is not set;"+
			" hack/postgres/run starts one around a command, as in: hack/postgres/run go test ./scimserver/... -v", Variable)
	}
	return address, nil
}

// Schema returns a connection URL whose search_path is a schema that nobody else uses. It is made by whoever opens it first,
// and dropped when the test has ended. Where a client does not send search_path, the search path leads nowhere, so that a statement fails
// that does not name the schema.
func Schema(t testing.TB) string {
	t.Helper()
	name := newName()
	address, err := leadingTo(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Execute(t, `SET synchronous_commit = off; DROP SCHEMA IF EXISTS "`+name+`" CASCADE`) })
	return address
}

// newName is the name of a schema that nobody has.
func newName() string { return "test_" + strings.ToLower(rand.Text()[:12]) }

// leadingTo is the connection URL of a schema.
func leadingTo(schema string) (string, error) {
	address, err := URL()
	if err != nil {
		return "", err
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("%s is not a URL", Variable)
	}
	query := parsed.Query()
	query.Set("search_path", schema)
	query.Set("options", "-csearch_path=nowhere")
	parsed.RawQuery = query.Encode()
	return parsed.String(), nil
}

// hasty is added to the URL of tests that say nothing of what outlives the database: commits do not wait for the disk.
const hasty = "&synchronous_commit=off"

// HastySchema is Schema for tests that say nothing of what outlives the database: its commits do not wait for the disk.
func HastySchema(t testing.TB) string {
	t.Helper()
	return Schema(t) + hasty
}

// Execute runs one statement as the owner of the database.
func Execute(t testing.TB, sql string) {
	t.Helper()
	asOwner(t, sql, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
		return err
	})
}

// Ask returns the first value that a statement of the owner of the database finds.
func Ask(t testing.TB, sql string) (answer string) {
	t.Helper()
	asOwner(t, sql, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT coalesce(("+sql+")::text, '')").Scan(&answer)
	})
	return answer
}

// Direct returns the connection URL that leads to the same schema of the database behind a pooler.
func Direct(t testing.TB, address string) string {
	t.Helper()
	direct, err := behind(address)
	if err != nil {
		t.Fatal(err)
	}
	return direct
}

func behind(address string) (string, error) {
	direct, err := url.Parse(cmp.Or(os.Getenv(Owner), address))
	if err != nil {
		return "", fmt.Errorf("%s is not a URL", Owner)
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	parsed.Host = direct.Host
	return parsed.String(), nil
}

// asOwner calls run with a connection of the owner of the database, also while a test is being cleaned up.
func asOwner(t testing.TB, sql string, run func(context.Context, *pgx.Conn) error) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := connectAsOwner(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := run(ctx, conn); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func connectAsOwner(ctx context.Context) (*pgx.Conn, error) {
	address, err := URL()
	if err != nil {
		return nil, err
	}
	if address, err = behind(address); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("connect to the PostgreSQL of %s: %w", Variable, err)
	}
	return conn, nil
}

// Folder is a temporary folder that the unprivileged user who runs a PostgreSQL can enter, which t.TempDir's parents forbid.
func Folder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "tenantry-postgres") //nolint:usetesting // its parents would be closed to that user
	if err == nil {
		err = os.Chmod(folder, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}
