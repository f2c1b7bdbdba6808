package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tenantry/tenantry/scimserver/settings"
)

const (
	// keyPeriod is how long a server signs with one key.
	keyPeriod = 24 * time.Hour
	// maxLifetime is the longest lifetime of an access token that spec.authentication.oauth can ask for.
	maxLifetime = 6 * time.Hour
	// earlierPeriod is how long tokens are signed with the key of the earlier version once it was found: longer than a rolling
	// upgrade takes, in which a server of that version is asked with tokens that a newer one has issued.
	earlierPeriod = time.Hour
	// maxKeys bounds the ring. Each start of a server adds a key when it issues its first token.
	maxKeys = 512
)

// record is what all servers of a tenant know of one key: with what to check tokens, and for whom it signs.
type record struct {
	// ID is the kid of its tokens (RFC 7638), or for the key of the earlier version its digest.
	ID string `json:"id"`
	// Public is the Ed25519 public key; none for the key of the earlier version.
	Public []byte `json:"public,omitempty"`
	// Grant is the one for which the key signs. A key ends with its grant.
	Grant grant `json:"grant"`
	// SignsUntil is the last moment at which it signs, and Until the one at which a token that it has signed is valid.
	SignsUntil time.Time `json:"signsUntil"`
	Until      time.Time `json:"until"`
}

// name tells records apart.
func (r record) name() recordName { return recordName{r.ID, r.Grant} }

type recordName struct {
	id    string
	grant grant
}

// ring is what is kept of all keys: public keys only, so a copy of the directory signs nothing.
type ring struct {
	Keys []record `json:"keys,omitempty"`
	// Earlier is the digest of the latest key of the earlier version that was found. A key that was found once is not taken for
	// another again, so that it ends for good.
	Earlier string `json:"earlier,omitempty"`
}

func decodeRing(text string) (ring, error) {
	var r ring
	if text == "" {
		return r, nil
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return ring{}, fmt.Errorf("the keys of access tokens are damaged: delete %q from the store's metadata, and clients get new tokens", AccessTokenKeys)
	}
	return r, nil
}

func (r ring) encode() (string, error) {
	if len(r.Keys) == 0 && r.Earlier == "" {
		return "", nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return "", errors.New("the keys of access tokens cannot be encoded")
	}
	return string(text), nil
}

func (r ring) has(name recordName) bool {
	return slices.ContainsFunc(r.Keys, func(key record) bool { return key.name() == name })
}

// keep returns the ring with the records for which good holds.
func (r ring) keep(good func(record) bool) ring {
	var kept []record
	for _, key := range r.Keys {
		if good(key) {
			kept = append(kept, key)
		}
	}
	return ring{kept, r.Earlier}
}

// pruned leaves out keys whose last token has ended long ago, so that a server whose clock is ahead ends none of the others'.
// Of too many keys, those that end first go.
func (r ring) pruned(now time.Time) ring {
	r = r.keep(func(key record) bool { return now.Before(key.Until.Add(keyPeriod)) })
	if excess := len(r.Keys) - maxKeys; excess > 0 {
		slices.SortStableFunc(r.Keys, func(a, b record) int { return a.Until.Compare(b.Until) })
		r.Keys = r.Keys[excess:]
	}
	return r
}

// adopt gives the key of the earlier version a record for each grant that is trusted when the key is first found.
func (r ring) adopt(earlier earlierKey, current *settings.Snapshot, now time.Time) ring {
	if earlier == nil || earlier.digest() == r.Earlier {
		return r
	}
	r = r.keep(func(key record) bool { return key.ID != r.Earlier })
	r.Earlier = earlier.digest()
	signs := now.Add(earlierPeriod).UTC().Truncate(time.Second)
	for _, trusted := range grantsOf(current, now) {
		r.Keys = append(r.Keys, record{
			ID: r.Earlier, Grant: trusted, SignsUntil: signs, Until: signs.Add(min(current.AccessTokenLifetime(), maxLifetime)),
		})
	}
	return r
}

// trusted leaves out keys whose grant the settings do not trust. A token of the earlier version does not tell what was proved for
// it, so where one of its grants goes, the key goes.
func (r ring) trusted(current *settings.Snapshot, now time.Time) ring {
	withdrawn := func(key record) bool {
		_, trusted := key.Grant.role(current, now)
		return !trusted
	}
	earlier := slices.ContainsFunc(r.Keys, func(key record) bool { return key.ID == r.Earlier && withdrawn(key) })
	return r.keep(func(key record) bool { return !withdrawn(key) && (!earlier || key.ID != r.Earlier) })
}

// needs tells whether a token of the key of the earlier version may still be valid.
func (r ring) needs(earlier earlierKey, now time.Time) bool {
	return earlier != nil && slices.ContainsFunc(r.Keys, func(key record) bool {
		return key.ID == earlier.digest() && !now.After(key.Until)
	})
}

// earlierKey is the key with which versions before this one signed: HS256, and in clear in the directory.
type earlierKey []byte

// earlierKeyBytes is its length: that of the hash (RFC 7518 section 3.2).
const earlierKeyBytes = 32

// decodeEarlier reads the key as it is kept. A damaged key is none: nothing was signed with it.
func decodeEarlier(text string) earlierKey {
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(key) != earlierKeyBytes {
		return nil
	}
	return key
}

// digest names the key and tells nothing of it, because it is random.
func (k earlierKey) digest() string {
	sum := sha256.Sum256(k)
	return "earlier-" + base64.RawURLEncoding.EncodeToString(sum[:])
}
