package protocol

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/cycle"
)

// endpoint answers a request or returns what went wrong. What it does to the directory decides who may call it; the
// zero value lets nobody in.
type endpoint struct {
	access access
	serve  func(*request) error
	// failed is called with what went wrong, also where the caller may not call the endpoint; nil where nobody needs to know.
	failed func(*request, error)
	// counts is what a request adds to the client's cycle where it succeeds; nothing where it is no part of one.
	counts cycle.Counts
}

// access is what an endpoint does to the directory.
type access int

const (
	accessRead access = iota + 1
	accessWrite
	// accessSelf is what an endpoint has that is about its caller.
	accessSelf
)

// reads makes an endpoint that changes nothing, whatever the method of the request.
func reads(serve func(*request) error) endpoint { return endpoint{access: accessRead, serve: serve} }

// looksUp makes an endpoint that reads users or groups, as a client does to find what it has to change.
func looksUp(serve func(*request) error) endpoint {
	return endpoint{access: accessRead, serve: serve, counts: cycle.Counts{Requests: 1}}
}

// writes makes an endpoint that changes the directory.
func writes(serve func(*request) error) endpoint { return endpoint{access: accessWrite, serve: serve} }

// self makes an endpoint that is about its caller.
func self(serve func(*request) error) endpoint { return endpoint{access: accessSelf, serve: serve} }

// permits tells whether a role may call an endpoint. A role that this server does not know may do nothing.
func permits(role token.Role, needed access) bool {
	switch role {
	case token.RoleProvisioner:
		return needed == accessRead || needed == accessWrite || needed == accessSelf
	case token.RoleReader:
		return needed == accessRead || needed == accessSelf
	case auth.RoleUser:
		return needed == accessSelf
	default:
		return false
	}
}

// authorize returns nil where the caller may call the endpoint, and else the answer (RFC 6750 section 3.1).
func authorize(w http.ResponseWriter, tenant string, caller auth.Identity, to endpoint) error {
	if permits(caller.Role, to.access) {
		return nil
	}
	detail := "this credential gives no access to this endpoint"
	switch caller.Role {
	case token.RoleReader:
		detail = "this credential is a reader's, which reads the directory and may not change it; a client that provisions has a credential of its own"
	case auth.RoleUser:
		detail = "this token is a person's, which opens /Me alone; an application reads the directory with a reader's credential"
	}
	challenge(w, tenant, "insufficient_scope", detail)
	return &Error{Status: http.StatusForbidden, Detail: detail}
}

// unauthenticated finds the answer to a request of which it is not known who sent it.
func unauthenticated(w http.ResponseWriter, tenant string, err error, log requestLog) error {
	if refused, ok := errors.AsType[*auth.Refusal](err); ok {
		refused.LogTo(log(), "request refused")
		code := "invalid_token"
		if errors.Is(err, auth.ErrNoCredential) {
			code = "" // RFC 6750 section 3.1: who sent no credential is told no error
		}
		challenge(w, tenant, code, refused.Reason)
		return &Error{Status: http.StatusUnauthorized, Detail: refused.Reason}
	}
	if errors.Is(err, auth.ErrTwoCredentials) {
		challenge(w, tenant, "invalid_request", err.Error())
		return &Error{Status: http.StatusBadRequest, Detail: err.Error()}
	}
	return undecided(err, log)
}

// undecided is the answer where nobody can tell for now whether a credential is good. A 401 would make Entra quarantine the job for what is no
// fault of its token. An outage of whoever publishes the keys is logged where it is noticed, and not for each request.
func undecided(err error, log requestLog) error {
	detail, ok := auth.Undecided(err)
	if !ok {
		return err
	}
	log().V(1).Info("a token cannot be checked", "reason", err.Error())
	return &Error{Status: http.StatusServiceUnavailable, RetryAfter: retryUnavailable, Detail: detail}
}

// challenge says how to authenticate (RFC 6750 section 3).
func challenge(w http.ResponseWriter, tenant, code, description string) {
	text := "Bearer realm=" + strconv.Quote(tenant)
	if code != "" {
		text += ", error=" + strconv.Quote(code) + ", error_description=" + strconv.Quote(description)
	}
	w.Header().Set("WWW-Authenticate", text)
}
