package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

var causeNow = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)

func ago(d time.Duration) metav1.Time { return metav1.NewTime(causeNow.Add(-d)) }

// serverPod is a pod that runs and is not ready, to change.
func serverPod(change ...func(*corev1.Pod)) corev1.Pod {
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso-scim-1-a", Labels: map[string]string{v1alpha1.TenantLabel: "contoso"}, CreationTimestamp: ago(time.Hour)},
		Spec: corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{
			Name: "scimserver", Image: "registry.example.com/scimserver:1",
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")}},
		}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning,
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: ago(time.Hour)},
				{Type: corev1.ContainersReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady"},
				{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady"},
			},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "scimserver", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
		},
	}
	for _, f := range change {
		f(&pod)
	}
	return pod
}

func waits(reason, text string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodPending
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: text}}
	}
}

// mounting has what a server's pod mounts, and a Secret once more.
func mounting(p *corev1.Pod) {
	mountsSecret("contoso-database", false)(p)
	volume := func(source corev1.VolumeSource) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{VolumeSource: source})
	}
	volume(corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "contoso-data"}})
	volume(corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	volume(corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "of-a-policy"}}})
	volume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{}},
		{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}}},
		{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "contoso-database"}}},
		{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "contoso-ca"}}},
	}}})
}

func mountsSecret(name string, optional bool) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: name, Optional: &optional},
		}})
	}
}

// restarted is a container that has ended so before.
func restarted(times int32, code int32, reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		status := &p.Status.ContainerStatuses[0]
		status.RestartCount = times
		status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}
	}
}

