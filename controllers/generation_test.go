package controllers

import (
	"context"
	"errors"
	"testing"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/entra"
	"github.com/tenantry/tenantry/controllers/rollout"
)

// bug class 11: Ready of a spec that was never applied, here because its first apply failed while upgrades wait for a place.
func TestNoTenantIsReadyForASpecThatWasNotApplied(t *testing.T) {
	t.Parallel()
	changed := func() *simulated {
		s := simulate(t, contoso())
		s.settle()
		s.check()
		s.image, s.upgrades = "scimserver:next", 0
		s.edit(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Template.Spec.PriorityClassName = "important" })
		return s
	}
	applied := func(s *simulated) bool {
		deployment, _ := s.server()
		return deployment.Spec.Template.Spec.PriorityClassName == "important"
	}
	undisturbed := changed()
	before := undisturbed.writes
	undisturbed.settle()
	for _, kind := range faults {
		for at := 1; at <= undisturbed.writes-before; at++ {
			s := changed()
			s.fault, s.failAt = kind, s.writes+at
			for range 10 {
				_, _ = s.reconcile()
				status, was := s.tenant().Status, applied(s)
				if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); !was && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == 2 {
					t.Errorf("%s at write %d: Ready=True for a spec that was not applied: %+v", kind, at, ready)
				}
				if !was && status.ObservedGeneration == 2 && !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionStalled) {
					t.Errorf("%s at write %d: observedGeneration of a spec that was not applied", kind, at)
				}
				s.pretend()
			}
			s.check()
			if !applied(s) {
				t.Errorf("%s at write %d: the change of the spec waits for the upgrade of others", kind, at)
			}
		}
	}
}

// bug class 18: a conflict is no failure: no condition speaks of it, nothing is counted, and it is looked at again soon.
func TestAConflictIsNotTold(t *testing.T) {
	t.Parallel()
	undisturbed := simulate(t, contoso())
	undisturbed.settle()
	for at := 1; at <= undisturbed.writes; at++ {
		s := simulate(t, contoso())
		s.fault, s.failAt = conflict, at
		for range 5 {
			if _, err := s.reconcile(); err != nil {
				t.Errorf("a conflict at write %d is told as the error %v", at, err)
			}
			for _, c := range s.tenant().Status.Conditions {
				if c.Reason == v1alpha1.ReasonError {
					t.Errorf("a conflict at write %d is told: %+v", at, c)
				}
			}
			s.pretend()
		}
		s.check()
	}
}

func TestAFailureToReadATenantIsNoReasonToForgetWhatEntraAnsweredOfIt(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso())
	name := types.NamespacedName{Namespace: "customers", Name: "contoso"}
	tenant := entra.NewTenant(v1alpha1.Entra{TenantID: "8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11"})
	verifier := entra.NewVerifier(nil, nil, logr.Discard())
	verifier.Answer(name, tenant, entra.Exists)
	for _, test := range []struct {
		err    error
		answer entra.Answer
	}{
		{apierrors.NewInternalError(errors.New("etcd is away")), entra.Exists},
		{context.DeadlineExceeded, entra.Exists},
		{apierrors.NewNotFound(schema.GroupResource{Resource: "provisioningtenants"}, "contoso"), entra.Pending},
	} {
		r := &ProvisioningTenantReconciler{
			Client: interceptor.NewClient(s.WithWatch, interceptor.Funcs{
				Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
					return test.err
				},
			}),
			Entra: verifier, Upgrades: rollout.NewLimiter(1, "test"),
		}
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: name}); (err == nil) != apierrors.IsNotFound(test.err) {
			t.Errorf("%v: the reconcile returned %v", test.err, err)
		}
		if got := verifier.Answer(name, tenant, entra.Pending); got != test.answer {
			t.Errorf("after %v the answer is %v, want %v", test.err, got, test.answer)
		}
	}
}
