package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// storage is where the tenant's directory is, and how far it is on its way to where it should be.
type storage struct {
	// engine that the server works with. Empty where that cannot be said: then nothing of the tenant is touched.
	engine v1alpha1.StorageType
	// step of the move to engine PostgreSQL.
	step moveStep
	// claim is the volume claim as it should be, nil where there should be none, and found as it is, nil where there is none.
	claim *desired.Claim
	found *corev1.PersistentVolumeClaim
	// takesUp says which claim that another left behind is taken up, "" for none.
	takesUp string
	// problem is what keeps the directory from its database, or nil.
	problem error
}

// moveStep is how far a move is. It follows from what is in the cluster, so that an operator which starts in the middle goes on.
type moveStep int

const (
	// moveNone: the directory is where the spec wants it, or waits for the connection Secret to be moved.
	moveNone moveStep = iota
	// moveConnecting: a Job tries the connection to the database, and the server works with the volume.
	moveConnecting
	// moveReconnecting: the same, but the Job that is there tries another connection, or failed to move with one, and goes.
	moveReconnecting
	// moveStopping: the server, which has the volume to itself, is being stopped.
	moveStopping
	// moveCopying: no server runs, and the Job copies the directory and compares the copy.
	moveCopying
	// moveCopied: the Job has ended well, and the volume claim gets its mark. The server starts on PostgreSQL once the mark was
	// seen, for without it the move would begin again.
	moveCopied
	// moveFailed: the Job has failed, and the server works with the volume as before.
	moveFailed
)

// stopped tells whether no server may run.
func (s moveStep) stopped() bool { return s == moveStopping || s == moveCopying || s == moveCopied }

// connects tells whether there should be a Job that tries the connection. It stays until that of the move is there, or it would begin again.
func (s moveStep) connects() bool {
	return s == moveConnecting || s == moveStopping || s == moveCopying
}

// job tells whether there should be a Job that moves the directory.
func (s moveStep) job() bool { return s == moveCopying || s == moveCopied || s == moveFailed }

// nextStep judges the move of a directory that is on a volume and should be in a database. connect is the Job that tries the connection, and
// job the one that moves. They and deployment are nil where they do not exist.
func nextStep(tenant *v1alpha1.ProvisioningTenant, connect, job *batchv1.Job, deployment *appsv1.Deployment) moveStep {
	anothers := func(job *batchv1.Job) bool {
		return job.DeletionTimestamp != nil || job.Annotations[desired.AnnotationConnection] != desired.Connection(tenant)
	}
	switch {
	case job == nil && connect == nil:
		return moveConnecting
	case job == nil && (anothers(connect) || ended(connect, batchv1.JobFailed)):
		return moveReconnecting
	case job == nil && !ended(connect, batchv1.JobComplete):
		return moveConnecting
	case job == nil && running(deployment):
		return moveStopping
	case job == nil:
		return moveCopying
	case anothers(job) && ended(job, batchv1.JobFailed):
		return moveReconnecting // the server runs, and goes on until the other connection was tried
	case anothers(job):
		return moveStopping // and the Job goes
	case ended(job, batchv1.JobComplete):
		return moveCopied
	case ended(job, batchv1.JobFailed):
		return moveFailed
	default:
		return moveCopying
	}
}

// running tells whether the Deployment has pods, or may soon have.
func running(d *appsv1.Deployment) bool {
	return d != nil && (ptr.Deref(d.Spec.Replicas, 1) > 0 || d.Status.ObservedGeneration < d.Generation || d.Status.Replicas > 0)
}

