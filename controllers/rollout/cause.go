package rollout

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

const (
	// recheckCauseSoonest and recheckCauseLatest bound when the pods are looked at again: a cause changes while nothing changes in the Deployment. The
	// longer it lasts, the more rarely.
	recheckCauseSoonest = 5 * time.Second
	recheckCauseLatest  = 2 * time.Minute

	// startPatience is how long the volumes and the network of a pod may take before that is told, and endPatience how long a pod may be
	// overdue.
	startPatience = time.Minute
	endPatience   = time.Minute

	// maxCauseBytes bounds what is told of the words of others.
	maxCauseBytes = 400
)

// Cause is why a pod does not serve: a reason of condition ServerAvailable, and a message.
type Cause struct{ Reason, Message string }

// Cause returns why no pod serves, as the Deployment tells it, nil where it does not. asksPods tells whether its pods may say it: see PodCause.
func (s Server) Cause(available metav1.Condition) (cause *Cause, asksPods bool) {
	if available.Status != metav1.ConditionFalse || s.Stopped || !s.seen() {
		return nil, false
	}
	if refused := podsRefused(s.Deployment); refused != nil {
		return refused, false
	}
	return nil, s.Deployment.Status.Replicas > 0
}

// RecheckCause returns in how long the pods are to be looked at again whose cause a condition tells, by what it said before: the longer it has been
// False, the later.
func RecheckCause(before metav1.Condition, now time.Time) time.Duration {
	lasting := time.Duration(0)
	if before.Status == metav1.ConditionFalse {
		lasting = now.Sub(before.LastTransitionTime.Time)
	}
	return min(max(lasting/4, recheckCauseSoonest), recheckCauseLatest)
}

// ControlledBy returns the pods that an object of a kind controls.
func ControlledBy(kind string, pods []corev1.Pod) []corev1.Pod {
	return slices.DeleteFunc(pods, func(pod corev1.Pod) bool {
		owner := metav1.GetControllerOf(&pod)
		return owner == nil || owner.Kind != kind
	})
}

// podsRefused tells why the API server refuses the pods of a Deployment, as a quota, a LimitRange or an admission policy makes it do.
func podsRefused(deployment *appsv1.Deployment) *Cause {
	for _, c := range deployment.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue && c.Reason == "FailedCreate" {
			return &Cause{v1alpha1.ReasonPodsRefused, "The API server refuses the server's pods: " + quoted(randomName.ReplaceAllString(c.Message, ""))}
		}
	}
	return nil
}

// PodCause tells why none of the pods serves, nil where they do not tell. The newest is asked first. These Secrets are known to be missing.
func PodCause(pods []corev1.Pod, missing []string, now time.Time) *Cause {
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	for i := range pods {
		pod := &pods[i]
		if pod.Status.Phase == corev1.PodFailed && i > 0 {
			continue // it is history: another has taken its place
		}
		if found := causeOf(pod, missing, now); found != nil {
			return found
		}
	}
	return nil
}

func causeOf(pod *corev1.Pod, missing []string, now time.Time) *Cause {
	if pod.DeletionTimestamp != nil {
		if now.Sub(pod.DeletionTimestamp.Time) < endPatience {
			return nil
		}
		return &Cause{v1alpha1.ReasonNodeUnreachable, fmt.Sprintf(
			"Pod %s should have ended and has not, as where node %s is away. No other pod may have its volume before that.", pod.Name, pod.Spec.NodeName)}
	}
	if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason != "" {
		return &Cause{v1alpha1.ReasonPodEvicted, fmt.Sprintf("The server's pod was ended (%s): %s", pod.Status.Reason, quoted(pod.Status.Message))}
	}
	scheduled := podCondition(pod, corev1.PodScheduled)
	if scheduled != nil && scheduled.Status == corev1.ConditionFalse {
		return &Cause{v1alpha1.ReasonUnschedulable, "No node takes the server's pod: " + quoted(scheduled.Message)}
	}
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if found := containerCause(pod, &status); found != nil {
			return found
		}
	}
	waits, mounts := awaitsStart(pod), mountsOf(pod)
	if waits {
		for _, name := range mounts.secrets {
			if slices.Contains(missing, name) {
				return &Cause{v1alpha1.ReasonPodNotStarting, fmt.Sprintf(
					"The server's pod cannot start, because it mounts Secret %s, which does not exist. Create it; the pod starts within minutes then.", name)}
			}
		}
	}
	switch {
	case waits && scheduled != nil && now.Sub(scheduled.LastTransitionTime.Time) >= startPatience:
		return &Cause{v1alpha1.ReasonPodNotStarting, fmt.Sprintf(
			"The server's pod on node %s still waits for its network or its volumes%s. The events of the pod tell more: kubectl describe pods -n %s -l %s=%s.",
			pod.Spec.NodeName, mounts, pod.Namespace, v1alpha1.TenantLabel, pod.Labels[v1alpha1.TenantLabel])}
	case nodeSilent(pod):
		return &Cause{v1alpha1.ReasonNodeUnreachable, fmt.Sprintf("Node %s, where the server's pod is, does not answer.", pod.Spec.NodeName)}
	}
	return nil
}

