package clustertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/fields"
)

// field is how one field of a spec is set and changed, as a person does with kubectl patch.
type field struct {
	set, change string
	// with is what the spec has before and after, as a merge patch.
	with string
	// objects tells whether the tenant's objects change with it; otherwise the server reads it, and none may.
	objects bool
}

// tenantFields are all fields of a ProvisioningTenant's spec but those in elsewhere.
func tenantFields() map[string]field {
	const (
		oauth    = `{"authentication":{"oauth":{}}}`
		workload = `{"authentication":{"workloadIdentity":{"audiences":["api://contoso"],"subjects":["s"]}}}`
		issuer   = `{"exposure":{"ingress":{"tls":{"secretName":"contoso-tls","issuerRef":{"name":"letsencrypt"}}}}}`
	)
	return map[string]field{
		"displayName":                     {set: `"Contoso"`, change: `"Contoso AB"`},
		"identityProvider.entra.tenantID": {with: `{"identityProvider":{"entra":{"tenantID":"` + knownEntraTenant + `"}}}`, set: `"11111111-0a52-4a5b-9b61-3f2f6f6d2c11"`, change: `"22222222-0a52-4a5b-9b61-3f2f6f6d2c11"`},
		"identityProvider.entra.cloud":    {set: `"China"`, change: `"USGovernment"`},
		"provisioning.state":              {set: `"Suspended"`, change: `"Active"`},
		"access.state":                    {set: `"Suspended"`, change: `"Active"`},
		"provisioning.users":              {set: `"Disabled"`, change: `"Enabled"`},
		"provisioning.groups":             {set: `"Disabled"`, change: `"Enabled"`},
		"catalog.companies":               {set: `["Contoso AB","Contoso Oy"]`, change: `["Contoso AB"]`},
		"catalog.roles":                   {set: `["approver","purchaser"]`, change: `["purchaser"]`},

		"authentication.secretToken.rotationInterval": {set: `"4320h0m0s"`, change: `"2160h0m0s"`},
		"authentication.secretToken.overlap":          {set: `"24h0m0s"`, change: `"48h0m0s"`},
		"authentication.oauth.rotationInterval":       {with: oauth, set: `"4320h0m0s"`, change: `"2160h0m0s"`},
		"authentication.oauth.overlap":                {with: oauth, set: `"24h0m0s"`, change: `"48h0m0s"`},
		"authentication.oauth.accessTokenLifetime":    {with: oauth, set: `"2h0m0s"`, change: `"3h0m0s"`},
		"authentication.workloadIdentity.audiences":   {with: workload, set: `["api://a"]`, change: `["api://b"]`},
		"authentication.workloadIdentity.subjects":    {with: workload, set: `["a"]`, change: `["b"]`},
		"authentication.entraToken.audiences":         {with: `{"authentication":{"entraToken":{}}}`, set: `["a"]`, change: `["b"]`},
		"authentication.entraToken.applications":      {with: `{"authentication":{"entraToken":{}}}`, set: `["a"]`, change: `["b"]`},
		"authentication.userToken.audiences":          {with: `{"authentication":{"userToken":{"audiences":["c"]}}}`, set: `["a"]`, change: `["b"]`},
		"authentication.readers":                      {set: `[{"name":"payroll"}]`, change: `[{"name":"payroll"},{"name":"intranet"}]`, objects: true},

		"exposure.type":                        {set: `"None"`, change: `"Ingress"`, objects: true},
		"exposure.host":                        {set: `"a.HOST"`, change: `"b.HOST"`, objects: true},
		"exposure.additionalHosts":             {set: `["a.HOST"]`, change: `["b.HOST","c.HOST"]`, objects: true},
		"exposure.ingress.className":           {with: `{"exposure":{"ingress":{}}}`, set: `"traefik"`, change: `"haproxy"`, objects: true},
		"exposure.ingress.annotations":         {with: `{"exposure":{"ingress":{}}}`, set: `{"a":"1"}`, change: `{"a":"2","b":"1"}`, objects: true},
		"exposure.ingress.readiness":           {with: `{"exposure":{"ingress":{}}}`, set: `"Assumed"`, change: `"LoadBalancerStatus"`, objects: true},
		"exposure.ingress.tls.secretName":      {with: issuer, set: `"a"`, change: `"b"`, objects: true},
		"exposure.ingress.tls.issuerRef.name":  {with: issuer, set: `"a"`, change: `"b"`, objects: true},
		"exposure.ingress.tls.issuerRef.kind":  {with: issuer, set: `"ClusterIssuer"`, change: `"Issuer"`, objects: true},
		"exposure.ingress.tls.issuerRef.group": {with: issuer, set: `"a.example.com"`, change: `"b.example.com"`, objects: true},

		"retention.deactivatedUsers":  {set: `"2160h0m0s"`, change: `"48h0m0s"`},
		"retention.provisioningLog":   {set: `"48h0m0s"`, change: `"96h0m0s"`},
		"rateLimit.requestsPerSecond": {set: `50`, change: `60`},
		"rateLimit.burst":             {set: `900`, change: `800`},
		"schema.extensions": {
			set:    `[{"id":"urn:contoso:hr:1.0:User","name":"HR","attributes":[{"name":"badge"}]}]`,
			change: `[{"id":"urn:contoso:hr:1.0:User","name":"HR","attributes":[{"name":"badge"},{"name":"desk"}]}]`,
		},
		"deletionPolicy": {set: `"Delete"`, change: `"Retain"`, objects: true},
	}
}

