package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
)

// followed are the settings that the directory follows. Clients are served by these: with newer ones a resource could
// arrive before the schema that it needs.
type followed struct {
	settings.Source

	inForce atomic.Pointer[settings.Snapshot]
}

// Current returns the snapshot that the directory follows, or nil before the first.
func (f *followed) Current() *settings.Snapshot { return f.inForce.Load() }

// follow hands each new snapshot's schemas and defaults to the directory until ctx ends. What makes no sense is left out
// and said; in a cluster the operator has told its owner by condition.
func (f *followed) follow(ctx context.Context, users *directory.Directory, log logr.Logger) {
	for {
		changed := f.Changed()
		var again <-chan time.Time
		if current := f.Source.Current(); current != nil && !f.put(ctx, current, users, log) {
			again = time.After(retryInterval)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-again:
		}
	}
}

// put brings a snapshot into force and tells whether all of it is. Where the storage cannot take its schemas, the rest
// counts with those that were in force, if there were any: a token that was revoked must not wait.
func (f *followed) put(ctx context.Context, current *settings.Snapshot, users *directory.Directory, log logr.Logger) bool {
	before := users.Refused()
	err := users.SetSchemas(ctx, current.Tenant.Spec.Schema.Extensions)
	if err != nil {
		log.Error(err, "the declared schemas are not in force; trying again", "in", retryInterval.String())
		if f.inForce.Load() == nil {
			return false
		}
	}
	for id, reason := range users.Refused() {
		if before[id] != reason {
			log.Info("a declared schema contradicts stored values; the definition before it stays", "schema", id, "reason", reason)
		}
	}
	compiled, invalid := compile(current, users.Type(store.User))
	if invalid != nil {
		log.Error(invalid, "defaults are left out")
	}
	users.SetDefaults(compiled)
	users.SetLogRetention(current.Tenant.Spec.Retention.ProvisioningLog.Duration)
	users.SetPurgeAfter(current.PurgeAfter())
	f.inForce.Store(current)
	return err == nil
}
