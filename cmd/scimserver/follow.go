package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// followed are the settings that the directory follows. Clients are served by these: with newer ones a resource could
// arrive before the schema that it needs.
type followed struct {
	settings.Source
	// tokens end with what they were issued for.
	tokens accessTokens
	// owned is the directory that they follow; nil is served always.
	owned *owned

	// opened is closed once a storage is open that could not be opened at once; nil where it could.
	opened <-chan struct{}

	// told is that of a chore.
	told func(error) bool
	// declaring and keeping are what a snapshot asks of the storage. They belong to the goroutine of follow.
	declaring, keeping chore

	inForce atomic.Pointer[settings.Snapshot]
	// begun is closed once there is one; nil where nobody waits for that.
	begun chan struct{}
	first sync.Once
	// imported is the import whose schemas are followed. It belongs to the goroutine of follow.
	imported string
}

// accessTokens take note of settings; an auth.Authenticator does.
type accessTokens interface {
	Follow(ctx context.Context, current *settings.Snapshot) error
}

// Current returns the snapshot that the directory follows, or nil before the first and while the directory is another tenant's.
func (f *followed) Current() *settings.Snapshot {
	if f.owned.refused() {
		return nil
	}
	return f.inForce.Load()
}

// unserved says to clients why Current returns nil.
func (f *followed) unserved() string {
	switch {
	case f.Source.Current() == nil:
		return "the server has no settings yet"
	case f.owned.refused():
		return "the directory of this tenant is not where it should be, or another tenant's is there; it is not served until an administrator acts"
	}
	return "the directory's storage is unavailable"
}

// follow hands each new snapshot's schemas and defaults to the directory until ctx ends, and the same again where look fires and an
// import came, by this replica or another, or another replica knows newer last good defaults. Refusals are said; in a cluster the
// operator tells its owner by condition.
func (f *followed) follow(ctx context.Context, users *directory.Directory, look <-chan time.Time, log logr.Logger) {
	opened := f.opened
	for {
		changed := f.Changed()
		var again <-chan time.Time
		if current := f.Source.Current(); current != nil && !f.put(ctx, current, users, log) {
			again = time.After(retryInterval)
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case <-changed:
				waiting = false
			case <-again:
				waiting = false
			case <-opened:
				waiting, opened = false, nil
			case <-look:
				waiting = f.owned.review(ctx, f.Source.Current()) == nil && !f.overtaken(ctx, users)
			}
		}
	}
}

// overtaken tells whether an import came since the schemas were last held against what is stored, or other last good defaults. Where the
// storage cannot say, the next look does.
func (f *followed) overtaken(ctx context.Context, users *directory.Directory) bool {
	last, err := users.Imported(ctx)
	if err != nil || last != f.imported {
		return err == nil
	}
	changed, err := users.GoodDefaultsChanged(ctx)
	return err == nil && changed
}

// put brings a snapshot into force and tells whether all of it is. Where the storage cannot take its schemas and defaults, the rest
// counts with those that were in force, if there were any: a token that was revoked must not wait. Clients that were held back
// do: an import may have brought values of other schemas.
func (f *followed) put(ctx context.Context, current *settings.Snapshot, users *directory.Directory, log logr.Logger) bool {
	if f.owned.review(ctx, current) != nil {
		return false
	}
	before, refused := users.Refused(), users.RefusedDefaults()
	err := f.declare(ctx, current, users)
	if err == nil {
		err = users.FollowDefaults(ctx, current.Tenant, current.Defaults)
	}
	f.declaring.what, f.declaring.every = "bring the declared schemas and the UserDefaults into force", retryInterval
	f.declaring.log, f.declaring.told = log, f.told
	if f.declaring.ended(ctx, err) != nil {
		last := f.inForce.Load()
		if last == nil {
			return false
		}
		current = holdingBack(current, last)
	}
	for id, reason := range users.Refused() {
		if before[id] != reason {
			log.Info("a declared schema contradicts stored values; the definition before it stays", "schema", id, "reason", reason)
		}
	}
	for name, reason := range users.RefusedDefaults() {
		if refused[name] != reason {
			log.Info("a UserDefaults is refused; its last good version goes on, if there was one", "userDefaults", name, "reason", reason)
		}
	}
	users.SetLogRetention(current.Tenant.Spec.Retention.ProvisioningLog.Duration)
	users.SetPurgeAfter(current.PurgeAfter())
	f.keeping.what, f.keeping.every, f.keeping.log, f.keeping.told = "keep which access tokens ended", retryInterval, log, f.told
	if pending := f.keeping.ended(ctx, f.tokens.Follow(ctx, current)); pending != nil {
		err = errors.Join(err, pending)
	}
	f.owned.kept()
	f.inForce.Store(current)
	f.first.Do(func() {
		if f.begun != nil {
			close(f.begun)
		}
	})
	return err == nil
}

// holdingBack returns next, and with it the clients held back that last held back.
func holdingBack(next, last *settings.Snapshot) *settings.Snapshot {
	if !last.ProvisioningSuspended() && !last.AccessSuspended() {
		return next
	}
	held := *next
	held.Tenant = held.Tenant.DeepCopy()
	if last.ProvisioningSuspended() {
		held.Tenant.Spec.Provisioning.State = v1alpha1.StateSuspended
	}
	if last.AccessSuspended() {
		held.Tenant.Spec.Access.State = v1alpha1.StateSuspended
	}
	return &held
}

// declare has the directory hold the declared schemas against what is stored, which an import may have brought.
func (f *followed) declare(ctx context.Context, current *settings.Snapshot, users *directory.Directory) error {
	last, err := users.Imported(ctx) // asked first: one that comes in between is found at the next look
	if err == nil {
		err = users.SetSchemas(ctx, current.Tenant.Spec.Schema.Extensions)
	}
	if err == nil {
		f.imported = last
	}
	return err
}
