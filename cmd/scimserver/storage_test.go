package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"

	"github.com/tenantry/tenantry/api/advice"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/settings/manifests"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/test/race"
)

// told is what was reported last.
type told struct {
	reason, message string
	err             error
}

func (r *told) ReportProblem(_ context.Context, reason, message string) error {
	r.reason, r.message = reason, message
	return r.err
}

// canary is in every secret of these tests.
const canary = "s3cret"

// role makes a role with options, and returns the URL with it.
func role(t *testing.T, address *url.URL, name, options string) string {
	t.Helper()
	testenv.Execute(t, "CREATE ROLE "+name+" PASSWORD '"+canary+"' "+options)
	t.Cleanup(func() { testenv.Execute(t, "DROP OWNED BY "+name+" CASCADE; DROP ROLE "+name) })
	as := *address
	as.User = url.UserPassword(name, canary)
	return as.String()
}

// Each cause has its reason, the server stays up, and goes on without a restart once the Secret is right.
func TestWhatKeepsAServerFromItsDatabaseIsReportedAndItGoesOnWithoutARestart(t *testing.T) {
	race.Meets(t)
	good := testenv.Schema(t)
	parsed, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	schema := parsed.Query().Get("search_path")
	testenv.Execute(t, "CREATE SCHEMA "+schema)
	wrong := *parsed
	wrong.User = url.UserPassword("postgres", canary)
	for name, c := range map[string]struct{ url, reason, message string }{
		"no file":               {"", "DatabaseURLInvalid", "no such file"},
		"an unescaped password": {"postgres://u:be/" + canary + "@h/db", "DatabaseURLInvalid", "percent-encoded"},
		"another driver":        {"jdbc:postgresql://h/db?password=" + canary, "DatabaseURLInvalid", "another driver"},
		"unknown parameter":     {good + "&keepalives_idle=30", "DatabaseURLInvalid", `"keepalives_idle"`},
		"invalid value":         {good + "&default_transaction_isolation=none", "DatabaseURLInvalid", "default_transaction_isolation"},
		"a wrong password":      {wrong.String(), "DatabaseRefused", "28P01"},
		"no USAGE":              {role(t, parsed, schema+"_a", "LOGIN"), "DatabaseRefused", "no USAGE on the schema"},
		"no such database":      {strings.Replace(good, "/postgres?", "/nowhere?", 1), "DatabaseRefused", "3D000"},
		"away":                  {"postgres://u:" + canary + "@127.0.0.1:1/db", "DatabaseUnreachable", "connection refused"},
		"no such host":          {"postgres://u:" + canary + "@nowhere.invalid/db", "DatabaseUnreachable", "nowhere.invalid"},
		"no TLS":                {strings.Replace(good, "sslmode=disable", "sslmode=require", 1), "DatabaseUnreachable", "TLS"},
		"certificate name":      {testenv.OtherName(t, canary), "DatabaseUnreachable", "not localhost"},
		"read-only":             {good + "&default_transaction_read_only=on", "DatabaseReadOnly", "takes no writes"},
		"no connection":         {role(t, parsed, schema+"_b", "LOGIN CONNECTION LIMIT 0"), "DatabaseConnectionsExhausted", "53300"},
		"no right to login":     {role(t, parsed, schema+"_c", "NOLOGIN"), "DatabaseRefused", "28000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "url")
			write := func(url string) {
				if err := os.WriteFile(file, []byte(url), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.url != "" {
				write(c.url)
			}
			var logged strings.Builder
			log := funcr.New(func(_, line string) { logged.WriteString(line) }, funcr.Options{})
			o := &options{engine: engine{databaseURLFile: file, databaseSchema: schema, log: log}} // as the operator starts it
			directory, unopened, err := o.openToServe(t.Context(), log)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = directory.Close() })
			found := &told{}
			report := &storageReport{store: directory, source: found, database: true, log: log}
			if report.step(t.Context()) {
				t.Error("the storage is said to be usable")
			}
			if found.reason != c.reason || !strings.Contains(found.message, c.message) {
				t.Errorf("%s: %s\nwant %s: %s", found.reason, found.message, c.reason, c.message)
			}
			if _, ok := advice.For(found.reason); !ok {
				t.Errorf("nobody knows what to do about %s", found.reason)
			}
			if text := found.message + logged.String(); strings.Contains(text, canary) {
				t.Errorf("the password is shown: %s", text)
			}

			write(good)
			if unopened != nil {
				if err := unopened.Run(t.Context(), time.Millisecond); err != nil {
					t.Error(err)
				}
			}
			if !report.step(t.Context()) || found.reason != "" {
				t.Errorf("with the right URL: %+v", found)
			}
		})
	}
}

