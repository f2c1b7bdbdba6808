package protocol

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// request is one authenticated request on its way through the server.
type request struct {
	http     *http.Request
	out      http.ResponseWriter
	settings *settings.Snapshot
	caller   directory.Caller
	base     string
}

func (r *request) context() context.Context { return r.http.Context() }

// body reads the request's body, checking its media type and size.
func (r *request) body() ([]byte, error) {
	if header := r.http.Header.Get("Content-Type"); header != "" {
		// The type is parsed, not compared: Entra adds a charset (RFC 7644 section 3.1 asks for application/scim+json).
		media, _, err := mime.ParseMediaType(header)
		if err != nil || (media != mediaType && media != "application/json") {
			return nil, &Error{Status: http.StatusUnsupportedMediaType, Detail: "the Content-Type must be " + mediaType + " or application/json"}
		}
	}
	data, err := io.ReadAll(http.MaxBytesReader(r.out, r.http.Body, MaxBody))
	if err != nil {
		return nil, err
	}
	return data, nil
}

// instrument turns an endpoint table into a handler: request id, authentication, errors in SCIM's form, metrics, and
// the promise that no panic leaves a request.
func (s *Server) instrument(route string, methods map[string]endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.now()
		out := &recorder{ResponseWriter: w, status: http.StatusOK}
		id := rand.Text()[:16]
		log := s.log.WithValues("requestID", id, "method", r.Method, "route", route)
		out.Header().Set("X-Request-Id", id)
		defer func() {
			if caught := recover(); caught != nil {
				// The value may hold a person's data; its type and the stack tell enough.
				log.Error(nil, "a request panicked", "panic", fmt.Sprintf("%T", caught), "stack", string(debug.Stack()))
				if !out.written {
					writeError(out, &Error{
						Status: http.StatusInternalServerError,
						Detail: "internal error; the operator of this server finds it by the request id",
					}, id)
				}
			}
			s.metrics.observe(route, r.Method, out.status, s.now().Sub(start))
			log.V(1).Info("request", "status", out.status, "duration", s.now().Sub(start).String())
		}()
		if err := s.serve(out, r, methods, id, log); err != nil {
			writeError(out, s.describe(err, log), id)
		}
	})
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, methods map[string]endpoint, id string, log logr.Logger) error {
	current := s.settings()
	if current == nil {
		return &Error{Status: http.StatusServiceUnavailable, RetryAfter: retryUnavailable, Detail: "the server has no settings yet"}
	}
	identity, err := s.auth.Authenticate(r, current)
	if err != nil {
		log.V(1).Info("request refused", "reason", err.Error())
		return unauthenticated(w, current.Tenant.Name, err)
	}
	s.activity.seen(s.now())
	if methods == nil {
		return &Error{Status: http.StatusNotFound, Detail: "there is no such endpoint; those of this server are listed in /ResourceTypes"}
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	handle, ok := methods[method]
	if !ok {
		w.Header().Set("Allow", allowed(methods))
		return &Error{Status: http.StatusMethodNotAllowed, Detail: "this endpoint takes " + allowed(methods)}
	}
	if err := authorize(w, current.Tenant.Name, identity, handle); err != nil {
		return err
	}
	return handle.serve(&request{
		http: r, out: w, settings: current, base: base(current, r),
		caller: directory.Caller{Client: identity.Client, RequestID: id},
	})
}

func allowed(methods map[string]endpoint) string {
	var names []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if _, ok := methods[method]; ok {
			names = append(names, method)
		}
	}
	return strings.Join(names, ", ")
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status  int
	written bool
}

func (r *recorder) WriteHeader(status int) {
	r.status, r.written = status, true
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(data []byte) (int, error) {
	r.written = true
	return r.ResponseWriter.Write(data)
}

// Unwrap lets http.MaxBytesReader and ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// activity remembers when a client was last seen.
type activity struct{ unixNano atomic.Int64 }

func (a *activity) seen(at time.Time) { a.unixNano.Store(at.UnixNano()) }

func (a *activity) last() time.Time {
	if n := a.unixNano.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// names reads a comma-separated query parameter such as attributes. A comma between brackets is part of a filter, as in
// emails[value eq "a,b"].
func names(r *http.Request, name string) []string {
	var out []string
	for _, value := range r.URL.Query()[name] {
		depth := 0
		parts := strings.FieldsFunc(value, func(c rune) bool {
			switch c {
			case '[':
				depth++
			case ']':
				depth--
			}
			return c == ',' && depth <= 0
		})
		for _, part := range parts {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}
