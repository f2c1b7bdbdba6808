package auth

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenantry/tenantry/scimserver/settings"
)

const (
	// AccessTokenKeys is the name under which the public keys of access tokens are kept. A directory that moves takes them along, so
	// that tokens stay valid.
	AccessTokenKeys = "access-token-keys"
	// earlierName is the name under which versions before this one kept the key that they signed with.
	earlierName = "oauth-signing-key"

	// keysLearned is how old what a server knows of the others' keys may be. It learns of a new key when it meets a token of
	// it, and within this time that a key has ended that it did not end itself.
	keysLearned = 15 * time.Second
	// keysPatience is how long the storage may take to read or write keys. Others wait for the turn meanwhile, among them settings that
	// take a credential away, and an import holds up writes for minutes.
	keysPatience = 5 * time.Second
)

// accessKeys are the keys of a tenant's access tokens.
//
// The private keys never leave the memory of the server that made them. Each server signs with keys of its own, one a grant,
// and keeps the public keys for all: 1. it makes a pair, 2. it adds the public key to what is kept, 3. it signs. A server that
// meets a key that it does not know reads what is kept. So a restart ends no token, and no server refuses what another has signed.
type accessKeys struct {
	kept   Keys
	now    func() time.Time
	random io.Reader

	// known is what is kept, as this server read it last.
	known atomic.Pointer[knownKeys]
	// reads counts how often reading began.
	reads atomic.Int64

	// turn is held while keys are read or changed. The fields below belong to the holder.
	turn chan struct{}
	// signers are the private keys.
	signers map[grant]signer
	// followed are the settings that were followed last, and pending that what they ended is not kept yet.
	followed *settings.Snapshot
	pending  bool
	// ended are records that must not come back from what is kept.
	ended map[recordName]struct{}
}

// knownKeys are keys at one moment. Nobody changes them.
type knownKeys struct {
	ring    ring
	earlier earlierKey
	at      time.Time
	read    int64 // which of the reads it comes from
}

// signer is a key that signs, with its record.
type signer struct {
	record

	key  jose.SigningKey
	made time.Time
}

func newAccessKeys(o Options) *accessKeys {
	return &accessKeys{
		kept: o.Keys, now: o.Now, random: o.Random,
		turn: make(chan struct{}, 1), signers: map[grant]signer{}, ended: map[recordName]struct{}{},
	}
}

