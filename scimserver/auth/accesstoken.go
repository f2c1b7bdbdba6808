package auth

import (
	"context"
	"crypto"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// accessTokenType is the header typ of an access token (RFC 9068 section 2.1).
const accessTokenType = "at+jwt"

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
func (a *Authenticator) issue(ctx context.Context, client grant, current *settings.Snapshot) (AccessToken, error) {
	signing, err := a.keys.signer(ctx, client, current)
	if err != nil {
		return AccessToken{}, err
	}
	signer, err := jose.NewSigner(signing.key, (&jose.SignerOptions{}).WithType(accessTokenType))
	if err != nil {
		return AccessToken{}, fmt.Errorf("sign an access token: %w", err)
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(a.random, id); err != nil {
		return AccessToken{}, fmt.Errorf("sign an access token: %w", err)
	}
	now, lifetime := a.now(), min(current.AccessTokenLifetime(), maxLifetime)
	value, err := jwt.Signed(signer).Claims(accessClaims{
		Claims: jwt.Claims{
			Issuer: v1alpha1.GroupName, Audience: jwt.Audience{audience(current)}, Subject: client.Client,
			ID: base64.RawURLEncoding.EncodeToString(id), IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(lifetime)),
		},
		EntraTenant: client.EntraTenant,
	}).Serialize()
	if err != nil {
		return AccessToken{}, fmt.Errorf("sign an access token: %w", err)
	}
	return AccessToken{Value: value, Lifetime: lifetime, Client: client.Client}, nil
}

// audience keeps the tokens of an earlier tenant, whose volume this one may have taken over, from counting.
func audience(current *settings.Snapshot) string {
	if uid := current.Tenant.UID; uid != "" {
		return string(uid)
	}
	return current.Tenant.Namespace + "/" + current.Tenant.Name
}

// accessToken returns who bears an access token that was not seen before.
func (a *Authenticator) accessToken(ctx context.Context, credential string, presented *jwt.JSONWebToken, current *settings.Snapshot) (Identity, error) {
	token := seenToken{keyID: presented.Headers[0].KeyID}
	if !signedAsOurs(presented.Headers[0]) || presented.UnsafeClaimsWithoutVerification(&token.claims) != nil {
		return Identity{}, errForeign
	}
	identity, err := a.bearer(ctx, token, current, func(key crypto.PublicKey) bool { return presented.Claims(key) == nil })
	if err == nil && token.keyID != "" {
		a.seen.add(credential, token)
	}
	return identity, err
}

// bearer returns who bears an access token of this tenant. All that it says must be as issue says it, the settings must
// trust what the client proved for it, and its key must be one that signs for that and must have signed it.
//
// Keys are read only for a token that says what it should: nobody can make this server read with one that is refused anyway.
func (a *Authenticator) bearer(ctx context.Context, token seenToken, current *settings.Snapshot, signed func(crypto.PublicKey) bool) (Identity, error) {
	now, claims := a.now(), token.claims
	asIssued := claims.asIssued(current, now)
	found, key, ok := a.keys.known.Load().find(token.keyID, claims.Subject)
	if asIssued {
		var err error
		if found, key, ok, err = a.keys.find(ctx, token.keyID, claims.Subject, current); err != nil {
			return Identity{}, err
		}
	}
	if !ok || !signed(key) {
		return Identity{}, errForeign
	}
	role, trusted := found.Grant.role(current, now)
	if !asIssued || !trusted || now.After(found.Until) ||
		claims.Subject != found.Grant.Client || claims.EntraTenant != found.Grant.EntraTenant {
		return Identity{}, errEnded
	}
	return Identity{Client: found.Grant.Client, Role: role}, nil
}

// signedAsOurs tells whether the header of a token is one of ours. Only keys of the earlier version, which signed with HS256, have no ID.
func signedAsOurs(header jose.Header) bool {
	return header.ExtraHeaders[jose.HeaderType] == accessTokenType && (header.Algorithm == string(jose.HS256)) == (header.KeyID == "")
}

// asIssued tells whether the claims are such as the tenant's servers issue, and the token is valid now. The clocks of
// replicas may differ, so a token may seem to come from the near future; but it ends when it says, and when it is older than
// tokens may become by the settings in force.
func (c accessClaims) asIssued(current *settings.Snapshot, now time.Time) bool {
	ours := audience(current)
	expected := jwt.Expected{Issuer: v1alpha1.GroupName, AnyAudience: jwt.Audience{ours}, Time: now}
	if c.ValidateWithLeeway(expected, leeway) != nil || len(c.Audience) != 1 || c.ID == "" || c.NotBefore != nil ||
		c.IssuedAt == nil || c.Expiry == nil {
		return false
	}
	issued, expiry := c.IssuedAt.Time(), c.Expiry.Time()
	lifetime := expiry.Sub(issued)
	return 0 < lifetime && lifetime <= maxLifetime && !now.After(expiry) && !now.After(issued.Add(current.AccessTokenLifetime()))
}