func TestPodsTellWhyNoneOfThemServes(t *testing.T) {
	t.Parallel()
	deleted := func(since time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.DeletionTimestamp = new(ago(since)) }
	}
	created := func(name string, since time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Name, p.CreationTimestamp = name, ago(since) }
	}
	evicted := func(p *corev1.Pod) {
		p.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory.\nMore."}
	}
	scheduledSince := func(since time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.Conditions[0].LastTransitionTime = ago(since) }
	}
	back := `Back-off pulling image "registry.example.com/scimserver:1"`
	const refused = "rpc error: 401 Unauthorized"
	crash := "Container scimserver ended with exit code 1, and is started again and again. Its log tells why: " +
		"kubectl logs -n customers -l provisioning.tenantry.dev/tenant=contoso --previous."
	oom := "Container scimserver was ended because it had all of the memory that it may have (256Mi)."
	for name, c := range map[string]struct {
		pods []corev1.Pod
		want Cause
	}{
		"there is none":           {nil, Cause{}},
		"it has just begun":       {[]corev1.Pod{serverPod()}, Cause{}},
		"it begins after a crash": {[]corev1.Pod{serverPod(restarted(1, 255, "Unknown"))}, Cause{}},
		"it begins after two restarts of its node": {
			[]corev1.Pod{serverPod(restarted(2, 0, "Completed"))}, Cause{},
		},
		"an image that cannot be pulled": {
			[]corev1.Pod{serverPod(waits("ErrImagePull", refused))},
			Cause{"ImagePullFailed", "Image registry.example.com/scimserver:1 cannot be pulled: " + refused},
		},
		"the same while it waits, with the same words": {
			[]corev1.Pod{serverPod(waits("ImagePullBackOff", back+": ErrImagePull: "+refused))},
			Cause{"ImagePullFailed", "Image registry.example.com/scimserver:1 cannot be pulled: " + refused},
		},
		"an older kubelet, which says less": {
			[]corev1.Pod{serverPod(waits("ImagePullBackOff", back))}, Cause{"ImagePullFailed", "Image registry.example.com/scimserver:1 cannot be pulled"},
		},
		"a URL that lets in": {
			[]corev1.Pod{serverPod(waits("ErrImagePull", `failed: Get "https://s3.example.com/layer?X-Amz-Signature=secret": EOF`))},
			Cause{"ImagePullFailed", `Image registry.example.com/scimserver:1 cannot be pulled: failed: Get "https://s3.example.com/layer?…": EOF`},
		},
		"out of memory, waiting": {[]corev1.Pod{serverPod(waits("CrashLoopBackOff", "back-off 10s"), restarted(1, 137, "OOMKilled"))}, Cause{"OutOfMemory", oom}},
		"out of memory, again at work": {
			[]corev1.Pod{serverPod(restarted(1, 137, "OOMKilled"))}, Cause{"OutOfMemory", oom},
		},
		"out of memory, without a limit": {
			[]corev1.Pod{serverPod(restarted(1, 137, "OOMKilled"), func(p *corev1.Pod) { p.Spec.Containers[0].Resources.Limits = nil })},
			Cause{"OutOfMemory", "Container scimserver was ended because it had all of the memory that it may have."},
		},
		"a crash":             {[]corev1.Pod{serverPod(waits("CrashLoopBackOff", "back-off 40s"), restarted(3, 1, "Error"))}, Cause{"ServerCrashing", crash}},
		"between two crashes": {[]corev1.Pod{serverPod(restarted(3, 1, "Error"))}, Cause{"ServerCrashing", crash}},
		"just ended": {[]corev1.Pod{serverPod(func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}
		})}, Cause{"ServerCrashing", crash}},
		"no node": {[]corev1.Pod{serverPod(func(p *corev1.Pod) {
			p.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
				Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient cpu.",
			}}}
		})}, Cause{"Unschedulable", "No node takes the server's pod: 0/3 nodes are available: 3 Insufficient cpu."}},
		"a Secret that is missing": {
			[]corev1.Pod{serverPod(waits("CreateContainerConfigError", `secret "x" not found`))},
			Cause{"PodNotStarting", `Container scimserver of the server's pod cannot start: secret "x" not found`},
		},
		"a volume, not for long": {[]corev1.Pod{serverPod(waits("ContainerCreating", ""), scheduledSince(59*time.Second))}, Cause{}},
		"a volume, for a minute": {
			[]corev1.Pod{serverPod(waits("ContainerCreating", ""), scheduledSince(time.Minute))},
			Cause{"PodNotStarting", "The server's pod on node node-1 still waits for its network or its volumes. " +
				"The events of the pod tell more: kubectl describe pods -n customers -l provisioning.tenantry.dev/tenant=contoso."},
		},
		"volumes, for a minute": {
			[]corev1.Pod{serverPod(waits("ContainerCreating", ""), scheduledSince(time.Minute), mounting)},
			Cause{"PodNotStarting", "The server's pod on node node-1 still waits for its network or its volumes (volume claim contoso-data, " +
				"Secret contoso-database, Secret contoso-ca, ConfigMap of-a-policy, ConfigMap kube-root-ca.crt). The events of the pod tell more: " +
				"kubectl describe pods -n customers -l provisioning.tenantry.dev/tenant=contoso."},
		},
		"a Secret to mount that is missing, at once": {
			[]corev1.Pod{serverPod(waits("ContainerCreating", ""), scheduledSince(time.Second), mounting, mountsSecret("gone", false))},
			Cause{"PodNotStarting", "The server's pod cannot start, because it mounts Secret gone, which does not exist. Create it; the pod starts within minutes then."},
		},
		"one that may be missing": {
			[]corev1.Pod{serverPod(waits("ContainerCreating", ""), scheduledSince(time.Second), mountsSecret("gone", true))}, Cause{},
		},
		"one that went after the start": {[]corev1.Pod{serverPod(mountsSecret("gone", false))}, Cause{}},
		"an image, before a Secret of an older pod": {
			[]corev1.Pod{serverPod(waits("ContainerCreating", ""), mountsSecret("gone", false)), serverPod(created("b", 0), waits("ErrImagePull", refused))},
			Cause{"ImagePullFailed", "Image registry.example.com/scimserver:1 cannot be pulled: " + refused},
		},
		"the second crash": {[]corev1.Pod{serverPod(restarted(2, 1, "Error"))}, Cause{"ServerCrashing", crash}},
		"killed again and again": {
			[]corev1.Pod{serverPod(waits("CrashLoopBackOff", "back-off 40s"), restarted(3, 137, "Error"))},
			Cause{"ServerCrashing", "Container scimserver ended with exit code 137, because it was killed: by its node, which had no memory left, " +
				"or because it did not answer its liveness probe, and is started again and again. Its log tells why: " +
				"kubectl logs -n customers -l provisioning.tenantry.dev/tenant=contoso --previous."},
		},
		"just ended well, after a crash": {[]corev1.Pod{serverPod(restarted(3, 1, "Error"), func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
		})}, Cause{}},
		"ready, after crashes": {[]corev1.Pod{serverPod(restarted(3, 1, "Error"), func(p *corev1.Pod) { p.Status.ContainerStatuses[0].Ready = true })}, Cause{}},
		"nobody has looked at it yet": {
			[]corev1.Pod{serverPod(waits("ContainerCreating", ""), func(p *corev1.Pod) { p.Status.Conditions = nil })}, Cause{},
		},
		"unready without a reason, and so are its containers": {[]corev1.Pod{serverPod(func(p *corev1.Pod) { p.Status.Conditions[2].Reason = "" })}, Cause{}},
		"unready without a reason, and nothing of its containers": {
			[]corev1.Pod{serverPod(func(p *corev1.Pod) { p.Status.Conditions[1].Type, p.Status.Conditions[2].Reason = "Other", "" })}, Cause{},
		},
		"ready, and its Deployment does not know it yet": {
			[]corev1.Pod{serverPod(func(p *corev1.Pod) {
				p.Status.Conditions[1].Status = corev1.ConditionTrue
				p.Status.Conditions[2] = corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
			})}, Cause{},
		},
		"evicted": {[]corev1.Pod{serverPod(evicted)}, Cause{"PodEvicted", "The server's pod was ended (Evicted): The node was low on resource: memory."}},
		"evicted once, and another has begun": {
			[]corev1.Pod{serverPod(evicted, created("a", time.Hour)), serverPod(created("b", time.Minute))}, Cause{},
		},
		"the newest tells first": {
			[]corev1.Pod{serverPod(created("a", time.Hour), restarted(3, 1, "Error")), serverPod(created("b", time.Minute), restarted(1, 137, "OOMKilled"))},
			Cause{"OutOfMemory", oom},
		},
		"an older one tells where the newest does not": {
			[]corev1.Pod{serverPod(created("a", time.Hour), restarted(3, 1, "Error")), serverPod(created("b", time.Minute))}, Cause{"ServerCrashing", crash},
		},
		"ended without a word, after a crash": {
			[]corev1.Pod{serverPod(restarted(3, 1, "Error"), func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })}, Cause{"ServerCrashing", crash},
		},
		"it runs, and somebody gave it a reason": {[]corev1.Pod{serverPod(func(p *corev1.Pod) { p.Status.Reason = "Evicted" })}, Cause{}},
		"ending":                                 {[]corev1.Pod{serverPod(deleted(-20*time.Second), restarted(3, 1, "Error"))}, Cause{}},
		"overdue":                                {[]corev1.Pod{serverPod(deleted(time.Minute))}, Cause{"NodeUnreachable", "Pod contoso-scim-1-a should have ended and has not, as where node node-1 is away. No other pod may have its volume before that."}},
		"a node that is away": {[]corev1.Pod{serverPod(func(p *corev1.Pod) {
			p.Status.Conditions[1] = corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionTrue}
			p.Status.Conditions[2] = corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse}
			p.Status.ContainerStatuses[0].Ready = true
		})}, Cause{"NodeUnreachable", "Node node-1, where the server's pod is, does not answer."}},
		"a readiness gate": {[]corev1.Pod{serverPod(func(p *corev1.Pod) {
			p.Status.Conditions[1] = corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionTrue}
			p.Status.Conditions[2].Reason = "ReadinessGatesNotReady"
		})}, Cause{}},
	} {
		var got Cause
		if found := PodCause(c.pods, []string{"gone"}, causeNow); found != nil {
			got = *found
		}
		if got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, c.want)
		}
	}
}

