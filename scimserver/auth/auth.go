// Package auth tells who is calling: by a secret token, by an access token that this tenant's token endpoint issued, or by a
// token that Microsoft Entra ID or the Kubernetes cluster signed.
package auth

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/headers"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/signin"
)

const (
	// RoleUser is that of a person whom Entra vouches for: they may read what is stored of themselves.
	RoleUser token.Role = "user"

	// maxToken is the greatest length of a credential in bytes. Entra's tokens with many claims stay far below.
	maxToken = 16 << 10
	// leeway is how far the clock of whoever signed a token may be off.
	leeway = time.Minute
)

// Refusal is the error for a credential that is not good. Its text says what to do and never repeats the credential.
type Refusal struct {
	// Reason is for the client.
	Reason string
	// Cause is what only whoever runs the server may know, and "" where Reason says it all. It is one of a few texts, and has nothing of
	// the credential.
	Cause string
	// Known reports whether the credential was one of this tenant's, or has the form of one. A scanner's has not.
	Known bool
}

func (r *Refusal) Error() string { return r.Reason }

// LogTo tells whoever runs the server why a request was refused: always where the credential is one of the tenant's client, or where the
// client is not told. Each reason is a message of its own, so that what a stranger sends leaves the lines of others their room.
func (r *Refusal) LogTo(log logr.Logger, refused string) {
	if r.Cause == "" && !r.Known {
		log = log.V(1)
	}
	log.Info(refused + ": " + cmp.Or(r.Cause, r.Reason))
}

func refusal(reason string) error { return &Refusal{Reason: reason} }

// known is the refusal of a credential that was one of this tenant's, or has the form of one.
func known(reason string) error { return &Refusal{Reason: reason, Known: true} }

// unsigned is the refusal of a token whose signature was not checked, or is not the login authority's. Anybody can make one, so all of them are
// told the same: else one made-up token after the other would find out by what the tenant would be satisfied.
func unsigned(cause string) error {
	return &Refusal{Reason: "the token is not one that this tenant's login authority signed for it; the server's log has the reason", Cause: cause}
}

var (
	// ErrNoCredential says that the request carries no bearer token.
	ErrNoCredential = refusal("the request has no bearer token: send a credential of this tenant in the header Authorization: Bearer")
	// ErrRejected says that the bearer token is none of this tenant's. Whose it was meant to be nobody knows.
	ErrRejected = refusal("the bearer token is not valid for this tenant: a client that provisions sends the tenant's current Secret Token, " +
		"and a reader the current token of that reader")
	// ErrExpired says that the bearer token was the tenant's Secret Token.
	ErrExpired = known("the bearer token has expired: paste the tenant's current Secret Token")
	// ErrReaderExpired says that the bearer token was a reader's.
	ErrReaderExpired = known("this reader's token has expired: send the current token of this reader")
	// ErrTwoCredentials says that the request has more than one header Authorization. It has one value (RFC 9110 section 11.6.2), and a proxy
	// that checks another line than this server would be passed by.
	ErrTwoCredentials = errors.New("the request has more than one header Authorization: send one")
	// ErrAuthorityUnavailable says that nobody can tell for now whether a token of Entra's is good.
	ErrAuthorityUnavailable = errors.New("the signing keys of the tenant's login authority cannot be fetched")
	// ErrClusterUnavailable says that nobody can tell for now whether a ServiceAccount's token is good.
	ErrClusterUnavailable = errors.New("the cluster's keys for tokens of ServiceAccounts cannot be fetched")
)

// Undecided returns what to tell a client whose token cannot be checked for now, where err is that.
func Undecided(err error) (detail string, ok bool) {
	for _, unavailable := range []error{ErrAuthorityUnavailable, ErrClusterUnavailable} {
		if errors.Is(err, unavailable) {
			return unavailable.Error(), true
		}
	}
	return "", false
}

// Identity is who is calling.
type Identity struct {
	// Client is the ID of the credential, for the provisioning log. It is no secret.
	Client string
	// Role says what the caller may do.
	Role token.Role
	// User is the person who is calling, where the role is RoleUser.
	User *signin.Person
}

// AsClient returns the caller as one of the clients that have a share of what the server has: a credential, or a person, of whom the
// tokens of all have one ID in the log.
func (i Identity) AsClient() share.Client {
	switch {
	case i.User != nil:
		return share.Client{Class: share.Person, ID: i.User.ObjectID}
	case i.Role == token.RoleProvisioner:
		return share.Client{Class: share.Provisioner, ID: i.Client}
	case i.Role == token.RoleReader:
		return share.Client{Class: share.Reader, ID: i.Client}
	default:
		return share.Client{}
	}
}

