package clustertest

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A neighbour or a tool edits fields of the Service that decide where a client's connection ends, and that have the cluster's default otherwise.
func TestFieldsOfTheServiceThatLeadClientsElsewhereComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	w.settled()
	for _, kind := range []types.PatchType{types.MergePatchType, types.ApplyYAMLPatchType} {
		for field, value := range map[string]string{
			"publishNotReadyAddresses": `true`,
			"sessionAffinity":          `"ClientIP"`,
			"internalTrafficPolicy":    `"Local"`,
		} {
			patch := fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Service","spec":{%q:%s}}`, field, value)
			options := []client.PatchOption{client.FieldOwner("neighbour")}
			if kind == types.ApplyYAMLPatchType {
				options = append(options, client.ForceOwnership)
			}
			service := get(w, &corev1.Service{}, "contoso-scim")
			before := service.ResourceVersion
			if err := w.Patch(t.Context(), service, client.RawPatch(kind, patch), options...); err != nil {
				t.Fatal(err)
			}
			if service.ResourceVersion == before {
				t.Errorf("the edit of %s changed nothing", field)
			}
			w.eventually(field+" comes back", func() string {
				spec := get(w, &corev1.Service{}, "contoso-scim").Spec
				if spec.PublishNotReadyAddresses || spec.SessionAffinity != corev1.ServiceAffinityNone || spec.SessionAffinityConfig != nil ||
					*spec.InternalTrafficPolicy != corev1.ServiceInternalTrafficPolicyCluster {
					return fmt.Sprintf("it is %+v", spec)
				}
				return ""
			})
		}
	}
	w.settled()
	w.restartWritesNothing()
}
