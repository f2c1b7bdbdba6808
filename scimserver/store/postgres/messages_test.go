package postgres_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

// A URL that cannot be right whatever the database says is refused, in words that help and without the password.
func TestAURLThatCannotBeReadIsRefusedInWordsThatHelp(t *testing.T) {
	t.Parallel()
	const encoded = "percent-encoded"
	for address, want := range map[string]string{
		"postgres://u:begin@s3cret@h/db":                              encoded,
		"postgres://u:p@g,s3cret@h/db":                                encoded,
		"postgres://u:s3cret/more@h/db":                               encoded,
		"postgres://u:12/s3cret@h/db":                                 encoded,
		"postgres://u:s3cret%more@h/db":                               encoded,
		"postgres://u:s3cret more@h/db":                               encoded,
		"postgres://u:s3cret:#?more@h/db":                             "",
		"postgres://u:p@h/s3cret%40db":                                "",
		"postgresql+asyncpg://u:s3cret@h/db":                          "another driver (postgresql+asyncpg:)",
		"jdbc:postgresql://h/db?user=u&password=s3cret":               "another driver (jdbc:postgresql:)",
		"mysql://u:s3cret@h/db":                                       "another driver (mysql:)",
		"s3cret":                                                      encoded,
		"s3cret://":                                                   "another driver",
		"postgres://u:s3cret@h/db?search_path=a,b":                    "search_path must name one schema",
		"postgres://u:s3cret@h/db?sslmode=full":                       "sslmode is invalid",
		"postgres://u:s3cret@h/db?sslmode=verify-ca&sslrootcert=/n/o": "/n/o",
		"postgres://h/db?user=scim@server&password=s3cret":            "",
		"host=h user=u password=s3cret://":                            "",
		"postgres://u:p@[::1]:5432/db":                                "",
		"postgres://u:p@[::1]/db":                                     "",
		"postgres://u:p@[2001:db8::1]:5432,[2001:db8::2]:5432/db":     "",
		"postgres://u:p@h/db?host=2001:db8::1&port=6432":              "",
		"postgres://u:s3cret@::1:5432/db":                             encoded,
	} {
		err := postgres.CheckURL(address)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") && want != "another driver") { // which a secret can look like
			t.Errorf("%s: %v, want %q", address, err, want)
		}
		if want == "" {
			continue
		}
		if _, opened := postgres.Open(t.Context(), postgres.Options{URL: func() (string, error) { return address, nil }}); opened == nil || opened.Error() != "open the directory: "+err.Error() {
			t.Errorf("%s: opened: %v", address, opened)
		}
	}
}

