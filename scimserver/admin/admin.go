// Package admin is what a tenant's server tells those who run it, on a port of its own that is never exposed outside the
// cluster: health, readiness and metrics for everyone there, the provisioning log for who has a credential of the
// tenant, and the whole directory, out and in, for who has its Secret Token.
package admin

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/singleflight"
	"k8s.io/utils/clock"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/internal/outage"
	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/connections"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/headers"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/throttle"
)

const (
	// retryBusy is the Retry-After, in seconds, where as many are served as may be.
	retryBusy = "30"
	// maxScrapes is how many are told the metrics at a time.
	maxScrapes = 4
	// checkTimeout is how long one check of the storage takes at the most. The kubelet asks every two seconds, and waits for one.
	checkTimeout = 2 * time.Second
)

// strangers is what all may ask together who have no valid credential.
var strangers = throttle.Limit{PerSecond: 10, Burst: 50} //nolint:gochecknoglobals // nothing writes it

// Options are what the endpoints need. All of it is required but Unserved, Problem and Refused.
type Options struct {
	// Settings returns the current settings, nil while there are none.
	Settings func() *settings.Snapshot
	// Unserved says why there are none, to clients. Default: the server has none yet.
	Unserved func() string
	// Database tells whether the storage is a PostgreSQL.
	Database bool
	// Problem says what is wrong with newer settings than those in force, "" if nothing is. Optional.
	Problem   func() string
	Directory *directory.Directory
	Store     store.Store
	Auth      *auth.Authenticator
	Metrics   prometheus.Gatherer
	Log       logr.Logger
	Clock     clock.WithTicker
	// Away is the outage of the storage, and Unwritable that of changes alone. The readiness check and the port for clients tell each of them
	// once together. Optional.
	Away, Unwritable *outage.Outage
	// Refused is told of each request that is refused because its client had its share of a pool.
	Refused func(pool string, class share.Class)
}

type server struct {
	Options
	followers pool
	queries   pool
	turns     *share.Pool // see logTurns
	exporting pool
	importing pool
	throttle  throttle.Throttle
	storage   outage.Outage
	checking  singleflight.Group
}

// New returns the handler. It ends what it streams when the context of the request ends, so the HTTP server's base context
// should end when the server is told to.
func New(o Options) http.Handler {
	s := &server{Options: o, turns: share.NewPool(logTurns())}
	s.Away, s.Unwritable = cmp.Or(s.Away, &outage.Outage{}), cmp.Or(s.Unwritable, &outage.Outage{})
	s.followers = s.pool("followers", "follow the log", Followers())
	s.queries = s.pool("log", "read the log", Queries())
	s.exporting = s.pool("exports", "export", Transfers())
	s.importing = s.pool("imports", "import", Transfers())
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+v1alpha1.HealthPath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET "+v1alpha1.ReadyPath, s.ready)
	mux.Handle("GET "+v1alpha1.MetricsPath, whole(promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})))
	mux.HandleFunc("GET "+v1alpha1.LogPath, s.log)
	mux.HandleFunc("GET "+v1alpha1.ExportPath, s.export)
	mux.HandleFunc("POST "+v1alpha1.ImportPath, s.restore)
	return headers.Protected(s.guarded(mux))
}

