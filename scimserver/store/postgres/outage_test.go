package postgres_test

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// arrive is one change of several rows: a user, its membership and its entry in the log.
func arrive(s store.Store, group string, n int) error { return arriveWith(s, group, n, func() {}) }

// arriveWith is arrive with what happens before the last statement of each attempt.
func arriveWith(s store.Store, group string, n int, happens func()) error {
	r := storetest.BenchUser(n)
	return s.Update(context.Background(), func(tx store.Tx) error {
		if err := tx.Insert(context.Background(), r); err != nil {
			return err
		}
		var changes store.MemberChanges
		if _, err := tx.AddMembers(context.Background(), group, []store.Member{{ID: r.ID, Kind: store.User}}, &changes); err != nil {
			return err
		}
		happens()
		entry := storetest.BenchEntry(r)
		entry.Members, _ = changes.Net()
		return tx.Append(context.Background(), entry)
	})
}

// checkArrived looks for every acknowledged user, for parts of others, and for those that were refused.
func checkArrived(t *testing.T, s store.Store, group string, acknowledged, refused map[int]bool) {
	t.Helper()
	// In one view, as what was asked for before a crash may still be ending.
	must(0, s.View(context.Background(), func(r store.Reader) error {
		checkView(t, r, group, acknowledged, refused)
		return nil
	}))(t)
}

func checkView(t *testing.T, s store.Reader, group string, acknowledged, refused map[int]bool) {
	t.Helper()
	ctx := context.Background()
	logged, joined := map[string]int{}, map[string]bool{}
	for after := int64(0); ; {
		entries := must(s.Log(ctx, after, 1000))(t)
		for _, e := range entries {
			if e.Sequence != after+1 {
				t.Errorf("entry %d follows entry %d", e.Sequence, after)
			}
			logged[e.ResourceID]++
			for _, m := range e.Members {
				joined[store.FormatID(m.ID)] = m.Added
			}
			after = e.Sequence
		}
		if len(entries) < 1000 {
			break
		}
	}
	belongs := map[string]bool{}
	for _, m := range must(s.Members(ctx, group))(t) {
		belongs[m.ID] = true
	}
	if !maps.Equal(joined, belongs) {
		t.Errorf("%d members, %d joined by the log", len(belongs), len(joined))
	}
	users := map[string]bool{}
	for after := store.Start; after != ""; {
		page := must(s.Find(ctx, store.Query{Kind: store.User, After: after, Limit: 500}))(t)
		after = ""
		for i := range page.Records {
			r := &page.Records[i]
			users[r.ID] = true
			if logged[r.ID] != 1 || !belongs[r.ID] {
				t.Errorf("half a write of %s: %d log entries, member %t", r.ID, logged[r.ID], belongs[r.ID])
			}
			if len(page.Records) == 500 {
				after = r.ID
			}
		}
	}
	if len(logged) != len(users) || len(belongs) != len(users) {
		t.Errorf("%d users, %d in the log, %d members", len(users), len(logged), len(belongs))
	}
	for n := range acknowledged {
		if !users[storetest.BenchID(n)] {
			t.Errorf("user %d was acknowledged and is not there", n)
		}
	}
	for n := range refused {
		if users[storetest.BenchID(n)] {
			t.Errorf("user %d was refused and is there", n)
		}
	}
}

// cluster is a PostgreSQL of this test's own, which it may break.
type cluster struct {
	t      *testing.T
	folder string
}

func (c *cluster) run(args ...string) string {
	c.t.Helper()
	var complaint strings.Builder
	command := exec.Command("../../../hack/postgres/cluster", args...)
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		c.t.Fatalf("hack/postgres/cluster %s: %v\n%s", strings.Join(args, " "), err, complaint.String())
	}
	return strings.TrimSpace(string(out))
}

func (c *cluster) start() (url string) { return c.run("start", c.folder) }

// crash ends it without any goodbye to the disk or to its clients, as a power cut would.
func (c *cluster) crash() { c.run("stop", c.folder, "immediate") }

func newCluster(t *testing.T) (c *cluster, url string) {
	t.Helper()
	if _, err := testenv.URL(); err != nil {
		t.Fatal(err)
	}
	c = &cluster{t: t, folder: testenv.Folder(t)}
	url = c.start()
	t.Cleanup(c.crash)
	return c, url
}

