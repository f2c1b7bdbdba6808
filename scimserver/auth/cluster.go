package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/internal/durable"
	"github.com/tenantry/tenantry/scimserver/settings"
)

const (
	// maxAccountLifetime is the longest that a ServiceAccount's token may live. That its pod is gone nobody sees here, so this is for how long
	// such a token is good for anything; Kubernetes replaces those of projected volumes after a day at the latest.
	maxAccountLifetime = 24 * time.Hour
	// accountSubject begins the sub of every ServiceAccount's token; its namespace, a colon and its name follow.
	accountSubject = "system:serviceaccount:"
)

// clusterAlgorithms are those by which a Kubernetes API server signs (RFC 7518 section 3.1).
func clusterAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.ES384, jose.ES512}
}

// foreignAccount is the refusal of a ServiceAccount's token of which anybody may be the author. All of them are told the same, as by unsigned.
func foreignAccount(cause string) error {
	return &Refusal{
		Reason: "the token is not one that this cluster issued to a ServiceAccount that reads here; the server's log has the reason", Cause: cause,
	}
}

// Refusals of a token of which anybody may be the author.
var (
	errNoCluster         = foreignAccount("it looks like a token of a ServiceAccount, and this server runs without a cluster (--manifests)")
	errNoAccounts        = foreignAccount("it looks like a token of a ServiceAccount, and spec.authentication.readers names none")
	errAccountUnreadable = foreignAccount("the claims of the ServiceAccount's token cannot be read")
	errAccountKey        = foreignAccount("the ServiceAccount's token is not of this cluster's issuer, or names a key that the cluster does not publish")
	errAccountSignature  = foreignAccount("the signature of the ServiceAccount's token is not that of the cluster's key")
)

// Refusals of a token that the cluster has signed. Any of its pods may have it, so none of them is known.
var (
	errAccountTimes = refusal("this ServiceAccount's token has expired or is not valid yet: " +
		"Kubernetes replaces it in its file before it ends, so read the file again")
	errAccountLifetime = refusal("this ServiceAccount's token lives for longer than a day: ask for one that ends sooner, as with expirationSeconds: 3600")
	errAccountAudience = refusal("this ServiceAccount's token is for another audience: ask for one whose audience is this Tenant URL, " +
		"and send that which is for the Kubernetes API to nobody else")
	errAccount = refusal("the token is of a ServiceAccount that spec.authentication.readers does not name")
)

// Cluster is the Kubernetes cluster whose ServiceAccounts may read.
type Cluster struct {
	// URL of the API server, without a slash at the end.
	URL string
	// Transport reaches it as a ServiceAccount, which may read where the API server publishes its keys.
	Transport http.RoundTripper
	// KeysFile is the path of the file that keeps the keys for a time when the API server is away. What the file has are public keys.
	KeysFile string
}

// accountClaims are what Kubernetes says of a ServiceAccount.
type accountClaims struct {
	jwt.Claims
	Kubernetes struct {
		Namespace      string `json:"namespace"`
		ServiceAccount struct {
			Name string `json:"name"`
		} `json:"serviceaccount"`
	} `json:"kubernetes.io"`
}

// isAccounts tells whether a token says that it is a ServiceAccount's. No subject of Entra's looks so.
func isAccounts(presented *jwt.JSONWebToken) bool {
	var claims struct {
		Subject string `json:"sub"`
	}
	return presented.UnsafeClaimsWithoutVerification(&claims) == nil && strings.HasPrefix(claims.Subject, accountSubject)
}

// accountToken returns the reader who bears a ServiceAccount's token. As with Entra's, nothing is told of the settings before the signature is known
// to be the cluster's.
func (a *Authenticator) accountToken(ctx context.Context, presented *jwt.JSONWebToken, current *settings.Snapshot) (Identity, error) {
	var claims accountClaims
	switch {
	case !namesAccounts(current):
		return Identity{}, errNoAccounts
	case a.cluster == nil:
		return Identity{}, errNoCluster
	case presented.UnsafeClaimsWithoutVerification(&claims) != nil || claims.Issuer == "":
		return Identity{}, errAccountUnreadable
	}
	key, err := a.cluster.keySet().key(ctx, claims.Issuer, presented.Headers[0].KeyID)
	if errors.Is(err, errUnknownKey) {
		return Identity{}, errAccountKey
	}
	if err != nil {
		return Identity{}, err
	}
	if presented.Claims(key) != nil {
		return Identity{}, errAccountSignature
	}
	if err := claims.check(current, a.now()); err != nil {
		return Identity{}, err
	}
	reader, ok := claims.reader(current)
	if !ok {
		return Identity{}, errAccount
	}
	return Identity{Client: token.ReaderID(reader), Role: token.RoleReader}, nil
}

// check refuses a token that is not for this tenant, or not for now.
func (c *accountClaims) check(current *settings.Snapshot, now time.Time) error {
	switch {
	case c.Expiry == nil || c.IssuedAt == nil || c.ValidateWithLeeway(jwt.Expected{Time: now}, leeway) != nil:
		return errAccountTimes
	case c.Expiry.Time().Sub(c.IssuedAt.Time()) > maxAccountLifetime:
		return errAccountLifetime
	case !slices.ContainsFunc(audiences(current), c.Audience.Contains):
		return errAccountAudience
	default:
		return nil
	}
}

