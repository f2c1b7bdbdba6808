package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// observeStorage judges the volume or the connection Secret, and tells how a move is going. available is condition ServerAvailable.
func (r *ProvisioningTenantReconciler) observeStorage(ctx context.Context, s *scope, available metav1.Condition) error {
	move := desired.MoveName(s.tenant.Name)
	switch {
	case s.storage.step == moveFailed:
		s.fail(&Stalled{Condition: v1alpha1.ConditionStorageInEffect, Reason: v1alpha1.ReasonMoveFailed, Message: fmt.Sprintf(
			"The directory could not be moved to PostgreSQL; the tenant goes on with SQLite. kubectl logs -n %s job/%s tells why. "+
				"Mend that and delete Job %s to try again, or set spec.storage.type back to SQLite.",
			s.tenant.Namespace, move, move)})
	case s.storage.step == moveConnecting, s.storage.step == moveReconnecting:
		s.fail(r.observeConnecting(ctx, s))
	case s.storage.step != moveNone:
		return r.observeMoving(ctx, s)
	case s.storage.problem != nil && s.storage.engine == v1alpha1.StorageSQLite:
		s.fail(about(v1alpha1.ConditionStorageInEffect, s.storage.problem)) // the move waits, and the server serves
	case s.storage.engine == v1alpha1.StoragePostgreSQL:
		servesOn := available.Status == metav1.ConditionTrue && s.tenant.Status.TenantURL != ""
		return r.observeDatabase(s, servesOn)
	}
	var claim corev1.PersistentVolumeClaim
	if err := r.Get(ctx, s.claimKey(), &claim); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("get the volume claim: %w", err)
	}
	s.observeSize(&claim)
	known := storageReady(&claim, available)
	if known.Status == metav1.ConditionTrue && claim.CreationTimestamp.Before(&s.tenant.CreationTimestamp) {
		known.Message += fmt.Sprintf(" It was there before this ProvisioningTenant, since %s: the directory on it is served on.",
			claim.CreationTimestamp.UTC().Format(time.RFC3339))
	}
	r.judgeStorage(s, known)
	return nil
}

// storageReady judges a volume claim; a zero one was not seen yet. available is condition ServerAvailable: many a claim waits for the first pod.
func storageReady(claim *corev1.PersistentVolumeClaim, available metav1.Condition) metav1.Condition {
	switch {
	case claim.Status.Phase == corev1.ClaimBound:
		return conditions.True(v1alpha1.ConditionStorageReady, v1alpha1.ReasonBound, fmt.Sprintf("Volume claim %s is bound.", claim.Name))
	case claim.Status.Phase == corev1.ClaimLost:
		return conditions.False(v1alpha1.ConditionStorageReady, v1alpha1.ReasonClaimLost,
			fmt.Sprintf("Volume claim %s has lost its volume %s, and the directory on it. "+
				"Restore the volume under that name, or delete the claim and restore it.", claim.Name, claim.Spec.VolumeName))
	case claim.Name == "":
		return conditions.False(v1alpha1.ConditionStorageReady, v1alpha1.ReasonProgressing, "The volume claim is being made.")
	default:
		message := fmt.Sprintf("Volume claim %s is not bound yet. If this lasts, kubectl describe pvc -n %s %s tells why.",
			claim.Name, claim.Namespace, claim.Name)
		if available.Reason == v1alpha1.ReasonPodsRefused || available.Reason == v1alpha1.ReasonUnschedulable {
			message += " It may wait for the server's pod. " + available.Message
		}
		return conditions.False(v1alpha1.ConditionStorageReady, v1alpha1.ReasonClaimPending, message)
	}
}

// goesOn begins the message about a connection URL that is there no longer.
const goesOn = "The servers that run go on, and no other can start. "

// observeDatabase judges the connection Secret. Servers that run keep the connection URL that they have read, so without the Secret they go
// on, and no other can start. servesOn tells whether the tenant was ready once and its servers answer.
func (r *ProvisioningTenantReconciler) observeDatabase(s *scope, servesOn bool) error {
	schema := desired.SchemaName(s.tenant.Namespace, s.tenant.Name)
	known := conditions.True(v1alpha1.ConditionStorageReady, v1alpha1.ReasonConfigured, fmt.Sprintf(
		"The directory is in schema %s of the database that Secret %s names.", schema, s.tenant.Spec.Storage.PostgreSQL.ConnectionSecretRef.Name))
	var missing *Waiting
	switch isMissing := errors.As(s.storage.problem, &missing); {
	case s.storage.problem != nil && (!isMissing || !servesOn):
		return s.storage.problem
	case isMissing:
		s.fail(&Waiting{
			Condition: v1alpha1.ConditionStorageInEffect, Reason: missing.Reason, After: missing.After,
			Message: goesOn + missing.Message,
		})
		known.Message = fmt.Sprintf("The directory is in schema %s, and the servers go on with the connection URL that they have.", schema)
	}
	now := r.Options.Clock.Now()
	if problem := s.connectionProblem(now); problem != nil && servesOn {
		s.outcome.at(problem.ObservedTime.Add(v1alpha1.StorageProblemLifetime), now)
		s.fail(&Waiting{Condition: v1alpha1.ConditionStorageInEffect, Reason: problem.Reason, Message: goesOn + problem.Message})
	}
	r.judgeStorage(s, known)
	return nil
}

// judgeStorage finds what is known of the storage, unless a server reports that it cannot use it.
func (r *ProvisioningTenantReconciler) judgeStorage(s *scope, known metav1.Condition) {
	now := r.Options.Clock.Now()
	if problem := s.serverProblem(now); problem != nil {
		s.outcome.at(problem.ObservedTime.Add(v1alpha1.StorageProblemLifetime), now)
		if known.Status == metav1.ConditionTrue {
			known = conditions.False(v1alpha1.ConditionStorageReady, problem.Reason, effectOf(problem.Reason)+problem.Message)
		}
	}
	s.found(known)
}

// effectOf says what a problem keeps a server from, as the beginning of a message.
func effectOf(reason string) string {
	switch reason {
	case v1alpha1.ReasonVolumeFull, v1alpha1.ReasonVolumeReadOnly, v1alpha1.ReasonDatabaseFull:
		return "Look-ups are answered, and changes are answered 503: "
	}
	return "The server cannot use its storage: "
}

// serverProblem is what a server reports of its storage, nil where none does.
func (s *scope) serverProblem(now time.Time) *v1alpha1.StorageProblem {
	if s.tenant.Status.Storage == nil {
		return nil
	}
	return fresh(s.tenant.Status.Storage.Problem, now)
}

// connectionProblem is what the Job reports that tries the connection, or servers that go on without a connection URL; nil where none does.
func (s *scope) connectionProblem(now time.Time) *v1alpha1.StorageProblem {
	if s.tenant.Status.Storage == nil || s.storage.step != moveConnecting && s.storage.engine == v1alpha1.StorageSQLite {
		return nil
	}
	return fresh(s.tenant.Status.Storage.ConnectionProblem, now)
}

// fresh returns a problem, but nil for one that was reported too long ago: it is of a pod that is gone.
func fresh(problem *v1alpha1.StorageProblem, now time.Time) *v1alpha1.StorageProblem {
	if problem == nil || now.Sub(problem.ObservedTime.Time) >= v1alpha1.StorageProblemLifetime {
		return nil
	}
	return problem
}
