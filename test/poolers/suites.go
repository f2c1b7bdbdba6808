//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tenantry/tenantry/test/debian"
)

func suiteRows() (rows []row) {
	for _, mode := range []string{"session", "transaction"} {
		rows = append(rows,
			row{
				name: "suites/" + mode, about: "the suites of the store and of SCIM through PgBouncer, pool_mode=" + mode, run: suites(mode),
				limit: 15 * time.Minute,
			},
			row{
				name: "suites/" + mode + "-ignore", about: "the same with ignore_startup_parameters", run: suites(mode, ignored),
				limit: 15 * time.Minute,
			},
		)
	}
	return rows
}

// roles that tests make are known to PgBouncer by asking for them.
const asking = "auth_user = postgres\nauth_query = SELECT usename, passwd FROM pg_shadow WHERE usename = $1"

// plans is the test that prepares statements by hand, in a session, to read their plans.
const plans = "^TestLookUpsUseTheirIndexesWhateverIsKnownOfTheTables$"

// suites runs the tests through a pooler. What they do as the owner of the database goes directly to it. So do tests with a PostgreSQL
// of their own, which they crash or have followed by a standby.
func suites(mode string, settings ...string) func(context.Context, *scene, *seen) error {
	return func(ctx context.Context, s *scene, saw *seen) error {
		c, err := s.cluster(ctx, "database", "")
		if err != nil {
			return err
		}
		address, err := s.pgbouncer(ctx, c, mode, append(settings, asking)...)
		if err != nil {
			return err
		}
		return s.test(ctx, saw, superuserURL(address), superuserURL(c.address), "-skip", plans, "./scimserver/store/postgres", "./scimserver/protocol")
	}
}

// test runs go test on a database.
func (s *scene) test(ctx context.Context, saw *seen, database, owner string, arguments ...string) error {
	begun := time.Now()
	environment := []string{"TENANTRY_TEST_POSTGRES_URL=" + database, "TENANTRY_TEST_POSTGRES_OWNER_URL=" + owner, "TENANTRY_TEST_ENGINES=postgres"}
	_, err := debian.Output(ctx, environment, "go", append([]string{"test", "-count", "1", "-timeout", "15m"}, arguments...)...)
	if err != nil {
		var failed []string
		for line := range strings.Lines(err.Error()) {
			if strings.HasPrefix(strings.TrimSpace(line), "--- FAIL") {
				failed = append(failed, strings.TrimSpace(line))
			}
		}
		return fmt.Errorf("%d tests fail: %s", len(failed), strings.Join(failed, ", "))
	}
	saw.say("all pass, %.0f s", time.Since(begun).Seconds())
	return nil
}

func superuserURL(address string) string {
	return "postgres://postgres:tenantry@" + address + "/postgres?sslmode=disable"
}
