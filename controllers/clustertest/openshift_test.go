package clustertest

import (
	"context"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers"
	"github.com/tenantry/tenantry/test/race"
	"github.com/tenantry/tenantry/test/testenv"
)

// restrictedV2 are the rules of OpenShift's SecurityContextConstraint restricted-v2 for a namespace with the range 1000660000/10000, as far as they
// are about what the pods of tenants have: MustRunAsRange, MustRunAs for the group of volumes, and the lists of privileges and volumes.
func restrictedV2() []admissionv1.Validation {
	const each = "object.spec.containers.all(c, has(c.securityContext) && "
	rules := map[string]string{
		"runAsUser: must be in the ranges: [1000660000, 1000669999]": "has(object.spec.securityContext.runAsUser) && object.spec.securityContext.runAsUser >= 1000660000 && object.spec.securityContext.runAsUser < 1000670000",
		"fsGroup: 1000660000 must be the group":                      "has(object.spec.securityContext.fsGroup) && object.spec.securityContext.fsGroup == 1000660000",
		"runAsNonRoot must be true":                                  "has(object.spec.securityContext.runAsNonRoot) && object.spec.securityContext.runAsNonRoot",
		"seccomp must be runtime/default":                            "has(object.spec.securityContext.seccompProfile) && object.spec.securityContext.seccompProfile.type == 'RuntimeDefault'",
		"allowPrivilegeEscalation must be false":                     each + "has(c.securityContext.allowPrivilegeEscalation) && !c.securityContext.allowPrivilegeEscalation)",
		"capabilities: ALL must be dropped":                          each + "has(c.securityContext.capabilities) && c.securityContext.capabilities.drop == ['ALL'] && !has(c.securityContext.capabilities.add))",
		"volumes: a type is not allowed": "object.spec.volumes.all(v, has(v.configMap) || has(v.emptyDir) || has(v.persistentVolumeClaim) || has(v.projected) || " +
			"has(v.secret) || has(v.csi) || has(v.downwardAPI) || has(v.ephemeral))",
	}
	var validations []admissionv1.Validation
	for message, expression := range rules {
		validations = append(validations, admissionv1.Validation{Expression: expression, Message: message})
	}
	return validations
}

// playOpenShift has the API server do with the pods of the namespace what OpenShift's does: give those a user and a group that have none, and refuse
// those whose own are others. It is played, and was not run on OpenShift.
func (w *world) playOpenShift() {
	w.Helper()
	w.mutate("openshift", []string{"pods"},
		`has(object.spec.securityContext.runAsUser) ? [] : [JSONPatch{op: "add", path: "/spec/securityContext/runAsUser", value: 1000660000}]`,
		`has(object.spec.securityContext.fsGroup) ? [] : [JSONPatch{op: "add", path: "/spec/securityContext/fsGroup", value: 1000660000}]`)
	name := w.namespace + "-restricted-v2"
	policy := create(w, &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: ptr.To(admissionv1.Fail),
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}}}},
			Validations: restrictedV2(),
		},
	})
	binding := create(w, &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}}},
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

// podOf is the pod that a Deployment would make.
func podOf(deployment *appsv1.Deployment) *corev1.Pod {
	template := deployment.Spec.Template.DeepCopy()
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace, pod.GenerateName = deployment.Namespace, deployment.Name+"-"
	return pod
}

func TestOpenShiftTakesPodsThatNameNoUserAndRefusesThoseThatDo(t *testing.T) {
	race.Meets(t)
	t.Parallel()
	f := newFleet(t, 0)
	f.playOpenShift()
	f.class("server: {caBundle: {configMapName: platform-ca}}")
	tenant := f.add("contoso")
	edit(f.world, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.ClassName = f.namespace })
	f.run("scimserver:v1")
	named := get(f.world, &appsv1.Deployment{}, "contoso-scim")
	f.eventually("a pod that names a user is refused", func() string {
		err := f.Create(t.Context(), podOf(named), client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "must be in the ranges") && !strings.Contains(err.Error(), "must be the group") {
			return "the API server says " + errorText(err)
		}
		return ""
	})

	f.becomeAvailable("contoso")
	f.run("scimserver:v1", func(o *controllers.Options) { o.PlatformIDs = true })
	f.eventually("the pods name no user", func() string {
		if get(f.world, &appsv1.Deployment{}, "contoso-scim").Spec.Template.Spec.SecurityContext.RunAsUser != nil {
			return "they do"
		}
		return ""
	})
	pod := podOf(get(f.world, &appsv1.Deployment{}, "contoso-scim"))
	if err := f.Create(t.Context(), pod, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	if given := pod.Spec.SecurityContext; *given.RunAsUser != 1000660000 || *given.FSGroup != 1000660000 || given.RunAsGroup != nil || !*given.RunAsNonRoot {
		t.Errorf("the pod has %+v", given)
	}
	f.until(tenant, "Accepted=True/Accepted") // before its operator ends with the test
}

func errorText(err error) string {
	if err == nil {
		return "nothing"
	}
	return err.Error()
}

// It runs alone: the group is the cluster's.
func TestTheOperatorFindsOutThatTheClusterAssignsIDs(t *testing.T) { //nolint:paralleltest // see above
	w := newWorld(t)
	known, err := discovery.NewDiscoveryClientForConfig(cluster.AsServiceAccount(testenv.OperatorNamespace, testenv.OperatorAccount))
	if err != nil {
		t.Fatal(err)
	}
	until := func(want bool) {
		t.Helper()
		w.eventually("the operator knows of OpenShift's group", func() string {
			if got, err := controllers.AssignsIDs(known); err != nil || got != want {
				return errorText(err)
			}
			return ""
		})
	}
	until(false)
	constraints := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "securitycontextconstraints.security.openshift.io"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "security.openshift.io", Scope: apiextensionsv1.ClusterScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "securitycontextconstraints", Singular: "securitycontextconstraints", Kind: "SecurityContextConstraints"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object"}},
			}},
		},
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(constraints)
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	create(w, object)
	t.Cleanup(func() { _ = w.Delete(context.Background(), object) })
	until(true)
	if err := w.Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	until(false)
}