// Its connections go on, so it stays ready; the next pod would not begin.
func TestAServerWhoseConnectionURLWasEmptiedGoesOnAndSaysSo(t *testing.T) {
	race.Meets(t)
	good := testenv.Schema(t)
	file := filepath.Join(t.TempDir(), "url")
	write := func(url string) {
		if err := os.WriteFile(file, []byte(url), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, late := range map[string]bool{"opened at once": false, "opened late": true} {
		write(good)
		if late {
			write("")
		}
		o := &options{engine: engine{databaseURLFile: file, log: logr.Discard()}}
		database, unopened, err := o.openToServe(t.Context(), logr.Discard())
		if err != nil {
			t.Fatal(err)
		}
		write(good)
		if late {
			if err := unopened.Run(t.Context(), time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		found := &told{}
		report := &storageReport{store: database, source: found, database: true, log: logr.Discard()}
		for url, want := range map[string]string{good: "", "": v1alpha1.ReasonDatabaseURLInvalid} {
			write(url)
			if !report.step(t.Context()) || found.reason != want {
				t.Errorf("%s, with %d bytes: %+v, want %q", name, len(url), found, want)
			}
		}
		write("")
		if report.step(t.Context()); !strings.Contains(found.message, "the file is empty") {
			t.Errorf("%s: %s", name, found.message)
		}
		if report.end(t.Context()); found.reason != "" {
			t.Errorf("%s, after its end: %+v", name, found)
		}
		if err := database.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatKeepsAServerFromItsVolumeIsReported(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "directory.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	o := &options{engine: engine{data: folder}}
	directory, unopened, err := o.openToServe(t.Context(), logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	found := &told{}
	report := &storageReport{store: directory, source: found, log: logr.Discard()}
	if report.step(t.Context()) || found.reason != v1alpha1.ReasonDirectoryDamaged || !strings.Contains(found.message, "not a database") {
		t.Errorf("%+v", found)
	}
	if _, err := directory.Get(t.Context(), store.User, "a"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a request gets %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := unopened.Run(t.Context(), time.Millisecond); err != nil || !report.step(t.Context()) || found.reason != "" {
		t.Errorf("%v, %+v", err, found)
	}
}

// A pod that is deleted goes on for seconds while the next one begins: nobody is told of that, and clients do not wait for a timer.
func TestADirectoryThatTheLastPodHasIsServedAsSoonAsItEnds(t *testing.T) {
	race.Meets(t)
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		last, err := sqlite.Open(t.Context(), folder)
		if err != nil {
			t.Fatal(err)
		}
		var logged []string
		log := funcr.New(func(_, line string) { logged = append(logged, line) }, funcr.Options{})
		o := &options{engine: engine{data: folder}}
		database, unopened, err := o.openToServe(t.Context(), log)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = unopened.Run(ctx, openInterval) })
		source := &fakeSource{}
		users := directory.New(directory.Options{Store: database, Now: time.Now})
		f := &followed{
			Source: source, tokens: &fakeTokens{}, opened: unopened.Opened(),
			told: func(err error) bool { return errors.Is(err, store.ErrHandover) },
		}
		source.Publish(declaring())
		running.Go(func() { f.follow(ctx, users, nil, log) })
		found := &told{reason: "before"}
		report := &storageReport{store: database, source: found, log: log}
		<-time.After(3700 * time.Millisecond) // by the clock of the bubble
		synctest.Wait()
		if report.step(ctx) || found.reason != "before" || f.Current() != nil {
			t.Errorf("while it is held: %+v, settings %v", found, f.Current())
		}
		if err := last.Close(); err != nil {
			t.Error(err)
		}
		<-time.After(200 * time.Millisecond)
		synctest.Wait()
		if f.Current() == nil {
			t.Error("the settings are not in force")
		}
		if !report.step(ctx) || found.reason != "" {
			t.Errorf("once it is open: %+v", found)
		}
		stop()
		running.Wait()
		if err := database.Close(); err != nil {
			t.Error(err)
		}
		if text := strings.Join(logged, "\n"); strings.Contains(text, `"error"`) || !strings.Contains(text, "another process has the directory open") {
			t.Errorf("logged is\n%s", text)
		}
	})
}

func TestADirectoryThatAnotherProcessKeepsIsReportedAsThat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		other, err := sqlite.Open(t.Context(), folder)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		o := &options{engine: engine{data: folder}}
		database, unopened, err := o.openToServe(t.Context(), logr.Discard())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 31*time.Second)
		defer stop()
		if err := unopened.Run(ctx, openInterval); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		found := &told{}
		report := &storageReport{store: database, source: found, log: logr.Discard()}
		if report.step(t.Context()) || found.reason != v1alpha1.ReasonDirectoryInUse || !strings.Contains(found.message, "another process has it open") {
			t.Errorf("%+v", found)
		}
		if _, ok := advice.For(found.reason); !ok {
			t.Errorf("nobody knows what to do about %s", found.reason)
		}
		_ = database.Close()
	})
}

