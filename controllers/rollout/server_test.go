package rollout

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// server is the Deployment of a tenant that is available unless changed.
func server(name string, change ...func(*appsv1.Deployment)) appsv1.Deployment {
	d := appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: name, Generation: 2, Annotations: map[string]string{}},
		Spec:       appsv1.DeploymentSpec{Replicas: ptr.To[int32](1)},
		Status:     appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1},
	}
	for _, f := range change {
		f(&d)
	}
	return d
}

// bug class 11: Ready too early.
func TestTheServerIsAvailableOnlyWhenThisGenerationIsOrOldPodsServeUntilItIs(t *testing.T) {
	t.Parallel()
	good := func() *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: "contoso-scim", Generation: 3},
			Status: appsv1.DeploymentStatus{
				ObservedGeneration: 3, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1,
				Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue}},
			},
		}
	}
	replicated := func(updated, available, all int32) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) {
			d.Spec.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
			d.Status.UpdatedReplicas, d.Status.AvailableReplicas, d.Status.Replicas = updated, available, all
		}
	}
	progressing := func(d *appsv1.Deployment, status corev1.ConditionStatus, reason string) {
		d.Status.Conditions = append(d.Status.Conditions, appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: status, Reason: reason})
	}
	refusesPods := func(d *appsv1.Deployment) {
		d.Status.Conditions = append(d.Status.Conditions, appsv1.DeploymentCondition{
			Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota",
		})
	}
	was := func(generation int64) metav1.Condition {
		return metav1.Condition{Type: v1alpha1.ConditionServerAvailable, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAvailable, ObservedGeneration: generation}
	}
	for name, test := range map[string]struct {
		change  func(*appsv1.Deployment)
		written int64
		waits   bool
		refused bool
		stopped bool
		want    string
		before  metav1.Condition
	}{
		"available":                      {change: func(*appsv1.Deployment) {}, want: "True/Available, True/RolledOut"},
		"the cache is behind our write":  {change: func(*appsv1.Deployment) {}, written: 4, want: "False/Progressing, False/Progressing"},
		"not seen by the controller yet": {change: func(d *appsv1.Deployment) { d.Status.ObservedGeneration = 2 }, want: "False/Progressing, False/Progressing"},
		"not there yet":                  {change: func(d *appsv1.Deployment) { *d = appsv1.Deployment{} }, want: "False/Progressing, False/Progressing"},
		"the old pod is still there":     {change: func(d *appsv1.Deployment) { d.Status.Replicas = 2 }, want: "False/Progressing, False/Progressing"},
		"no new pod yet": {
			change: func(d *appsv1.Deployment) {
				d.Status.UpdatedReplicas, d.Status.Replicas, d.Status.AvailableReplicas = 0, 0, 0
			},
			want: "False/Progressing, False/Progressing",
		},
		"the pod is not ready any more": {change: func(d *appsv1.Deployment) {
			d.Status.AvailableReplicas, d.Status.Conditions[0].Status = 0, corev1.ConditionFalse
			progressing(d, corev1.ConditionTrue, "NewReplicaSetAvailable")
		}, want: "False/ServerUnavailable, True/RolledOut"},
		"the first pod is not ready yet": {change: func(d *appsv1.Deployment) {
			d.Status.AvailableReplicas, d.Status.Conditions[0].Status = 0, corev1.ConditionFalse
			progressing(d, corev1.ConditionTrue, "ReplicaSetUpdated")
		}, want: "False/Progressing, False/Progressing"},
		"all three are new and one of them is not ready yet": {change: func(d *appsv1.Deployment) {
			replicated(3, 2, 3)(d)
			progressing(d, corev1.ConditionTrue, "ReplicaSetUpdated")
		}, want: "True/Available, False/Progressing"},
		"the deadline passed": {change: func(d *appsv1.Deployment) {
			d.Status.AvailableReplicas = 0
			progressing(d, corev1.ConditionFalse, "ProgressDeadlineExceeded")
		}, want: "False/RolloutStuck, False/RolloutStuck"},
		// Someone paused the rollout, which then has no deadline either.
		"it is paused with the pod of the generation before": {change: func(d *appsv1.Deployment) {
			d.Spec.Paused, d.Status.UpdatedReplicas = true, 0
			progressing(d, corev1.ConditionUnknown, "DeploymentPaused")
		}, want: "True/Available, False/RolloutPaused"},
		"it is paused between both": {change: func(d *appsv1.Deployment) {
			replicated(1, 0, 4)(d)
			d.Spec.Paused = true
		}, want: "False/RolloutPaused, False/RolloutPaused"},
		"it is paused and as it should be": {change: func(d *appsv1.Deployment) { d.Spec.Paused = true }, want: "True/Available, True/RolledOut"},
		"the deadline passed and clients are served": {change: func(d *appsv1.Deployment) {
			replicated(1, 3, 4)(d)
			progressing(d, corev1.ConditionFalse, "ProgressDeadlineExceeded")
		}, want: "True/Available, False/RolloutStuck"},
		"one of three replicas is not ready": {change: func(d *appsv1.Deployment) {
			d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas = 3, 3, 2
			d.Status.Conditions[0].Status = corev1.ConditionFalse
		}, want: "True/Available, True/RolledOut"},
		"one of three is new":                               {change: replicated(1, 3, 3), want: "True/Available, False/Progressing"},
		"none of three is new":                              {change: replicated(0, 3, 3), want: "True/Available, False/Progressing"},
		"one of three is new and none is available":         {change: replicated(1, 0, 3), want: "False/Progressing, False/Progressing"},
		"three are to be replaced and are available yet":    {change: replicated(3, 3, 3), written: 4, before: was(6), want: "True/Available, False/Progressing"},
		"three are to be replaced and never were available": {change: replicated(3, 3, 3), written: 4, want: "False/Progressing, False/Progressing"},
		"none of three is new, as a quota refuses more": {change: func(d *appsv1.Deployment) {
			replicated(0, 3, 3)(d)
			refusesPods(d)
		}, want: "True/Available, False/PodsRefused"},
		"there are no pods, as a quota refuses them": {change: func(d *appsv1.Deployment) {
			d.Status.UpdatedReplicas, d.Status.Replicas, d.Status.AvailableReplicas = 0, 0, 0
			refusesPods(d)
		}, want: "False/Progressing, False/PodsRefused"},
		"it was rolled out, and a quota refuses more": {change: refusesPods, want: "True/Available, True/RolledOut"},
		"its upgrade waits":                           {change: func(*appsv1.Deployment) {}, waits: true, want: "True/UpgradePending, False/UpgradePending"},
		"its upgrade waits, and its pod is not ready": {change: func(d *appsv1.Deployment) {
			d.Status.AvailableReplicas, d.Status.Conditions[0].Status = 0, corev1.ConditionFalse
			progressing(d, corev1.ConditionTrue, "NewReplicaSetAvailable")
		}, waits: true, want: "False/ServerUnavailable, False/UpgradePending"},
		"its upgrade waits, and somebody paused the rollout before": {change: func(d *appsv1.Deployment) {
			d.Spec.Paused, d.Status.UpdatedReplicas = true, 0
		}, waits: true, want: "True/UpgradePending, False/RolloutPaused"},
		"its pod is there, and the next could not be made": {change: func(d *appsv1.Deployment) {
			progressing(d, corev1.ConditionFalse, "ReplicaSetCreateError")
		}, want: "True/Available, True/RolledOut"},
		"the same spec has other pods since now": {change: func(*appsv1.Deployment) {}, written: 4, before: was(7), want: "False/Progressing, False/Progressing"},
		// bug class 11: the spec was never applied, and what is there is all well.
		"it was not applied":        {change: func(*appsv1.Deployment) {}, refused: true, before: was(6), want: "False/Progressing, False/Progressing"},
		"replicas were not applied": {change: replicated(3, 3, 3), refused: true, before: was(7), want: "False/Progressing, False/Progressing"},
		// bug class 18: an autoscaler's step taken for a rollout.
		"an autoscaler has just scaled": {
			change: func(d *appsv1.Deployment) { d.Generation = 4 }, before: was(7), want: "True/Available, Unknown/Progressing",
		},
		"it was available for the spec before": {
			change: func(d *appsv1.Deployment) { d.Generation = 4 }, before: was(6), want: "False/Progressing, False/Progressing",
		},
		"its directory is being moved": {change: func(*appsv1.Deployment) {}, stopped: true, before: was(7), want: "False/Moving, False/Moving"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deployment := good()
			test.change(deployment)
			tenant := &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Generation: 7}}
			tenant.Status.Conditions = []metav1.Condition{test.before}
			available, rolledOut := Server{
				Tenant: tenant, Deployment: deployment, Stopped: test.stopped,
				Applied: Applied{Done: !test.refused, Written: test.written, Waits: test.waits},
			}.Conditions()
			if got := fmt.Sprintf("%s/%s, %s/%s", available.Status, available.Reason, rolledOut.Status, rolledOut.Reason); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestADeploymentThatWasNotSeenYetIsRolledOut(t *testing.T) {
	t.Parallel()
	tenant := &v1alpha1.ProvisioningTenant{}
	tenant.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionServerAvailable, Status: metav1.ConditionTrue, ObservedGeneration: 1}}
	available, rolledOut := Server{Tenant: tenant, Applied: Applied{Done: true, Written: 1}}.Conditions()
	for _, got := range []metav1.Condition{available, rolledOut} {
		if got.Status != metav1.ConditionFalse || got.Reason != v1alpha1.ReasonProgressing {
			t.Errorf("got %+v", got)
		}
	}
}