func TestACrashOfTheDatabaseLosesNothingAndIsRecoveredFrom(t *testing.T) {
	c, url := newCluster(t)
	s := open(t, url)
	group := newGroup(t, s)
	acknowledged, refused := map[int]bool{}, map[int]bool{}
	var next atomic.Int64
	for range 3 {
		var mu sync.Mutex
		var wg sync.WaitGroup
		enough := make(chan struct{})
		begun := next.Load()
		for range 8 {
			wg.Go(func() {
				for {
					n := int(next.Add(1))
					if n == int(begun)+150 {
						close(enough)
					}
					err := arrive(s, group, n)
					mu.Lock()
					switch {
					case err == nil:
						acknowledged[n] = true
					case errors.Is(err, store.ErrUnavailable):
						if !strings.Contains(err.Error(), "not known") {
							refused[n] = true
						}
					default:
						t.Errorf("write %d: %v", n, err)
					}
					mu.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
		<-enough
		c.crash()
		wg.Wait()
		if err := s.Check(context.Background()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("check without a database: %v", err)
		}
		if _, err := s.Get(context.Background(), store.Group, group); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("get without a database: %v", err)
		}
		if again := c.start(); again != url {
			t.Fatalf("it came back as %s", again)
		}
		must(0, s.Check(context.Background()))(t)
		checkArrived(t, s, group, acknowledged, refused)
	}
	if len(acknowledged) < 300 {
		t.Errorf("only %d were acknowledged; the test proves too little", len(acknowledged))
	}
}

func TestConnectionsThatWereEndedAreNotNoticedByClients(t *testing.T) {
	const name = "ended by a test"
	s := open(t, testenv.Schema(t)+"&application_name="+url.QueryEscape(name))
	group := newGroup(t, s)
	acknowledged := map[int]bool{}
	for n := 1; n <= 40; n++ {
		if n%5 == 0 {
			testenv.Execute(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '"+name+"'")
		}
		if n%10 == 5 {
			must(s.Get(context.Background(), store.Group, group))(t)
		}
		must(0, arrive(s, group, n))(t)
		acknowledged[n] = true
	}
	checkArrived(t, s, group, acknowledged, nil)
}

func TestADatabaseThatIsAwayAtTheStartIsUsedWhenItIsThere(t *testing.T) {
	working := testenv.Schema(t)
	away := must(url.Parse(working))(t)
	away.Host, away.User = "127.0.0.1:1", url.UserPassword("postgres", "s3cret-pass")
	var current atomic.Pointer[string]
	text := away.String()
	current.Store(&text)
	ctx := context.Background()
	s := must(postgres.Open(ctx, postgres.Options{URL: func() (string, error) { return *current.Load(), nil }}))(t)
	defer s.Close()
	for what, err := range map[string]error{
		"check":  s.Check(ctx),
		"update": s.Update(ctx, func(store.Tx) error { return nil }),
	} {
		if !errors.Is(err, store.ErrUnavailable) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", what, err)
		}
	}
	current.Store(&working) // another host, and another password
	must(0, s.Check(ctx))(t)
	newGroup(t, s)
}

func TestAReadOnlyDatabaseIsUnavailableForWritesAndSaysSo(t *testing.T) {
	address := testenv.Schema(t)
	ctx := context.Background()
	group := newGroup(t, open(t, address))
	var suffix atomic.Pointer[string]
	readOnly, writable := "&default_transaction_read_only=on", ""
	suffix.Store(&readOnly)
	s := must(postgres.Open(ctx, postgres.Options{URL: func() (string, error) { return address + *suffix.Load(), nil }}))(t)
	defer s.Close()
	if err := s.Check(ctx); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("check: %v", err)
	}
	if err := arrive(s, group, 1); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("update: %v", err)
	}
	suffix.Store(&writable) // as after a fail-over
	must(0, s.Check(ctx))(t)
	must(0, arrive(s, group, 1))(t)
}

func TestWhatTheURLCannotBeIsRefusedWithoutShowingIt(t *testing.T) {
	for _, address := range []string{
		"postgres://user:s3cret@host:port/db", "postgres://u:s3cret@h/db?search_path=a,b", "mysql://u:s3cret@h/db", "s3cret",
	} {
		_, err := postgres.Open(context.Background(), postgres.Options{URL: func() (string, error) { return address, nil }})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestAnErrorShowsNeitherStatementNorValue(t *testing.T) {
	s := open(t, testenv.Schema(t))
	r := storetest.BenchUser(1)
	r.ExternalID = strings.Repeat("s3cret", 5000) // more than an index takes
	for n := range r.ExternalID[:100] {
		r.ExternalID += string(rune('a'+n%26)) + time.Unix(int64(n)*7919, 0).String()
	}
	err := s.Update(context.Background(), func(tx store.Tx) error {
		r.Defaults = "s3cret\x00"
		return tx.Insert(context.Background(), r)
	})
	if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "INSERT") {
		t.Errorf("%v", err)
	}
	must(0, s.Check(context.Background()))(t)
}
