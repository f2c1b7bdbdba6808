package clustertest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// mutate has the API server change what is written into the namespace, as the platform's policies do, until the test ends.
func (w *world) mutate(name string, resources []string, expressions ...string) {
	w.Helper()
	name = w.namespace + "-" + name
	policy := &admissionv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.MutatingAdmissionPolicySpec{
			FailurePolicy:      ptr.To(admissionv1.Fail),
			ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
				Rule:       admissionv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: resources},
			}}}},
		},
	}
	for _, expression := range expressions {
		policy.Spec.Mutations = append(policy.Spec.Mutations, admissionv1.Mutation{
			PatchType: admissionv1.PatchTypeJSONPatch, JSONPatch: &admissionv1.JSONPatch{Expression: expression},
		})
	}
	create(w, policy)
	binding := create(w, &admissionv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{
			PolicyName: name,
			MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace},
			}},
		},
	})
	w.Cleanup(func() {
		for _, object := range []client.Object{binding, policy} {
			if err := w.Delete(context.Background(), object); err != nil {
				w.Error(err)
			}
		}
	})
}

// untilMutated waits until the API server follows the policies: a Deployment that is not made in the end has the mirror's image.
func (w *world) untilMutated(want string) {
	w.Helper()
	w.eventually("the policies are followed", func() string {
		labels := map[string]string{"a": "b"}
		trial := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "trial", Labels: labels, Annotations: map[string]string{"a": "b"}},
			Spec: appsv1.DeploymentSpec{
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "scimserver:test", Args: []string{"a"}}}},
				},
			},
		}
		if err := w.Create(w.Context(), trial, client.DryRunAll); err != nil {
			return err.Error()
		}
		if got := trial.Spec.Template.Spec.Containers[0].Image; got != want {
			return got
		}
		return ""
	})
}

// rewritten are mutations that change a value of ours, add to a list of ours, and take something of ours away.
var rewritten = []string{
	`[JSONPatch{op: "replace", path: "/spec/template/spec/containers/0/image", value: "mirror.test/" + string(object.spec.template.spec.containers[0].image).replace("mirror.test/", "")}]`,
	`"--extra" in object.spec.template.spec.containers[0].args ? [] : [JSONPatch{op: "add", path: "/spec/template/spec/containers/0/args/-", value: "--extra"}]`,
	`has(object.spec.template.spec.containers[0].readinessProbe) ? [JSONPatch{op: "remove", path: "/spec/template/spec/containers/0/readinessProbe"}] : []`,
}

const labelled = `has(object.metadata.labels) ? [JSONPatch{op: "add", path: "/metadata/labels/cost-center", value: "42"}] : []`

// bug class 7 and 12: admission that changes what was applied, each time it is applied.
func TestWhatAdmissionChangesCostsNoWriteAtRestAndWhatPeopleChangeIsPutBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mutate("server", []string{"deployments"}, rewritten...)
	w.mutate("all", []string{"deployments", "services", "serviceaccounts", "roles", "rolebindings", "networkpolicies", "ingresses", "persistentvolumeclaims", "secrets"}, labelled)
	w.untilMutated("mirror.test/scimserver:test")
	tenant := create(w, w.tenant(everySetting))
	w.until(tenant, ready, "EntraTenantVerified=True/Verified")
	w.settled()
	atRest := func(when string) {
		t.Helper()
		before := len(operator.Requests.In(w.namespace))
		w.settled()
		if more := operator.Requests.In(w.namespace)[before:]; len(more) > 0 {
			t.Errorf("%s the settled tenant cost %d requests: %v", when, len(more), more)
		}
	}
	atRest("under the policies")
	server := get(w, &appsv1.Deployment{}, "contoso-scim")
	if container := server.Spec.Template.Spec.Containers[0]; container.Image != "mirror.test/scimserver:test" || container.ReadinessProbe != nil {
		t.Fatalf("the policies did nothing: %+v", container)
	}

	edit(w, server, func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.TerminationGracePeriodSeconds = ptr.To[int64](7)
		d.Spec.Template.Spec.Containers[0].Args = []string{"--tenant=another"}
	})
	w.eventually("the edit is undone", func() string {
		now := get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Template.Spec
		if args := fmt.Sprint(now.Containers[0].Args); ptr.Deref(now.TerminationGracePeriodSeconds, 0) != 30 || !strings.Contains(args, "--tenant=contoso") {
			return args
		}
		return ""
	})
	ingress := get(w, &networkingv1.Ingress{}, "contoso-scim")
	edit(w, ingress, func(i *networkingv1.Ingress) { i.Spec.Rules[0].Host = "elsewhere.example.com" })
	w.eventually("the host is put back", func() string {
		if got := get(w, &networkingv1.Ingress{}, "contoso-scim").Spec.Rules[0].Host; got != tenant.Spec.Exposure.Host {
			return got
		}
		return ""
	})
	w.until(tenant, ready)
	w.settled()
	atRest("after it put edits back,")

	w.restartWritesNothing()
}