// elsewhere are fields that need a world of their own, with the test that has it.
func elsewhere() []string {
	found := []string{
		"className",                       // TestATightenedOrDeletedClassPullsNobodyDown, and those beside it
		"identityProvider.type",           // the schema test: it has one value
		"exposure.gateway.parentRefs",     // TestATenantIsExposedByAGatewayAsSoonAsTheClusterKnowsHTTPRoutes
		"storage.type",                    // TestADirectoryMovesToPostgreSQLAndItsVolumeStays: there is no way back
		"storage.sqlite.size",             // TestAVolumeGrowsAndARetainedOneThatIsLargerKeepsItsSize: it only grows
		"storage.sqlite.storageClassName", // the schema test: it is immutable
	}
	for _, leaf := range fields.Leaves(reflect.TypeFor[v1alpha1.ProvisioningTenantSpec]()) {
		if strings.HasPrefix(leaf, "server.") || strings.HasPrefix(leaf, "storage.postgresql.") {
			found = append(found, leaf) // TestEveryFieldOfStorageAndServerIsFollowedWhenItIsSetChangedAndUnset
		}
	}
	return found
}

func defaultsFields() map[string]field {
	return map[string]field{
		"priority":            {set: `100`, change: `-1`},
		"configurationFilter": {set: `"finance"`, change: `"sales"`},
		"filter":              {set: `"active eq true"`, change: `"active eq false"`},
		"apply":               {set: `"Always"`, change: `"OnCreate"`},
		"companies":           {with: `{"companies":["Contoso AB"]}`, set: `["Contoso Oy"]`, change: `["Contoso AB","Contoso Oy"]`},
		"roles":               {with: `{"roles":null}`, set: `["approver"]`, change: `["approver","purchaser"]`},
		"locale":              {set: `"sv-SE"`, change: `"fi-FI"`},
		"preferredLanguage":   {set: `"sv"`, change: `"fi"`},
		"timezone":            {set: `"Europe/Stockholm"`, change: `"Europe/Helsinki"`},
		"attributes":          {set: `[{"path":"title","value":"a"}]`, change: `[{"path":"title","value":"b"}]`},
	}
}

func TestNoFieldOfASpecIsLeftOut(t *testing.T) {
	t.Parallel()
	for kind, test := range map[string]struct{ have, want []string }{
		"ProvisioningTenant": {
			slices.Concat(slices.Collect(maps.Keys(tenantFields())), elsewhere()), fields.Leaves(reflect.TypeFor[v1alpha1.ProvisioningTenantSpec]()),
		},
		"UserDefaults": {
			append(slices.Collect(maps.Keys(defaultsFields())), "tenantRef.name"), // which is immutable
			fields.Leaves(reflect.TypeFor[v1alpha1.UserDefaultsSpec]()),
		},
	} {
		if diff := cmp.Diff(slices.Sorted(slices.Values(test.want)), slices.Sorted(slices.Values(test.have))); diff != "" {
			t.Errorf("%s: there are -, and tests for +\n%s", kind, diff)
		}
	}
}

// bug class 5: a field that is ignored, cannot be changed, or cannot be unset.
func TestEveryFieldOfATenantCanBeSetChangedAndUnset(t *testing.T) {
	t.Parallel()
	for path, f := range tenantFields() {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tenant := create(w, w.tenant(named(w.namespace))) // whose default host no other test has
			w.until(tenant, ready)
			w.goesThrough(path, f, tenant, func() string {
				return lacking(tenant.Status.Conditions, tenant.Generation, []string{"CredentialsReady=True/Issued"})
			})
		})
	}
}

func TestEveryFieldOfUserDefaultsCanBeSetChangedAndUnset(t *testing.T) {
	t.Parallel()
	for path, f := range defaultsFields() {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.until(create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Catalog = v1alpha1.Catalog{Companies: []string{"Contoso AB", "Contoso Oy"}, Roles: []string{"approver", "purchaser"}}
			})), ready)
			defaults := create(w, w.defaults("everybody"))
			w.goesThrough(path, f, defaults, func() string {
				return lacking(defaults.Status.Conditions, defaults.Generation, []string{"Accepted=True/Accepted"})
			})
		})
	}
}

