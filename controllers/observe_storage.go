package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/storage"
)

// observeStorage looks at the volume claim and at what the Jobs of a move do, and tells of the storage. available is condition ServerAvailable.
func (r *ProvisioningTenantReconciler) observeStorage(ctx context.Context, s *scope, available metav1.Condition) (err error) {
	now := r.Options.Clock.Now()
	seen := storage.Seen{Available: available, Now: now}
	if s.storage.Step.Stopped() {
		if seen.Copy, err = r.job(ctx, s, desired.MoveName(s.tenant.Name)); err != nil {
			return err
		}
	}
	if condition := s.storage.LooksAtPods(s.tenant, seen.Copy, now); condition != "" {
		found, err := r.podsCause(ctx, s, "Job")
		if err == nil {
			r.recheckCause(s, condition)
		}
		seen.Cause, seen.CauseFailed = (*storage.Cause)(found), err
	}
	if s.storage.LooksAtClaim() {
		seen.Claim, err = r.claimNow(ctx, s)
	}
	told := s.storage.Report(s.tenant, seen)
	for _, problem := range told.Problems {
		s.fail(problem)
	}
	for _, condition := range told.Conditions {
		s.found(condition)
	}
	for _, moment := range told.Changes {
		s.outcome.at(moment, now)
	}
	return err
}

// claimNow returns the volume claim as the cache has it after everything was applied, the zero claim where it has none.
func (r *ProvisioningTenantReconciler) claimNow(ctx context.Context, s *scope) (*corev1.PersistentVolumeClaim, error) {
	var claim corev1.PersistentVolumeClaim
	if err := r.Get(ctx, s.claimKey(), &claim); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get the volume claim: %w", err)
	}
	return &claim, nil
}