func TestADeploymentTellsWhyItsPodsAreRefused(t *testing.T) {
	t.Parallel()
	refused := func(reason, text string, status corev1.ConditionStatus) *appsv1.Deployment {
		return &appsv1.Deployment{Status: appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentReplicaFailure, Status: status, Reason: reason, Message: text},
		}}}
	}
	const said = "The API server refuses the server's pods: "
	for text, want := range map[string]string{
		`pods "a-x2k4p" is forbidden: exceeded quota: q, requested: pods=1`:    said + "exceeded quota: q, requested: pods=1",
		"admission webhook \"policy\" denied the request:\nline two":           said + `admission webhook "policy" denied the request:`,
		"\n\n" + `pods "a" is forbidden: violates PodSecurity "restricted:v1"`: said + `violates PodSecurity "restricted:v1"`,
		strings.Repeat("ä", 400): said + strings.Repeat("ä", 200) + "…",
	} {
		if got := podsRefused(refused("FailedCreate", text, corev1.ConditionTrue)); got == nil || got.Reason != v1alpha1.ReasonPodsRefused || got.Message != want {
			t.Errorf("%q: got %v, want %q", text, got, want)
		}
	}
	other := refused("FailedCreate", "x", corev1.ConditionTrue)
	other.Status.Conditions[0].Type = appsv1.DeploymentProgressing
	for _, d := range []*appsv1.Deployment{
		other, refused("FailedDelete", "x", corev1.ConditionTrue), refused("FailedCreate", "x", corev1.ConditionFalse), {},
	} {
		if got := podsRefused(d); got != nil {
			t.Errorf("%+v: got %v", d.Status, got)
		}
	}
}

