package chart

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// podsOf are the pods that the chart makes of values, those of a Deployment and that of helm test, by the id of what makes them.
func podsOf(t *testing.T, objects []*unstructured.Unstructured) map[string]corev1.PodTemplateSpec {
	t.Helper()
	pods := map[string]corev1.PodTemplateSpec{}
	for _, object := range objects {
		content := object.Object
		switch object.GetKind() {
		case "Deployment":
			content, _, _ = unstructured.NestedMap(object.Object, "spec", "template")
		case "Pod":
		default:
			continue
		}
		var pod corev1.PodTemplateSpec
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, &pod); err != nil {
			t.Fatal(err)
		}
		pods[id(object)] = pod
	}
	if len(pods) < 2 {
		t.Fatalf("the chart makes %d pods", len(pods))
	}
	return pods
}

// TestEachPodHasANetworkPolicyWhereThereAreAny for both directions.
func TestEachPodHasANetworkPolicyWhereThereAreAny(t *testing.T) {
	objects := render(t, cases(t)["everything"])
	chosen := map[string]bool{}
	for _, object := range objects {
		if object.GetKind() != "NetworkPolicy" {
			continue
		}
		var policy networkingv1.NetworkPolicy
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &policy); err != nil {
			t.Fatal(err)
		}
		selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
		if err != nil {
			t.Fatal(err)
		}
		for name, pod := range podsOf(t, objects) {
			if selector.Matches(labels.Set(pod.Labels)) {
				if chosen[name] {
					t.Errorf("%s has two policies, which allow what either does", name)
				}
				chosen[name] = len(policy.Spec.PolicyTypes) == 2 && len(policy.Spec.Egress) > 0
			}
		}
	}
	for name := range podsOf(t, objects) {
		if !chosen[name] {
			t.Errorf("no NetworkPolicy is for %s in both directions", name)
		}
	}
}

// TestEachContainerSaysWhatItNeedsOfItsNode: what is asked for is kept free, and a limit keeps one from taking the node's memory or disk.
func TestEachContainerSaysWhatItNeedsOfItsNode(t *testing.T) {
	for name, pod := range podsOf(t, render(t, cases(t)["default"])) {
		for _, container := range pod.Spec.Containers {
			for _, resource := range []corev1.ResourceName{corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
				request, limit := container.Resources.Requests[resource], container.Resources.Limits[resource]
				if request.IsZero() || limit.Cmp(request) < 0 {
					t.Errorf("%s, container %s: %s has the request %s and the limit %s", name, container.Name, resource, &request, &limit)
				}
			}
		}
	}
}

// TestNoPodAsksForAUser: OpenShift's restricted-v2 gives each namespace a range of UIDs and refuses a pod that names another. The images have a
// user of their own, by number, which is enough for runAsNonRoot elsewhere.
func TestNoPodAsksForAUser(t *testing.T) {
	for file, values := range cases(t) {
		for name, pod := range podsOf(t, render(t, values)) {
			given := pod.Spec.SecurityContext
			if given == nil || given.RunAsNonRoot == nil || !*given.RunAsNonRoot {
				t.Fatalf("%s, %s: it may run as root", file, name)
			}
			if file == "everything" { // which sets them all
				continue
			}
			if given.RunAsUser != nil || given.RunAsGroup != nil || given.FSGroup != nil || given.SupplementalGroups != nil || given.SELinuxOptions != nil {
				t.Errorf("%s, %s: the pod has %+v", file, name, given)
			}
			for _, container := range pod.Spec.Containers {
				if given := container.SecurityContext; given.RunAsUser != nil || given.RunAsGroup != nil || given.SELinuxOptions != nil {
					t.Errorf("%s, %s: container %s has %+v", file, name, container.Name, given)
				}
			}
		}
	}
}

// TestSecurityContextsAreThoseOfTheValues in both pods, what is not given as it was.
func TestSecurityContextsAreThoseOfTheValues(t *testing.T) {
	for name, pod := range podsOf(t, render(t, map[string]any{
		"podSecurityContext": map[string]any{"runAsUser": 1234, "seccompProfile": nil},
		"securityContext":    map[string]any{"readOnlyRootFilesystem": false},
	})) {
		given, container := pod.Spec.SecurityContext, pod.Spec.Containers[0].SecurityContext
		if given.RunAsUser == nil || *given.RunAsUser != 1234 || given.SeccompProfile != nil || given.RunAsNonRoot == nil {
			t.Errorf("%s has %+v", name, given)
		}
		if *container.ReadOnlyRootFilesystem || container.AllowPrivilegeEscalation == nil || len(container.Capabilities.Drop) == 0 {
			t.Errorf("the container of %s has %+v", name, container)
		}
	}
}