// Keys keeps texts for all servers of a tenant; a directory.Directory does.
type Keys interface {
	// Kept returns what is kept under names, in their order: "" for none.
	Kept(ctx context.Context, names ...string) ([]string, error)
	// ChangeKept lets change, which may run more than once, give other values to what is kept under names. Each change sees those
	// of other servers before it.
	ChangeKept(ctx context.Context, names []string, change func(values []string) error) error
}

// Options are what an Authenticator is made of.
type Options struct {
	// Now is the clock.
	Now func() time.Time
	// Random is crypto/rand.Reader.
	Random io.Reader
	// Keys is the tenant's directory.
	Keys Keys
	// Transport reaches the login authority.
	Transport http.RoundTripper
	// Cluster checks tokens of ServiceAccounts; nil where there is none.
	Cluster *Cluster
	// Log is told when the keys of the login authority or of the cluster cannot be fetched.
	Log logr.Logger
	// LoginAuthority is the base URL of a login authority that stands in for Microsoft's, as issuer and as source of
	// signing keys. Empty for Microsoft's.
	LoginAuthority string
}

// Authenticator checks the credentials of requests and issues access tokens. Its methods may be called from any number
// of goroutines.
type Authenticator struct {
	now       func() time.Time
	random    io.Reader
	keys      *accessKeys
	seen      seenTokens
	authority authority
	cluster   *cluster
}

// New returns an Authenticator.
func New(o Options) *Authenticator {
	return &Authenticator{
		now: o.Now, random: o.Random, keys: newAccessKeys(o),
		authority: authority{override: strings.TrimSuffix(o.LoginAuthority, "/"), transport: o.Transport, now: o.Now, log: o.Log},
		cluster:   newCluster(o),
	}
}

// Authenticate returns who sent the request by the settings in force, so that a rotated token counts at once. The error
// is a *Refusal, ErrTwoCredentials, one that Undecided knows, or the store's (RFC 6750 section 2.1).
func (a *Authenticator) Authenticate(r *http.Request, current *settings.Snapshot) (Identity, error) {
	if !headers.Once(r.Header, "Authorization") {
		return Identity{}, ErrTwoCredentials
	}
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	credential = strings.TrimSpace(credential)
	switch {
	case !strings.EqualFold(scheme, "Bearer") || credential == "":
		return Identity{}, ErrNoCredential
	case len(credential) > maxToken:
		return Identity{}, ErrRejected
	case strings.Count(credential, ".") == 2:
		return a.signed(r.Context(), credential, current)
	}
	verifier, ok := current.Verifiers.Find(credential)
	if !ok {
		return Identity{}, rejected(credential)
	}
	switch {
	case !verifier.Expired(a.now()):
		return Identity{Client: verifier.ID, Role: verifier.Role}, nil
	case verifier.Role == token.RoleReader:
		return Identity{}, ErrReaderExpired
	default:
		return Identity{}, ErrExpired
	}
}

// rejected is ErrRejected, of a text that could be a Secret Token as one that is known.
func rejected(credential string) error {
	if token.Check(credential) != nil {
		return ErrRejected
	}
	return known(ErrRejected.Error())
}

// Follow takes note of settings that come into force. The access tokens of what they do not trust any more end for good, also
// where later settings trust it again. It is to be called with all settings in their order, before they count, and again where
// it fails: then the tokens have ended for this server and until its end. The error is the store's.
func (a *Authenticator) Follow(ctx context.Context, current *settings.Snapshot) error {
	return a.keys.follow(ctx, current)
}

// signed looks at a JSON Web Token. Which key can have signed it follows from its algorithm: EdDSA, and HS256 of the earlier
// version, are ours, and RS256 is Entra's or the cluster's, which its subject tells apart; on elliptic curves the cluster alone signs. A
// token is never checked against a key that is not of its algorithm.
func (a *Authenticator) signed(ctx context.Context, credential string, current *settings.Snapshot) (Identity, error) {
	if seen, ok := a.seen.find(credential); ok {
		return a.bearer(ctx, seen, current, func(crypto.PublicKey) bool { return true })
	}
	presented, err := jwt.ParseSigned(credential, append(clusterAlgorithms(), jose.EdDSA, jose.HS256))
	if err != nil {
		return Identity{}, ErrRejected
	}
	switch algorithm := jose.SignatureAlgorithm(presented.Headers[0].Algorithm); {
	case algorithm == jose.EdDSA || algorithm == jose.HS256:
		return a.accessToken(ctx, credential, presented, current)
	case isAccounts(presented):
		return a.accountToken(ctx, presented, current)
	case algorithm == AssertionAlgorithm:
		return a.entraToken(ctx, presented, current)
	default:
		return Identity{}, ErrRejected
	}
}
