package clustertest

import (
	"encoding/json"
	"reflect"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// TestAForgedStatusOpensNothing writes into the status of a tenant all that its server may write there, which is all of it, as somebody does who has
// taken over its pod and wants what a neighbour has.
func TestAForgedStatusOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	contoso := create(w, w.tenant())
	fabrikam := create(w, w.tenant(named("fabrikam"), withHost(w.namespace+".fabrikam.example.com")))
	w.until(contoso, ready)
	w.until(fabrikam, ready)
	w.settled()
	theirs := string(get(w, &corev1.Secret{}, "fabrikam-credentials").Data[v1alpha1.CredentialsTokenKey])
	server, err := client.New(cluster.AsServiceAccount(w.namespace, "contoso-scim"), client.Options{Scheme: w.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	before := valuables(w, fabrikam)

	forged, err := json.Marshal(map[string]any{"status": map[string]any{
		"tenantURL":      fabrikam.Status.TenantURL,
		"additionalURLs": []string{fabrikam.Status.TenantURL},
		"tokenURL":       fabrikam.Status.TenantURL + "/token",
		"credentials":    map[string]any{"secretName": "fabrikam-credentials", "fingerprint": token.Fingerprint(theirs)},
		"userDefaults":   []string{"theirs"},
		"storage":        map[string]any{"schema": "fabrikam", "deletionPolicy": "Delete", "adoptedFrom": "fabrikam"},
		"directory":      map[string]any{"id": "theirs", "users": 1},
		"class":          map[string]any{"name": "gold"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	own := contoso.Status.TenantURL
	w.eventually("the server writes its status", func() string {
		if err := server.Status().Patch(t.Context(), contoso.DeepCopy(), client.RawPatch(types.MergePatchType, forged)); err != nil {
			return err.Error()
		}
		return ""
	})
	// The spec changes too, so that the operator looks at all of it with the forged status.
	edit(w, contoso, func(p *v1alpha1.ProvisioningTenant) { p.Spec.DisplayName = "Contoso" })
	w.until(contoso, ready)
	w.eventually("the operator tells its own URL again", func() string {
		now := &v1alpha1.ProvisioningTenant{}
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(contoso), now); err != nil {
			return err.Error()
		}
		if status := now.Status; status.TenantURL != own || len(status.AdditionalURLs) > 0 || status.Credentials.Fingerprint == token.Fingerprint(theirs) ||
			status.Class != nil || status.Storage.DeletionPolicy != v1alpha1.DeletionPolicyRetain || len(status.UserDefaults) > 0 {
			return "it is " + status.TenantURL
		}
		return ""
	})
	w.settled()

	if after := valuables(w, fabrikam); !reflect.DeepEqual(before, after) {
		t.Errorf("what is the neighbour's was %+v and is %+v", before, after)
	}
	if _, ok := w.verifiers().Find(theirs); ok {
		t.Error("the server accepts the neighbour's token")
	}
	for _, rule := range get(w, &rbacv1.Role{}, "contoso-scim").Rules {
		for _, name := range rule.ResourceNames {
			if name != "contoso" && name != "contoso-verifier" {
				t.Errorf("the server may %v %v of %s", rule.Verbs, rule.Resources, name)
			}
		}
	}
	for _, volume := range get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Template.Spec.Volumes {
		if claim := volume.PersistentVolumeClaim; claim == nil || claim.ClaimName != "contoso-data" {
			t.Errorf("the server has the volume %+v", volume)
		}
	}
	if owners := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data").OwnerReferences; len(owners) > 0 {
		t.Errorf("the directory would go with its tenant: %+v", owners)
	}
}

// valuables are what somebody would want of a tenant: its credentials, its host and its rights. Each is as its version says.
func valuables(w *world, tenant *v1alpha1.ProvisioningTenant) map[string]string {
	w.Helper()
	found := map[string]string{}
	for _, object := range []client.Object{
		get(w, &corev1.Secret{}, tenant.Name+"-credentials"), get(w, &corev1.Secret{}, tenant.Name+"-verifier"),
		get(w, &rbacv1.Role{}, tenant.Name+"-scim"), get(w, &rbacv1.RoleBinding{}, tenant.Name+"-scim"),
	} {
		found[reflect.TypeOf(object).String()+" "+object.GetName()] = object.GetResourceVersion()
	}
	lease := &coordinationv1.Lease{}
	if err := w.Get(w.Context(), client.ObjectKey{Namespace: "tenantry-system", Name: "host." + tenant.Spec.Exposure.Host}, lease); err != nil {
		w.Fatal(err)
	}
	found["holder of the host"] = *lease.Spec.HolderIdentity
	return found
}
