package chart

import (
	"slices"
	"strings"
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

// TestWhoChoosesTheUserOfTenantsPods is told to the operator where it should not find out by itself.
func TestWhoChoosesTheUserOfTenantsPods(t *testing.T) {
	for values, want := range map[string]string{"{}": "", "tenantPods: {ids: auto}": "", "tenantPods: {ids: fixed}": "fixed", "tenantPods: {ids: platform}": "platform"} {
		_, operator := operatorOf(t, valuesOf(t, values))
		got := ""
		for _, arg := range operator.Args {
			if after, found := strings.CutPrefix(arg, "--pod-ids="); found {
				got = after
			}
		}
		if got != want {
			t.Errorf("%s: --pod-ids=%s, want %s", values, got, want)
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

// portsOut are the ports of a protocol to which each of the operator's policies lets its pods out.
func portsOut(t *testing.T, values map[string]any, protocol corev1.Protocol) map[string][]int {
	t.Helper()
	found := map[string][]int{}
	for _, policy := range policiesOf(t, values) {
		for _, rule := range policy.Spec.Egress {
			for _, port := range rule.Ports {
				if *port.Protocol == protocol {
					found[policy.Name] = append(found[policy.Name], port.Port.IntValue())
				}
			}
		}
	}
	return found
}

func policiesOf(t *testing.T, values map[string]any) []networkingv1.NetworkPolicy {
	t.Helper()
	var found []networkingv1.NetworkPolicy
	for _, object := range render(t, values) {
		if object.GetKind() == "NetworkPolicy" {
			var policy networkingv1.NetworkPolicy
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &policy, true); err != nil {
				t.Fatal(err)
			}
			found = append(found, policy)
		}
	}
	return found
}

// TestPoliciesLetOutToWhereThisClusterListens: OpenShift's DNS is behind its Service at 5353, and a proxy has a port of its own. The tenants'
// policies are the operator's, which is told by its flags.
func TestPoliciesLetOutToWhereThisClusterListens(t *testing.T) {
	for name, test := range map[string]struct {
		values   string
		tcp, udp []int
		flags    []string
	}{
		"by default": {"networkPolicy: {enabled: true}", []int{53, 5353, 443, 6443}, []int{53, 5353}, nil},
		"a proxy":    {"networkPolicy: {enabled: true, egressPorts: [6443, 3128]}", []int{53, 5353, 6443, 3128}, []int{53, 5353}, nil},
		"both said": {
			"networkPolicy: {enabled: true, apiServerPorts: [16443, 443], dnsPorts: [1053]}", []int{1053, 443, 6443, 16443}, []int{1053},
			[]string{"--api-server-ports=16443,443", "--dns-ports=1053"},
		},
		"without policies of the operator's own": {
			"networkPolicy: {apiServerPorts: [8443], dnsPorts: [53, 5353]}", nil, nil, []string{"--api-server-ports=8443", "--dns-ports=53,5353"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			values := valuesOf(t, test.values)
			for policy, got := range portsOut(t, values, corev1.ProtocolTCP) {
				if !slices.Equal(got, test.tcp) {
					t.Errorf("%s lets out to %v, want %v", policy, got, test.tcp)
				}
			}
			for policy, got := range portsOut(t, values, corev1.ProtocolUDP) {
				if !slices.Equal(got, test.udp) {
					t.Errorf("%s lets out to %v by UDP, want %v", policy, got, test.udp)
				}
			}
			if want := test.tcp != nil; (len(portsOut(t, values, corev1.ProtocolTCP)) == 2) != want {
				t.Errorf("the policies are there: %t", !want)
			}
			_, operator := operatorOf(t, values)
			got := slices.DeleteFunc(operator.Args, func(arg string) bool { return !strings.Contains(arg, "-ports=") })
			if !slices.Equal(got, test.flags) {
				t.Errorf("the flags are %q, want %q", got, test.flags)
			}
		})
	}
}

// TestMetricsAreForThoseThatAreNamed where they are not secure, too.
func TestMetricsAreForThoseThatAreNamed(t *testing.T) {
	policies := policiesOf(t, valuesOf(t, `networkPolicy: {enabled: true, metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]}`))
	from := policies[0].Spec.Ingress[0].From
	if len(from) != 1 || from[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != "monitoring" {
		t.Errorf("let in are %+v", from)
	}
	if policies := policiesOf(t, valuesOf(t, `networkPolicy: {enabled: true, metricsFrom: []}`)); len(policies[0].Spec.Ingress) != 0 {
		t.Errorf("with nobody named there is %+v", policies[0].Spec.Ingress)
	}
}
