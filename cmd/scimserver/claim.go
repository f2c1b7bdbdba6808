package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/api/ownership"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/settings/kubernetes"
	"github.com/tenantry/tenantry/scimserver/settings/manifests"
	"github.com/tenantry/tenantry/scimserver/store"
)

// claim is whose directory is to be served, by the latest settings.
func claim(source settings.Source) func() (owner.Claim, bool) {
	return func() (owner.Claim, bool) {
		current := source.Current()
		if current == nil {
			return owner.Claim{}, false
		}
		tenant := current.Tenant
		claim := owner.Claim{Identity: ownership.Of(tenant), Adopt: tenant.Annotations[v1alpha1.AdoptDirectoryAnnotation]}
		if tenant.Status.Storage != nil {
			claim.AdoptedVolume = tenant.Status.Storage.AdoptedFrom
		}
		if cluster, ok := source.(*kubernetes.Source); ok {
			claim.Gone = cluster.Gone()
		}
		if tenant.Status.Directory != nil {
			claim.Known = tenant.Status.Directory.ID
		}
		return claim, true
	}
}

// owned says whether the directory may be served, and keeps which it is.
type owned struct {
	store owner.Store
	// keep takes the id of the directory that is served; nil where its report does.
	keep    func() error
	keeping sync.WaitGroup
	// gone tells at the end whether the tenant of a directory that is held is gone; nil where none is held, or nobody can be asked.
	gone  func(ctx context.Context) bool
	log   logr.Logger
	lost  atomic.Bool
	since *settings.Snapshot // that the refusal was logged for
}

// owned is the directory that the engine has opened, nil where no guard was asked.
func (e *engine) owned(database store.Store, source settings.Source, log logr.Logger) *owned {
	guarded, ok := database.(owner.Store)
	if !ok {
		return nil
	}
	o := &owned{store: guarded, log: log}
	switch source := source.(type) {
	case *manifests.Source:
		o.keep = func() error { return source.KeepDirectory(e.guard.Directory()) }
	case *kubernetes.Source:
		if e.database() { // the lock of a folder ends with the process
			o.gone = source.AskWhetherGone
		}
	}
	return o
}

// end lets go of the directory where its tenant is gone. One that was made again need not wait then.
func (o *owned) end(ctx context.Context) {
	if o == nil || o.gone == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	if o.gone(ctx) {
		_ = o.store.Review(ctx) // or the hold ends by itself
	}
}

// refused tells whether the directory was not to be served when it was looked at last.
func (o *owned) refused() bool { return o != nil && o.lost.Load() }

// review looks again whose the directory is, and has that kept. The error is an *owner.Refusal; a storage that cannot say leaves all as it was.
func (o *owned) review(ctx context.Context, current *settings.Snapshot) error {
	if o == nil {
		return nil
	}
	err := o.store.Review(ctx)
	_, refused := errors.AsType[*owner.Refusal](err)
	switch {
	case refused:
		if !o.lost.Swap(true) || o.since != current {
			o.log.Error(err, "the directory is not served; trying again", "in", retryInterval.String())
		}
		o.since = current
		return err
	case err != nil:
		return nil //nolint:nilerr // the checks of the storage say so
	}
	if o.lost.Swap(false) {
		o.log.Info("the directory is served")
	}
	if o.keep != nil {
		o.kept()
		o.keeping.Go(func() {
			if err := panicked.Guard(o.keep); err != nil {
				o.log.Error(err, "which directory is served is not kept for the next start; trying again")
			}
		})
	}
	return nil
}

// kept waits for what review has begun. It waits for the disk, as does what the settings ask of the directory, so both do so at once; nobody is served
// before.
func (o *owned) kept() {
	if o != nil {
		o.keeping.Wait()
	}
}
