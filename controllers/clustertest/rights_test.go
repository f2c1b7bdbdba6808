package clustertest

import (
	"context"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/config/rbac"
)

// bug class 20: what the operator grants and what the server needs.
func TestATenantsServerReadsItsOwnObjectsAndNoOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(w, w.connectionSecret())
	contoso := create(w, w.tenant(inDatabase))
	fabrikam := create(w, w.tenant(named("fabrikam"), withHost(w.namespace+".fabrikam.example.com")))
	own := create(w, w.defaults("own"))
	create(w, w.defaults("theirs", func(d *v1alpha1.UserDefaults) { d.Spec.TenantRef.Name = "fabrikam" }))
	w.until(contoso, ready)
	w.until(fabrikam, ready)
	w.follows(contoso, own.Name)

	server, err := client.NewWithWatch(cluster.AsServiceAccount(w.namespace, "contoso-scim"), client.Options{Scheme: w.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	read := func(object client.Object, name string) error {
		return server.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, object)
	}
	for what, ask := range map[string]func() error{
		"get its tenant":    func() error { return read(&v1alpha1.ProvisioningTenant{}, "contoso") },
		"get its defaults":  func() error { return read(&v1alpha1.UserDefaults{}, "own") },
		"get its verifiers": func() error { return read(&corev1.Secret{}, "contoso-verifier") },
		"watch its tenant": func() error {
			return watch(t.Context(), server, &v1alpha1.ProvisioningTenantList{}, w.namespace, "contoso")
		},
		"watch its defaults": func() error {
			return watch(t.Context(), server, &v1alpha1.UserDefaultsList{}, w.namespace, "own")
		},
		"watch its verifiers": func() error { return watch(t.Context(), server, &corev1.SecretList{}, w.namespace, "contoso-verifier") },
		"write its status":    func() error { return reportUsers(t.Context(), server, contoso) },
		"get its namespace":   func() error { return read(&corev1.Namespace{}, w.namespace) },
	} {
		// The authorizer may learn of a Role a moment after it was written.
		w.eventually("the server must be able to "+what, func() string {
			if err := ask(); err != nil {
				return err.Error()
			}
			return ""
		})
	}
	for what, ask := range map[string]func() error{
		"get the plaintext of its token": func() error { return read(&corev1.Secret{}, "contoso-credentials") },
		"get another tenant":             func() error { return read(&v1alpha1.ProvisioningTenant{}, "fabrikam") },
		"get another tenant's defaults":  func() error { return read(&v1alpha1.UserDefaults{}, "theirs") },
		"get another tenant's verifiers": func() error { return read(&corev1.Secret{}, "fabrikam-verifier") },
		"list all Secrets":               func() error { return server.List(t.Context(), &corev1.SecretList{}, client.InNamespace(w.namespace)) },
		"get another namespace":          func() error { return read(&corev1.Namespace{}, "default") },
		"list all defaults": func() error {
			return server.List(t.Context(), &v1alpha1.UserDefaultsList{}, client.InNamespace(w.namespace))
		},
		"watch another tenant": func() error {
			return watch(t.Context(), server, &v1alpha1.ProvisioningTenantList{}, w.namespace, "fabrikam")
		},
		"write another tenant's status": func() error { return reportUsers(t.Context(), server, fabrikam) },
		"change its own spec": func() error {
			return server.Patch(t.Context(), contoso.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"displayName":"x"}}`)))
		},
		"change its own verifiers": func() error {
			secret := &corev1.Secret{}
			secret.Namespace, secret.Name = w.namespace, "contoso-verifier"
			return server.Patch(t.Context(), secret, client.RawPatch("application/merge-patch+json", []byte(`{"data":{}}`)))
		},
	} {
		if err := ask(); !apierrors.IsForbidden(err) {
			t.Errorf("the server can %s: %v", what, err)
		}
	}
}

func watch(ctx context.Context, c client.WithWatch, list client.ObjectList, namespace, name string) error {
	watching, err := c.Watch(ctx, list, client.InNamespace(namespace), client.MatchingFields{"metadata.name": name})
	if err != nil {
		return err
	}
	watching.Stop()
	return nil
}

func reportUsers(ctx context.Context, c client.Client, tenant *v1alpha1.ProvisioningTenant) error {
	return c.Status().Patch(ctx, tenant.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"status":{"directory":{"users":7}}}`)))
}

