package clustertest

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// An API server drops a field that it does not know, and most clients say nothing of it.
func TestAFieldThatWasRenamedIsRefusedWithItsNewName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for was, test := range map[string]struct {
		value any
		says  string
	}{
		"entra":                           {map[string]any{"tenantID": knownEntraTenant}, "identityProvider.entra now"},
		"paused":                          {true, "provisioning.state now, which is Active or Suspended"},
		"limits":                          {map[string]any{"burst": int64(3)}, "rateLimit now"},
		"exposure.tls":                    {map[string]any{"secretName": "x"}, "exposure.ingress.tls now"},
		"retention.purgeDeactivatedAfter": {"2160h", "retention.deactivatedUsers now"},
		"server.nodeSelector":             {map[string]any{"pool": "x"}, "server.template.spec.nodeSelector now"},
		"server.tolerations":              {[]any{map[string]any{"operator": "Exists"}}, "server.template.spec.tolerations now"},
		"server.affinity":                 {map[string]any{}, "server.template.spec.affinity now"},
		"server.topologySpreadConstraints": {
			[]any{map[string]any{"topologyKey": "zone"}}, "server.template.spec.topologySpreadConstraints now",
		},
		"server.priorityClassName": {"high", "server.template.spec.priorityClassName now"},
	} {
		t.Run(was, func(t *testing.T) {
			t.Parallel()
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(w.tenant())
			if err != nil {
				t.Fatal(err)
			}
			tenant := &unstructured.Unstructured{Object: content}
			tenant.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("ProvisioningTenant"))
			if err := unstructured.SetNestedField(tenant.Object, test.value, append([]string{"spec"}, strings.Split(was, ".")...)...); err != nil {
				t.Fatal(err)
			}
			err = w.Create(t.Context(), tenant, client.DryRunAll)
			at, says := "spec."+was+": Invalid value: ", ": is called spec."+test.says
			if err == nil || !strings.Contains(err.Error(), at) || !strings.HasSuffix(err.Error(), says) {
				t.Errorf("got %v, want %q and %q", err, at, says)
			}
		})
	}
}