// guarded logs a panic of a handler and ends its connection. The server of net/http would log what was panicked with.
func (s *server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer connections.Rest(r.Context())
		defer func() {
			switch value := recover(); value {
			case nil:
			case http.ErrAbortHandler:
				panic(value)
			default:
				s.Log.Error(panicked.With(value), "an administrator's request panicked")
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	current := s.Settings()
	err := s.check(r.Context())
	switch {
	case errors.Is(err, owner.ErrNoSettings):
		current = nil // nor did the storage have any to be asked by
	case errors.Is(err, store.ErrUnwritable):
		// To take the server out of service for it would end the reads, too.
		if s.Unwritable.Failed(s.Clock.Now()) {
			s.Log.Error(err, "the storage takes no changes; reads go on")
		}
	case err != nil:
		s.unready(w, r, err)
		return
	}
	if err == nil && s.Unwritable.Succeeded(s.Clock.Now()) {
		s.Log.Info("the storage takes changes again")
	}
	if (err == nil || errors.Is(err, store.ErrUnwritable)) && s.Away.Succeeded(s.Clock.Now()) {
		s.Log.Info("the readiness check finds the storage again")
	}
	if current == nil {
		http.Error(w, s.unserved(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	if errors.Is(err, store.ErrUnwritable) {
		_, _ = io.WriteString(w, s.explain(err)+"\n")
	}
	if s.Problem != nil {
		if problem := s.Problem(); problem != "" {
			_, _ = io.WriteString(w, problem+"\n")
		}
	}
}

// check finds out whether the storage works. All who ask while a check is under way share its answer: any pod of the cluster may ask, and
// a database answers them one by one.
func (s *server) check(ctx context.Context) error {
	shared := s.checking.DoChan("", func() (any, error) {
		// It is not that of the one who came first alone, who may hang up.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
		defer cancel()
		return nil, panicked.Guard(func() error { return s.Store.Check(ctx) })
	})
	select {
	case checked := <-shared:
		return checked.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Explain returns what to say of a failed check of the storage, which is a PostgreSQL or a folder: the reason of condition StorageReady, "" where
// that is not concerned, and a message. The text of a store.ErrUnavailable names the cause and no secret; that of others is in the log alone.
func Explain(err error, database bool) (reason, message string) {
	unknown, slow := v1alpha1.ReasonVolumeFailed, v1alpha1.ReasonVolumeFailed
	if database {
		unknown, slow = v1alpha1.ReasonDatabaseFailed, v1alpha1.ReasonDatabaseUnreachable
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return slow, store.ErrUnavailable.Error() + ": it does not answer in time"
	case !errors.Is(err, store.ErrUnavailable):
		return unknown, "the server's log tells why"
	}
	if reason, ok := store.CauseOf(err); ok {
		return reason, err.Error()
	}
	return unknown, err.Error()
}

// unready says why the storage is unavailable, as condition StorageReady does.
func (s *server) unready(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil && !errors.Is(err, store.ErrHandover) && s.Away.Failed(s.Clock.Now()) {
		s.Log.Error(err, "not ready: the storage is unavailable")
	}
	http.Error(w, s.explain(err), http.StatusServiceUnavailable)
}

// explain is a reason of condition StorageReady and its message, in one line.
func (s *server) explain(err error) string {
	reason, detail := Explain(err, s.Database)
	if reason != "" {
		detail = reason + ": " + detail
	}
	return detail
}

// refusal is an answer that is no success.
type refusal struct {
	status int
	detail string
}

func (e *refusal) Error() string { return e.detail }

// noSettings is the answer while nobody is served.
func (s *server) noSettings() error { return &refusal{http.StatusServiceUnavailable, s.unserved()} }

func (s *server) unserved() string {
	if s.Unserved == nil {
		return "the server has no settings yet"
	}
	return s.Unserved()
}

// authorize returns who calls, and a *refusal where they may not do what takes one of these roles. Readers are held back as at the Tenant URL;
// an administrator looks, exports and imports while provisioning is suspended.
func (s *server) authorize(r *http.Request, roles ...token.Role) (caller auth.Identity, err error) {
	current := s.Settings()
	if current == nil {
		return caller, s.noSettings()
	}
	if caller, err = s.Auth.Authenticate(r, current); err != nil {
		return caller, s.stranger(current, err)
	}
	if !slices.Contains(roles, caller.Role) {
		return caller, &refusal{
			http.StatusForbidden, "this takes a credential that provisions: the tenant's Secret Token, or an access token of its provisioning client",
		}
	}
	if caller.Role == token.RoleReader && current.AccessSuspended() {
		return caller, &refusal{http.StatusServiceUnavailable, "access to this tenant is suspended (spec.access.state); try again later"}
	}
	connections.Work(r.Context())
	return caller, nil
}

// stranger finds the answer to a request of which it is not known who sent it. All of them share an allowance: that of the port for clients,
// or a smaller one where that is larger, because any pod of the cluster reaches this port and people use it by hand.
func (s *server) stranger(current *settings.Snapshot, err error) error {
	limit := strangers
	if spec := current.Tenant.Spec.RateLimit; spec.RequestsPerSecond != nil && spec.Burst != nil {
		limit = throttle.Limit{
			PerSecond: min(limit.PerSecond, int(*spec.RequestsPerSecond)), Burst: min(limit.Burst, int(*spec.Burst)),
		}
	}
	if s.throttle.Take(throttle.Stranger, limit, s.Clock.Now()) > 0 {
		return &refusal{http.StatusTooManyRequests, "there are too many requests without a valid credential: try again later"}
	}
	if refused, ok := errors.AsType[*auth.Refusal](err); ok {
		refused.LogTo(s.Log, "an administrator's request was refused")
		return &refusal{http.StatusUnauthorized, refused.Reason}
	}
	if errors.Is(err, auth.ErrTwoCredentials) {
		return &refusal{http.StatusBadRequest, err.Error()}
	}
	if detail, ok := auth.Undecided(err); ok {
		return &refusal{http.StatusServiceUnavailable, detail}
	}
	return err
}

// refuse sends an error as plain text: who asks here is a person or a script of theirs.
func (s *server) refuse(w http.ResponseWriter, err error) {
	var refused *refusal
	switch {
	case errors.As(err, &refused):
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		refused = &refusal{http.StatusServiceUnavailable, "the directory's storage is unavailable"}
		if s.storage.Failed(s.Clock.Now()) {
			s.Log.Error(err, "administrators' requests fail: the storage is unavailable")
		}
	default:
		refused = &refusal{http.StatusInternalServerError, "internal error; the server's log tells more"}
		s.Log.Error(err, "an administrator's request failed")
	}
	switch refused.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusUnsupportedMediaType:
		w.Header().Set("Accept-Encoding", headers.Uncoded)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		w.Header().Set("Retry-After", retryBusy)
	}
	http.Error(w, refused.detail, refused.status)
}