// These are the questions of operator check.
func TestTheRightsOfTheOperatorAreKnownWithoutUsingThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	missing := func(account, manifest, namespace string) []string {
		t.Helper()
		c, err := client.New(cluster.AsServiceAccount("tenantry-system", account), client.Options{Scheme: w.Scheme()})
		if err != nil {
			t.Fatal(err)
		}
		missing, err := rbac.Missing(t.Context(), c, manifest, namespace)
		if err != nil {
			t.Fatal(err)
		}
		return missing
	}
	for _, in := range []struct{ manifest, namespace, one string }{
		{rbac.Tenants, "", "patch provisioningtenants/status.provisioning.tenantry.dev"},
		{rbac.Tenants, w.namespace, "create secrets"},
		{rbac.Election, "tenantry-system", "update leases.coordination.k8s.io operator.provisioning.tenantry.dev"},
		{rbac.Hosts, "tenantry-system", "delete leases.coordination.k8s.io"},
	} {
		if got := missing("tenantry-operator", in.manifest, in.namespace); len(got) > 0 {
			t.Errorf("the operator lacks in namespace %q: %q", in.namespace, got)
		}
		if got := missing("nobody", in.manifest, in.namespace); !slices.Contains(got, in.one) {
			t.Errorf("somebody without rights lacks in namespace %q: %q", in.namespace, got)
		}
	}
	if got := missing("tenantry-operator", rbac.Hosts, w.namespace); len(got) != 6 {
		t.Errorf("of the rights on Leases the operator lacks in another namespace %q", got)
	}
}

// The suites run as the ServiceAccount of config/rbac, so too few rights show; this one shows too many.
func TestTheOperatorCannotDoWhatItNeedNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	operatorItself, err := client.New(cluster.AsServiceAccount("tenantry-system", "tenantry-operator"), client.Options{Scheme: w.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	for what, ask := range map[string]func() error{
		"delete a Secret": func() error { return operatorItself.Delete(t.Context(), get(w, &corev1.Secret{}, "contoso-verifier")) },
		"delete a volume claim": func() error {
			return operatorItself.Delete(t.Context(), get(w, &corev1.PersistentVolumeClaim{}, "contoso-data"))
		},
		"delete a tenant": func() error { return operatorItself.Delete(t.Context(), tenant.DeepCopy()) },
		"change a spec": func() error {
			return operatorItself.Patch(t.Context(), tenant.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"displayName":"x"}}`)))
		},
		"list namespaces": func() error { return operatorItself.List(t.Context(), &corev1.NamespaceList{}) },
		"grant what it does not have": func() error {
			role := get(w, &rbacv1.Role{}, "contoso-scim").DeepCopy()
			role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/exec"}, Verbs: []string{"create"}})
			return operatorItself.Patch(t.Context(), role, client.MergeFrom(get(w, &rbacv1.Role{}, "contoso-scim")))
		},
	} {
		if err := ask(); !apierrors.IsForbidden(err) {
			t.Errorf("the operator can %s: %v", what, err)
		}
	}
}

func childLists() []client.ObjectList {
	return []client.ObjectList{
		&corev1.SecretList{}, &corev1.ServiceAccountList{}, &rbacv1.RoleList{}, &rbacv1.RoleBindingList{}, &appsv1.DeploymentList{},
		&corev1.ServiceList{}, &networkingv1.IngressList{}, &networkingv1.NetworkPolicyList{},
		&autoscalingv2.HorizontalPodAutoscalerList{}, &policyv1.PodDisruptionBudgetList{}, &batchv1.JobList{},
	}
}

func each(w *world, list client.ObjectList, do func(client.Object)) {
	w.Helper()
	items, err := meta.ExtractList(list)
	if err != nil {
		w.Fatal(err)
	}
	for _, item := range items {
		if object, ok := item.(client.Object); ok {
			do(object)
		}
	}
}

func join(names []string) string { return "[" + strings.Join(names, " ") + "]" }
