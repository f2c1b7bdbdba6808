package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/tenantry/tenantry/internal/outage"
)

const (
	// keysFresh is how old keys may be before they are fetched again.
	keysFresh = time.Hour
	// keysStale is how old they may become while they cannot be fetched.
	keysStale = 24 * time.Hour
	// fetchTimeout bounds one fetch; a closed network often drops packets without a word.
	fetchTimeout = 5 * time.Second
	// fetchInterval is the time between fetches, of which fetchBurst may be done at once: Entra has several keys, and
	// whoever makes up key IDs must not make this server knock without end.
	fetchInterval = 20 * time.Second
	fetchBurst    = 3
	// retryInterval is the time between fetches since one failed. It is short, because made-up key IDs could else keep the server from
	// noticing that the authority is back, and those of good tokens would wait as long.
	retryInterval = time.Second
	// maxKeySet is the greatest size of a document with keys or about them, in bytes. Entra's have 20 KiB.
	maxKeySet = 256 << 10
	// minKeyBits is the least size of an RSA key (RFC 7518 section 3.3).
	minKeyBits = 2048
)

// errUnknownKey is the error for a key ID that is not in a key set that was fetched lately, or an issuer that is not that of the set.
var errUnknownKey = errors.New("no such key")

// published are public keys as they were fetched.
type published struct {
	// issuer is the iss of the tokens that the keys sign; "" where the place they come from does not say.
	issuer string
	// keys are *rsa.PublicKey and *ecdsa.PublicKey, by key ID.
	keys map[string]any
	// at is when they were fetched.
	at time.Time
}

// publisher is a place that public keys come from.
type publisher struct {
	transport http.RoundTripper
	// fetch gets the keys by GET requests; at need not be set.
	fetch func(ctx context.Context, get getter) (published, error)
	// unavailable is the error where the keys cannot be fetched.
	unavailable error
	// what the keys are, and advice for an outage, for the log.
	what, advice string
	// keep is told of keys that were fetched, by one goroutine at a time; nil where nobody keeps them.
	keep func(published)
}

// getter returns the body of the answer to GET, which is at most maxKeySet bytes.
type getter func(ctx context.Context, url string) ([]byte, error)

// keySet are the public keys with which somebody signs tokens.
type keySet struct {
	publisher

	client *http.Client
	now    func() time.Time
	limit  *rate.Limiter
	flight singleflight.Group
	log    logr.Logger
	outage outage.Outage

	mu sync.Mutex
	published
	// failure is that of the last fetch, and tried when it ended.
	failure error
	tried   time.Time
}

func newKeySet(from publisher, now func() time.Time, log logr.Logger) *keySet {
	return &keySet{
		publisher: from, now: now, log: log, limit: rate.NewLimiter(rate.Every(fetchInterval), fetchBurst),
		client: &http.Client{
			Transport: from.transport, Timeout: fetchTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// key returns a key of the issuer, after a fetch where the set does not have it. The error is errUnknownKey, the publisher's unavailable
// or that of ctx.
func (k *keySet) key(ctx context.Context, issuer, id string) (any, error) {
	key, age := k.find(issuer, id)
	if key != nil && age < keysFresh {
		return key, nil
	}
	fetching := k.fetching(ctx)
	if key != nil && age < keysStale {
		return key, nil // Nobody waits for the fetch of keys that are as good as fresh.
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case done := <-fetching:
		if done.Err != nil {
			return nil, fmt.Errorf("%w: %w", k.unavailable, done.Err)
		}
	}
	if key, _ = k.find(issuer, id); key == nil {
		return nil, errUnknownKey
	}
	return key, nil
}

// fetching fetches the keys, or waits for a fetch that is under way.
func (k *keySet) fetching(ctx context.Context) <-chan singleflight.Result {
	return k.flight.DoChan("", func() (any, error) { return nil, k.refresh(context.WithoutCancel(ctx)) })
}

func (k *keySet) find(issuer, id string) (key any, age time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if issuer == k.issuer {
		key = k.keys[id]
	}
	return key, k.now().Sub(k.at)
}

// refresh fetches the keys, or returns how the last fetch ended where that was a moment ago.
func (k *keySet) refresh(ctx context.Context) error {
	if due, failure := k.due(); !due {
		return failure
	}
	fetched, err := k.fetch(ctx, k.get)
	fetched.at = k.now()
	k.mu.Lock()
	k.failure, k.tried = err, fetched.at
	if err == nil {
		k.published = fetched
	}
	k.mu.Unlock()
	if err == nil && k.keep != nil {
		k.keep(fetched)
	}
	switch {
	case err != nil && k.outage.Failed(k.now()):
		k.log.Error(err, k.what+" cannot be fetched: "+k.advice, "trying", "at most every "+retryInterval.String())
	case err == nil && k.outage.Succeeded(k.now()):
		k.log.Info(k.what + " are fetched again")
	}
	return err
}

// due tells whether the keys may be fetched now, and else how the last fetch ended.
func (k *keySet) due() (due bool, failure error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure != nil {
		return k.now().Sub(k.tried) >= retryInterval, k.failure
	}
	return k.limit.AllowN(k.now(), 1), nil
}

func (k *keySet) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %d", url, response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", url, err)
	}
	if len(data) > maxKeySet {
		return nil, fmt.Errorf("GET %s: the answer is larger than %d bytes", url, maxKeySet)
	}
	return data, nil
}

// parseKeys reads a key set (RFC 7517 section 5). Keys that usable refuses are passed over, as that RFC asks; a set without any other is
// an error.
func parseKeys(data []byte, usable func(key any) bool) (map[string]any, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	keys := map[string]any{}
	for _, raw := range set.Keys {
		var parsed jose.JSONWebKey
		if parsed.UnmarshalJSON(raw) != nil || parsed.KeyID == "" || parsed.Use != "" && parsed.Use != "sig" {
			continue
		}
		if usable(parsed.Key) {
			keys[parsed.KeyID] = parsed.Key
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("read the key set: it has no key to check signatures with")
	}
	return keys, nil
}

// isStrongRSA tells whether a key is an RSA key by which RS256 can be relied on.
func isStrongRSA(key any) bool {
	public, ok := key.(*rsa.PublicKey)
	return ok && public.N.BitLen() >= minKeyBits
}

// isEllipticCurve tells whether a key is one on a NIST curve. The curve decides the algorithm: go-jose refuses another.
func isEllipticCurve(key any) bool {
	_, ok := key.(*ecdsa.PublicKey)
	return ok
}
