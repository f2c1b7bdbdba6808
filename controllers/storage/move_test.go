package storage

import (
	"errors"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

type jobChange = func(*batchv1.Job)

func jobOf(change ...jobChange) *batchv1.Job {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Namespace: "customers", Annotations: map[string]string{desired.AnnotationConnection: "contoso-database/url"},
	}}
	for _, f := range change {
		f(job)
	}
	return job
}

func with(condition batchv1.JobConditionType, status corev1.ConditionStatus) jobChange {
	return func(job *batchv1.Job) {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: condition, Status: status})
	}
}

func TestTheNextStepOfAMoveFollowsFromWhatIsInTheCluster(t *testing.T) {
	t.Parallel()
	const running, stopped = true, false
	connected := jobOf(with(batchv1.JobComplete, corev1.ConditionTrue))
	others := func(j *batchv1.Job) { j.Annotations[desired.AnnotationConnection] = "other/url" }
	going := func(j *batchv1.Job) { j.DeletionTimestamp = &metav1.Time{} }
	for name, test := range map[string]struct {
		connect, job *batchv1.Job
		server       bool
		want         Step
	}{
		"nobody has tried the connection":               {nil, nil, running, StepConnecting},
		"the connection is being tried":                 {jobOf(), nil, running, StepConnecting},
		"the connection may be good":                    {jobOf(with(batchv1.JobSuccessCriteriaMet, corev1.ConditionTrue)), nil, running, StepConnecting},
		"the Job that tries was given up":               {jobOf(with(batchv1.JobFailed, corev1.ConditionTrue)), nil, running, StepReconnecting},
		"another connection was tried":                  {jobOf(others, with(batchv1.JobComplete, corev1.ConditionTrue)), nil, running, StepReconnecting},
		"the Job that tried is being deleted":           {jobOf(going, with(batchv1.JobComplete, corev1.ConditionTrue)), nil, running, StepReconnecting},
		"the server stopped, and nobody knows why":      {nil, nil, stopped, StepConnecting},
		"the connection is tried while none runs":       {jobOf(), nil, stopped, StepConnecting},
		"the server runs":                               {connected, nil, running, StepStopping},
		"the server has ended, or there never was one":  {connected, nil, stopped, StepCopying},
		"the Job runs":                                  {connected, jobOf(), stopped, StepCopying},
		"the Job runs, and the other is gone":           {nil, jobOf(), stopped, StepCopying},
		"the Job runs, and so does a server":            {connected, jobOf(), running, StepCopying},
		"the Job may succeed":                           {nil, jobOf(with(batchv1.JobSuccessCriteriaMet, corev1.ConditionTrue)), stopped, StepCopying},
		"the Job has succeeded":                         {nil, jobOf(with(batchv1.JobComplete, corev1.ConditionTrue)), stopped, StepCopied},
		"the Job has not failed":                        {nil, jobOf(with(batchv1.JobFailed, corev1.ConditionFalse)), stopped, StepCopying},
		"the Job has failed":                            {nil, jobOf(with(batchv1.JobFailed, corev1.ConditionTrue)), stopped, StepFailed},
		"the Job has failed, and the server runs again": {nil, jobOf(with(batchv1.JobFailed, corev1.ConditionTrue)), running, StepFailed},
		"the Job has failed with another Secret":        {nil, jobOf(others, with(batchv1.JobFailed, corev1.ConditionTrue)), running, StepReconnecting},
		"the Job that has failed is being deleted":      {nil, jobOf(going, with(batchv1.JobFailed, corev1.ConditionTrue)), running, StepReconnecting},
		"the Job runs with another Secret":              {connected, jobOf(others), stopped, StepStopping},
		"the Job is being deleted":                      {connected, jobOf(going, with(batchv1.JobComplete, corev1.ConditionTrue)), stopped, StepStopping},
	} {
		before := Decision{Engine: "SQLite", Moves: true, TakesUp: "kept"}
		got := before.Continue(contoso(inDatabase), Move{Connect: test.connect, Copy: test.job, Running: test.server})
		if got.Step != test.want || got.Engine != "SQLite" || got.TakesUp != "kept" {
			t.Errorf("%s: step %d, want %d; %+v", name, got.Step, test.want, got)
		}
	}
}

func TestEachStepOfAMoveHasItsJobsAndAServerOrNone(t *testing.T) {
	t.Parallel()
	for step, want := range map[Step]struct{ stopped, connects, copies bool }{
		StepNone:         {false, false, false},
		StepConnecting:   {false, true, false},
		StepReconnecting: {false, false, false},
		StepStopping:     {true, true, false},
		StepCopying:      {true, true, true},
		StepCopied:       {true, false, true},
		StepFailed:       {false, false, true},
	} {
		if step.Stopped() != want.stopped || step.Connects() != want.connects || step.Copies() != want.copies {
			t.Errorf("step %d: stopped %v, connects %v, copies %v", step, step.Stopped(), step.Connects(), step.Copies())
		}
		if step.Stopped() && !step.Connects() && !step.Copies() {
			t.Errorf("step %d: no server and no Job", step)
		}
	}
}

func TestAMoveDoesNotBeginWhileSomethingIsInItsWay(t *testing.T) {
	t.Parallel()
	quota := apierrors.NewForbidden(schema.GroupResource{Resource: "jobs"}, "contoso-move", errors.New("exceeded quota"))
	away := errors.New("no answer")
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"nothing":               {nil, ""},
		"somebody else's Job":   {&apply.NotOursError{Kind: "Job", Namespace: "customers", Name: "contoso-move"}, "stalled StorageReady NameConflict 1m0s"},
		"a quota":               {quota, "stalled StorageReady Rejected 30s"},
		"the API server failed": {away, "no answer"},
	} {
		d := Decision{Engine: "SQLite", Moves: true}.Hindered(test.err)
		if told(d.Hindrance) != test.want || d.Engine != "SQLite" || !d.Moves {
			t.Errorf("%s: %q, %+v", name, told(d.Hindrance), d)
		}
		if waits := test.err != nil; d.Waits(Move{}) != waits || d.Waits(Move{Connect: jobOf()}) != waits {
			t.Errorf("%s: it waits: %v, and once the connection was tried: %v", name, d.Waits(Move{}), d.Waits(Move{Connect: jobOf()}))
		}
		if d.Waits(Move{Copy: jobOf()}) {
			t.Errorf("%s: the directory is being copied, and the move does not go on", name)
		}
	}
}
