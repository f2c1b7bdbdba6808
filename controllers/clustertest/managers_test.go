package clustertest

import (
	"maps"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// A platform and an application each apply their own part of a tenant. If one leaves something out later, that goes, and nothing of the other's does.
func TestTwoManagersApplyTheirPartsOfATenantSideBySide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type object = map[string]any
	applied := func(manager string, spec object) {
		t.Helper()
		tenant := &unstructured.Unstructured{Object: object{"spec": runtime.DeepCopyJSON(spec)}}
		tenant.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("ProvisioningTenant"))
		tenant.SetNamespace(w.namespace)
		tenant.SetName(w.namespace) // whose default host no other test has
		if err := w.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(tenant), client.FieldOwner(manager)); err != nil {
			t.Fatalf("%s: %v", manager, err)
		}
	}
	list := func(items ...any) []any { return items }
	spread := func(topology string) object {
		return object{"topologyKey": topology, "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": int64(1)}
	}
	// part is what a manager applies: the same fields as the other, of other keys.
	part := func(name string) object {
		return object{
			"catalog":        object{"companies": list(name), "roles": list(name)},
			"authentication": object{"readers": list(object{"name": name})},
			"exposure":       object{"additionalHosts": list(name + ".example.com"), "ingress": object{"annotations": object{name: ""}}},
			"schema": object{"extensions": list(object{
				"id": "urn:contoso:" + name, "attributes": list(object{"name": name}),
			})},
			"server": object{"template": object{
				"metadata": object{"labels": object{name: ""}, "annotations": object{name: ""}},
				"spec":     object{"imagePullSecrets": list(object{"name": name}), "topologySpreadConstraints": list(spread(name))},
			}},
		}
	}
	applied("platform", part("platform"))
	applied("application", part("application"))
	// each says of every list and map which keys it has.
	each := func(when string, want ...string) {
		t.Helper()
		found := keysOf(get(w, &v1alpha1.ProvisioningTenant{}, w.namespace).Spec)
		if len(found) != 10 { // one without keys is missing
			t.Errorf("%s: lists and maps are %v", when, slices.Sorted(maps.Keys(found)))
		}
		for field, got := range found {
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("%s: %s has %q, want %q", when, field, got, want)
			}
		}
	}
	each("both apply", "application", "platform")
	applied("platform", object{"displayName": "Contoso"})
	each("the platform applies none any more", "application")
}

// keysOf are the keys of lists and maps of a spec that more than one manager may have a part in.
func keysOf(spec v1alpha1.ProvisioningTenantSpec) map[string][]string {
	found := map[string][]string{"catalog.companies": spec.Catalog.Companies, "catalog.roles": spec.Catalog.Roles}
	add := func(field, key string) { found[field] = append(found[field], key) }
	for _, reader := range spec.Authentication.Readers {
		add("authentication.readers", reader.Name)
	}
	for _, host := range spec.Exposure.AdditionalHosts {
		add("exposure.additionalHosts", string(host[:len(host)-len(".example.com")]))
	}
	for name := range spec.Exposure.Ingress.Annotations {
		add("exposure.ingress.annotations", name)
	}
	for _, extension := range spec.Schema.Extensions {
		add("schema.extensions", extension.Attributes[0].Name)
	}
	template := spec.Server.Template
	for name := range template.Metadata.Labels {
		add("server.template.metadata.labels", name)
	}
	for name := range template.Metadata.Annotations {
		add("server.template.metadata.annotations", name)
	}
	for _, secret := range template.Spec.ImagePullSecrets {
		add("server.template.spec.imagePullSecrets", secret.Name)
	}
	for _, constraint := range template.Spec.TopologySpreadConstraints {
		add("server.template.spec.topologySpreadConstraints", constraint.TopologyKey)
	}
	return found
}
