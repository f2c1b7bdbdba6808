package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// all refuses every parameter that PostgreSQL would have to keep, as PgBouncer does.
func all(name string) bool { return name != "application_name" }

// kinds are poolers by what they do with the parameters of a connection, and whether they can be told by the process that answers.
func kinds() map[string]*stub {
	return map[string]*stub{
		"parameters are refused":                            {refuses: all},
		"parameters are ignored":                            {},
		"some are refused, others ignored":                  {refuses: func(name string) bool { return name == "options" }},
		"a parameter is refused, in disguise":               {refuses: func(name string) bool { return name == "statement_timeout" }, disguised: true},
		"parameters are ignored, in disguise":               {disguised: true},
		"parameters are what they would be, in disguise":    {disguised: true},
		"parameters are what they would be":                 {},
		"only options are refused, and in disguise at that": {refuses: func(name string) bool { return name == "options" }, disguised: true},
	}
}

// openLogged opens a store, and returns the lines that it logs.
func openLogged(t *testing.T, address string) (*postgres.Store, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var lines []string
	log := funcr.New(func(_, line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	}, funcr.Options{})
	s := must(postgres.Open(context.Background(), postgres.Options{URL: func() (string, error) { return address, nil }, Log: log}))(t)
	t.Cleanup(func() { must(0, s.Close())(t) })
	return s, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(lines)
	}
}

