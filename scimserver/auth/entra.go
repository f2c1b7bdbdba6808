package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/signin"
)

// Refusals of a token of which anybody may be the author.
var (
	errNoAuthority = unsigned("spec.identityProvider.entra says of no login authority that it signs tokens for this tenant")
	errNotTaken    = unsigned("it looks like a token of Microsoft Entra ID, and spec.authentication takes none")
	errUnreadable  = unsigned("the token's claims cannot be read")
	errIssuer      = unsigned("the token's iss or tid is not that of the Entra tenant in spec.identityProvider.entra")
	errKey         = unsigned("the login authority publishes no key of the ID that the token names")
	errSignature   = unsigned("the token's signature is not that of the login authority's key")
)

// Refusals of a token that the tenant's login authority has signed. That of a person is none of a client of this tenant.
var (
	errTimes       = known("the token has expired or is not valid yet: send one that was issued just now")
	errAudience    = known("the token is for an audience that spec.authentication does not name")
	errApplication = known("the token is not that of an application that spec.authentication.entraToken.applications names")
	errNoUser      = known("the token is not that of a user: sign a user in and send the token that was issued to them")
)

// anyIssuer stands for the issuers of both versions: they sign with the same keys, and which of them a token has is checked apart.
const anyIssuer = ""

// entraClaims are what a token of Entra's says, in both versions.
type entraClaims struct {
	jwt.Claims
	TenantID          string `json:"tid"`
	ObjectID          string `json:"oid"`
	AppID             string `json:"appid"`              // version 1
	AuthorizedParty   string `json:"azp"`                // version 2
	Scope             string `json:"scp"`                // only where an application acts for a user
	Kind              string `json:"idtyp"`              // "app" or "user", where the application asked for it
	UPN               string `json:"upn"`                // version 1
	PreferredUsername string `json:"preferred_username"` // version 2
	IdentityProvider  string `json:"idp"`                // issuer of a guest's own tenant; absent, or that of the token, for a member
	Account           any    `json:"acct"`               // 1 for a guest, 0 for a member, where the application asked for it
}

func (c entraClaims) isFor(audiences []string) bool {
	return slices.ContainsFunc(audiences, c.Audience.Contains)
}

// userName is the name by which the Entra tenant knows the person, "" for none. The name that a guest brings along was given by another tenant, in
// which anybody may have any name. Names that contradict each other are none. Neither email nor unique_name is looked at: Entra does not
// promise that they are the person's alone.
func (c entraClaims) userName(issuers []string) string {
	isGuest := c.IdentityProvider != "" && !slices.Contains(issuers, c.IdentityProvider) || fmt.Sprint(c.Account) == "1"
	switch {
	case isGuest, c.UPN != "" && c.PreferredUsername != "" && !strings.EqualFold(c.UPN, c.PreferredUsername):
		return ""
	default:
		return cmp.Or(c.PreferredUsername, c.UPN)
	}
}

// isUser tells a token that stands for a person from one of an application for itself.
func (c entraClaims) isUser() bool {
	return c.ObjectID != "" && c.Kind != "app" && (c.Scope != "" || c.PreferredUsername != "" || c.UPN != "")
}

// entraToken returns who bears a token that Entra issued: its provisioning service, or a user.
func (a *Authenticator) entraToken(ctx context.Context, presented *jwt.JSONWebToken, current *settings.Snapshot) (Identity, error) {
	service, users := current.Tenant.Spec.Authentication.EntraToken, current.Tenant.Spec.Authentication.UserToken
	if service == nil && users == nil {
		return Identity{}, errNotTaken
	}
	var identity Identity
	_, err := a.authority.verify(ctx, presented, current.Tenant.Spec.Entra(), func(claims entraClaims) error {
		switch {
		case service != nil && claims.isFor(service.Audiences):
			if claims.isUser() || claims.Kind == "user" || !slices.ContainsFunc(service.Applications, func(id string) bool {
				return id != "" && (id == claims.AppID || id == claims.AuthorizedParty)
			}) {
				return errApplication
			}
			identity = Identity{Client: "entra", Role: token.RoleProvisioner}
		case users != nil && claims.isFor(users.Audiences):
			if !claims.isUser() {
				return errNoUser
			}
			issuers := a.authority.issuers(current.Tenant.Spec.Entra())
			identity = Identity{Client: "entra-user", Role: RoleUser, User: &signin.Person{
				Issuers: issuers, ObjectID: claims.ObjectID, Subject: claims.Subject, UserName: claims.userName(issuers),
			}}
		default:
			return errAudience
		}
		return nil
	})
	if err != nil {
		return Identity{}, err
	}
	return identity, nil
}

