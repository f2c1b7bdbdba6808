package outage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
)

// world is an API server that can be away, and the log of a program that asks it.
type world struct {
	*testing.T
	status int   // of its answers
	err    error // instead of an answer
	clock  *clocktesting.FakePassiveClock
	lines  bytes.Buffer
	log    *Log
}

func newWorld(t *testing.T, level slog.Level) *world {
	t.Helper()
	w := &world{T: t, status: http.StatusOK, clock: clocktesting.NewFakePassiveClock(time.Unix(1000, 0))}
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	w.log = NewLog(slog.NewTextHandler(&w.lines, &slog.HandlerOptions{Level: level, ReplaceAttr: withoutTime}), w.clock)
	return w
}

// RoundTrip is the API server.
func (w *world) RoundTrip(*http.Request) (*http.Response, error) {
	if w.err != nil {
		return nil, w.err
	}
	recorder := httptest.NewRecorder()
	recorder.WriteHeader(w.status)
	return recorder.Result(), nil
}

// ask asks the API server, and logs what went wrong as everything in a program does.
func (w *world) ask(ctx context.Context) {
	w.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.test/", http.NoBody)
	if err != nil {
		w.Fatal(err)
	}
	response, err := (&http.Client{Transport: w.log.Transport(w)}).Do(request)
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode >= http.StatusInternalServerError {
			err = apierrors.NewGenericServerResponse(response.StatusCode, "get", schema.GroupResource{}, "", "", 0, true)
		}
	}
	if err != nil {
		logr.FromSlogHandler(w.log.Handler()).WithName("reflector").WithValues("a", "b").Error(fmt.Errorf("list: %w", err), "Failed to watch")
	}
}

func (w *world) said(want ...string) {
	w.Helper()
	got := strings.Split(strings.TrimSuffix(w.lines.String(), "\n"), "\n")
	if len(got) != len(want) && (len(want) > 0 || w.lines.Len() > 0) {
		w.Errorf("got %d lines, want %d:\n%s", len(got), len(want), w.lines.String())
		return
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			w.Errorf("line %d is %q, want %q", i, got[i], want[i])
		}
	}
}

func TestAnOutageIsOneLineAndItsEndAnother(t *testing.T) {
	t.Parallel()
	refused := errors.New("dial tcp 10.0.0.1:443: connect: connection refused")
	for name, away := range map[string]func(*world){
		"no connection":      func(w *world) { w.err = refused },
		"a proxy without it": func(w *world) { w.status = http.StatusBadGateway },
		"it is starting":     func(w *world) { w.status = http.StatusServiceUnavailable },
		"it answers late":    func(w *world) { w.status = http.StatusGatewayTimeout },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, slog.LevelInfo)
			w.ask(t.Context())
			w.said()
			for range 2 {
				w.lines.Reset()
				away(w)
				for range 20 {
					w.ask(t.Context())
					w.clock.SetTime(w.clock.Now().Add(time.Second))
				}
				w.said("level=ERROR msg=\"The API server does not answer.")
				w.status, w.err = http.StatusForbidden, nil // an answer it is
				w.ask(t.Context())
				w.said("level=ERROR")
				w.clock.SetTime(w.clock.Now().Add(calm))
				w.ask(t.Context())
				w.ask(t.Context())
				w.said("level=ERROR", `level=INFO msg="The API server answers again." away=19s`)
			}
		})
	}
}

func TestOneBadAPIServerAmongOthersIsOneLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slog.LevelInfo)
	for second := range 100 {
		w.status = http.StatusOK
		if second%20 == 0 {
			w.status = http.StatusServiceUnavailable
		}
		w.ask(t.Context())
		w.clock.SetTime(w.clock.Now().Add(time.Second))
	}
	w.said("The API server does not answer.")
	w.clock.SetTime(w.clock.Now().Add(calm))
	w.ask(t.Context())
	w.said("level=ERROR", `The API server answers again." away=1m20s`)
}

func TestOtherErrorsAreLoggedDuringAnOutageToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slog.LevelInfo)
	w.err = errors.New("connection refused")
	w.ask(t.Context())
	log := logr.FromSlogHandler(w.log.Handler())
	log.Error(errors.New("a bug"), "Reconciler error")
	log.Error(nil, "without an error")
	log.Info("started", "err", "a text")
	w.said("The API server does not answer", "a bug", "without an error", "started")
}

func TestWithoutAnOutageNothingIsLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slog.LevelInfo)
	logr.FromSlogHandler(w.log.Handler()).Error(&url.Error{Op: "Get", URL: "https://login.test", Err: errors.New("no route")}, "Cannot ask the authority")
	w.status = http.StatusInternalServerError // of one request, as where a webhook fails
	w.ask(t.Context())
	w.said("Cannot ask the authority", "Failed to watch")
}

// client-go calls each request an error that the end of a program interrupts.
func TestAProgramThatGivesUpIsNoOutageAndNoError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slog.LevelInfo)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.err = context.Canceled
	w.ask(ctx)
	w.said()
}

func TestAtLevelDebugEverythingIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, slog.LevelDebug)
	w.err = errors.New("connection refused")
	w.ask(t.Context())
	w.ask(t.Context())
	w.said("level=ERROR", "level=DEBUG msg=\"Failed to watch\"", "level=DEBUG msg=\"Failed to watch\"")
}

func TestAnEventOfANamespaceThatGoesIsNoError(t *testing.T) {
	t.Parallel()
	events := schema.GroupResource{Group: "events.k8s.io", Resource: "events"}
	terminating := apierrors.NewForbidden(events, "x", errors.New("namespace a is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	w := newWorld(t, slog.LevelInfo)
	log := logr.FromSlogHandler(w.log.Handler())
	log.Error(terminating, "Server rejected event (will not retry!)", "event", "e")
	log.Error(apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "a"), "Server rejected event (will not retry!)", "event", "e")
	w.said()
	log.Error(apierrors.NewForbidden(events, "x", errors.New("no right")), "Server rejected event (will not retry!)", "event", "e")
	log.Error(terminating, "Reconciler error")
	w.said("no right", "Reconciler error")
}