// Six clients at a time and no failure, whatever the pooler does, from the first request on. That there is one is logged once.
func TestAPoolerIsFoundOutAndNothingFails(t *testing.T) {
	for name, p := range kinds() {
		t.Run(name, func(t *testing.T) {
			parameters, sessions := "&synchronous_commit=off", 3 // which another client may have left behind
			if p.disguised {
				sessions = 1
			}
			if strings.Contains(name, "what they would be") {
				parameters += "&statement_timeout=30s&idle_in_transaction_session_timeout=30s"
			}
			p.start(t, sessions, parameters)
			address := testenv.Schema(t)
			s, lines := openLogged(t, p.through(t, address)) // makes the schema, too
			group := newGroup(t, s)
			acknowledged := map[int]bool{}
			var mu sync.Mutex
			var wg sync.WaitGroup
			for c := range 6 {
				wg.Go(func() {
					for i := range 10 {
						n := 1 + c*10 + i
						if err := arrive(s, group, n); err != nil {
							t.Errorf("write %d: %v", n, err)
							return
						}
						if _, err := s.Get(t.Context(), store.User, storetest.BenchID(n)); err != nil {
							t.Errorf("read %d: %v", n, err)
							return
						}
						mu.Lock()
						acknowledged[n] = true
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			must(0, s.Check(t.Context()))(t)
			checkArrived(t, s, group, acknowledged, nil)
			for setting, want := range map[string]string{
				"statement_timeout": "30s", "idle_in_transaction_session_timeout": "30s", "synchronous_commit": "on",
			} {
				if got := must(s.Setting(t.Context(), setting))(t); got != want {
					t.Errorf("a transaction has %s = %s, want %s", setting, got, want)
				}
			}
			said := 0
			for _, line := range lines() {
				if strings.Contains(line, "a pooler is between") {
					said++
				}
			}
			if said != 1 {
				t.Errorf("it is said %d times that there is a pooler: %v", said, lines())
			}
			if len(p.refused) > 2*4 { // a few connections may be made at once
				t.Errorf("%d connections were refused: %v", len(p.refused), p.refused)
			}
		})
	}
}

// Three tenants share the sessions of a pooler, which make their schemas too. None sees anything of another.
func TestTenantsShareAPooler(t *testing.T) {
	p := &stub{refuses: all}
	p.start(t, 6, "")
	addresses := []string{testenv.Schema(t), testenv.Schema(t), testenv.Schema(t)}
	var wg sync.WaitGroup
	for tenant, address := range addresses {
		wg.Go(func() {
			s := open(t, p.through(t, address))
			group := newGroup(t, s)
			var clients sync.WaitGroup
			for c := range 6 {
				clients.Go(func() {
					for i := range 10 {
						if err := arrive(s, group, 1000*tenant+c*10+i+1); err != nil {
							t.Errorf("tenant %d: %v", tenant, err)
							return
						}
					}
				})
			}
			clients.Wait()
			acknowledged := map[int]bool{}
			for n := range 60 {
				acknowledged[1000*tenant+n+1] = true
			}
			checkArrived(t, s, group, acknowledged, nil)
			if found := must(s.Stats(t.Context()))(t); found.Users != 60 || found.Groups != 1 {
				t.Errorf("tenant %d has %+v", tenant, found)
			}
		})
	}
	wg.Wait()
}

// The parameters of a connection URL hold behind a pooler, too.
func TestTheParametersOfAURLGoWithEachTransaction(t *testing.T) {
	for _, c := range []struct{ parameters, sessions, setting, want string }{
		{"&statement_timeout=7000", "", "statement_timeout", "7s"},
		{"&synchronous_commit=off", "", "synchronous_commit", "off"},
		{"&synchronous_commit=on", "&synchronous_commit=off", "synchronous_commit", "on"},
		{"", "&synchronous_commit=off", "synchronous_commit", "on"},
		{"", "&synchronous_commit=local", "synchronous_commit", "local"},
		{"", "&synchronous_commit=remote_write", "synchronous_commit", "remote_write"},
		{"&lock_timeout=5s", "", "lock_timeout", "5s"},
		{"&application_name=it%27s", "", "search_path", "nowhere"}, // of options
	} {
		t.Run(c.parameters+c.sessions, func(t *testing.T) {
			p := &stub{refuses: all}
			p.start(t, 2, c.sessions)
			s := open(t, p.through(t, testenv.Schema(t))+c.parameters)
			if got := must(s.Setting(t.Context(), c.setting))(t); got != c.want {
				t.Errorf("%s = %s, want %s", c.setting, got, c.want)
			}
		})
	}
}

// A setting that cannot be is named, as it is without a pooler.
func TestAParameterThatTheDatabaseDoesNotKnowIsNamedBehindAPooler(t *testing.T) {
	p := &stub{refuses: all}
	p.start(t, 2, "")
	for parameter, want := range map[string]string{
		"&keepalives_idle=30":               `unrecognized configuration parameter "keepalives_idle"`,
		"&statement_timeout=soon":           "statement_timeout",
		"&default_transaction_read_only=on": "takes no writes",
	} {
		s, lines := openLogged(t, p.through(t, testenv.Schema(t))+parameter)
		err := s.Check(t.Context())
		if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", parameter, err)
		}
		if all := strings.Join(lines(), "\n"); !strings.Contains(strings.ReplaceAll(all, `\`, ""), want) {
			t.Errorf("%s: logged %s", parameter, all)
		}
	}
}

// A pooler of statements breaks transactions up, so a server behind one is not ready, and says why.
func TestAPoolerOfStatementsIsNamed(t *testing.T) {
	p := &stub{refuses: all}
	p.statements.Store(true)
	p.start(t, 2, "")
	address := testenv.Schema(t)
	fresh, _ := openLogged(t, p.through(t, testenv.Schema(t)))
	open(t, address)
	finished, _ := openLogged(t, p.through(t, address))
	for what, s := range map[string]*postgres.Store{"a new schema": fresh, "a finished schema": finished} {
		for how, err := range map[string]error{"check": s.Check(t.Context()), "write": arrive(s, storetest.BenchID(1), 1)} {
			if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "the pooler pools statements") {
				t.Errorf("%s: %s: %v", what, how, err)
			}
		}
	}
}

// A pooler that begins to pool statements below a running server makes it not ready.
func TestAPoolerThatTurnsToStatementsIsNoticed(t *testing.T) {
	p := &stub{}
	p.start(t, 2, "")
	s := open(t, p.through(t, testenv.Schema(t)))
	group := newGroup(t, s)
	for _, statements := range []bool{true, false} {
		p.statements.Store(statements)
		for how, err := range map[string]error{"write": arrive(s, group, 1), "check": s.Check(t.Context())} {
			if statements != errors.Is(err, store.ErrUnavailable) || !statements && err != nil && !errors.Is(err, store.ErrConflict) {
				t.Errorf("statements %t: %s: %v", statements, how, err)
			}
		}
	}
}

// The warning with which PostgreSQL makes a change final is heard through a pooler.
func TestAWarningAtCommitIsHeardThroughAPooler(t *testing.T) {
	p := &stub{refuses: all}
	p.start(t, 2, "")
	address := testenv.Schema(t)
	s := open(t, p.through(t, address))
	group := newGroup(t, s)
	schema := schemaOf(t, address)
	testenv.Execute(t, fmt.Sprintf(`CREATE FUNCTION %[1]s.warn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'not there yet'; RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON %[1]s.documents DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION %[1]s.warn()`, schema))
	if err := arrive(s, group, 1); !errors.Is(err, store.ErrUncertain) || !strings.Contains(err.Error(), "not there yet") {
		t.Errorf("%v", err)
	}
}

// A way of sending statements that the URL names is kept.
func TestTheURLChoosesHowStatementsAreSent(t *testing.T) {
	p := &stub{refuses: all}
	p.start(t, 3, "")
	address := testenv.Schema(t)
	for parameter, want := range map[string]string{
		"": "cache describe", "&default_query_exec_mode=exec": "exec", "&default_query_exec_mode=simple_protocol": "simple protocol",
	} {
		s := open(t, p.through(t, address)+parameter)
		if got := must(s.Mode(t.Context()))(t); got != want {
			t.Errorf("%s: %s, want %s", parameter, got, want)
		}
	}
	if got := must(open(t, testenv.Direct(t, address)).Mode(t.Context()))(t); got != "cache statement" {
		t.Errorf("without a pooler: %s", got)
	}
}

// PgBouncer has one code for all that it says. Its words are handed on, and sorted by whether they will pass.
func TestTheWordsOfAPoolerAreHandedOn(t *testing.T) {
	p := &stub{refuses: all}
	p.start(t, 2, "")
	address := p.through(t, testenv.Schema(t))
	s := open(t, address)
	group := newGroup(t, s)
	n := 0
	for words, reason := range map[string]string{
		"no such database: contoso":                                           "DatabaseRefused",
		"no such user":                                                        "DatabaseRefused",
		"SASL authentication failed":                                          "DatabaseRefused",
		"no more connections allowed (max_client_conn)":                       "DatabaseConnectionsExhausted",
		"pgbouncer cannot connect to server":                                  "DatabaseUnreachable",
		"server login has been failing, try again later (server_login_retry)": "DatabaseUnreachable",
		"bouncer config error":                                                "DatabaseUnreachable",
		"database does not allow connections":                                 "DatabaseUnreachable",
		"unsupported startup parameter: application_name":                     "DatabaseURLInvalid",
		"client_login_timeout":                                                "DatabaseUnreachable",
		"server conn crashed?":                                                "DatabaseUnreachable",
		"the database system is paused":                                       "DatabaseUnreachable",
	} {
		t.Run(words, func(t *testing.T) {
			p.entrance.Store(words)
			late, _ := openLogged(t, address)
			err := late.Check(t.Context())
			got, _ := store.CauseOf(err)
			if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "the pooler answered 08P01: "+words) || got != reason {
				t.Errorf("a connection: %s: %v, want %s", got, err, reason)
			}
			p.entrance.Store("")
			if reason == "DatabaseConnectionsExhausted" {
				return // which is only said to new connections
			}
			p.answers.Store(words)
			n++
			for what, err := range map[string]error{"write": arrive(s, group, n), "check": s.Check(t.Context())} {
				if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), words) {
					t.Errorf("%s: %v", what, err)
				}
			}
			p.answers.Store("")
			must(0, s.Check(t.Context()))(t)
			must(0, arrive(s, group, n))(t)
			must(0, late.Check(t.Context()))(t)
		})
	}
}

// A request to cancel that has no answer yet may reach a later statement.
func TestARequestToCancelIsNotTakenBack(t *testing.T) {
	p := &stub{refuses: all}
	p.start(t, 2, "")
	address := testenv.Schema(t)
	s := open(t, p.through(t, address))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	conn := must(pgx.Connect(ctx, testenv.Direct(t, address)))(t)
	defer conn.Close(context.WithoutCancel(ctx))
	must(conn.Exec(ctx, "BEGIN; LOCK TABLE meta"))(t)
	kept := make(chan error, 1)
	p.cancels = func(request net.Conn) {
		must(conn.Exec(context.WithoutCancel(ctx), "COMMIT"))(t) // and the statement ends
		_ = request.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		_, err := request.Read(make([]byte, 1))
		kept <- err
	}
	done := make(chan error, 1)
	go func() { _, err := s.Meta(ctx, "a"); done <- err }()
	for waiting := "0"; waiting == "0"; {
		waiting = testenv.Ask(t, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '"+schemaOf(t, address)+".meta'::regclass")
	}
	stop()
	if err := <-kept; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the request ended with %v before it had its answer", err)
	}
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A pooler takes a client also where it has no session for it, and lets its first statement wait. That is a database that gives no more
// connections, for which those that a server has are waited for, and no database that is away.
func TestAPoolerWithoutASessionToGiveHasNoConnections(t *testing.T) {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	var wg sync.WaitGroup
	var waiting sync.Map
	defer wg.Wait()
	defer listener.Close()
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				client := pgproto3.NewBackend(conn, conn)
				first, err := client.ReceiveStartupMessage()
				if _, starts := first.(*pgproto3.StartupMessage); err != nil || !starts {
					waiting.Range(func(other, _ any) bool { return other.(net.Conn).Close() == nil }) // as PgBouncer answers a request to cancel
					return
				}
				waiting.Store(conn, nil)
				client.Send(&pgproto3.AuthenticationOk{})
				client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
				_ = client.Flush()
				_, _ = io.Copy(io.Discard, conn)
				waiting.Delete(conn)
			})
		}
	})
	address := "postgres://u:s3cret@" + listener.Addr().String() + "/db?sslmode=disable&connect_timeout=1"
	s := must(postgres.Open(t.Context(), postgres.Options{URL: func() (string, error) { return address, nil }}))(t)
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer cancel()
	err := s.Check(ctx)
	if reason, _ := store.CauseOf(err); reason != "DatabaseConnectionsExhausted" || !strings.Contains(err.Error(), "no answer to the first statement") {
		t.Errorf("check: %s: %v", reason, err)
	}
}
