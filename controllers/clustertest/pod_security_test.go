package clustertest

import (
	"context"
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/fields"
	"github.com/tenantry/tenantry/test/race"
)

// everyFieldOfPods sets each field of spec.server that shapes pods. priority is a class that exists.
func everyFieldOfPods(priority string) func(*v1alpha1.ProvisioningTenant) {
	return func(p *v1alpha1.ProvisioningTenant) {
		zone := corev1.PodAffinityTerm{TopologyKey: "zone"}
		p.Spec.Server = v1alpha1.Server{
			Resources: &v1alpha1.ServerResources{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")},
				Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("512Mi")},
			},
			Template: v1alpha1.ServerTemplate{
				Metadata: v1alpha1.ServerTemplateMetadata{
					Labels:      map[string]v1alpha1.LabelValue{"team": "identity"},
					Annotations: map[string]v1alpha1.AnnotationValue{"example.com/scrape": "yes"},
				},
				Spec: v1alpha1.ServerTemplateSpec{
					ImagePullSecrets: []v1alpha1.SecretReference{{Name: "registry"}},
					NodeSelector:     map[string]string{"pool": "tenants"},
					Tolerations:      []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}},
					Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
						PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 1, PodAffinityTerm: zone}},
					}},
					TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.ScheduleAnyway}},
					PriorityClassName:         priority,
				},
			},
		}
	}
}

// label sets labels of the namespace.
func (w *world) label(labels map[string]string) {
	w.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	edit(w, namespace, func(n *corev1.Namespace) {
		for name, value := range labels {
			metav1.SetMetaDataLabel(&n.ObjectMeta, name, value)
		}
	})
}

// podOf is a pod as a controller makes it of a template.
func (w *world) podOf(template *corev1.PodTemplateSpec) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: *template.ObjectMeta.DeepCopy(), Spec: *template.Spec.DeepCopy()}
	pod.Namespace, pod.GenerateName = w.namespace, "trial-"
	return pod
}

// eventuallyEnforced waits until the namespace refuses a pod that says nothing of its security.
func (w *world) eventuallyEnforced() {
	w.Helper()
	careless := &corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}}}
	w.eventually("the namespace is restricted", func() string {
		if err := w.Create(w.Context(), w.podOf(careless), client.DryRunAll); !apierrors.IsForbidden(err) {
			return "it takes any pod"
		}
		return ""
	})
}

func TestPodSecurityRestrictedTakesEachPodOfATenantWithEveryFieldSet(t *testing.T) {
	race.Meets(t) // Jobs
	t.Parallel()
	w := newWorld(t)
	w.label(map[string]string{"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest"})
	w.eventuallyEnforced()
	priority := create(w, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}, Value: 1})
	t.Cleanup(func() { _ = cluster.Client.Delete(context.Background(), priority) })
	tenant := create(w, w.tenant(everyFieldOfPods(priority.Name)))
	for _, of := range []struct {
		from reflect.Type
		path []string
	}{
		{reflect.TypeFor[v1alpha1.ServerTemplate](), []string{"server", "template"}},
		{reflect.TypeFor[v1alpha1.ServerResources](), []string{"server", "resources"}},
	} {
		spec, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&tenant.Spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, leaf := range fields.Leaves(of.from) {
			if _, set, err := unstructured.NestedFieldNoCopy(spec, append(of.path, strings.Split(leaf, ".")...)...); !set || err != nil {
				t.Errorf("spec.%s.%s is new: set it here", strings.Join(of.path, "."), leaf)
			}
		}
	}
	taken := func(what string, template *corev1.PodTemplateSpec) {
		t.Helper()
		if err := w.Create(t.Context(), w.podOf(template)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}

	w.until(tenant, ready)
	onVolume := get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Template
	taken("the server on a volume", &onVolume)
	w.serves(tenant, "6c2f3b1a")
	create(w, w.connectionSecret())
	edit(w, tenant, inDatabase)
	taken("the Job that tries the connection", &get(w, &batchv1.Job{}, "contoso-connect").Spec.Template)
	w.connects()
	taken("the Job that moves the directory", &w.moveJob().Spec.Template)
	w.endMove(true)
	w.worksWith(v1alpha1.StoragePostgreSQL, 1)
	taken("the server in a database", &get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Template)

	for name, careless := range map[string]func(*corev1.PodSpec){
		"privileged": func(s *corev1.PodSpec) {
			s.Containers[0].SecurityContext.Privileged, s.Containers[0].SecurityContext.AllowPrivilegeEscalation = new(true), nil
		},
		"with capabilities":     func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.Capabilities = nil },
		"that may escalate":     func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil },
		"that may be root":      func(s *corev1.PodSpec) { s.SecurityContext.RunAsNonRoot = nil },
		"without seccomp":       func(s *corev1.PodSpec) { s.SecurityContext.SeccompProfile = nil },
		"in the node's network": func(s *corev1.PodSpec) { s.HostNetwork = true },
		"with a file of the node": func(s *corev1.PodSpec) {
			s.Volumes = append(s.Volumes, corev1.Volume{Name: "node", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}})
		},
	} {
		template := onVolume.DeepCopy()
		careless(&template.Spec)
		if err := w.Create(t.Context(), w.podOf(template), client.DryRunAll); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "violates PodSecurity") {
			t.Errorf("a pod %s: %v", name, err)
		}
	}
}