func TestTheCauseIsAskedForWhereNoPodServesTheDeploymentThatIsThere(t *testing.T) {
	t.Parallel()
	no, yes := metav1.Condition{Status: metav1.ConditionFalse}, metav1.Condition{Status: metav1.ConditionTrue}
	refuses := func(d *appsv1.Deployment) {
		d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "quota"}}
	}
	said := Cause{v1alpha1.ReasonPodsRefused, "The API server refuses the server's pods: quota"}
	for name, test := range map[string]struct {
		available metav1.Condition
		change    func(*appsv1.Deployment)
		written   int64
		stopped   bool
		want      Cause
		asksPods  bool
	}{
		"it has pods":                              {available: no, asksPods: true},
		"as it was written":                        {available: no, written: 2, asksPods: true},
		"its pods are refused":                     {available: no, change: refuses, want: said},
		"it has no pods":                           {available: no, change: func(d *appsv1.Deployment) { d.Status.Replicas = 0 }},
		"it is available":                          {available: yes, change: refuses},
		"the cache is behind our write":            {available: no, change: refuses, written: 3},
		"its controller has not looked at it yet":  {available: no, change: func(d *appsv1.Deployment) { refuses(d); d.Status.ObservedGeneration = 1 }},
		"it is stopped, and its pods were refused": {available: no, change: refuses, stopped: true},
	} {
		d := server("a")
		if test.change != nil {
			test.change(&d)
		}
		var got Cause
		found, asksPods := Server{Deployment: &d, Stopped: test.stopped, Applied: Applied{Written: test.written}}.Cause(test.available)
		if found != nil {
			got = *found
		}
		if got != test.want || asksPods != test.asksPods {
			t.Errorf("%s: got %q, asks pods: %v", name, got, asksPods)
		}
	}
	if found, asksPods := (Server{}).Cause(no); found != nil || asksPods {
		t.Errorf("of no Deployment: got %v, asks pods: %v", found, asksPods)
	}
}

func TestTheLongerACauseLastsTheMoreRarelyItIsLookedFor(t *testing.T) {
	t.Parallel()
	for lasting, want := range map[time.Duration]time.Duration{
		0: 5 * time.Second, 20 * time.Second: 5 * time.Second, time.Minute: 15 * time.Second, 8 * time.Minute: 2 * time.Minute, 24 * time.Hour: 2 * time.Minute,
	} {
		if got := RecheckCause(metav1.Condition{Status: metav1.ConditionFalse, LastTransitionTime: ago(lasting)}, causeNow); got != want {
			t.Errorf("after %v: got %v, want %v", lasting, got, want)
		}
	}
	if got := RecheckCause(metav1.Condition{Status: metav1.ConditionTrue, LastTransitionTime: ago(time.Hour)}, causeNow); got != 5*time.Second {
		t.Errorf("of one that was True until now: got %v", got)
	}
}

func TestPodsAreThoseOfTheReplicaSetOrOfTheJob(t *testing.T) {
	t.Parallel()
	of := func(kind string, controls bool) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: kind, OwnerReferences: []metav1.OwnerReference{{Kind: kind, Controller: &controls}}}}
	}
	for _, kind := range []string{"ReplicaSet", "Job"} {
		pods := []corev1.Pod{of("ReplicaSet", true), of("Job", true), of(kind, false), {}}
		if got := ControlledBy(kind, pods); len(got) != 1 || got[0].Name != kind || !*got[0].OwnerReferences[0].Controller {
			t.Errorf("%s: got %+v", kind, got)
		}
	}
}

func TestSecretsAreLookedForThatPodsMountWhichWaitToBeStarted(t *testing.T) {
	t.Parallel()
	initialises := func(p *corev1.Pod) {
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "i", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}}}
	}
	got := AwaitedSecrets([]corev1.Pod{
		serverPod(waits("ContainerCreating", ""), mountsSecret("b", false), mountsSecret("a", false), mountsSecret("optional", true)),
		serverPod(initialises, mountsSecret("b", false), mountsSecret("c", false)),
		serverPod(mountsSecret("of-one-that-runs", false)),
	})
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAContainerThatCannotStartHasTheCauseThatTheKubeletNames(t *testing.T) {
	t.Parallel()
	for reason, of := range map[string][]string{
		"ImagePullFailed": {
			"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed",
		},
		"PodNotStarting": {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PostStartHookError"},
	} {
		for _, kubelets := range of {
			if got := PodCause([]corev1.Pod{serverPod(waits(kubelets, "why"))}, nil, causeNow); got == nil || got.Reason != reason || !strings.HasSuffix(got.Message, ": why") {
				t.Errorf("%s: got %v, want %s", kubelets, got, reason)
			}
		}
	}
}
