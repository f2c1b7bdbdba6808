package controllers

import (
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// CacheOptions keeps in memory only what the operator needs: of the kinds that it makes, the tenants' objects. Of their
// managed fields its own stay, because they tell whether an object is still as it was applied; those of Secrets and Leases all stay, because
// they tell whether somebody else has put a key there or wrote who holds a host. leases is the namespace of the Leases of hosts; the lease by
// which a leader is elected is not among them, for it changes every two seconds.
func CacheOptions(leases string) (cache.Options, error) {
	whole, err := tenantsObjects()
	if err != nil {
		return cache.Options{}, err
	}
	secrets := whole
	allFields := func(object any) (any, error) { return object, nil }
	secrets.Transform = allFields
	byObject := map[client.Object]cache.ByObject{&corev1.Secret{}: secrets, &corev1.PersistentVolumeClaim{}: whole}
	for _, kind := range controlled() {
		byObject[kind] = whole
	}
	byObject[&coordinationv1.Lease{}] = cache.ByObject{
		Namespaces: map[string]cache.Config{leases: {}}, Transform: allFields,
		Label: labels.SelectorFromSet(labels.Set{v1alpha1.LeaseLabel: v1alpha1.LeaseOfHost}),
	}
	return cache.Options{
		ByObject:                    byObject,
		DefaultTransform:            cache.TransformStripManagedFields(),
		ReaderFailOnMissingInformer: true,
	}, nil
}

// tenantsObjects keeps the objects of tenants only, and all of them.
func tenantsObjects() (cache.ByObject, error) {
	ofTenants, err := labels.NewRequirement(v1alpha1.TenantLabel, selection.Exists, nil)
	if err != nil {
		return cache.ByObject{}, fmt.Errorf("select the tenants' objects: %w", err)
	}
	return cache.ByObject{
		Label:     labels.NewSelector().Add(*ofTenants),
		Transform: keepOwnFields,
		// Readers change nothing in them, and each reconcile reads all of a tenant's.
		UnsafeDisableDeepCopy: new(true),
	}, nil
}

// keepOwnFields drops the managed fields of others from an object. One without any stays untouched: the cache may pass on what
// others are reading already.
func keepOwnFields(object any) (any, error) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return object, nil //nolint:nilerr // what stands for an object whose deletion was missed has none
	}
	var own []metav1.ManagedFieldsEntry
	for _, entry := range accessor.GetManagedFields() {
		if apply.IsOwn(entry) {
			own = append(own, entry)
		}
	}
	if len(own) < len(accessor.GetManagedFields()) {
		accessor.SetManagedFields(own)
	}
	return object, nil
}
