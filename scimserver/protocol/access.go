package protocol

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/auth"
)

// endpoint answers a request or returns what went wrong. What it does to the directory decides who may call it; the
// zero value lets nobody in.
type endpoint struct {
	access access
	serve  func(*request) error
}

// access is what an endpoint does to the directory.
type access int

const (
	accessRead access = iota + 1
	accessWrite
)

// reads makes an endpoint that changes nothing, whatever the method of the request.
func reads(serve func(*request) error) endpoint { return endpoint{accessRead, serve} }

// writes makes an endpoint that changes the directory.
func writes(serve func(*request) error) endpoint { return endpoint{accessWrite, serve} }

// permits tells whether a role may call an endpoint. A role that this server does not know may do nothing.
func permits(role token.Role, needed access) bool {
	switch role {
	case token.RoleProvisioner:
		return needed == accessRead || needed == accessWrite
	case token.RoleReader:
		return needed == accessRead
	default:
		return false
	}
}

// authorize returns nil where the caller may call the endpoint, and else the answer (RFC 6750 section 3.1).
func authorize(w http.ResponseWriter, tenant string, caller auth.Identity, to endpoint) error {
	if permits(caller.Role, to.access) {
		return nil
	}
	detail := "this credential is a reader's and may not change the directory: use the tenant's Secret Token"
	if caller.Role != token.RoleReader {
		detail = "this credential gives no access to this endpoint"
	}
	challenge(w, tenant, "insufficient_scope", detail)
	return &Error{Status: http.StatusForbidden, Detail: detail}
}

// unauthenticated is the answer to a request that nobody can be held to have sent.
func unauthenticated(w http.ResponseWriter, tenant string, err error) error {
	code := "invalid_token"
	if errors.Is(err, auth.ErrNoCredential) {
		code = "" // RFC 6750 section 3.1: who sent no credential is told no error
	}
	challenge(w, tenant, code, err.Error())
	return &Error{Status: http.StatusUnauthorized, Detail: err.Error()}
}

// challenge says how to authenticate (RFC 6750 section 3).
func challenge(w http.ResponseWriter, tenant, code, description string) {
	text := "Bearer realm=" + strconv.Quote(tenant)
	if code != "" {
		text += ", error=" + strconv.Quote(code) + ", error_description=" + strconv.Quote(description)
	}
	w.Header().Set("WWW-Authenticate", text)
}
