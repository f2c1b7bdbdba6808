package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fillCache is how long a cache may take to be filled before it is begun anew.
const fillCache = 30 * time.Second

// retryFirstLook is how often it is looked while it is not known whether the cluster has the kind.
const retryFirstLook = time.Second

// optionalKind follows whether the cluster has a kind, which may come later than the operator or go before it, and keeps a cache of its objects while
// it does. The manager's cache could not start without the kind, or without the right to list it.
type optionalKind struct {
	mgr  ctrl.Manager
	kind schema.GroupVersionKind
	list client.ObjectList
	// cache says which objects are kept.
	cache cache.Options
	// follow lets a controller hear of the objects in a cache that has started.
	follow func(ctx context.Context, objects cache.Cache) error
	// changed is called when the kind came or went.
	changed func(ctx context.Context) error
	every   time.Duration
	log     logr.Logger

	running atomic.Pointer[runningCache]
	// looked is true once it is known whether the cluster has the kind.
	looked atomic.Bool
	// forbidden tells that the operator may not list the kind.
	forbidden atomic.Bool
}

// runningCache is a cache that has been filled.
type runningCache struct {
	cache.Cache
	stop context.CancelFunc
}

// NeedLeaderElection is true: only who reconciles needs to know.
func (k *optionalKind) NeedLeaderElection() bool { return true }

// Start looks until the context ends.
func (k *optionalKind) Start(ctx context.Context) error {
	known, err := discovery.NewDiscoveryClientForConfigAndClient(k.mgr.GetConfig(), k.mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("ask which kinds the API server knows: %w", err)
	}
	look := func(ctx context.Context) {
		if err := k.look(ctx, known); err != nil && ctx.Err() == nil {
			k.log.Error(err, "Cannot follow a kind that the cluster may have", "kind", k.kind.Kind)
		}
	}
	// Tenants wait for the first look.
	_ = wait.PollUntilContextCancel(ctx, retryFirstLook, true, func(ctx context.Context) (bool, error) {
		look(ctx)
		return k.looked.Load(), nil
	})
	_ = wait.PollUntilContextCancel(ctx, k.every, false, func(ctx context.Context) (bool, error) {
		look(ctx)
		return false, nil
	})
	return nil
}

func (k *optionalKind) look(ctx context.Context, known discovery.ServerResourcesInterface) error {
	there, err := k.there(ctx, known)
	if err != nil {
		return err
	}
	running := k.running.Load()
	switch {
	case there && running == nil:
		if err := k.start(ctx); err != nil {
			return err
		}
		k.log.Info("The cluster has a kind that not every cluster has", "kind", k.kind.Kind)
	case !there && running != nil:
		running.stop()
		k.running.Store(nil)
		k.log.Info("The cluster does not have a kind any more", "kind", k.kind.Kind)
	default:
		k.looked.Store(true)
		return nil
	}
	if first := !k.looked.Swap(true); first {
		return nil // tenants that waited for this look come by themselves
	}
	return k.changed(ctx)
}

// there tells whether the cluster has the kind and lets the operator list it.
func (k *optionalKind) there(ctx context.Context, known discovery.ServerResourcesInterface) (bool, error) {
	resources, err := known.ServerResourcesForGroupVersion(k.kind.GroupVersion().String())
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("ask for the resources of %s: %w", k.kind.GroupVersion(), err)
	case !hasKind(resources, k.kind.Kind):
		return false, nil
	}
	if k.running.Load() != nil {
		return true, nil
	}
	list, _ := k.list.DeepCopyObject().(client.ObjectList)
	err = k.mgr.GetAPIReader().List(ctx, list, k.within()...)
	forbidden := apierrors.IsForbidden(err)
	if was := k.forbidden.Swap(forbidden); forbidden && !was {
		k.log.Info("The operator may not list a kind that the cluster has, and does without", "kind", k.kind.Kind)
	}
	switch {
	case forbidden, apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("list objects of kind %s: %w", k.kind.Kind, err)
	}
	return true, nil
}

// within asks for one object, where the operator may see any: it may have rights in single namespaces only.
func (k *optionalKind) within() []client.ListOption {
	options := []client.ListOption{client.Limit(1)}
	for _, namespace := range slices.Sorted(maps.Keys(k.cache.DefaultNamespaces)) {
		return append(options, client.InNamespace(namespace))
	}
	return options
}

func hasKind(resources *metav1.APIResourceList, kind string) bool {
	for _, resource := range resources.APIResources {
		if resource.Kind == kind {
			return true
		}
	}
	return false
}

// start starts a cache and waits until it is filled.
func (k *optionalKind) start(ctx context.Context) error {
	objects, err := cache.New(k.mgr.GetConfig(), k.cache)
	if err != nil {
		return fmt.Errorf("make a cache of kind %s: %w", k.kind.Kind, err)
	}
	ctx, stop := context.WithCancel(ctx)
	if err := k.follow(ctx, objects); err != nil {
		stop()
		return err
	}
	go func() {
		if err := objects.Start(ctx); err != nil {
			k.log.Error(err, "A cache ended", "kind", k.kind.Kind)
		}
	}()
	filled, cancel := context.WithTimeout(ctx, fillCache)
	defer cancel()
	if !objects.WaitForCacheSync(filled) {
		stop()
		return fmt.Errorf("fill the cache of kind %s: %w", k.kind.Kind, filled.Err())
	}
	k.running.Store(&runningCache{objects, stop})
	return nil
}

// objects are those in the cluster, nil while it has none of the kind.
func (k *optionalKind) objects() client.Reader {
	if running := k.running.Load(); running != nil {
		return running
	}
	return nil
}
