package storage

import (
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// Seen is what was seen of the storage after everything was applied.
type Seen struct {
	// Claim is the volume claim, and without a name where there is none yet. It is nil where it was not looked for, and then nothing is told of it.
	Claim *corev1.PersistentVolumeClaim
	// Copy is the Job that copies the directory, nil where there is none or it was not looked for.
	Copy *batchv1.Job
	// Cause is why no pod of a Job does its work, nil where nothing tells. CauseFailed is the error of looking for that.
	Cause       *Cause
	CauseFailed error
	// Available is condition ServerAvailable.
	Available metav1.Condition
	Now       time.Time
}

// Cause is why a pod does not do its work: a reason of a condition, and a message.
type Cause struct{ Reason, Message string }

// Report is what is told of the storage.
type Report struct {
	// Problems are errors of package problem, each of which makes its condition False, and others. They come before Conditions, of which the
	// first of a type counts.
	Problems   []error
	Conditions []metav1.Condition
	// Changes are when what is told may change by itself.
	Changes []time.Time
}

// LooksAtClaim reports whether Report tells of the volume claim.
func (d Decision) LooksAtClaim() bool {
	return d.Engine != v1alpha1.StoragePostgreSQL && !d.Step.Stopped()
}

// LooksAtPods returns the condition that follows from the pods of the move's Jobs, or "" where they do not matter. job is the one that copies the
// directory.
func (d Decision) LooksAtPods(tenant *v1alpha1.ProvisioningTenant, job *batchv1.Job, now time.Time) string {
	switch {
	case d.tries() && d.connectionProblem(tenant, now) == nil:
		return v1alpha1.ConditionStorageInEffect
	case d.Step == StepCopying && job != nil:
		return v1alpha1.ConditionStorageReady
	}
	return ""
}

// tries tells whether a connection is tried while the server works with the volume.
func (d Decision) tries() bool { return d.Step == StepConnecting || d.Step == StepReconnecting }

// Report tells how the volume or the database is doing, and the move. It is for a tenant whose engine is known.
func (d Decision) Report(tenant *v1alpha1.ProvisioningTenant, seen Seen) Report {
	var told Report
	switch {
	case d.Step.Stopped():
		d.reportMoving(&told, tenant, seen)
		return told
	case d.Engine == v1alpha1.StoragePostgreSQL:
		d.reportDatabase(&told, tenant, seen)
		return told
	case d.Step == StepFailed:
		move := desired.MoveName(tenant.Name)
		told.fail(&problem.Stalled{Condition: v1alpha1.ConditionStorageInEffect, Reason: v1alpha1.ReasonMoveFailed, Message: fmt.Sprintf(
			"The directory could not be moved to PostgreSQL; the tenant goes on with SQLite. kubectl logs -n %s job/%s tells why. "+
				"Mend that and delete Job %s to try again, or set spec.storage.type back to SQLite.",
			tenant.Namespace, move, move)})
	case d.tries():
		d.reportConnecting(&told, tenant, seen)
	case d.Hindrance != nil:
		told.fail(problem.About(v1alpha1.ConditionStorageInEffect, d.Hindrance)) // the move waits, and the server serves
	}
	if seen.Claim != nil {
		reportVolume(&told, tenant, seen)
	}
	return told
}

// reportConnecting tells what keeps a move from beginning: what the Job that tries the connection reports, or why its pod does not run.
func (d Decision) reportConnecting(told *Report, tenant *v1alpha1.ProvisioningTenant, seen Seen) {
	ref := tenant.Spec.Storage.PostgreSQL.ConnectionSecretRef
	stays := fmt.Sprintf("The directory stays on its volume, and the tenant goes on with it, "+
		"until the database that Secret %s names under key %s can be used: ", ref.Name, ref.Key)
	waiting := func(reason, message string) {
		told.fail(&problem.Waiting{Condition: v1alpha1.ConditionStorageInEffect, Reason: reason, Message: message})
	}
	reported := d.connectionProblem(tenant, seen.Now)
	switch {
	case reported != nil:
		told.change(reported)
		waiting(reported.Reason, stays+reported.Message)
	case seen.CauseFailed != nil:
		told.fail(seen.CauseFailed)
	case seen.Cause != nil:
		waiting(seen.Cause.Reason, stays+seen.Cause.Message)
	default:
		waiting(v1alpha1.ReasonProgressing, fmt.Sprintf(
			"Job %s tries the connection to the database. The tenant goes on with its volume until there is one. "+describeJob,
			desired.ConnectName(tenant.Name), tenant.Namespace, desired.ConnectName(tenant.Name)))
	}
}

// describeJob says where it stands why a Job has no pod, as where a quota refuses it. Its namespace and name follow.
const describeJob = "If this lasts, kubectl describe job -n %s %s tells why."

// reportMoving tells how the move is going while no server runs.
func (d Decision) reportMoving(told *Report, tenant *v1alpha1.ProvisioningTenant, seen Seen) {
	name := desired.MoveName(tenant.Name)
	reason, message := v1alpha1.ReasonMoving,
		fmt.Sprintf("The directory is being moved to PostgreSQL by Job %s. Clients are answered 503 until it is there.", name)
	switch {
	case d.Step != StepCopying || seen.Copy == nil:
	case seen.CauseFailed != nil:
		told.fail(seen.CauseFailed)
		return
	case seen.Cause != nil && seen.Cause.Reason != v1alpha1.ReasonServerCrashing:
		reason, message = seen.Cause.Reason, "The directory cannot be moved to PostgreSQL yet: "+seen.Cause.Message
	case seen.Copy.Status.Active+seen.Copy.Status.Failed+seen.Copy.Status.Succeeded == 0:
		message += " It has no pod yet. " + fmt.Sprintf(describeJob, tenant.Namespace, name)
	case seen.Copy.Status.Failed > 0:
		message = fmt.Sprintf("%s Attempt %d has failed, and there is another. Why it failed: kubectl logs -n %s job/%s.",
			message, seen.Copy.Status.Failed, seen.Copy.Namespace, name)
	}
	told.find(conditions.False(v1alpha1.ConditionStorageReady, reason, message))
}

// goesOn begins the message about a connection URL that is there no longer.
const goesOn = "The servers that run go on, and no other can start. "

// reportDatabase judges the connection Secret. Servers that run keep the connection URL that they have read, so without the Secret they go
// on, and no other can start.
func (d Decision) reportDatabase(told *Report, tenant *v1alpha1.ProvisioningTenant, seen Seen) {
	servesOn := seen.Available.Status == metav1.ConditionTrue && tenant.Status.TenantURL != "" // it was ready once
	schema := desired.SchemaName(tenant.Namespace, tenant.Name)
	known := conditions.True(v1alpha1.ConditionStorageReady, v1alpha1.ReasonConfigured, fmt.Sprintf(
		"The directory is in schema %s of the database that Secret %s names.", schema, tenant.Spec.Storage.PostgreSQL.ConnectionSecretRef.Name))
	missing, isMissing := errors.AsType[*problem.Waiting](d.Hindrance)
	switch {
	case d.Hindrance != nil && (!isMissing || !servesOn):
		told.fail(d.Hindrance)
		return
	case isMissing:
		told.fail(&problem.Waiting{
			Condition: v1alpha1.ConditionStorageInEffect, Reason: missing.Reason, After: missing.After,
			Message: goesOn + missing.Message,
		})
		known.Message = fmt.Sprintf("The directory is in schema %s, and the servers go on with the connection URL that they have.", schema)
	}
	if reported := d.connectionProblem(tenant, seen.Now); reported != nil && servesOn {
		told.change(reported)
		told.fail(&problem.Waiting{Condition: v1alpha1.ConditionStorageInEffect, Reason: reported.Reason, Message: goesOn + reported.Message})
	}
	told.judge(tenant, known, seen.Now)
}

// reportVolume judges the volume claim.
func reportVolume(told *Report, tenant *v1alpha1.ProvisioningTenant, seen Seen) {
	told.size(tenant, seen.Claim)
	known := volumeReady(seen.Claim, seen.Available)
	if known.Status == metav1.ConditionTrue && seen.Claim.CreationTimestamp.Before(&tenant.CreationTimestamp) {
		known.Message += fmt.Sprintf(" It was there before this ProvisioningTenant, since %s: the directory on it is served on.",
			seen.Claim.CreationTimestamp.UTC().Format(time.RFC3339))
	}
	told.judge(tenant, known, seen.Now)
}

// volumeReady judges a volume claim; a zero one was not seen yet. available is condition ServerAvailable: many a claim waits for the first pod.
func volumeReady(claim *corev1.PersistentVolumeClaim, available metav1.Condition) metav1.Condition {
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

// size tells how the claim that is there differs from spec.storage.sqlite.
func (told *Report) size(tenant *v1alpha1.ProvisioningTenant, claim *corev1.PersistentVolumeClaim) {
	spec := tenant.Spec.Storage.SQLite
	asked, there, class := sizeOf(claim), claim.Status.Capacity[corev1.ResourceStorage], ptr.Deref(claim.Spec.StorageClassName, "")
	switch {
	case claim.Name == "":
	case spec.Size.Cmp(asked) > 0 && claim.Status.Phase != corev1.ClaimBound:
		told.find(conditions.False(v1alpha1.ConditionStorageInEffect, v1alpha1.ReasonClaimPending,
			fmt.Sprintf("Volume claim %s asks for %s, and for %s when it is bound.", claim.Name, asked.String(), spec.Size.String())))
	case !there.IsZero() && there.Cmp(asked) < 0:
		told.find(conditions.False(v1alpha1.ConditionStorageInEffect, v1alpha1.ReasonProgressing,
			fmt.Sprintf("The volume of claim %s grows from %s to %s. If this lasts, kubectl describe pvc -n %s %s tells why.",
				claim.Name, there.String(), asked.String(), claim.Namespace, claim.Name)))
	case spec.Size.Cmp(asked) < 0:
		told.find(conditions.True(v1alpha1.ConditionStorageInEffect, v1alpha1.ReasonInEffect,
			fmt.Sprintf("Volume claim %s stays at %s, which is more than spec.storage.sqlite.size: volumes cannot shrink.", claim.Name, asked.String())))
	case spec.StorageClassName != "" && class != spec.StorageClassName:
		told.find(conditions.True(v1alpha1.ConditionStorageInEffect, v1alpha1.ReasonInEffect,
			fmt.Sprintf("Volume claim %s was there with class %q, and a claim cannot change its class.", claim.Name, class)))
	}
}

// judge tells what is known of the storage, unless a server reports that it cannot use it.
func (told *Report) judge(tenant *v1alpha1.ProvisioningTenant, known metav1.Condition, now time.Time) {
	if reported := serverProblem(tenant, now); reported != nil {
		told.change(reported)
		if known.Status == metav1.ConditionTrue {
			known = conditions.False(v1alpha1.ConditionStorageReady, reported.Reason, effectOf(reported.Reason)+reported.Message)
		}
	}
	told.find(known)
}

func (told *Report) fail(err error) { told.Problems = append(told.Problems, err) }

func (told *Report) find(condition metav1.Condition) {
	told.Conditions = append(told.Conditions, condition)
}

// change says when a problem ends that is not reported again.
func (told *Report) change(reported *v1alpha1.StorageProblem) {
	told.Changes = append(told.Changes, reported.ObservedTime.Add(v1alpha1.StorageProblemLifetime))
}
