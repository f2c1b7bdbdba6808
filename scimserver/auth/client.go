package auth

import (
	"context"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// AssertionAlgorithm is the one by which client assertions are signed (RFC 7518 section 3.1).
const AssertionAlgorithm = jose.RS256

var (
	errNoSecrets  = refusal("this tenant has no client with a secret: set spec.authentication.oauth")
	errClient     = refusal("client ID or client secret are not those of this tenant")
	errNoWorkload = refusal("this tenant takes no client assertion: set spec.authentication.workloadIdentity")
	errNoJWT      = refusal("the client assertion is no JSON Web Token that is signed with RS256")
	errSubject    = known("the client assertion is for a subject that spec.authentication.workloadIdentity.subjects does not name")
)

// IssuesTokens reports whether the tenant has an OAuth token endpoint (RFC 6749 section 3.2).
func IssuesTokens(current *settings.Snapshot) bool {
	authentication := current.Tenant.Spec.Authentication
	return authentication.OAuth != nil || authentication.WorkloadIdentity != nil
}

// IssueForSecret returns an access token to a client with its secret (RFC 6749 section 4.4). The error is a *Refusal or
// the store's.
func (a *Authenticator) IssueForSecret(ctx context.Context, clientID, secret string, current *settings.Snapshot) (AccessToken, error) {
	if current.Tenant.Spec.Authentication.OAuth == nil {
		return AccessToken{}, errNoSecrets
	}
	client, ok := current.Verifiers.FindClient(clientID, secret)
	switch {
	case ok && !client.Expired(a.now()):
	case token.Check(secret) == nil:
		return AccessToken{}, known(errClient.Error())
	default:
		return AccessToken{}, errClient
	}
	return a.issue(ctx, grantFor(client, current), current)
}

// IssueForAssertion returns an access token to whom Entra vouches for (RFC 7523 section 2.2). The error is a *Refusal,
// ErrAuthorityUnavailable or the store's.
func (a *Authenticator) IssueForAssertion(ctx context.Context, assertion string, current *settings.Snapshot) (AccessToken, error) {
	trusted := current.Tenant.Spec.Authentication.WorkloadIdentity
	if trusted == nil {
		return AccessToken{}, errNoWorkload
	}
	if len(assertion) > maxToken {
		return AccessToken{}, errNoJWT
	}
	presented, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{AssertionAlgorithm})
	if err != nil {
		return AccessToken{}, errNoJWT
	}
	claims, err := a.authority.verify(ctx, presented, current.Tenant.Spec.Entra(), func(claims entraClaims) error {
		switch {
		case !claims.isFor(trusted.Audiences):
			return errAudience
		case !slices.Contains(trusted.Subjects, claims.Subject):
			return errSubject
		default:
			return nil
		}
	})
	if err != nil {
		return AccessToken{}, err
	}
	// One of the audiences is trusted, or the claims had not been accepted.
	audience := trusted.Audiences[slices.IndexFunc(trusted.Audiences, claims.Audience.Contains)]
	return a.issue(ctx, workloadGrant(claims.Subject, audience, current), current)
}