// take takes the turn.
func (k *accessKeys) take(ctx context.Context) (leave func(), err error) {
	select {
	case k.turn <- struct{}{}:
		return func() { <-k.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// find returns the record with which a token of that key and client can be checked, and with it the key. It reads what is kept
// where it does not know the key, and now and then.
func (k *accessKeys) find(ctx context.Context, id, client string, current *settings.Snapshot) (record, crypto.PublicKey, bool, error) {
	begun, known := k.reads.Load(), k.known.Load()
	found, key, ok := known.find(id, client)
	if ok {
		if age := k.now().Sub(known.at); 0 <= age && age < keysLearned {
			return found, key, true, nil
		}
	}
	leave, err := k.take(ctx)
	if err != nil {
		return record{}, nil, false, err
	}
	defer leave()
	known, err = k.learn(ctx, begun, current)
	switch {
	case err != nil && ok: // While the store is away nobody is served anyway.
		return found, key, true, nil
	case err != nil:
		return record{}, nil, false, err
	}
	found, key, ok = known.find(id, client)
	return found, key, ok, nil
}

// learn returns what is kept, by a read that began after the first so many, and takes up a key of the earlier version. Those who
// came while another read share the next, so many who ask make none wait for long.
func (k *accessKeys) learn(ctx context.Context, begun int64, current *settings.Snapshot) (*knownKeys, error) {
	if known := k.known.Load(); known != nil && known.read > begun {
		return known, nil
	}
	known, err := k.read(ctx)
	if err != nil || known.earlier == nil {
		return known, err
	}
	if known.ring.Earlier != known.earlier.digest() || !known.ring.needs(known.earlier, k.now()) {
		return k.change(ctx, current, nil)
	}
	return known, nil
}

func (k *accessKeys) read(ctx context.Context) (*knownKeys, error) {
	read := k.reads.Add(1)
	ctx, cancel := context.WithTimeout(ctx, keysPatience)
	defer cancel()
	values, err := k.kept.Kept(ctx, AccessTokenKeys, earlierName)
	if err != nil {
		return nil, fmt.Errorf("the keys of access tokens: %w", err)
	}
	kept, err := decodeRing(values[0])
	if err != nil {
		return nil, err
	}
	return k.publish(knownKeys{kept, decodeEarlier(values[1]), k.now(), read}), nil
}

// change changes what is kept: keys go that ended, one may be added, and the key of the earlier version is taken up, or
// removed when its last token has ended.
func (k *accessKeys) change(ctx context.Context, current *settings.Snapshot, more func(ring) ring) (*knownKeys, error) {
	read, now := k.reads.Add(1), k.now()
	ctx, cancel := context.WithTimeout(ctx, keysPatience)
	defer cancel()
	if k.followed != nil {
		current = k.followed
	}
	var kept ring
	var earlier earlierKey
	err := k.kept.ChangeKept(ctx, []string{AccessTokenKeys, earlierName}, func(values []string) (err error) {
		if kept, err = decodeRing(values[0]); err != nil {
			return err
		}
		earlier = decodeEarlier(values[1])
		kept = kept.pruned(now).adopt(earlier, current, now).keep(k.stays)
		if more != nil {
			kept = more(kept)
		}
		if !kept.needs(earlier, now) {
			earlier, values[1] = nil, ""
		}
		values[0], err = kept.encode()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the keys of access tokens: %w", err)
	}
	clear(k.ended)
	return k.publish(knownKeys{kept, earlier, now, read}), nil
}

func (k *accessKeys) stays(key record) bool {
	_, ended := k.ended[key.name()]
	return !ended
}

func (k *accessKeys) publish(known knownKeys) *knownKeys {
	known.ring = known.ring.keep(k.stays)
	k.known.Store(&known)
	return &known
}

// find returns the record of a key, and the key. Without an ID it is the key of the earlier version, which signed for any client.
func (k *knownKeys) find(id, client string) (record, crypto.PublicKey, bool) {
	if k == nil {
		return record{}, nil, false
	}
	for _, key := range k.ring.Keys {
		switch {
		case id != "":
			if key.ID == id && len(key.Public) == ed25519.PublicKeySize {
				return key, ed25519.PublicKey(key.Public), true
			}
		case k.earlier != nil && key.ID == k.ring.Earlier && key.ID == k.earlier.digest() && key.Grant.Client == client:
			return key, []byte(k.earlier), true
		}
	}
	return record{}, nil, false
}

// follow ends the keys of grants that the settings do not trust any more. They end for this server at once, and for good when
// it returns nil; else it is to be called again.
func (k *accessKeys) follow(ctx context.Context, current *settings.Snapshot) error {
	leave, err := k.take(ctx)
	if err != nil {
		return err
	}
	defer leave()
	before, now := k.followed, k.now()
	k.followed = current
	if before != nil && !k.pending && slices.Equal(grantsOf(before, now), grantsOf(current, now)) {
		return nil
	}
	k.pending = true
	trusted := func(kept ring) ring { return kept.trusted(current, now) }
	if known := k.known.Load(); known != nil {
		stay := trusted(known.ring)
		for _, key := range known.ring.Keys {
			if !stay.has(key.name()) {
				k.ended[key.name()] = struct{}{}
			}
		}
		k.publish(*known)
	}
	maps.DeleteFunc(k.signers, func(held grant, _ signer) bool {
		_, trusted := held.role(current, now)
		return !trusted
	})
	_, err = k.change(ctx, current, trusted)
	k.pending = err != nil
	return err
}

// signer returns the key to sign with for a grant. Its public key is kept.
func (k *accessKeys) signer(ctx context.Context, client grant, current *settings.Snapshot) (signer, error) {
	begun := k.reads.Load()
	leave, err := k.take(ctx)
	if err != nil {
		return signer{}, err
	}
	defer leave()
	if k.followed != nil {
		// A request that began before the settings changed must not leave a key behind that outlives its grant.
		if _, trusted := client.role(k.followed, k.now()); !trusted {
			return signer{}, errEnded
		}
	}
	known, err := k.learn(ctx, begun, current)
	if err != nil {
		return signer{}, err
	}
	now := k.now()
	if known.signsAsBefore(client, now) {
		return signer{record: record{Grant: client}, key: jose.SigningKey{Algorithm: jose.HS256, Key: []byte(known.earlier)}}, nil
	}
	if held, ok := k.signers[client]; ok && known.ring.has(held.name()) && held.signsAt(now) {
		return held, nil
	}
	made, err := k.make(client, now)
	if err != nil {
		return signer{}, err
	}
	if _, err := k.change(ctx, current, func(kept ring) ring {
		kept.Keys = append(kept.Keys, made.record)
		return kept
	}); err != nil {
		return signer{}, err
	}
	k.signers[client] = made
	return made, nil
}

// signsAsBefore tells whether tokens for the grant are signed with the key of the earlier version, because a server of that
// version may be asked with them.
func (k *knownKeys) signsAsBefore(client grant, now time.Time) bool {
	return k.earlier != nil && slices.ContainsFunc(k.ring.Keys, func(key record) bool {
		return key.name() == recordName{k.earlier.digest(), client} && !now.After(key.SignsUntil)
	})
}

// signsAt tells whether the key is neither too old nor, after the clock was set back, from a future that is far away.
func (s signer) signsAt(now time.Time) bool {
	return !now.After(s.SignsUntil) && !now.Before(s.made.Add(-leeway))
}

// make makes a key for a grant.
func (k *accessKeys) make(client grant, now time.Time) (signer, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(k.random, seed); err != nil {
		return signer{}, fmt.Errorf("make a key of access tokens: %w", err)
	}
	private := ed25519.NewKeyFromSeed(seed)
	public, _ := private.Public().(ed25519.PublicKey)
	thumbprint, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return signer{}, fmt.Errorf("make a key of access tokens: %w", err)
	}
	id := base64.RawURLEncoding.EncodeToString(thumbprint)
	signs := now.Add(keyPeriod).UTC().Truncate(time.Second)
	return signer{
		record: record{ID: id, Public: public, Grant: client, SignsUntil: signs, Until: signs.Add(maxLifetime)},
		key:    jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: private, KeyID: id}},
		made:   now.Round(0), // without the monotonic clock, which does not tell that the clock was set
	}, nil
}
