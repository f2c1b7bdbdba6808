package storage

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// Step is how far a move is. Its names are those of the table in the documentation of the package.
type Step int

const (
	// StepNone: the directory is where the spec wants it, or waits for the connection Secret to be moved.
	StepNone Step = iota
	// StepConnecting: a Job tries the connection to the database, and the server works with the volume.
	StepConnecting
	// StepReconnecting: the same, but the Job that is there tries another connection, or failed to move with one, and goes.
	StepReconnecting
	// StepStopping: the server, which has the volume to itself, is being stopped.
	StepStopping
	// StepCopying: no server runs, and the Job copies the directory and compares the copy.
	StepCopying
	// StepCopied: the Job has ended well, and the volume claim gets its mark. The server starts on PostgreSQL once the mark was
	// seen, for without it the move would begin again.
	StepCopied
	// StepFailed: the Job has failed, and the server works with the volume as before.
	StepFailed
)

// Stopped reports whether no server may run.
func (s Step) Stopped() bool { return s == StepStopping || s == StepCopying || s == StepCopied }

// Connects reports whether there should be a Job that tries the connection. It stays until that of the move is there, or it would begin again.
func (s Step) Connects() bool {
	return s == StepConnecting || s == StepStopping || s == StepCopying
}

// Copies reports whether there should be a Job that copies the directory.
func (s Step) Copies() bool { return s == StepCopying || s == StepCopied || s == StepFailed }

// Move is what the step of a move follows from.
type Move struct {
	// Connect is the Job that tries the connection, and Copy the one that copies the directory; nil where they do not exist.
	Connect, Copy *batchv1.Job
	// Running tells whether the server has pods, or may soon have.
	Running bool
}

// Hindered returns the decision with an error from trying whether the Jobs of the move may be written, as package apply returns it; nil where they may.
func (d Decision) Hindered(err error) Decision {
	d.Hindrance = problem.Classify(err, v1alpha1.ConditionStorageReady, v1alpha1.ReasonRejected)
	return d
}

// Waits reports whether the move does not begin, because of Hindrance. A move that has begun goes on.
func (d Decision) Waits(move Move) bool { return move.Copy == nil && d.Hindrance != nil }

// Continue returns the decision with the step of the move.
func (d Decision) Continue(tenant *v1alpha1.ProvisioningTenant, move Move) Decision {
	d.Step = nextStep(desired.Connection(tenant), move)
	return d
}

// nextStep judges the move of a directory that is on a volume and should be in the database of that connection.
func nextStep(connection string, move Move) Step {
	anothers := func(job *batchv1.Job) bool {
		return job.DeletionTimestamp != nil || job.Annotations[desired.AnnotationConnection] != connection
	}
	connect, job := move.Connect, move.Copy
	switch {
	case job == nil && connect == nil:
		return StepConnecting
	case job == nil && (anothers(connect) || ended(connect, batchv1.JobFailed)):
		return StepReconnecting
	case job == nil && !ended(connect, batchv1.JobComplete):
		return StepConnecting
	case job == nil && move.Running:
		return StepStopping
	case job == nil:
		return StepCopying
	case anothers(job) && ended(job, batchv1.JobFailed):
		return StepReconnecting // the server runs, and goes on until the other connection was tried
	case anothers(job):
		return StepStopping // and the Job goes
	case ended(job, batchv1.JobComplete):
		return StepCopied
	case ended(job, batchv1.JobFailed):
		return StepFailed
	default:
		return StepCopying
	}
}

func ended(job *batchv1.Job, how batchv1.JobConditionType) bool {
	for _, c := range job.Status.Conditions {
		if c.Type == how && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