// audiences are the URLs that are this tenant's alone. A host that it only wishes for may be another tenant's, so what counts is
// what was published.
func audiences(current *settings.Snapshot) []string {
	tenant := current.Tenant
	all := []string{v1alpha1.ServiceURL(tenant.Namespace, tenant.Name)}
	if tenant.Status.TenantURL != "" {
		all = append(all, tenant.Status.TenantURL)
	}
	return append(all, tenant.Status.AdditionalURLs...)
}

// reader finds the name of the reader that the ServiceAccount is. Kubernetes names the account twice, and both must say the same.
func (c *accountClaims) reader(current *settings.Snapshot) (name string, ok bool) {
	for _, reader := range current.Tenant.Spec.Authentication.Readers {
		account := reader.ServiceAccount
		if account == nil {
			continue
		}
		namespace := account.Namespace
		if namespace == "" {
			namespace = current.Tenant.Namespace
		}
		if c.Subject == accountSubject+namespace+":"+account.Name &&
			c.Kubernetes.Namespace == namespace && c.Kubernetes.ServiceAccount.Name == account.Name {
			return reader.Name, true
		}
	}
	return "", false
}

// namesAccounts tells whether any ServiceAccount may read.
func namesAccounts(current *settings.Snapshot) bool {
	return slices.ContainsFunc(current.Tenant.Spec.Authentication.Readers, func(r v1alpha1.Reader) bool { return r.ServiceAccount != nil })
}

// FetchKeys fetches the keys of the cluster where they are needed, so that they are known when the API server is away. It is to be called now and
// then. That it fails is logged.
func (a *Authenticator) FetchKeys(ctx context.Context, current *settings.Snapshot) {
	if a.cluster == nil || !namesAccounts(current) {
		return
	}
	select {
	case <-a.cluster.keySet().fetching(ctx):
	case <-ctx.Done():
	}
}

// cluster has the keys of a Cluster.
type cluster struct {
	Cluster

	now  func() time.Time
	log  logr.Logger
	once sync.Once
	keys *keySet
}

// newCluster returns nil where there is no cluster.
func newCluster(o Options) *cluster {
	if o.Cluster == nil {
		return nil
	}
	return &cluster{Cluster: *o.Cluster, now: o.Now, log: o.Log}
}

// keySet returns the keys, with those of the file to begin with: most tenants never need them.
func (c *cluster) keySet() *keySet {
	c.once.Do(func() {
		c.keys = newKeySet(publisher{
			transport: c.Transport, unavailable: ErrClusterUnavailable, what: "the cluster's keys for tokens of ServiceAccounts",
			advice: "see that the API server answers this server's ServiceAccount at /.well-known/openid-configuration and /openid/v1/jwks, which it does " +
				"where its --service-account-issuer is an https URL and ClusterRoleBinding system:service-account-issuer-discovery is there. " +
				"Until then readers that are ServiceAccounts are answered 503, but those whose key is known",
			fetch: c.fetch, keep: c.keep,
		}, c.now, c.log)
		kept, err := c.kept()
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			c.log.Error(err, "the file with the cluster's keys cannot be used; it is written anew when they are fetched")
		}
		c.keys.published = kept
	})
	return c.keys
}

// fetch gets the issuer and its keys, both from the API server itself: jwks_uri of the first may lead to where only the internet does.
func (c *cluster) fetch(ctx context.Context, get getter) (published, error) {
	configuration, err := get(ctx, c.URL+"/.well-known/openid-configuration")
	if err != nil {
		return published{}, err
	}
	keys, err := get(ctx, c.URL+"/openid/v1/jwks")
	if err != nil {
		return published{}, err
	}
	return clusterKeys(configuration, keys)
}

// clusterKeys reads what the API server says of itself (OpenID Connect Discovery 1.0 section 4.2), and its key set.
func clusterKeys(configuration, keys []byte) (published, error) {
	var says struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(configuration, &says); err != nil {
		return published{}, err
	}
	if says.Issuer == "" {
		return published{}, errors.New("the API server does not name its issuer of ServiceAccount tokens")
	}
	parsed, err := parseKeys(keys, func(key any) bool { return isStrongRSA(key) || isEllipticCurve(key) })
	return published{issuer: says.Issuer, keys: parsed}, err
}

// keysRecord is what the file has.
type keysRecord struct {
	Issuer    string             `json:"issuer"`
	FetchedAt time.Time          `json:"fetchedAt"`
	Set       jose.JSONWebKeySet `json:"keys"`
}

// keep writes keys to the file. Where that fails they are kept with the next fetch.
func (c *cluster) keep(keys published) {
	record := keysRecord{Issuer: keys.issuer, FetchedAt: keys.at}
	for id, key := range keys.keys {
		record.Set.Keys = append(record.Set.Keys, jose.JSONWebKey{Key: key, KeyID: id})
	}
	data, err := json.Marshal(record)
	if err == nil {
		err = durable.WriteFile(c.KeysFile, data)
	}
	if err != nil {
		c.log.Error(err, "the cluster's keys are known but were not kept for a start without the API server; this is tried again with the next fetch")
	}
}

// kept reads the file. The error is os.ErrNotExist where there is none.
func (c *cluster) kept() (published, error) {
	data, err := os.ReadFile(c.KeysFile)
	if err != nil {
		return published{}, err
	}
	var record keysRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return published{}, err
	}
	keys := published{issuer: record.Issuer, keys: map[string]any{}, at: record.FetchedAt}
	for _, key := range record.Set.Keys {
		if isStrongRSA(key.Key) || isEllipticCurve(key.Key) {
			keys.keys[key.KeyID] = key.Key
		}
	}
	return keys, nil
}
