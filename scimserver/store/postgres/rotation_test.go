package postgres_test

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

// credentials are two users of one database who act as the same role, as whoever rotates credentials has them.
func credentials(t *testing.T) (schema string, urls [2]*url.URL) {
	t.Helper()
	schema = "test_" + strings.ToLower(rand.Text()[:12])
	owner := schema + "_owner"
	statements := []string{"CREATE ROLE " + owner, "GRANT CREATE ON DATABASE postgres TO " + owner}
	ends := []string{"DROP SCHEMA IF EXISTS " + schema + " CASCADE", "DROP OWNED BY " + owner}
	for i := range urls {
		urls[i] = must(url.Parse(testenv.Direct(t, must(testenv.URL())(t))))(t)
		user := schema + "_" + string(rune('a'+i))
		urls[i].User = url.UserPassword(user, "s3cret-"+user)
		statements = append(statements,
			"CREATE ROLE "+user+" LOGIN IN ROLE "+owner+" PASSWORD 's3cret-"+user+"'", "ALTER ROLE "+user+" SET role = "+owner)
		ends = append(ends, "DROP ROLE "+user)
	}
	ends = append(ends, "DROP ROLE "+owner)
	for _, statement := range statements {
		testenv.Execute(t, statement)
	}
	t.Cleanup(func() {
		for _, statement := range ends {
			testenv.Execute(t, statement)
		}
	})
	return schema, urls
}

// sessions counts the connections of a user.
func sessions(t *testing.T, of *url.URL) (n int) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn := must(pgx.Connect(ctx, testenv.Direct(t, must(testenv.URL())(t))))(t)
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", of.User.Username()).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNewCredentialsAreFollowedWithoutAFailedRequest(t *testing.T) {
	schema, urls := credentials(t)
	var current atomic.Pointer[url.URL]
	current.Store(urls[0])
	s := must(postgres.Open(t.Context(), postgres.Options{
		Schema: schema, URL: func() (string, error) { return current.Load().String(), nil },
	}))(t)
	defer s.Close()
	group := newGroup(t, s)

	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	acknowledged := map[int]bool{}
	ended := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				n := int(next.Add(1))
				if err := arrive(s, group, n); err != nil {
					t.Errorf("write %d: %v", n, err)
					return
				}
				mu.Lock()
				acknowledged[n] = true
				mu.Unlock()
				select {
				case <-ended:
					return
				default:
				}
			}
		})
	}
	written := func(more int64) {
		t.Helper()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for until := next.Load() + more; next.Load() < until && !t.Failed(); {
			<-tick.C
		}
	}
	written(50)
	if sessions(t, urls[0]) == 0 || sessions(t, urls[1]) != 0 {
		t.Error("the first user is not the one who is used")
	}
	current.Store(urls[1])
	must(0, s.Check(t.Context()))(t) // as the kubelet asks every other second
	written(50)
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		return sessions(t, urls[0]) == 0, nil
	})
	if err != nil {
		t.Errorf("there are connections of the first user still: %v", err)
	}
	testenv.Execute(t, "ALTER ROLE "+urls[0].User.Username()+" NOLOGIN")
	written(50)
	close(ended)
	wg.Wait()
	checkArrived(t, s, group, acknowledged, nil)
}
