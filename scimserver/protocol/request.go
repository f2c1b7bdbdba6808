package protocol

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/connections"
	"github.com/tenantry/tenantry/scimserver/cycle"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/signin"
	"github.com/tenantry/tenantry/scimserver/store"
)

// request is one authenticated request on its way through the server.
type request struct {
	http     *http.Request
	ctx      context.Context //nolint:containedctx // that of http, and for whom the work is
	out      *recorder
	query    url.Values // of the URL as parseQuery reads it, or of the body of a search
	settings *settings.Snapshot
	caller   directory.Caller
	// user is the person who is calling, nil for a service.
	user *signin.Person
	base string
	log  requestLog

	// views are what the answer shows of each kind, nil for one of which it is not known yet; see Server.view.
	views [store.Group + 1]*view

	limits *limits
	client share.Client
	large  share.Held // room for a large body
	inHand holding    // room for what is on its way to the client
	taken  int        // bytes of documents of which the client wants a part or nothing
}

func (r *request) context() context.Context { return r.ctx }

// instrument turns an endpoint table into a handler: authentication, and errors in SCIM's form.
func (s *Server) instrument(route string, methods map[string]endpoint) http.Handler {
	return s.observed(route, func(w *recorder, r *http.Request, id string, log requestLog) {
		w.negotiates(r)
		if err := s.serve(w, r, methods, id, log); err != nil {
			if isHeldBack(err) {
				s.metrics.heldBack.Inc()
			}
			writeError(w, s.describe(err, log), id)
		}
	})
}

// giveRequestID makes the id of a request and puts it into the answer's header, by which people find what was logged of it.
func giveRequestID(w http.ResponseWriter) string {
	id := rand.Text()[:16]
	w.Header().Set("X-Request-Id", id)
	return id
}

// proxyRequestID is the id that a proxy before the server gave the request, by which the logs of both can be joined, "" for none. It comes
// from whoever sends the request: it is one to 128 characters that do nothing in a log, and no e-mail address, or it is left out.
func proxyRequestID(header http.Header) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/=+-"
	ids := header.Values("X-Request-Id")
	if len(ids) != 1 || len(ids[0]) > 128 || strings.Trim(ids[0], letters) != "" {
		return ""
	}
	return ids[0]
}

// methodOf is the request's method for the log and the metrics, "other" where it is none that an endpoint takes: its sender may make up any word.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	default:
		return "other"
	}
}

// requestLog returns a logger that names a request. It is made when something is logged: few requests log anything, and to put the names into
// the log's form takes as long as a look-up in an index.
type requestLog func() logr.Logger

// observed gives a handler what every request has: an id, metrics, and the promise that no panic leaves it but http.ErrAbortHandler, which cuts
// the connection.
func (s *Server) observed(route string, handle func(*recorder, *http.Request, string, requestLog)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.now()
		out := &recorder{ResponseWriter: w, status: http.StatusOK}
		id := giveRequestID(out)
		method := methodOf(r)
		log := func() logr.Logger {
			named := s.log.WithValues("requestID", id, "method", method, "route", route)
			if theirs := proxyRequestID(r.Header); theirs != "" {
				named = named.WithValues("proxyRequestID", theirs)
			}
			return named
		}
		defer func() {
			caught := recover()
			if caught != nil && caught != http.ErrAbortHandler { //nolint:errorlint // the value itself is what net/http looks for
				log().Error(panicked.With(caught), "a request panicked")
				if out.written {
					caught = http.ErrAbortHandler
				} else {
					caught = nil
					writeError(out, &Error{
						Status: http.StatusInternalServerError,
						Detail: "internal error; the operator of this server finds it by the request id",
					}, id)
				}
			}
			if caught == nil {
				out.end()
			}
			took := s.now().Sub(start) - out.waited
			s.metrics.observe(route, method, out.status, took)
			if s.log.V(1).Enabled() {
				log().V(1).Info("request", "status", out.status, "duration", took.String())
			}
			if caught != nil {
				panic(caught) // cuts the connection: net/http would end the answer as if it were whole
			}
		}()
		handle(out, r, id, log)
	})
}

