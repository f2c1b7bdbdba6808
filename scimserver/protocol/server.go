// Package protocol speaks SCIM 2.0 over HTTP (RFC 7644): routes, media types, errors, list responses and discovery. What
// a request means to the directory is the directory's business.
package protocol

import (
	"cmp"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/internal/outage"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/cursor"
	"github.com/tenantry/tenantry/scimserver/cycle"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/headers"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	// DefaultCount is the size of a page where the client does not ask for one.
	DefaultCount = 100
	// MaxCount is the greatest size of a page; a client that asks for more gets this many.
	MaxCount = 1000

	// retryUnavailable is the Retry-After, in seconds, while the storage is unavailable.
	retryUnavailable = "10"
	// StorageCalm is how long no request may have found the storage unavailable before it counts as available again.
	StorageCalm = 10 * time.Second
)

// Options are what a Server is made of.
type Options struct {
	Directory *directory.Directory
	// Settings returns the current settings, nil while there are none.
	Settings func() *settings.Snapshot
	// Unserved says why there are none, to clients. Default: the server has none yet.
	Unserved func() string
	Auth     *auth.Authenticator
	Log      logr.Logger
	Metrics  prometheus.Registerer
	// Now is the clock.
	Now func() time.Time
	// Away is the outage of the storage, and Unwritable that of changes alone, which the readiness check tells, too. Optional.
	Away, Unwritable *outage.Outage
}

// Server answers the SCIM requests of one tenant.
type Server struct {
	directory *directory.Directory
	settings  func() *settings.Snapshot
	unserved  func() string
	auth      *auth.Authenticator
	log       logr.Logger
	metrics   *metrics
	limits    *limits
	activity  activity
	storage   *outage.Outage
	uncertain outage.Outage // of commits
	// unwritable is an outage that no read ends.
	unwritable *outage.Outage
	now        func() time.Time
	cursors    atomic.Pointer[cursor.Sealer]
	described  atomic.Pointer[description]
	bulkWork   int // MaxBulkWork, except in tests
	waits      waits
	draining   chan struct{} // closed by Drain
	drain      sync.Once
}

// New returns a Server and registers its metrics.
func New(o Options) *Server {
	metrics := newMetrics(o.Metrics)
	return &Server{
		directory: o.Directory, settings: o.Settings, unserved: o.Unserved, auth: o.Auth, log: o.Log, now: o.Now,
		metrics: metrics, limits: newLimits(o.Now, metrics.refused), bulkWork: MaxBulkWork,
		waits: defaultWaits(), draining: make(chan struct{}),
		storage: cmp.Or(o.Away, &outage.Outage{Calm: StorageCalm}), uncertain: outage.Outage{Calm: StorageCalm},
		unwritable: cmp.Or(o.Unwritable, &outage.Outage{Calm: StorageCalm}),
	}
}

// Handler serves everything below the base path, the token endpoint and its metadata, and a page for people.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, methods map[string]endpoint) {
		mux.Handle(v1alpha1.BasePath+pattern, s.instrument(v1alpha1.BasePath+pattern, methods))
	}
	route("/{$}", map[string]endpoint{http.MethodGet: reads(s.root)})
	route("/.search", map[string]endpoint{http.MethodPost: reads(s.search(s.all))})
	bulk := writes(unfiltered(s.bulk))
	bulk.counts = cycle.Counts{Requests: 1}
	route("/Bulk", map[string]endpoint{http.MethodPost: bulk})
	route("/ServiceProviderConfig", discovery(s.serviceProviderConfig))
	route("/ResourceTypes", discovery(s.resourceTypes))
	route("/ResourceTypes/{id}", discovery(s.resourceType))
	route("/Schemas", discovery(s.schemas))
	route("/Schemas/{id}", discovery(s.schema))
	route("/openapi.json", discovery(s.openAPI))
	change := func(kind store.Kind, operation string, handle func(*request, store.Kind) error) endpoint {
		return s.recorded(kind, operation, unfiltered(s.on(kind, handle)))
	}
	for kind, path := range map[store.Kind]string{store.User: "/Users", store.Group: "/Groups"} {
		route(path, map[string]endpoint{
			http.MethodGet:  looksUp(s.on(kind, s.list)),
			http.MethodPost: change(kind, directory.OperationCreate, s.create),
		})
		route(path+"/.search", map[string]endpoint{http.MethodPost: looksUp(s.on(kind, s.searchKind))})
		route(path+"/{id}", map[string]endpoint{
			http.MethodGet:    looksUp(unfiltered(s.on(kind, s.get))),
			http.MethodPut:    change(kind, directory.OperationReplace, s.replace),
			http.MethodPatch:  change(kind, directory.OperationPatch, s.patch),
			http.MethodDelete: change(kind, directory.OperationDelete, s.delete),
		})
	}
	route("/Changes", map[string]endpoint{http.MethodGet: reads(s.changes)})
	route("/Me", map[string]endpoint{
		http.MethodGet: self(unfiltered(s.me)), http.MethodPost: self(notOffered), http.MethodPut: self(notOffered),
		http.MethodPatch: self(notOffered), http.MethodDelete: self(notOffered),
	})
	mux.Handle(v1alpha1.TokenPath, s.observed(v1alpha1.TokenPath, s.tokenEndpoint))
	mux.Handle(v1alpha1.OAuthMetadataPath, s.observed(v1alpha1.OAuthMetadataPath, s.oauthMetadata))
	nowhere := s.instrument("other", nil)
	mux.Handle(v1alpha1.FrontPagePath+"{$}", s.frontPage(nowhere))
	mux.Handle("/", nowhere)
	return headers.Protected(normalised(mux, nowhere))
}

// on binds a handler to a resource type.
func (s *Server) on(kind store.Kind, handle func(*request, store.Kind) error) func(*request) error {
	return func(r *request) error {
		if err := s.enabled(r, kind); err != nil {
			return err
		}
		return handle(r, kind)
	}
}

// base is the Tenant URL as this request's client sees it.
func base(current *settings.Snapshot, r *http.Request) string {
	if url := current.BaseURLAt(r.Host); url != "" {
		return strings.TrimSuffix(url, "/")
	}
	return requestedURL(r)
}

// requestedURL is the Tenant URL by the request alone.
func requestedURL(r *http.Request) string {
	scheme := "http"
	if forwarded := r.Header.Get("X-Forwarded-Proto"); forwarded == "https" || r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + v1alpha1.BasePath
}
