package chart

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// valuesOf reads what stands in a file of values.
func valuesOf(t *testing.T, text string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// operatorOf is the operator's pod and its container.
func operatorOf(t *testing.T, values map[string]any) (corev1.PodSpec, corev1.Container) {
	t.Helper()
	for name, pod := range podsOf(t, render(t, values)) {
		if strings.HasPrefix(name, "Deployment ") {
			return pod.Spec, pod.Spec.Containers[0]
		}
	}
	t.Fatal("there is no Deployment")
	return corev1.PodSpec{}, corev1.Container{}
}

// TestResourcesAreWhatKubernetesTakes, numbers too, and the collector works harder at nine tenths of a limit of the memory.
func TestResourcesAreWhatKubernetesTakes(t *testing.T) {
	for _, limit := range []string{"512Mi", "1073741824", `"1073741824"`, "1.5Gi", "0.5G", "1e9", "5E8", "1Ti", "900000k", "268435456000m"} {
		values := valuesOf(t, "resources: {requests: {cpu: 1, memory: 1}, limits: {cpu: 1.5, memory: "+limit+", example.com/device: 2}}")
		_, operator := operatorOf(t, values)
		want := resource.MustParse(strings.Trim(limit, `"`))
		if got := operator.Resources.Limits.Memory(); got.Cmp(want) != 0 {
			t.Errorf("%s: the limit is %s", limit, got)
		}
		if cpu, device := operator.Resources.Limits.Cpu(), operator.Resources.Limits["example.com/device"]; cpu.MilliValue() != 1500 || device.Value() != 2 {
			t.Errorf("%s: the other limits are %s and %s", limit, cpu, &device)
		}
		collector := resource.MustParse(environment(operator)["GOMEMLIMIT"])
		if low, high := want.Value()/10*9-10, want.Value()/10*9+10; collector.Value() < low || collector.Value() > high {
			t.Errorf("%s: GOMEMLIMIT is %s", limit, &collector)
		}
	}
}

func environment(container corev1.Container) map[string]string {
	found := map[string]string{}
	for _, variable := range container.Env {
		found[variable.Name] = variable.Value
	}
	return found
}

// TestPullSecretsAreObjectsOrNames in both pods.
func TestPullSecretsAreObjectsOrNames(t *testing.T) {
	want := []corev1.LocalObjectReference{{Name: "one"}, {Name: "two"}}
	for name, pod := range podsOf(t, render(t, valuesOf(t, "imagePullSecrets: [{name: one}, two]"))) {
		if diff := cmp.Diff(want, pod.Spec.ImagePullSecrets); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", name, diff)
		}
	}
}

// TestOneRegistryIsThatOfBothImages whatever they name.
func TestOneRegistryIsThatOfBothImages(t *testing.T) {
	for _, test := range []struct{ values, operator, server string }{
		{`{}`, "docker.io/tenantry/operator:dev", "docker.io/tenantry/scimserver:dev"},
		{`imageRegistry: registry.example.com`, "registry.example.com/tenantry/operator:dev", "registry.example.com/tenantry/scimserver:dev"},
		{`imageRegistry: registry.example.com:5000/mirror`, "registry.example.com:5000/mirror/tenantry/operator:dev", "registry.example.com:5000/mirror/tenantry/scimserver:dev"},
		{
			`{imageRegistry: registry.example.com, image: {repository: "localhost:5000/operator"}, serverImage: {repository: team/scimserver, tag: v1}}`,
			"registry.example.com/operator:dev", "registry.example.com/team/scimserver:v1",
		},
		{`{imageRegistry: registry.example.com, image: {repository: localhost/operator}}`, "registry.example.com/operator:dev", "registry.example.com/tenantry/scimserver:dev"},
		{`image: {repository: team/operator}`, "team/operator:dev", "docker.io/tenantry/scimserver:dev"},
	} {
		values := valuesOf(t, test.values)
		for name, pod := range podsOf(t, render(t, values)) {
			if got := pod.Spec.Containers[0].Image; got != test.operator {
				t.Errorf("%s: %s has the image %s, want %s", test.values, name, got, test.operator)
			}
		}
		if _, operator := operatorOf(t, values); !slices.Contains(operator.Args, "--server-image="+test.server) {
			t.Errorf("%s: the arguments are %q, want the image %s", test.values, operator.Args, test.server)
		}
	}
}

// TestThePodsTakeWhatTheChartDoesNotKnow: the pod of helm test reaches the API server as the operator does, so it has the same environment
// and the same files.
func TestThePodsTakeWhatTheChartDoesNotKnow(t *testing.T) {
	values := valuesOf(t, `
extraArgs: [--log-level=debug]
env:
  - {name: HTTPS_PROXY, value: "http://proxy.example.com:3128"}
  - {name: GOMEMLIMIT, value: 100MiB}
volumes: [{name: authorities, configMap: {name: authorities}}]
volumeMounts: [{name: authorities, mountPath: /authorities, readOnly: true}]
metrics: {certificateSecret: operator-metrics-tls}
`)
	for name, pod := range podsOf(t, render(t, values)) {
		container := pod.Spec.Containers[0]
		if got := environment(container); got["HTTPS_PROXY"] != "http://proxy.example.com:3128" || got["GOMEMLIMIT"] != "100MiB" || len(container.Env) != 2 {
			t.Errorf("%s has the environment %+v", name, container.Env)
		}
		mounted := func(m corev1.VolumeMount) bool { return m.Name == "authorities" && m.MountPath == "/authorities" }
		volume := func(v corev1.Volume) bool { return v.Name == "authorities" && v.ConfigMap != nil }
		if !slices.ContainsFunc(container.VolumeMounts, mounted) || !slices.ContainsFunc(pod.Spec.Volumes, volume) {
			t.Errorf("%s has the mounts %+v of %+v", name, container.VolumeMounts, pod.Spec.Volumes)
		}
	}
	pod, operator := operatorOf(t, values)
	if last := operator.Args[len(operator.Args)-1]; last != "--log-level=debug" {
		t.Errorf("the last argument is %s", last)
	}
	if len(pod.Volumes) != 2 || len(operator.VolumeMounts) != 2 {
		t.Errorf("the certificate of the metrics is not there: %+v of %+v", operator.VolumeMounts, pod.Volumes)
	}
}

// TestMoreObjectsAreTemplates, as objects or as text.
func TestMoreObjectsAreTemplates(t *testing.T) {
	values := valuesOf(t, `
extraObjects:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: one, namespace: "{{ .Release.Namespace }}"}
  - |
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: {{ include "tenantry.fullname" . }}-two
`)
	found := map[string]bool{}
	for _, object := range render(t, values) {
		found[id(object)] = true
	}
	for _, want := range []string{"ConfigMap " + releaseNamespace + "/one", "ConfigMap tenantry-two"} {
		if !found[want] {
			t.Errorf("there is no %s among %v", want, slices.Sorted(maps.Keys(found)))
		}
	}
}
