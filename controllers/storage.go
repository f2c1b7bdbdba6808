package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
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
		s.fail(classify(err, v1alpha1.ConditionStorageReady, v1alpha1.ReasonRejected))
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

// requireConnection looks for the Secret with the connection URL. Once it was found for this generation it is looked for now and then while the
// server works with it: nothing tells the operator that somebody else's Secret went.
func (r *ProvisioningTenantReconciler) requireConnection(ctx context.Context, s *scope, arrived bool) error {
	before := s.before(v1alpha1.ConditionStorageReady)
	found := before.ObservedGeneration == s.tenant.Generation &&
		(before.Reason == v1alpha1.ReasonConfigured || before.Reason == v1alpha1.ReasonMoving)
	if found && (!arrived || r.remembersConnection(s)) {
		return nil
	}
	err := r.lookForConnection(ctx, s)
	if err == nil && arrived {
		r.rememberConnection(s)
	}
	return err
}

// lookForConnection returns a *Waiting where there is no connection URL.
func (r *ProvisioningTenantReconciler) lookForConnection(ctx context.Context, s *scope) error {
	ref := s.tenant.Spec.Storage.PostgreSQL.ConnectionSecretRef
	missing := func(format string, args ...any) error {
		return &Waiting{
			Condition: v1alpha1.ConditionStorageReady, Reason: v1alpha1.ReasonConnectionSecretMissing, After: r.recheckSecrets() / 2,
			Message: fmt.Sprintf(format, args...),
		}
	}
	exists, has, err := r.lookForKey(ctx, s, ref.Name, ref.Key)
	switch {
	case err != nil:
		return err
	case !exists:
		return missing("Secret %s in spec.storage.postgresql.connectionSecretRef does not exist: "+
			"create it with the connection URL under the key %s.", ref.Name, ref.Key)
	case !has:
		return missing("Secret %s in spec.storage.postgresql.connectionSecretRef has no key %s: put the connection URL there.", ref.Name, ref.Key)
	}
	return nil
}

// lookForKey tells whether there is a Secret of somebody else's, and whether it has a key. What is in it is not read: which keys it
// has stands in its managed fields.
func (r *ProvisioningTenantReconciler) lookForKey(ctx context.Context, s *scope, name, key string) (exists, has bool, err error) {
	secret, err := r.lookForSecret(ctx, s, name)
	if secret == nil {
		return false, false, err
	}
	has, err = apply.HasData(secret, key)
	return true, has, err
}

// lookForSecret returns the metadata of a Secret of somebody else's, nil where there is none.
func (r *ProvisioningTenantReconciler) lookForSecret(ctx context.Context, s *scope, name string) (*metav1.PartialObjectMetadata, error) {
	secret := apply.SecretMetadata()
	switch err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.tenant.Namespace, Name: name}, secret); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for Secret %q: %w", name, err)
	}
	return secret, nil
}

// observeStorage judges the volume or the connection Secret, and tells how a move is going. available is condition
// ServerAvailable.
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
		s.outcome.at(problem.ObservedAt.Add(v1alpha1.StorageProblemLifetime), now)
		s.fail(&Waiting{Condition: v1alpha1.ConditionStorageInEffect, Reason: problem.Reason, Message: goesOn + problem.Message})
	}
	r.judgeStorage(s, known)
	return nil
}

// judgeStorage finds what is known of the storage, unless a server reports that it cannot use it.
func (r *ProvisioningTenantReconciler) judgeStorage(s *scope, known metav1.Condition) {
	now := r.Options.Clock.Now()
	if problem := s.serverProblem(now); problem != nil {
		s.outcome.at(problem.ObservedAt.Add(v1alpha1.StorageProblemLifetime), now)
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
	if problem == nil || now.Sub(problem.ObservedAt.Time) >= v1alpha1.StorageProblemLifetime {
		return nil
	}
	return problem
}
