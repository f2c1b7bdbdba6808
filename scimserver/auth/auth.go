// Package auth tells who is calling.
package auth

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/settings"
)

var (
	// ErrNoCredential says that the request carries no bearer token.
	ErrNoCredential = errors.New("the request has no bearer token: send the tenant's Secret Token in the header Authorization: Bearer")
	// ErrRejected says that the bearer token is none of this tenant's.
	ErrRejected = errors.New("the bearer token is not valid for this tenant: paste the tenant's current Secret Token")
	// ErrExpired says that the bearer token was one of this tenant's.
	ErrExpired = errors.New("the bearer token has expired: paste the tenant's current Secret Token")
)

// Identity is who is calling.
type Identity struct {
	// Client is the ID of the credential, for the provisioning log. It is no secret.
	Client string
	// Role says what the caller may do.
	Role token.Role
}

// Options are what an Authenticator is made of.
type Options struct {
	// Now is the clock.
	Now func() time.Time
}

// Authenticator checks the credentials of requests.
type Authenticator struct {
	now func() time.Time
}

// New returns an Authenticator.
func New(o Options) *Authenticator {
	return &Authenticator{now: o.Now}
}

// Authenticate returns who sent the request by the settings in force, so that a rotated token counts at once. The error
// is ErrNoCredential, ErrRejected or ErrExpired (RFC 6750 section 2.1).
func (a *Authenticator) Authenticate(r *http.Request, current *settings.Snapshot) (Identity, error) {
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	credential = strings.TrimSpace(credential)
	if !strings.EqualFold(scheme, "Bearer") || credential == "" {
		return Identity{}, ErrNoCredential
	}
	verifier, ok := current.Verifiers.Find(credential)
	if !ok {
		return Identity{}, ErrRejected
	}
	if verifier.Expired(a.now()) {
		return Identity{}, ErrExpired
	}
	return Identity{Client: verifier.ID, Role: verifier.Role}, nil
}
