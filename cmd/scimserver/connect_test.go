package main

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"

	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/test/race"
)

// reports is what was reported, one after the other.
type reports chan told

func (r reports) ReportConnectionProblem(_ context.Context, reason, message string) error {
	r <- told{reason: reason, message: message}
	return nil
}

func (r *told) ReportConnectionProblem(ctx context.Context, reason, message string) error {
	return r.ReportProblem(ctx, reason, message)
}

// A password that is mended in the Secret is in the file a little later.
func TestAConnectionIsTriedUntilItIsGood(t *testing.T) {
	race.Meets(t)
	good := testenv.Schema(t)
	wrong, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	schema := wrong.Query().Get("search_path")
	wrong.User = url.UserPassword("postgres", canary)
	file := filepath.Join(t.TempDir(), "url")
	write := func(url string) {
		if err := os.WriteFile(file, []byte(url), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var logged strings.Builder
	log := funcr.New(func(_, line string) { logged.WriteString(line + "\n") }, funcr.Options{})
	e := &engine{databaseURLFile: file, databaseSchema: schema}
	reported := reports(make(chan told))
	c := &connector{try: e.tryDatabase, source: reported, failing: chore{what: "connect", every: retryInterval, log: log}}
	ended := make(chan error, 1)
	go func() { ended <- c.run(t.Context(), time.Millisecond) }()

	if got := <-reported; got.reason != "DatabaseURLInvalid" {
		t.Errorf("without the file: %+v", got)
	}
	write(wrong.String())
	got := <-reported
	for got.reason == "DatabaseURLInvalid" { // it may have looked a moment before
		got = <-reported
	}
	if got.reason != "DatabaseRefused" || !strings.Contains(got.message, "password authentication failed") {
		t.Errorf("with a wrong password: %+v", got)
	}
	write(good)
	for got.reason != "" {
		got = <-reported
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if text := logged.String(); strings.Contains(text, canary) || strings.Count(text, "\n") != 2 {
		t.Errorf("logged is %s", text)
	}
}

func TestAConnectionIsNoLongerTriedWhenTheJobIsDeleted(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	log := funcr.New(func(string, string) {}, funcr.Options{})
	c := &connector{
		try:    func(context.Context) error { end(); return errors.New("away") },
		source: &told{err: errors.New("the API server is away, too")}, failing: chore{log: log},
	}
	if err := c.run(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
