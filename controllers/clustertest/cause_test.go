package clustertest

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
	"github.com/tenantry/tenantry/test/testenv"
)

// noPod makes the server's Deployment one without an available pod, as its controller tells it.
func (w *world) noPod(change func(*appsv1.DeploymentStatus)) {
	w.Helper()
	deployment := get(w, &appsv1.Deployment{}, "contoso-scim")
	before := deployment.DeepCopy()
	deployment.Status = appsv1.DeploymentStatus{
		ObservedGeneration: deployment.Generation, Replicas: 1, UpdatedReplicas: 1, UnavailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionFalse, Reason: "MinimumReplicasUnavailable"}},
	}
	change(&deployment.Status)
	if err := w.Status().Patch(w.Context(), deployment, client.MergeFrom(before)); err != nil {
		w.Fatal(err)
	}
}

// makePod makes a pod as the Deployment's ReplicaSet does, with the status that a kubelet or the scheduler gives it.
func (w *world) makePod(name string, status corev1.PodStatus) {
	w.Helper()
	template := get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Template
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, Name: name, Labels: template.Labels,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "contoso-scim-1", UID: "1", Controller: new(true)}},
		},
		Spec: template.Spec,
	}
	// The admission of ServiceAccounts wants one that the fake cluster has no controller to complete.
	pod.Spec.AutomountServiceAccountToken = new(false)
	create(w, pod)
	before := pod.DeepCopy()
	pod.Status = status
	if err := w.Status().Patch(w.Context(), pod, client.MergeFrom(before)); err != nil {
		w.Fatal(err)
	}
}

func waiting(reason, message string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "scimserver", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
	}}}
}

func TestAServerThatIsNotAvailableHasItsCauseInTheCondition(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deployment func(*appsv1.DeploymentStatus)
		pod        *corev1.PodStatus
		reason     string
		message    string
	}{
		"a quota": {
			deployment: func(s *appsv1.DeploymentStatus) {
				s.Replicas, s.UpdatedReplicas = 0, 0
				s.Conditions = append(s.Conditions, appsv1.DeploymentCondition{
					Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate",
					Message: `pods "contoso-scim-5d7c8-x2k4p" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0`,
				})
			},
			reason: "PodsRefused", message: "exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0",
		},
		"an image": {
			pod:    new(waiting("ImagePullBackOff", `Back-off pulling image "x": ErrImagePull: not found`)),
			reason: "ImagePullFailed", message: "cannot be pulled: not found",
		},
		"the scheduler": {
			pod: &corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
				Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/1 nodes are available: 1 Insufficient memory.",
			}}},
			reason: "Unschedulable", message: "0/1 nodes are available: 1 Insufficient memory.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testenv.HoldLabel)
			tenant := create(w, w.tenant())
			if c.pod != nil {
				w.makePod("contoso-scim-a", *c.pod)
			}
			w.noPod(func(s *appsv1.DeploymentStatus) {
				if c.deployment != nil {
					c.deployment(s)
				}
			})
			w.until(tenant, "ServerAvailable=False/"+c.reason)
			if got := message(tenant, "ServerAvailable"); !strings.Contains(got, c.message) {
				t.Errorf("%q does not say %q", got, c.message)
			}
			// The claim may wait for the first pod, and is what Ready tells.
			waits := c.reason == v1alpha1.ReasonPodsRefused || c.reason == v1alpha1.ReasonUnschedulable
			if got := message(tenant, "Ready"); strings.Contains(got, c.message) != waits {
				t.Errorf("Ready says %q", got)
			}
		})
	}
}

// Nothing tells the operator of a pod, so it looks again while the Deployment stays as it is.
func TestACauseIsNoticedThoughTheDeploymentStaysAsItIs(t *testing.T) {
	race.Meets(t) // a tenant is looked at again of its own accord
	t.Parallel()
	w := newWorld(t, testenv.HoldLabel)
	tenant := create(w, w.tenant())
	w.noPod(func(*appsv1.DeploymentStatus) {})
	w.until(tenant, "ServerAvailable=False/ServerUnavailable")
	w.makePod("contoso-scim-a", waiting("ErrImagePull", "not found"))
	w.until(tenant, "ServerAvailable=False/ImagePullFailed")
}

// The Secret is deleted, and then the pods are replaced, as by a drain.
func TestAPodThatCannotStartForItsSecretHasTheSecretInTheCondition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testenv.HoldLabel)
	secret := create(w, w.connectionSecret())
	tenant := create(w, w.tenant(inDatabase))
	w.until(tenant, "StorageReady=True/Configured")
	if err := w.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	w.makePod("contoso-scim-a", waiting("ContainerCreating", ""))
	w.noPod(func(*appsv1.DeploymentStatus) {})
	w.until(tenant, "ServerAvailable=False/PodNotStarting", "StorageReady=False/ConnectionSecretMissing", "Ready=False/ConnectionSecretMissing")
	if got, want := message(tenant, "ServerAvailable"), "The server's pod cannot start, because it mounts Secret contoso-database, "+
		"which does not exist. Create it; the pod starts within minutes then."; got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
}

// Pods are looked for, one tenant's at a time, and no more than that.
func TestTheOperatorListsPodsAndDoesNothingElseWithThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testenv.HoldLabel)
	create(w, w.tenant())
	w.makePod("contoso-scim-a", corev1.PodStatus{})
	itself, err := client.NewWithWatch(cluster.AsServiceAccount("tenantry-system", "tenantry-operator"), client.Options{Scheme: w.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	if err := itself.List(t.Context(), &corev1.PodList{}, client.InNamespace(w.namespace)); err != nil {
		t.Error(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "contoso-scim-a"}}
	for what, ask := range map[string]func() error{
		"watch pods":   func() error { _, err := itself.Watch(t.Context(), &corev1.PodList{}); return err },
		"delete a pod": func() error { return itself.Delete(t.Context(), pod) },
		"change a pod": func() error {
			return itself.Patch(t.Context(), pod.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"a":"b"}}}`)))
		},
	} {
		if err := ask(); !apierrors.IsForbidden(err) {
			t.Errorf("the operator can %s: %v", what, err)
		}
	}
}
