// Package auth tells who is calling.
package auth

import (
	"errors"
	"net/http"
	"strings"

	"github.com/tenantry/tenantry/api/token"
)

var (
	// ErrNoCredential says that the request carries no bearer token.
	ErrNoCredential = errors.New("the request has no bearer token: send the tenant's Secret Token in the header Authorization: Bearer")
	// ErrRejected says that the bearer token is none of this tenant's.
	ErrRejected = errors.New("the bearer token is not valid for this tenant: paste the tenant's current Secret Token")
)

// Identity is who is calling.
type Identity struct {
	// Client is the ID of the credential, for the provisioning log. It is no secret.
	Client string
	// Role says what the caller may do.
	Role token.Role
}

// Authenticator checks the credentials of requests.
type Authenticator struct {
	verifiers func() token.Set
}

// New returns an Authenticator that asks verifiers for the current set at each request, so that a rotated token counts
// at once.
func New(verifiers func() token.Set) *Authenticator {
	return &Authenticator{verifiers: verifiers}
}

// Authenticate returns who sent the request, ErrNoCredential or ErrRejected (RFC 6750 section 2.1).
func (a *Authenticator) Authenticate(r *http.Request) (Identity, error) {
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	credential = strings.TrimSpace(credential)
	if !strings.EqualFold(scheme, "Bearer") || credential == "" {
		return Identity{}, ErrNoCredential
	}
	verifier, ok := a.verifiers().Find(credential)
	if !ok {
		return Identity{}, ErrRejected
	}
	return Identity{Client: verifier.ID, Role: verifier.Role}, nil
}