func TestTheWordsOfARollout(t *testing.T) {
	t.Parallel()
	const answers, rollingOut = "The SCIM server answers.", "The server is being rolled out."
	progressing := func(status corev1.ConditionStatus, reason string) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) {
			d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: status, Reason: reason}}
		}
	}
	paused := "Deployment contoso-scim is paused, so its pods stay as they are. To go on: kubectl rollout resume deployment contoso-scim -n customers."
	stuck := "Deployment contoso-scim makes no progress. See the events of its pods: kubectl describe pods -n customers -l provisioning.tenantry.dev/tenant=contoso."
	unavailable := "Deployment contoso-scim has no available pod yet. " +
		"If this lasts, kubectl describe pods -n customers -l provisioning.tenantry.dev/tenant=contoso tells why."
	const replaced = "Every pod of the server is as it should be."
	for name, test := range map[string]struct {
		change               func(*appsv1.Deployment)
		waits, stopped       bool
		available, rolledOut string
	}{
		"it is done":                  {available: answers, rolledOut: replaced},
		"old pods are replaced":       {change: func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 0 }, available: rollingOut, rolledOut: rollingOut},
		"new pods are not there yet":  {change: progressing(corev1.ConditionTrue, "ReplicaSetUpdated"), available: answers, rolledOut: "The server is being rolled out: new pods are not available yet."},
		"it was paused with old pods": {change: func(d *appsv1.Deployment) { d.Spec.Paused, d.Status.UpdatedReplicas = true, 0 }, available: answers, rolledOut: paused},
		"it is stuck":                 {change: progressing(corev1.ConditionFalse, "ProgressDeadlineExceeded"), available: answers, rolledOut: stuck},
		"its pods fail":               {change: func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 0 }, available: unavailable, rolledOut: replaced},
		"its upgrade waits": {
			waits: true, available: "The SCIM server answers as before. Its upgrade waits until enough others are done with theirs.",
			rolledOut: "The server's upgrade waits until enough others are done with theirs.",
		},
		"it is stopped": {
			stopped: true, available: "The server is stopped while its directory is being moved.", rolledOut: "The server is stopped while its directory is being moved.",
		},
	} {
		d := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso-scim", Generation: 3, Labels: map[string]string{v1alpha1.TenantLabel: "contoso"}},
			Status:     appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1},
		}
		if test.change != nil {
			test.change(d)
		}
		server := Server{Tenant: &v1alpha1.ProvisioningTenant{}, Deployment: d, Stopped: test.stopped, Applied: Applied{Done: true, Waits: test.waits}}
		available, rolledOut := server.Conditions()
		if available.Message != test.available || rolledOut.Message != test.rolledOut {
			t.Errorf("%s:\n got %q\nand  %q\nwant %q\nand  %q", name, available.Message, rolledOut.Message, test.available, test.rolledOut)
		}
	}
}
