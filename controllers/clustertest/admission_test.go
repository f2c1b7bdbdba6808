package clustertest

import (
	"context"
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/testenv"
)

// almighty is a client that the API server takes for the operator, with every right there is: what it refuses, the policy alone refuses.
func almighty(w *world) client.Client {
	w.Helper()
	config := cluster.AsServiceAccount(testenv.OperatorNamespace, testenv.OperatorAccount)
	config.Impersonate.Groups = append(config.Impersonate.Groups, "system:masters")
	c, err := client.New(config, client.Options{Scheme: w.Scheme()})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// forbids returns what is wrong with the answer to a request that the policy is to refuse with these words, "" for nothing.
func forbids(ctx context.Context, words string, ask func(context.Context) error) string {
	err := ask(ctx)
	switch {
	case err == nil:
		return "it was not refused"
	case !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'tenantry-operator'") || !strings.Contains(err.Error(), words):
		return err.Error()
	}
	return ""
}

// edited writes an object as the operator, changed, without keeping it.
func edited[T client.Object](as client.Client, object T, change func(T)) func(context.Context) error {
	return func(ctx context.Context) error {
		changed, ok := object.DeepCopyObject().(T)
		if !ok {
			return errors.New("a copy is of another type")
		}
		change(changed)
		return as.Patch(ctx, changed, client.MergeFrom(object), client.DryRunAll)
	}
}

// TestAnOperatorThatSomebodyTookOverWritesNothingButTenants tries what it would be good for, with every right of RBAC.
func TestAnOperatorThatSomebodyTookOverWritesNothingButTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	operator := almighty(w)
	w.eventually("the API server follows the policy", func() string {
		return forbids(t.Context(), "the operator does not write configmaps", func(ctx context.Context) error {
			return operator.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, GenerateName: "a"}}, client.DryRunAll)
		})
	})
	makes := func(object client.Object) func(context.Context) error {
		return func(ctx context.Context) error {
			made, ok := object.DeepCopyObject().(client.Object)
			if !ok {
				return errors.New("a copy is no object")
			}
			return operator.Create(ctx, made, client.DryRunAll)
		}
	}
	in := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	// of has all that the policy asks of the metadata of a tenant's object: anybody can write it.
	of := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels: map[string]string{v1alpha1.TenantLabel: "forged", "app.kubernetes.io/managed-by": "tenantry-operator"},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ProvisioningTenant", Name: "forged", UID: "1", Controller: new(true),
			}},
		}
	}
	server := get(w, &appsv1.Deployment{}, "contoso-scim")
	pod := func(change func(*corev1.PodSpec)) func(context.Context) error {
		return edited(operator, server, func(d *appsv1.Deployment) { change(&d.Spec.Template.Spec) })
	}
	container := func(change func(*corev1.Container)) func(context.Context) error {
		return pod(func(p *corev1.PodSpec) { change(&p.Containers[0]) })
	}
	role := get(w, &rbacv1.Role{}, "contoso-scim")
	grants := func(rules ...rbacv1.PolicyRule) func(context.Context) error {
		return edited(operator, role, func(r *rbacv1.Role) { r.Rules = rules })
	}
	rule := func(group, resource string, names []string, verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: names, Verbs: verbs}
	}
	strangers := create(w, &corev1.Service{ObjectMeta: in(w.namespace, "strangers"), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}})
	secret := create(w, &corev1.Secret{ObjectMeta: in(w.namespace, "strangers-credentials"), Data: map[string][]byte{"password": []byte("x")}})
	job := &batchv1.Job{ObjectMeta: of(w.namespace, "forged-move"), Spec: batchv1.JobSpec{Template: *server.Spec.Template.DeepCopy()}}
	job.Spec.Template.Labels[v1alpha1.TenantLabel] = "forged"
	job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever

	for what, try := range map[string]struct {
		words string
		ask   func(context.Context) error
	}{
		"a right on the whole cluster": {"the operator does not write clusterrolebindings.rbac.authorization.k8s.io", makes(&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: w.namespace}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		})},
		"a pod": {"the operator does not write pods", makes(&corev1.Pod{
			ObjectMeta: of(w.namespace, "forged-pod"), Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "scimserver:test"}}},
		})},
		"a tenant's spec": {"the operator does not write provisioningtenants.provisioning.tenantry.dev",
			edited(operator, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.DisplayName = "x" })},
		"a Secret of nobody in kube-system": {"the operator writes only secrets that a ProvisioningTenant controls",
			makes(&corev1.Secret{ObjectMeta: in("kube-system", "x")})},
		"a Secret without the labels": {"the operator writes only secrets that a ProvisioningTenant controls, that have its labels",
			makes(func() client.Object {
				unlabelled := &corev1.Secret{ObjectMeta: of("kube-system", "forged-credentials")}
				unlabelled.Labels = nil
				return unlabelled
			}())},
		"a Secret under a name of another": {"whose name begins with its name", makes(&corev1.Secret{ObjectMeta: of(w.namespace, "another-credentials")})},
		"a token of a ServiceAccount": {"Secrets of a tenant are of type Opaque", makes(func() client.Object {
			token := &corev1.Secret{ObjectMeta: of("kube-system", "forged-token"), Type: corev1.SecretTypeServiceAccountToken}
			token.Annotations = map[string]string{corev1.ServiceAccountNameKey: "default"}
			return token
		}())},
		"a stranger's Secret": {"the operator does not touch secrets strangers-credentials: it is not of a tenant",
			edited(operator, secret, func(s *corev1.Secret) { s.ObjectMeta = withMeta(s.ObjectMeta, of(w.namespace, "")) })},
		"a stranger's Service, deleted": {"the operator does not touch services strangers: it is not of a tenant",
			func(ctx context.Context) error { return operator.Delete(ctx, strangers, client.DryRunAll) }},
		"a Secret of a tenant, deleted": {"the operator does not delete secrets",
			func(ctx context.Context) error {
				return operator.Delete(ctx, get(w, &corev1.Secret{}, "contoso-verifier"), client.DryRunAll)
			}},
		"a directory, deleted": {"the operator does not delete persistentvolumeclaims",
			func(ctx context.Context) error {
				return operator.Delete(ctx, get(w, &corev1.PersistentVolumeClaim{}, "contoso-data"), client.DryRunAll)
			}},
		"another image": {"pods of a tenant have no image but that of the server, from scimserver or mirror.test/scimserver, and not evil.test/miner:1",
			container(func(c *corev1.Container) { c.Image = "evil.test/miner:1" })},
		"a registry with the name of the image": {"pods of a tenant have no image but that of the server",
			container(func(c *corev1.Container) { c.Image = "scimserver:5000/miner" })},
		"a container beside the server": {"pods of a tenant have no image but that of the server",
			pod(func(p *corev1.PodSpec) {
				p.InitContainers = []corev1.Container{{Name: "a", Image: "evil.test/miner:1"}}
			})},
		"a folder of the node": {"nothing of their node such as a hostPath", pod(func(p *corev1.PodSpec) {
			p.Volumes = append(p.Volumes, corev1.Volume{Name: "node", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}})
		})},
		"a volume of another": {"pods of a tenant mount the volume claim contoso-data and no other", pod(func(p *corev1.PodSpec) {
			p.Volumes = append(p.Volumes, corev1.Volume{Name: "others", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "fabrikam-data"},
			}})
		})},
		"another ServiceAccount": {"pods of a tenant run as its ServiceAccount, contoso-scim",
			pod(func(p *corev1.PodSpec) { p.ServiceAccountName, p.DeprecatedServiceAccount = "default", "default" })},
		"the network of the node":   {"pods of a tenant have nothing of their node", pod(func(p *corev1.PodSpec) { p.HostNetwork = true })},
		"the processes of the node": {"pods of a tenant have nothing of their node", pod(func(p *corev1.PodSpec) { p.HostPID = true })},
		"a node":                    {"pods of a tenant have nothing of their node", pod(func(p *corev1.PodSpec) { p.NodeName = "control-plane" })},
		"a port of the node": {"pods of a tenant have nothing of their node",
			container(func(c *corev1.Container) { c.Ports[0].HostPort = c.Ports[0].ContainerPort })},
		"a privileged container": {"pods of a tenant are not privileged",
			container(func(c *corev1.Container) { c.SecurityContext = &corev1.SecurityContext{Privileged: new(true)} })},
		"a capability": {"get no capabilities",
			container(func(c *corev1.Container) { c.SecurityContext.Capabilities.Add = []corev1.Capability{"SYS_ADMIN"} })},
		"root": {"do not run as root", pod(func(p *corev1.PodSpec) { p.SecurityContext.RunAsNonRoot = nil })},
		"pods outside of the NetworkPolicy": {"pods of a tenant have its label", makes(func() client.Object {
			unlabelled := job.DeepCopy()
			unlabelled.Spec.Template.Labels, unlabelled.Spec.Template.Spec.ServiceAccountName = nil, "forged-scim"
			for i := range unlabelled.Spec.Template.Spec.Volumes { // which is another rule's, and the API server tells one
				if claim := unlabelled.Spec.Template.Spec.Volumes[i].PersistentVolumeClaim; claim != nil {
					claim.ClaimName = "forged-data"
				}
			}
			return unlabelled
		}())},
		"a Job of another ServiceAccount": {"pods of a tenant run as its ServiceAccount, forged-scim", makes(job)},
		"a Role for all Secrets":          {"the Role of a tenant lets its server read its tenant", grants(rule("", "secrets", nil, "*"))},
		"a Role for another Secret": {"the Role of a tenant lets its server read its tenant",
			grants(rule("", "secrets", []string{"contoso-credentials"}, "get"))},
		"a Role to write verifiers": {"the Role of a tenant lets its server read its tenant",
			grants(rule("", "secrets", []string{"contoso-verifier"}, "get", "patch"))},
		"a Role to change the tenant": {"the Role of a tenant lets its server read its tenant",
			grants(rule(v1alpha1.GroupName, "provisioningtenants", []string{"contoso"}, "get", "patch"))},
		"a Role for all UserDefaults": {"the Role of a tenant lets its server read its tenant",
			grants(rule(v1alpha1.GroupName, "userdefaults", nil, "get"))},
		"a RoleBinding to an administrator": {"the RoleBinding of a tenant gives Role forged-scim to ServiceAccount forged-scim",
			makes(&rbacv1.RoleBinding{
				ObjectMeta: of("kube-system", "forged-scim"), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
				Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "forged-scim", Namespace: "kube-system"}},
			})},
		"a RoleBinding for somebody else": {"the RoleBinding of a tenant gives Role contoso-scim to ServiceAccount contoso-scim",
			edited(operator, get(w, &rbacv1.RoleBinding{}, "contoso-scim"), func(b *rbacv1.RoleBinding) {
				b.Subjects = append(b.Subjects, rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "mallory"})
			})},
		"a Service that takes addresses of others": {"the Service of a tenant leads to its own pods, within the cluster",
			edited(operator, get(w, &corev1.Service{}, "contoso-scim"), func(s *corev1.Service) { s.Spec.ExternalIPs = []string{"192.0.2.1"} })},
		"a Service for the pods of others": {"the Service of a tenant leads to its own pods, within the cluster",
			edited(operator, get(w, &corev1.Service{}, "contoso-scim"), func(s *corev1.Service) {
				s.Spec.Selector = map[string]string{v1alpha1.TenantLabel: "fabrikam"}
			})},
		"an Ingress to a Service of others": {"a route of a tenant leads to Service contoso-scim and no other",
			edited(operator, get(w, &networkingv1.Ingress{}, "contoso-scim"), func(i *networkingv1.Ingress) {
				i.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "strangers"
			})},
		"a NetworkPolicy for pods of others": {"the NetworkPolicy of a tenant is about its own pods",
			edited(operator, get(w, &networkingv1.NetworkPolicy{}, "contoso-scim"), func(p *networkingv1.NetworkPolicy) {
				p.Spec.PodSelector = metav1.LabelSelector{}
			})},
		"an autoscaler of others": {"the HorizontalPodAutoscaler of a tenant scales its own server", makes(&autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: of(w.namespace, "forged-scim"), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				MaxReplicas: 1, ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "strangers"},
			},
		})},
		"a Lease of others": {"the operator writes no Leases but its own in namespace tenantry-system",
			makes(&coordinationv1.Lease{ObjectMeta: in("kube-system", "host.x")})},
		"a Lease of the scheduler": {"the operator writes no Leases but its own in namespace tenantry-system",
			makes(&coordinationv1.Lease{ObjectMeta: in("tenantry-system", "scheduler")})},
	} {
		if wrong := forbids(t.Context(), try.words, try.ask); wrong != "" {
			t.Errorf("%s: %s", what, wrong)
		}
	}
}

// withMeta is metadata under its own name with the labels and owners of other.
func withMeta(own, other metav1.ObjectMeta) metav1.ObjectMeta {
	own.Labels, own.OwnerReferences = other.Labels, other.OwnerReferences
	return own
}