func ended(job *batchv1.Job, how batchv1.JobConditionType) bool {
	for _, c := range job.Status.Conditions {
		if c.Type == how && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

// resolveStorage finds where the directory is and what the next step to where it should be is.
func (r *ProvisioningTenantReconciler) resolveStorage(ctx context.Context, s *scope) error {
	switch s.tenant.Spec.Storage.Type {
	case v1alpha1.StorageSQLite, "":
		return r.resolveVolume(ctx, s)
	case v1alpha1.StoragePostgreSQL:
		return r.resolveDatabase(ctx, s)
	default:
		return nil // and condition Accepted says so
	}
}

// resolveVolume decides whether the tenant may work with the volume claim that is there. Where it may not, nothing of the tenant is touched.
func (r *ProvisioningTenantReconciler) resolveVolume(ctx context.Context, s *scope) error {
	claim, err := r.findClaim(ctx, s)
	switch {
	case isTaken(err):
		s.fail(s.claimTaken(err))
		return nil
	case err != nil:
		return err
	}
	if problem := s.judgeClaim(claim); problem != nil {
		s.fail(problem)
		return nil
	}
	if claim != nil && claim.Annotations[desired.AnnotationMovedTo] != "" {
		s.fail(&Stalled{Condition: v1alpha1.ConditionStorageReady, Reason: v1alpha1.ReasonMoved, Message: fmt.Sprintf(
			"Volume claim %s holds the directory as it was before it moved to %s. Set spec.storage.type to that, "+
				"or remove annotation %s from the claim to begin with the old state.",
			claim.Name, claim.Annotations[desired.AnnotationMovedTo], desired.AnnotationMovedTo)})
		return nil
	}
	s.storage.engine = v1alpha1.StorageSQLite
	return nil
}

// resolveDatabase decides whether a tenant that should be in a database is there already, and how it gets there.
func (r *ProvisioningTenantReconciler) resolveDatabase(ctx context.Context, s *scope) error {
	if s.tenant.Spec.Storage.PostgreSQL == nil {
		s.fail(&Stalled{
			Condition: v1alpha1.ConditionStorageReady, Reason: v1alpha1.ReasonConnectionSecretMissing,
			Message: "Set spec.storage.postgresql: it names the Secret with the connection URL.",
		})
		return nil
	}
	claim, err := claimFrom(ctx, r, s)
	if err != nil && !isTaken(err) {
		return err
	}
	moved := func() bool { return claim != nil && claim.Annotations[desired.AnnotationMovedTo] != "" }
	before := s.tenant.Status.Storage
	arrived := before != nil && before.Type == v1alpha1.StoragePostgreSQL || moved()
	if !arrived {
		// A cache that is behind must neither start a second move nor leave a directory behind.
		if claim, err = claimFrom(ctx, r.Live, s); err != nil && !isTaken(err) {
			return err
		}
	}
	arrived = arrived || moved() || claim == nil
	s.storage.problem = r.requireConnection(ctx, s, arrived)
	if claim != nil {
		problem := s.judgeClaim(claim)
		if problem != nil && !arrived {
			s.fail(problem) // or the directory would move with the claim
			return nil
		}
	}
	if arrived {
		s.storage.engine = v1alpha1.StoragePostgreSQL
		return nil
	}
	return r.resolveMove(ctx, s)
}

// resolveMove finds the step of a move that has not ended. Whatever would keep it from beginning is found out before the server
// stops for it.
func (r *ProvisioningTenantReconciler) resolveMove(ctx context.Context, s *scope) error {
	s.storage.engine = v1alpha1.StorageSQLite
	job, err := r.job(ctx, s, desired.MoveName(s.tenant.Name))
	if err != nil {
		return err
	}
	connect, err := r.job(ctx, s, desired.ConnectName(s.tenant.Name))
	if err != nil {
		return err
	}
	if job == nil && s.storage.problem == nil {
		s.storage.problem = r.mayMove(ctx, s)
	}
	if job != nil || s.storage.problem == nil {
		deployment, err := r.serverDeployment(ctx, s)
		if err != nil {
			return err
		}
		s.storage.step = nextStep(s.tenant, connect, job, deployment)
	}
	return nil
}

// mayMove returns what is in the way of the Job, or nil.
func (r *ProvisioningTenantReconciler) mayMove(ctx context.Context, s *scope) error {
	t, err := s.desired(r.Options), error(nil)
	for _, job := range []func(desired.Tenant) (apply.Child, error){connectChild, moveChild} {
		var child apply.Child
		if child, err = job(t); err == nil {
			err = s.owner.MayWrite(ctx, child)
		}
		if err != nil {
			break
		}
	}
	return classify(err, v1alpha1.ConditionStorageReady, v1alpha1.ReasonRejected)
}

// job returns a Job of the tenant, or nil where there is none.
func (r *ProvisioningTenantReconciler) job(ctx context.Context, s *scope, name string) (*batchv1.Job, error) {
	var job batchv1.Job
	err := r.Get(ctx, client.ObjectKey{Namespace: s.tenant.Namespace, Name: name}, &job)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get Job %q: %w", name, err)
	case !s.owner.Owns(&job, nil):
		return nil, nil
	}
	return &job, nil
}

// serverDeployment returns the server's Deployment, or nil where there is none.
func (r *ProvisioningTenantReconciler) serverDeployment(ctx context.Context, s *scope) (*appsv1.Deployment, error) {
	var deployment appsv1.Deployment
	err := r.Get(ctx, s.serverKey(), &deployment)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get the Deployment: %w", err)
	}
	return &deployment, nil
}
