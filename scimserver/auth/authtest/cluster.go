package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Cluster is an API server as far as it tells who issues tokens to ServiceAccounts.
type Cluster struct {
	publisher

	t      testing.TB
	server *httptest.Server

	issuer string
	kid    string
	signer crypto.Signer
	keys   map[string]any // public ones
}

// ClusterIssuer is the issuer of a new Cluster.
const ClusterIssuer = "https://kubernetes.default.svc.cluster.local"

// NewCluster returns a cluster with one key that ends with the test.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t, issuer: ClusterIssuer}
	c.server = httptest.NewTLSServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.server.Close)
	c.Sign("key-1", FirstKey(t))
	return c
}

// URL of the API server.
func (c *Cluster) URL() string { return c.server.URL }

// Transport trusts its certificate.
func (c *Cluster) Transport() http.RoundTripper { return c.server.Client().Transport }

// Sign makes the cluster sign with a key from now on, and publish no other.
func (c *Cluster) Sign(kid string, key crypto.Signer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kid, c.signer, c.keys = kid, key, map[string]any{kid: key.Public()}
}

// Publish adds a public key.
func (c *Cluster) Publish(kid string, key any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys[kid] = key
}

// Rename gives the cluster another issuer.
func (c *Cluster) Rename(issuer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.issuer = issuer
}

func (c *Cluster) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	answer, issuer := c.answer, c.issuer
	set := jose.JSONWebKeySet{}
	for kid, key := range c.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key, KeyID: kid, Use: "sig"})
	}
	if r.URL.Path == "/.well-known/openid-configuration" {
		c.fetches++
	}
	c.mu.Unlock()
	var body any
	switch {
	case answer != nil:
		answer(w, r)
		return
	case r.URL.Path == "/.well-known/openid-configuration":
		// Where jwks_uri leads nobody may need to reach.
		body = map[string]any{"issuer": issuer, "jwks_uri": "https://elsewhere.invalid/openid/v1/jwks"}
	case r.URL.Path == "/openid/v1/jwks":
		body = set
	default:
		http.NotFound(w, r)
		return
	}
	if err := json.NewEncoder(w).Encode(body); err != nil {
		c.t.Error(err)
	}
}

// Token returns a token as the cluster issues it, with changes to its claims.
func (c *Cluster) Token(now time.Time, audience, namespace, name string, changes Claims) string {
	c.t.Helper()
	c.mu.Lock()
	issuer, kid, signer := c.issuer, c.kid, c.signer
	c.mu.Unlock()
	claims := Times(now).With(Claims{
		"iss": issuer, "aud": []string{audience}, "sub": "system:serviceaccount:" + namespace + ":" + name, "jti": "6d1d2c3e-0000-4000-8000-000000000001",
		"kubernetes.io": map[string]any{
			"namespace":      namespace,
			"pod":            map[string]any{"name": "payroll-5d8f", "uid": "6d1d2c3e-0000-4000-8000-000000000002"},
			"serviceaccount": map[string]any{"name": name, "uid": "6d1d2c3e-0000-4000-8000-000000000003"},
		},
	}).With(changes)
	return SignAs(c.t, "", algorithmOf(signer.Public()), signer, kid, claims)
}

// algorithmOf is the one by which an API server signs.
func algorithmOf(public any) jose.SignatureAlgorithm {
	onCurve, ok := public.(*ecdsa.PublicKey)
	if !ok {
		return jose.RS256
	}
	switch onCurve.Curve {
	case elliptic.P384():
		return jose.ES384
	case elliptic.P521():
		return jose.ES512
	default:
		return jose.ES256
	}
}
