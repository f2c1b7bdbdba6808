package auth

import (
	"context"
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

	"github.com/tenantry/tenantry/scimserver/outage"
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
	// maxKeySet is the greatest size of a key set in bytes. Entra's have 20 KiB.
	maxKeySet = 256 << 10
	// minKeyBits is the least size of an RSA key (RFC 7518 section 3.3).
	minKeyBits = 2048
)

// errUnknownKey is the error for a key ID that is not in a key set that was fetched lately.
var errUnknownKey = errors.New("no such key")

// keySet are the public keys with which a login authority signs, by key ID.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time
	limit  *rate.Limiter
	flight singleflight.Group
	log    logr.Logger
	outage outage.Outage

	mu      sync.Mutex
	keys    map[string]*rsa.PublicKey
	fetched time.Time
	// failure is that of the last fetch, and tried when it ended.
	failure error
	tried   time.Time
}

func newKeySet(url string, transport http.RoundTripper, now func() time.Time, log logr.Logger) *keySet {
	return &keySet{
		url: url, now: now, log: log, limit: rate.NewLimiter(rate.Every(fetchInterval), fetchBurst),
		client: &http.Client{
			Transport: transport, Timeout: fetchTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// key returns a key, after a fetch where the set does not have it. The error is errUnknownKey, ErrAuthorityUnavailable or
// that of ctx.
func (k *keySet) key(ctx context.Context, id string) (*rsa.PublicKey, error) {
	key, age := k.find(id)
	if key != nil && age < keysFresh {
		return key, nil
	}
	fetching := k.flight.DoChan("", func() (any, error) { return nil, k.refresh(context.WithoutCancel(ctx)) })
	if key != nil && age < keysStale {
		return key, nil // Nobody waits for the fetch of keys that are as good as fresh.
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case done := <-fetching:
		if done.Err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAuthorityUnavailable, done.Err)
		}
	}
	if key, _ = k.find(id); key == nil {
		return nil, errUnknownKey
	}
	return key, nil
}

func (k *keySet) find(id string) (key *rsa.PublicKey, age time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[id], k.now().Sub(k.fetched)
}

// refresh fetches the keys, or returns how the last fetch ended where that was a moment ago.
func (k *keySet) refresh(ctx context.Context) error {
	if due, failure := k.due(); !due {
		return failure
	}
	keys, err := k.fetch(ctx)
	k.mu.Lock()
	k.failure, k.tried = err, k.now()
	if err == nil {
		k.keys, k.fetched = keys, k.tried
	}
	k.mu.Unlock()
	switch {
	case err != nil && k.outage.Failed(k.now()):
		k.log.Error(err, "the signing keys of the login authority cannot be fetched: see that this server may reach it. "+
			"Until then tokens of Microsoft Entra ID are answered 503, but those whose key is known", "trying", "at most every "+retryInterval.String())
	case err == nil && k.outage.Succeeded(k.now()):
		k.log.Info("the signing keys of the login authority are fetched again")
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

func (k *keySet) fetch(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %d", k.url, response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", k.url, err)
	}
	if len(data) > maxKeySet {
		return nil, fmt.Errorf("GET %s: the key set is larger than %d bytes", k.url, maxKeySet)
	}
	return parseKeys(data)
}

// parseKeys reads a key set (RFC 7517 section 5). Keys that cannot have signed with RS256 are passed over, as that RFC
// asks; a set without any other is an error.
func parseKeys(data []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	keys := map[string]*rsa.PublicKey{}
	for _, raw := range set.Keys {
		var parsed jose.JSONWebKey
		if parsed.UnmarshalJSON(raw) != nil || parsed.KeyID == "" || parsed.Use != "" && parsed.Use != "sig" {
			continue
		}
		if key, ok := parsed.Key.(*rsa.PublicKey); ok && key.N.BitLen() >= minKeyBits {
			keys[parsed.KeyID] = key
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("read the key set: it has no RSA key to check signatures with")
	}
	return keys, nil
}
