package outage

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
)

// Log is a log of a program that works with one API server. An API server that is away is one line of it, and another when it is back. All
// else that is logged meanwhile because of it, by each of many watches and reconciles again and again, says nothing that these two do not. It
// is safe for concurrent use.
type Log struct {
	to     slog.Handler
	clock  clock.PassiveClock
	outage Outage
}

// calm is how long no request may have failed before the API server counts as back: of several behind one address, one may be away.
const calm = 30 * time.Second

// NewLog returns a log that writes to a handler.
func NewLog(to slog.Handler, clock clock.PassiveClock) *Log {
	return &Log{to: to, clock: clock, outage: Outage{Calm: calm}}
}

// Handler is what everything is to be logged to.
func (l *Log) Handler() slog.Handler { return handler{l.to, l} }

// Transport wraps that of the clients of the API server; it is a transport.WrapperFunc of client-go.
func (l *Log) Transport(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		switch {
		case err != nil && request.Context().Err() != nil && errors.Is(err, context.Canceled):
			// The program gave up, which says nothing about the API server.
		case err != nil:
			l.failed(request.Context(), err)
		case response.StatusCode == http.StatusBadGateway, response.StatusCode == http.StatusServiceUnavailable,
			response.StatusCode == http.StatusGatewayTimeout:
			l.failed(request.Context(), errors.New(response.Status))
		case response.StatusCode < http.StatusInternalServerError:
			l.answered(request.Context())
		}
		return response, err
	})
}

func (l *Log) failed(ctx context.Context, err error) {
	if l.outage.Failed(l.clock.Now()) {
		slog.New(l.to).ErrorContext(ctx, "The API server does not answer. What is set up goes on, and so does this when it is back.", "err", err)
	}
}

func (l *Log) answered(ctx context.Context) {
	if l.outage.Succeeded(l.clock.Now()) {
		away := l.outage.Lasted().Round(time.Millisecond)
		slog.New(l.to).InfoContext(ctx, "The API server answers again.", "away", away.String())
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// handler logs at level debug what is no news.
type handler struct {
	slog.Handler
	log *Log
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attributes []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attributes), h.log}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.log}
}

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, record slog.Record) error {
	if record.Level > slog.LevelDebug && h.isNoNews(record) {
		record.Level = slog.LevelDebug
		if !h.Enabled(ctx, record.Level) {
			return nil
		}
	}
	return h.Handler.Handle(ctx, record)
}

func (h handler) isNoNews(record slog.Record) bool {
	noNews := false
	record.Attrs(func(attribute slog.Attr) bool {
		err, ok := attribute.Value.Any().(error)
		// Nor is a request news that the program itself gave up.
		noNews = ok && (h.log.outage.Lasts() && followsFromOutage(err) || errors.Is(err, context.Canceled) || ofNamespaceThatGoes(record.Message, err))
		return !noNews
	})
	return noNews
}

// followsFromOutage tells whether an error says no more than that the API server does not answer.
func followsFromOutage(err error) bool {
	var network net.Error
	var request *url.Error
	return errors.As(err, &network) || errors.As(err, &request) || errors.Is(err, context.DeadlineExceeded) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsInternalError(err)
}

// ofNamespaceThatGoes tells whether an event was refused because its namespace is going or gone, and what it tells of with it.
func ofNamespaceThatGoes(message string, err error) bool {
	return strings.HasPrefix(message, "Server rejected event") &&
		(apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || apierrors.IsNotFound(err))
}