// goesThrough sets, changes and unsets a field, and waits each time until the operator has looked at it, and the objects are as
// they should be.
func (w *world) goesThrough(path string, f field, object client.Object, looked func() string) {
	w.Helper()
	patch := func(spec string) {
		w.Helper()
		data := `{"spec":` + strings.ReplaceAll(spec, "HOST", w.namespace+".example.com") + `}`
		if err := w.Patch(w.Context(), object, client.RawPatch(types.MergePatchType, []byte(data))); err != nil {
			w.Fatalf("patch with %s: %v", data, err)
		}
		w.eventually("be looked at with "+data, func() string {
			if err := w.Get(w.Context(), client.ObjectKeyFromObject(object), object); err != nil {
				return err.Error()
			}
			return looked()
		})
	}
	at := func(value string) string {
		names := strings.Split(path, ".")
		return `{"` + strings.Join(names, `":{"`) + `":` + value + strings.Repeat("}", len(names))
	}
	before := `{}`
	if f.with != "" {
		before = f.with
		patch(before)
	}
	unset := before
	if !strings.Contains(before, `"`+path[strings.LastIndex(path, ".")+1:]+`":`) {
		unset = at("null")
	}
	patch(unset)
	objects, stored := w.objects(), w.stored(object)

	previous := objects
	for _, value := range []string{f.set, f.change} {
		patch(at(value))
		if got, want := w.storedAt(object, path), strings.ReplaceAll(value, "HOST", w.namespace+".example.com"); !sameJSON(w.T, got, want) {
			w.Errorf("spec.%s is stored as %s, want %s", path, got, want)
		}
		if !f.objects {
			if now := w.objects(); now != objects {
				w.Errorf("with %s the objects are\n%s\nwant\n%s", value, now, objects)
			}
			continue
		}
		before := previous
		w.eventually("objects that follow "+value, func() string {
			if previous = w.objects(); previous == before {
				return "they are as before"
			}
			return ""
		})
	}
	patch(unset)
	if now := w.stored(object); now != stored {
		w.Errorf("after it was unset the spec is\n%s\nwant\n%s", now, stored)
	}
	w.eventually("the objects are as before", func() string {
		if now := w.objects(); now != objects {
			return fmt.Sprintf("they are\n%s\nwant\n%s", now, objects)
		}
		return ""
	})
}

// objects are those of the tenant that a spec can change, without what the cluster adds by itself and without secrets.
func (w *world) objects() string {
	w.Helper()
	var deployments appsv1.DeploymentList
	var ingresses networkingv1.IngressList
	var claims corev1.PersistentVolumeClaimList
	var secrets corev1.SecretList
	for _, list := range []client.ObjectList{&deployments, &ingresses, &claims, &secrets} {
		if err := w.List(w.Context(), list, client.InNamespace(w.namespace)); err != nil {
			w.Fatal(err)
		}
	}
	var parts []any
	for _, d := range deployments.Items {
		parts = append(parts, d.Name, d.UID, d.Spec)
	}
	for _, i := range ingresses.Items {
		delete(i.Annotations, apply.AnnotationApplied) // has the name, which is the free one where the class changed
		parts = append(parts, strings.TrimSuffix(i.Name, "-2"), i.Annotations, i.Spec)
	}
	for _, c := range claims.Items {
		parts = append(parts, c.Name, len(c.OwnerReferences), c.Spec.Resources, c.Spec.StorageClassName)
	}
	for _, s := range secrets.Items {
		if len(s.Data) > 0 { // that of a reader which is gone is left empty, because the operator may delete no Secret
			parts = append(parts, s.Name, slices.Sorted(maps.Keys(s.Data)))
		}
	}
	text, err := json.Marshal(parts)
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

// stored is the spec as the API server has it.
func (w *world) stored(object client.Object) string { return w.storedAt(object, "") }

// storedAt is a field of the spec as the API server has it.
func (w *world) storedAt(object client.Object, path string) string {
	w.Helper()
	found := &unstructured.Unstructured{}
	gvk, err := w.GroupVersionKindFor(object)
	if err != nil {
		w.Fatal(err)
	}
	found.SetGroupVersionKind(gvk)
	if err := w.Get(w.Context(), client.ObjectKeyFromObject(object), found); err != nil {
		w.Fatal(err)
	}
	names := []string{"spec"}
	if path != "" {
		names = append(names, strings.Split(path, ".")...)
	}
	value, _, err := unstructured.NestedFieldNoCopy(found.Object, names...)
	if err != nil {
		w.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

// sameJSON tells whether got has all that want has; the API server adds defaults.
func sameJSON(t *testing.T, got, want string) bool {
	t.Helper()
	var have, wanted any
	if err := errors.Join(json.Unmarshal([]byte(got), &have), json.Unmarshal([]byte(want), &wanted)); err != nil {
		t.Fatalf("%s and %s: %v", got, want, err)
	}
	return contains(have, wanted)
}

func contains(have, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		all, ok := have.(map[string]any)
		for name, value := range want {
			ok = ok && contains(all[name], value)
		}
		return ok
	case []any:
		all, ok := have.([]any)
		ok = ok && len(all) == len(want)
		for i := 0; ok && i < len(want); i++ {
			ok = contains(all[i], want[i])
		}
		return ok
	default:
		return reflect.DeepEqual(have, want)
	}
}
