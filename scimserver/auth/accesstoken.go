package auth

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
)

const (
	// accessTokenType is the header typ of an access token (RFC 9068 section 2.1).
	accessTokenType = "at+jwt"
	// workloadPrefix begins the ID of a client that Entra vouches for; its subject follows.
	workloadPrefix = "workload-"
)

// errEnded is the error for an access token that was good once, and errForeign for one that this tenant's key did not sign. They read alike.
var (
	errEnded   = known("the access token is not valid, or not any more: get another from the tenant's token endpoint")
	errForeign = refusal(errEnded.Error())
)

// AccessToken is what the token endpoint issues.
type AccessToken struct {
	// Value is the token as the client presents it.
	Value string
	// Lifetime is how long it is valid.
	Lifetime time.Duration
	// Client is the ID of the client that it was issued to, as Identity has it.
	Client string
}

// accessClaims are what an access token says (RFC 9068 section 2.2). What its bearer may do is not among them: that
// follows from the settings at the time of each request.
type accessClaims struct {
	jwt.Claims
	// EntraTenant is that of a client that Entra vouches for.
	EntraTenant string `json:"tid,omitempty"`
}

// issue signs an access token for a client.
func (a *Authenticator) issue(ctx context.Context, client, entraTenant string, current *settings.Snapshot) (AccessToken, error) {
	key, err := a.makeSigningKey(ctx)
	if err != nil {
		return AccessToken{}, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, (&jose.SignerOptions{}).WithType(accessTokenType))
	if err != nil {
		return AccessToken{}, fmt.Errorf("sign an access token: %w", err)
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(a.random, id); err != nil {
		return AccessToken{}, fmt.Errorf("sign an access token: %w", err)
	}
	now, lifetime := a.now(), current.AccessTokenLifetime()
	value, err := jwt.Signed(signer).Claims(accessClaims{
		Claims: jwt.Claims{
			Issuer: v1alpha1.GroupName, Audience: jwt.Audience{audience(current)}, Subject: client,
			ID: base64.RawURLEncoding.EncodeToString(id), IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(lifetime)),
		},
		EntraTenant: entraTenant,
	}).Serialize()
	if err != nil {
		return AccessToken{}, fmt.Errorf("sign an access token: %w", err)
	}
	return AccessToken{Value: value, Lifetime: lifetime, Client: client}, nil
}

// audience keeps the tokens of an earlier tenant, whose volume this one may have taken over, from counting.
func audience(current *settings.Snapshot) string {
	if uid := current.Tenant.UID; uid != "" {
		return string(uid)
	}
	return current.Tenant.Namespace + "/" + current.Tenant.Name
}

// accessToken returns who bears an access token of this tenant. The client that it was issued to must still be there.
func (a *Authenticator) accessToken(ctx context.Context, presented *jwt.JSONWebToken, current *settings.Snapshot) (Identity, error) {
	key, err := a.signingKey(ctx, nil)
	if err != nil {
		return Identity{}, err
	}
	var claims accessClaims
	if key == nil || presented.Claims(key, &claims) != nil {
		return Identity{}, errForeign
	}
	// Both ends of the time are ours, so there is no leeway.
	expected := jwt.Expected{Issuer: v1alpha1.GroupName, AnyAudience: jwt.Audience{audience(current)}, Time: a.now()}
	if claims.Expiry == nil || claims.ValidateWithLeeway(expected, 0) != nil {
		return Identity{}, errEnded
	}
	role, ok := a.roleOf(claims, current)
	if !ok {
		return Identity{}, errEnded
	}
	return Identity{Client: claims.Subject, Role: role}, nil
}

// roleOf returns what the client that a token was issued to may do now, or that it is no client any more.
func (a *Authenticator) roleOf(claims accessClaims, current *settings.Snapshot) (token.Role, bool) {
	authentication := current.Tenant.Spec.Authentication
	if subject, ok := strings.CutPrefix(claims.Subject, workloadPrefix); ok {
		trusted := authentication.WorkloadIdentity
		return token.RoleProvisioner, trusted != nil && slices.Contains(trusted.Subjects, subject) &&
			current.Tenant.Spec.Entra != nil && strings.EqualFold(current.Tenant.Spec.Entra.TenantID, claims.EntraTenant)
	}
	client, ok := current.Verifiers.ByID(claims.Subject)
	return client.Role, ok && client.ClientID != "" && authentication.OAuth != nil && !client.Expired(a.now())
}