// A person is at the terminal, or the flags make no sense.
func TestAServerThatCannotStartEndsWhereSomebodySeesIt(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]*options{
		"manifests": {manifests: "m", engine: engine{databaseURLFile: filepath.Join(t.TempDir(), "none")}},
		"flags":     {engine: engine{databaseSchema: "a"}},
	} {
		if directory, unopened, err := o.openToServe(t.Context(), logr.Discard()); err == nil || directory != nil || unopened != nil {
			t.Errorf("%s: %v %v %v", name, directory, unopened, err)
		}
	}
}

// checks answers with what it has.
type checks chan error

func (c checks) Check(ctx context.Context) error {
	select {
	case err := <-c:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestAFailureThatNamesNoCauseIsReportedWithoutItsWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err             error
		database        bool
		reason, message string
		readable        bool
	}{
		{errors.New(canary), true, "DatabaseFailed", "the server's log tells why", false},
		{errors.New(canary), false, "VolumeFailed", "the server's log tells why", false},
		{fmt.Errorf("check: %w", context.DeadlineExceeded), true, "DatabaseUnreachable", "the directory's storage is unavailable: it does not answer within 5s", false},
		{fmt.Errorf("check: %w", context.DeadlineExceeded), false, "VolumeFailed", "the directory's storage is unavailable: it does not answer within 5s", false},
		{store.ErrUnavailable, true, "DatabaseFailed", "the directory's storage is unavailable", false},
		{fmt.Errorf("write: %w", store.WithCause("A", store.ErrUnavailable)), true, "A", "write: the directory's storage is unavailable", false},
		{store.WithCause("", store.ErrUnavailable), true, "", "the directory's storage is unavailable", false}, // as before there are settings
		{fmt.Errorf("check: %w", store.WithCause("VolumeFull", store.Unwritable(store.ErrUnavailable))), false, "VolumeFull",
			"check: the directory's storage is unavailable", true}, // look-ups go on, and so do counts
	} {
		found, answers := &told{}, make(checks, 1)
		answers <- c.err
		report := &storageReport{store: answers, source: found, database: c.database, log: logr.Discard()}
		if readable := report.step(t.Context()); readable != c.readable || found.reason != c.reason || found.message != c.message {
			t.Errorf("%v: readable %v, %+v, want %v, %s: %s", c.err, readable, found, c.readable, c.reason, c.message)
		}
	}
}

// A disk may keep an answer for ever, whatever the context says. One check waits for it, and not another every few seconds.
func TestAStorageThatDoesNotAnswerIsReportedAndAskedOnce(t *testing.T) {
	race.Meets(t)
	synctest.Test(t, func(t *testing.T) {
		found, slow := &told{}, &silent{answer: make(chan error)}
		report := &storageReport{store: slow, source: found, log: logr.Discard()}
		for range 3 {
			if report.step(t.Context()) || found.reason != "VolumeFailed" || !strings.Contains(found.message, "does not answer") {
				t.Errorf("%+v", found)
			}
		}
		if asked := slow.asked.Load(); asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		go func() { slow.answer <- nil }()
		if !report.step(t.Context()) || found.reason != "" {
			t.Errorf("%+v", found)
		}
	})
}

type silent struct {
	asked  atomic.Int32
	answer chan error
}

func (s *silent) Check(context.Context) error {
	s.asked.Add(1)
	return <-s.answer
}

// A name that a person gives can be mistyped; the one that follows from the tenant's cannot.
func TestADirectoryIsLookedForElsewhereWhereAFlagNamesItsSchema(t *testing.T) {
	folder := t.TempDir()
	tenant := "apiVersion: provisioning.tenantry.dev/v1alpha1\nkind: ProvisioningTenant\nmetadata: {name: contoso}\nspec: {}\n"
	if err := os.WriteFile(filepath.Join(folder, "tenant.yaml"), []byte(tenant), 0o600); err != nil {
		t.Fatal(err)
	}
	for schema, want := range map[string]bool{"": false, "contoso": true} {
		source := manifests.New(manifests.Options{Dir: folder, DataDir: t.TempDir(), StorageByFlag: true, Listen: "127.0.0.1:80", Log: logr.Discard()})
		e := &engine{databaseURLFile: "url", databaseSchema: schema}
		if err := e.follow(source, logr.Discard()); err != nil || e.search != want {
			t.Errorf("%q: %t, %v", schema, e.search, err)
		}
	}
}