// containerCause tells why a container of a pod does not run.
func containerCause(pod *corev1.Pod, status *corev1.ContainerStatus) *Cause {
	if state := status.State.Waiting; state != nil {
		switch state.Reason {
		case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable",
			"SignatureValidationFailed":
			text := "Image " + imageOf(pod, status) + " cannot be pulled"
			if said := quoted(backOff.ReplaceAllString(state.Message, "")); said != "" {
				text += ": " + said
			}
			return &Cause{v1alpha1.ReasonImagePullFailed, text}
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PostStartHookError":
			return &Cause{v1alpha1.ReasonPodNotStarting, fmt.Sprintf("Container %s of the server's pod cannot start: %s", status.Name, quoted(state.Message))}
		}
	}
	ended := status.State.Terminated
	if ended == nil {
		ended = status.LastTerminationState.Terminated
	}
	switch running := status.State.Running != nil; {
	case ended == nil, status.Ready, status.State.Terminated != nil && status.State.Terminated.ExitCode == 0:
		return nil
	case ended.Reason == "OOMKilled":
		return &Cause{v1alpha1.ReasonOutOfMemory, fmt.Sprintf(
			"Container %s was ended because it had all of the memory that it may have%s.", status.Name, memoryOf(pod, status.Name))}
	case running && (status.RestartCount < 2 || ended.ExitCode == 0):
		return nil // it begins again after its node did
	}
	how := fmt.Sprintf("ended with exit code %d", ended.ExitCode)
	if signal := ended.ExitCode - 128; signal == 9 {
		how += ", because it was killed: by its node, which had no memory left, or because it did not answer its liveness probe"
	}
	return &Cause{v1alpha1.ReasonServerCrashing, fmt.Sprintf(
		"Container %s %s, and is started again and again. Its log tells why: kubectl logs -n %s -l %s=%s --previous.",
		status.Name, how, pod.Namespace, v1alpha1.TenantLabel, pod.Labels[v1alpha1.TenantLabel])}
}

// nodeSilent tells whether the node's controller made a pod unready, which by its kubelet is ready: it has not heard of that for a while.
func nodeSilent(pod *corev1.Pod) bool {
	ready, containers := podCondition(pod, corev1.PodReady), podCondition(pod, corev1.ContainersReady)
	return ready != nil && ready.Status == corev1.ConditionFalse && ready.Reason == "" &&
		containers != nil && containers.Status == corev1.ConditionTrue
}

func podCondition(pod *corev1.Pod, conditionType corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == conditionType {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// imageOf is the image as the spec has it: a status may have another name of it, or none.
func imageOf(pod *corev1.Pod, status *corev1.ContainerStatus) string {
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if container.Name == status.Name {
			return container.Image
		}
	}
	return status.Image
}

// memoryOf is the limit of a container's memory, in parentheses; "" where it has none.
func memoryOf(pod *corev1.Pod, name string) string {
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if limit, ok := container.Resources.Limits[corev1.ResourceMemory]; ok && container.Name == name {
			return " (" + limit.String() + ")"
		}
	}
	return ""
}

var (
	// randomName is the name of a pod that was never made, another one with each try.
	randomName = regexp.MustCompile(`pods "[^"]*" is forbidden: `)
	// backOff is what the kubelet says before the cause while it waits to try again.
	backOff = regexp.MustCompile(`^Back-off pulling image "[^"]*"(: [A-Za-z]+: |$)`)
	// parameters of a URL may hold a signature that lets in whoever has it.
	parameters = regexp.MustCompile(`\?[^\s"']+`)
)

// quoted is what others said, in one line of a bounded length, and without what lets somebody in.
func quoted(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return conditions.Shorten(parameters.ReplaceAllString(strings.TrimSpace(line), "?…"), maxCauseBytes)
}