// The log and the check name the cause that keeps a server from its database. Once that is mended the server works without a restart.
func TestWhatKeepsAServerFromItsDatabaseIsSaid(t *testing.T) {
	address := testenv.Direct(t, testenv.Schema(t))
	parsed := must(url.Parse(address))(t)
	schema := parsed.Query().Get("search_path")
	open(t, address)
	name, as := role(t, address, "")
	testenv.Execute(t, "REVOKE CREATE ON DATABASE postgres FROM "+name)
	wrong := *parsed
	wrong.User = url.UserPassword("postgres", "s3cret")
	for what, c := range map[string]struct{ url, want string }{
		"libpq's parameter":           {address + "&keepalives_idle=30", `unrecognized configuration parameter "keepalives_idle"`},
		"another of libpq's":          {address + "&load_balance_hosts=random", `"load_balance_hosts"`},
		"Prisma's parameter":          {address + "&connection_limit=5", `"connection_limit"`},
		"no USAGE":                    {as, "no USAGE on the schema"},
		"no such schema, no right":    {strings.Replace(as, schema, schema+"_more", 1), "CREATE ON DATABASE"},
		"no TLS at the server":        {strings.Replace(address, "sslmode=disable", "sslmode=require", 1), "TLS"},
		"a certificate of another":    {testenv.OtherName(t, "s3cret"), "not localhost"},
		"a server that is away":       {"postgres://u:s3cret@127.0.0.1:1/db", "connection refused"},
		"no such host":                {"postgres://u:s3cret@nowhere.invalid/db", "nowhere.invalid"},
		"a wrong password":            {wrong.String(), "28P01"},
		"no such database":            {strings.Replace(address, "/postgres?", "/nowhere?", 1), "3D000"},
		"a server that takes nothing": {address + "&default_transaction_read_only=on", "takes no writes"},
	} {
		t.Run(what, func(t *testing.T) {
			var said strings.Builder
			log := funcr.New(func(_, line string) { said.WriteString(line) }, funcr.Options{})
			ctx := context.Background()
			s := must(postgres.Open(ctx, postgres.Options{URL: func() (string, error) { return c.url, nil }, Log: log}))(t)
			defer s.Close()
			err := s.Check(ctx)
			if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("check: %v, want %s", err, c.want)
			}
			if logged := strings.ReplaceAll(said.String(), `\`, ""); !strings.Contains(logged, c.want) || strings.Contains(logged, "s3cret") {
				t.Errorf("log: %s, want %s", logged, c.want)
			}
		})
	}
}

// Only what says something of all connections closes those that there are.
func TestWhatTheDatabaseAndPoolersAnswerIsSorted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, message, want string
		stale               bool
		reason              string
	}{
		{"42P05", "prepared statement \"a\" already exists", "keeps no prepared statements", true, "DatabaseFailed"},
		{"26000", "prepared statement \"a\" does not exist", "keeps no prepared statements", true, "DatabaseFailed"},
		{"53300", "too many connections for role", "too many connections", false, "DatabaseConnectionsExhausted"},
		{"08P01", "no more connections allowed (max_client_conn)", "no more connections", false, "DatabaseConnectionsExhausted"},
		{"08P01", "query_wait_timeout", "query_wait_timeout", false, "DatabaseConnectionsExhausted"},
		{"53100", "could not extend file", "could not extend", false, "DatabaseFull"},
		{"57014", "canceling statement due to statement timeout", "timeout", false, "DatabaseFailed"},
		{"42501", "permission denied for table log", "SELECT, INSERT, UPDATE and DELETE", false, "DatabaseRefused"},
		{"25006", "cannot execute INSERT in a read-only transaction", "read-only", true, "DatabaseReadOnly"},
		{"53200", "out of memory", "out of memory", false, "DatabaseFailed"},
		{"57P03", "the database system is starting up", "starting up", false, "DatabaseUnreachable"},
		{"3D000", "database does not exist", "does not exist", false, "DatabaseRefused"},
		{"58030", "could not read block", "could not read", false, "DatabaseFailed"},
		{"57P01", "terminating connection due to administrator command", "terminating", true, "DatabaseUnreachable"},
		{"57P02", "terminating connection because of crash", "terminating", true, "DatabaseUnreachable"},
		{"08006", "server conn crashed", "crashed", true, "DatabaseUnreachable"},
	} {
		err := postgres.Translate(&pgconn.PgError{Code: c.code, Message: c.message})
		reason, _ := store.CauseOf(err)
		if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), c.want) || postgres.Stale(err) != c.stale || reason != c.reason {
			t.Errorf("%s %s: %s: %v, closes all: %t", c.code, c.message, reason, err, postgres.Stale(err))
		}
	}
}

// A condition that changed with every attempt would be written as often.
func TestWhatIsSaidOfAFailureIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"read tcp 10.0.0.2:41234->10.0.0.1:5432: connection reset by peer":     "read tcp 10.0.0.1:5432: connection reset by peer",
		"read tcp [fd00::2]:41234->[fd00::1]:5432: i/o timeout":                "read tcp [fd00::1]:5432: i/o timeout",
		"expired: current time 2026-11-30T01:35:21Z is after 2026-01-01T00:00": "expired: the time is after 2026-01-01T00:00",
		"dial tcp 127.0.0.1:1: connect: connection refused":                    "dial tcp 127.0.0.1:1: connect: connection refused",
	} {
		if got := postgres.Steady(text); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
