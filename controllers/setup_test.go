package controllers

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
)

func TestOfManagedFieldsTheCacheKeepsOnlyWhatTheOperatorApplied(t *testing.T) {
	entry := func(manager string, operation metav1.ManagedFieldsOperationType) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation}
	}
	own := entry("tenantry-operator", metav1.ManagedFieldsOperationApply)
	for name, test := range map[string]struct {
		before, after []metav1.ManagedFieldsEntry
	}{
		"none":                      {nil, nil},
		"its own":                   {[]metav1.ManagedFieldsEntry{own}, []metav1.ManagedFieldsEntry{own}},
		"its own and a stranger's":  {[]metav1.ManagedFieldsEntry{entry("kubelet", "Update"), own}, []metav1.ManagedFieldsEntry{own}},
		"a stranger's":              {[]metav1.ManagedFieldsEntry{entry("kubectl", "Apply")}, nil},
		"what it did not apply":     {[]metav1.ManagedFieldsEntry{entry("tenantry-operator", "Update")}, nil},
		"what another of it leaves": {[]metav1.ManagedFieldsEntry{entry(replicasManager, "Apply"), own}, []metav1.ManagedFieldsEntry{own}},
	} {
		t.Run(name, func(t *testing.T) {
			service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{ManagedFields: test.before}}
			kept, err := keepOwnFields(service)
			if err != nil || kept != any(service) {
				t.Fatalf("got %v, %v", kept, err)
			}
			if !slices.EqualFunc(service.ManagedFields, test.after, func(a, b metav1.ManagedFieldsEntry) bool {
				return a.Manager == b.Manager && a.Operation == b.Operation
			}) {
				t.Errorf("got %+v", service.ManagedFields)
			}
		})
	}
}

func TestTheCacheTakesWhatStandsForAMissedDeletion(t *testing.T) {
	missed := toolscache.DeletedFinalStateUnknown{Key: "customers/contoso-scim"}
	if got, err := keepOwnFields(missed); err != nil || got != any(missed) {
		t.Errorf("got %v, %v", got, err)
	}
}
