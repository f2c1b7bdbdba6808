// Package authtest has a login authority for tests, which signs tokens as Microsoft Entra ID does, and publishes its keys
// over real HTTPS.
package authtest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// TenantID is the Entra tenant of the authority.
const TenantID = "8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11"

// Issuer is a login authority.
type Issuer struct {
	publisher

	t      testing.TB
	server *httptest.Server

	kid  string
	keys map[string]*rsa.PrivateKey
}

// New returns an authority with one key that ends with the test.
func New(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{t: t}
	i.server = httptest.NewTLSServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.server.Close)
	i.Rotate("key-1", FirstKey(t))
	return i
}

// FirstKey and SecondKey are made once: making RSA keys takes long.
func FirstKey(t testing.TB) *rsa.PrivateKey { return made(t, first) }

// SecondKey is another key.
func SecondKey(t testing.TB) *rsa.PrivateKey { return made(t, second) }

var first, second = sync.OnceValues(makeKey), sync.OnceValues(makeKey) //nolint:gochecknoglobals // nothing writes them

func makeKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

func made(t testing.TB, once func() (*rsa.PrivateKey, error)) *rsa.PrivateKey {
	t.Helper()
	key, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// URL is the base URL of the authority.
func (i *Issuer) URL() string { return i.server.URL }

// Issuer is the iss of tokens of version 2.
func (i *Issuer) Issuer() string { return i.server.URL + "/" + TenantID + "/v2.0" }

// IssuerV1 is the iss of tokens of version 1.
func (i *Issuer) IssuerV1() string { return i.server.URL + "/" + TenantID + "/" }

// Transport trusts the authority's certificate.
func (i *Issuer) Transport() http.RoundTripper { return i.server.Client().Transport }

// Certificate is the authority's, as a process in whose environment SSL_CERT_FILE names a file of it trusts it (PEM).
func (i *Issuer) Certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw})
}

// Rotate makes key the only one that is published, and the one that signs.
func (i *Issuer) Rotate(kid string, key *rsa.PrivateKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.kid, i.keys = kid, map[string]*rsa.PrivateKey{kid: key}
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.fetches++
	answer := i.answer
	set := jose.JSONWebKeySet{}
	for kid, key := range i.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"})
	}
	i.mu.Unlock()
	switch {
	case answer != nil:
		answer(w, r)
	case r.URL.Path != "/"+TenantID+"/discovery/v2.0/keys":
		http.NotFound(w, r)
	default:
		// Entra's sets have keys of other kinds too.
		data, err := json.Marshal(set)
		if err != nil {
			i.t.Error(err)
		}
		_, _ = w.Write(append(append([]byte(`{"keys":[{"kty":"OKP","crv":"Ed448","kid":"other","x":"AA"},`), data[len(`{"keys":[`):]...), '\n'))
	}
}

// Claims of a token.
type Claims map[string]any

// With returns the claims with others in their place; nil takes one away.
func (c Claims) With(changes Claims) Claims {
	changed := maps.Clone(c)
	for name, value := range changes {
		if changed[name] = value; value == nil {
			delete(changed, name)
		}
	}
	return changed
}

// Times are the claims of a token that was issued now and is valid for an hour.
func Times(now time.Time) Claims {
	return Claims{"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix()}
}

// Sign returns a token that is signed as Entra does.
func (i *Issuer) Sign(claims Claims) string {
	i.t.Helper()
	i.mu.Lock()
	kid, key := i.kid, i.keys[i.kid]
	i.mu.Unlock()
	return Sign(i.t, jose.RS256, key, kid, claims)
}

// Sign returns a token that is signed in any way.
func Sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, kid string, claims Claims) string {
	t.Helper()
	return SignAs(t, "JWT", algorithm, key, kid, claims)
}

// SignAs returns a token with that header typ.
func SignAs(t testing.TB, kind jose.ContentType, algorithm jose.SignatureAlgorithm, key any, kid string, claims Claims) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType(kind)
	if _, symmetric := key.([]byte); symmetric && kid != "" {
		options = options.WithHeader("kid", kid) // which the library leaves out
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := jwt.Signed(signer).Claims(map[string]any(claims)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