func (s *Server) serve(w *recorder, r *http.Request, methods map[string]endpoint, id string, log requestLog) error {
	current := s.settings()
	if current == nil {
		return s.noSettings()
	}
	identity, err := s.auth.Authenticate(r, current)
	if err != nil {
		if limited := s.limits.admit(current, share.Client{}); limited != nil {
			return limited
		}
		if methods[r.Method].counts.Requests > 0 { // as a client that provisions asks
			s.rejected(err)
		}
		return unauthenticated(w, current.Tenant.Name, err, log)
	}
	s.metrics.accepted.WithLabelValues(string(identity.Role)).Inc()
	s.activity.seen(s.now())
	if err := heldBack(current, identity.Role); err != nil {
		return err
	}
	counts, failed := methods[r.Method].counts, true // as a panic is, too
	defer func() { s.activity.answered(s.now(), identity.Role, counts, failed) }()
	client := identity.AsClient()
	err = s.admitted(&request{
		http: r, ctx: share.NewContext(r.Context(), client), out: w, settings: current, base: base(current, r), log: log, limits: s.limits, client: client,
		caller: directory.Caller{Client: identity.Client, RequestID: id}, user: identity.User,
	}, methods, identity)
	held := isHeldBack(err)
	failed = err != nil && !held
	switch {
	case held: // the client was let in, and did nothing
		counts = cycle.Counts{Requests: counts.Requests}
	case !failed && counts.Requests > 0:
		if s.storage.Succeeded(s.now()) {
			s.log.Info("the storage answers again")
		}
		if counts.Creates+counts.Updates+counts.Deletes > 0 && s.unwritable.Succeeded(s.now()) {
			s.log.Info("the storage takes changes again")
		}
		if s.uncertain.Succeeded(s.now()) {
			s.log.Info("changes are made final again")
		}
	}
	return err
}

// noSettings is the answer while nobody is served.
func (s *Server) noSettings() error {
	detail := "the server has no settings yet"
	if s.unserved != nil {
		detail = s.unserved()
	}
	return &Error{Status: http.StatusServiceUnavailable, RetryAfter: retryUnavailable, Detail: detail}
}

// admitted answers a request of a client that is known, unless it asks too much.
func (s *Server) admitted(r *request, methods map[string]endpoint, identity auth.Identity) error {
	if err := s.limits.admit(r.settings, r.client); err != nil {
		return err
	}
	place, err := s.limits.enter(r.client)
	if err != nil {
		return err
	}
	defer place.Release()
	connections.Work(r.context())
	defer connections.Rest(r.context())
	r.out.by = r
	if methods == nil {
		return &Error{Status: http.StatusNotFound, Detail: "there is no such endpoint" + whereInstead(r.http.URL.Path)}
	}
	method := r.http.Method
	switch method {
	case http.MethodHead:
		method = http.MethodGet
	case http.MethodOptions:
		r.out.Header().Set("Allow", allowed(methods))
		r.out.WriteHeader(http.StatusNoContent)
		return nil
	}
	handle, ok := methods[method]
	if !ok {
		r.out.Header().Set("Allow", allowed(methods))
		return &Error{Status: http.StatusMethodNotAllowed, Detail: "this endpoint takes " + allowed(methods)}
	}
	defer r.large.Release()
	defer func() { r.inHand.held.Release() }()
	if err = authorize(r.out, r.settings.Tenant.Name, identity, handle); err == nil {
		r.query, err = parseQuery(r.http.URL.RawQuery)
	}
	if err == nil {
		err = handle.serve(r)
	}
	if err != nil && handle.failed != nil && !isHeldBack(err) {
		handle.failed(r, err)
	}
	return err
}

// charge counts the request as n more.
func (r *request) charge(n int) { r.limits.charge(r.settings, r.client, n) }

// pay counts the request as one more for each worthOne bytes, of which so many are added to those that are counted.
func (r *request) pay(counted *int, bytes int) {
	before := *counted / worthOne
	*counted += bytes
	if n := *counted/worthOne - before; n > 0 {
		r.charge(n)
	}
}

// allowed is the header Allow of an endpoint (RFC 9110 section 10.2.1).
func allowed(methods map[string]endpoint) string {
	var names []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if _, ok := methods[method]; ok {
			names = append(names, method)
		}
	}
	if len(names) > 0 && names[0] == http.MethodGet {
		names = slices.Insert(names, 1, http.MethodHead)
	}
	return strings.Join(append(names, http.MethodOptions), ", ")
}
