package postgres_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

// newStandby makes a cluster that follows another, and returns it with its connection URL.
func (c *cluster) newStandby() (standby *cluster, url string) {
	c.t.Helper()
	standby = &cluster{t: c.t, folder: testenv.Folder(c.t)}
	url = standby.run("standby", standby.folder, c.folder)
	return standby, url
}

// asks runs statements and returns the last one's first value.
func asks(t *testing.T, address string, statements ...string) (answer string) {
	t.Helper()
	conn := must(pgx.Connect(context.Background(), address))(t)
	defer conn.Close(context.Background())
	for _, statement := range statements {
		results := must(conn.PgConn().Exec(context.Background(), statement).ReadAll())(t)
		if rows := results[len(results)-1].Rows; len(rows) > 0 {
			answer = string(rows[0][0])
		}
	}
	return answer
}

// waitForStandby has a cluster wait for its standby with each commit.
func waitForStandby(t *testing.T, address string) {
	t.Helper()
	asks(t, address, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
	for waits := false; !waits && !t.Failed(); {
		waits = asks(t, address, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1"
	}
}

// Where two machines must have a change before it is acknowledged and one is away, the commit waits, and answers with a warning once it is
// made to wait no longer. The second machine takes over here, and has all that was acknowledged.
func TestNothingIsAcknowledgedThatOnlyOneMachineHas(t *testing.T) {
	ctx := context.Background()
	primary, address := newCluster(t)
	standby, second := primary.newStandby()
	t.Cleanup(func() { standby.run("stop", standby.folder, "immediate") })
	s := open(t, address)
	group := newGroup(t, s)
	waitForStandby(t, address)
	must(0, arrive(s, group, 1))(t)
	standby.crash()
	s.SetPatience(time.Second)
	acknowledged := map[int]bool{1: true}
	for what, write := range map[string]func() error{
		"a user":                     func() error { return arrive(s, group, 2) },
		"a setting":                  func() error { return s.Update(ctx, func(tx store.Tx) error { return tx.SetMeta(ctx, "a", "b") }) },
		"numbering the log":          func() error { _, err := s.Log(ctx, 0, 10); return err },
		"a commit that was given up": func() error { return cancelled(s, address, group, 3) },
		"a commit that was ended":    func() error { return ended(s, address, group, 4) },
	} {
		err := write()
		if !errors.Is(err, store.ErrUncertain) || !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "not known") {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.SetPatience(time.Minute)
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for range 2 { // the first tries to write, and the second finds it waiting
		err := s.Check(short)
		if reason, _ := store.CauseOf(err); !errors.Is(err, store.ErrUnavailable) || reason != "DatabaseCommitUncertain" || !strings.Contains(err.Error(), "no answer yet") {
			t.Errorf("check: %s: %v", reason, err)
		}
		short = ctx
	}
	primary.crash()
	standby.start()
	standby.run("promote", standby.folder)
	checkArrived(t, open(t, second), group, acknowledged, nil)
	primary.start() // for the cleanup
}

// cancelled has an administrator end the wait of a create.
func cancelled(s store.Store, address, group string, n int) error {
	return interrupted(s, address, group, n, "pg_cancel_backend")
}

// ended has an administrator end the connection on which a create waits.
func ended(s store.Store, address, group string, n int) error {
	return interrupted(s, address, group, n, "pg_terminate_backend")
}

func interrupted(s store.Store, address, group string, n int, with string) error {
	done := make(chan error, 1)
	go func() { done <- arrive(s, group, n) }()
	conn, err := pgx.Connect(context.Background(), address)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	for {
		var hit int
		err := conn.QueryRow(context.Background(), "SELECT count("+with+"(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").Scan(&hit)
		if err != nil {
			return err
		}
		if hit > 0 {
			return <-done
		}
		select {
		case err := <-done:
			return err
		default:
		}
	}
}

// A URL that leads to a standby first is followed to where writes are taken, also after the standby was promoted. A URL of the standby alone
// is good once it was promoted.
func TestAPromotedStandbyIsFollowed(t *testing.T) {
	ctx := context.Background()
	primary, address := newCluster(t)
	group := newGroup(t, open(t, address))
	standby, second := primary.newStandby()
	t.Cleanup(func() { standby.run("stop", standby.folder, "immediate") })
	one, two := must(url.Parse(address))(t), must(url.Parse(second))(t)
	waitForStandby(t, address)
	forms := []string{
		"postgres://postgres:tenantry@" + two.Host + "," + one.Host + "/postgres?sslmode=disable",
		"user=postgres password=tenantry dbname=postgres sslmode=disable host=127.0.0.1,127.0.0.1 port=" + two.Port() + "," + one.Port(),
		"postgres://postgres:tenantry@" + one.Host + "," + two.Host + "/postgres?sslmode=disable",
	}
	acknowledged := map[int]bool{}
	var stores []store.Store
	for i, form := range forms {
		stores = append(stores, open(t, form))
		must(0, arrive(stores[i], group, i+1))(t)
		acknowledged[i+1] = true
	}
	alone := open(t, second)
	if err := alone.Check(ctx); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "takes no writes") {
		t.Errorf("check of a standby: %v", err)
	}
	primary.crash()
	standby.run("promote", standby.folder)
	for i, s := range append(stores, alone) {
		n := 10 + i
		must(0, s.Check(ctx))(t)
		must(0, arrive(s, group, n))(t)
		acknowledged[n] = true
	}
	checkArrived(t, alone, group, acknowledged, nil)
	primary.start() // for the cleanup
}