// authority is the login authority of the tenant's Entra tenant.
type authority struct {
	override  string
	transport http.RoundTripper
	now       func() time.Time
	log       logr.Logger

	mu   sync.Mutex
	url  string
	keys *keySet
}

// base is the URL below which the Entra tenant's endpoints are.
func (a *authority) base(entra *v1alpha1.Entra) string {
	tenant := "/" + strings.ToLower(entra.TenantID)
	if a.override != "" {
		return a.override + tenant
	}
	return "https://" + entra.Cloud.LoginHost() + tenant
}

// issuers are the values of iss in the Entra tenant's tokens of version 2 and 1.
func (a *authority) issuers(entra *v1alpha1.Entra) []string {
	version1 := "https://sts.windows.net/" + strings.ToLower(entra.TenantID) + "/"
	switch {
	case a.override != "":
		version1 = a.base(entra) + "/"
	case entra.Cloud == v1alpha1.EntraCloudChina:
		version1 = "https://sts.chinacloudapi.cn/" + strings.ToLower(entra.TenantID) + "/"
	}
	return []string{a.base(entra) + "/v2.0", version1}
}

// verify returns the claims of a token that the Entra tenant's authority has signed and that accept accepts. Of what it says, only the
// Entra tenant is looked at before its signature: nobody can make this server ask another authority for keys, or find out by its answers
// what the tenant would accept.
func (a *authority) verify(
	ctx context.Context, presented *jwt.JSONWebToken, entra *v1alpha1.Entra, accept func(entraClaims) error,
) (entraClaims, error) {
	if entra == nil || a.override == "" && entra.Cloud.LoginHost() == "" {
		return entraClaims{}, errNoAuthority
	}
	var claims entraClaims
	if err := presented.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return entraClaims{}, errUnreadable
	}
	if !slices.Contains(a.issuers(entra), claims.Issuer) || !strings.EqualFold(claims.TenantID, entra.TenantID) {
		return entraClaims{}, errIssuer
	}
	key, err := a.keySet(entra).key(ctx, anyIssuer, presented.Headers[0].KeyID)
	if errors.Is(err, errUnknownKey) {
		return entraClaims{}, errKey
	}
	if err != nil {
		return entraClaims{}, err
	}
	if err := presented.Claims(key); err != nil {
		return entraClaims{}, errSignature
	}
	err = errTimes
	if claims.Expiry != nil && claims.ValidateWithLeeway(jwt.Expected{Time: a.now()}, leeway) == nil {
		err = accept(claims)
	}
	if err != nil && claims.isUser() {
		err = refusal(err.Error()) // anybody may be an employee
	}
	if err != nil {
		return entraClaims{}, err
	}
	return claims, nil
}

// keySet returns the keys of the Entra tenant's authority. Those of an Entra tenant that the settings named before go.
func (a *authority) keySet(entra *v1alpha1.Entra) *keySet {
	a.mu.Lock()
	defer a.mu.Unlock()
	if url := a.base(entra) + "/discovery/v2.0/keys"; a.keys == nil || a.url != url {
		a.url, a.keys = url, newKeySet(publisher{
			transport: a.transport, unavailable: ErrAuthorityUnavailable, what: "the signing keys of the login authority",
			advice: "see that this server may reach it. Until then tokens of Microsoft Entra ID are answered 503, but those whose key is known",
			fetch: func(ctx context.Context, get getter) (published, error) {
				data, err := get(ctx, url)
				if err != nil {
					return published{}, err
				}
				keys, err := parseKeys(data, isStrongRSA)
				return published{issuer: anyIssuer, keys: keys}, err
			},
		}, a.now, a.log)
	}
	return a.keys
}
