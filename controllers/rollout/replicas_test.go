package rollout

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestReplicasThatTheOperatorDecidesAreLeftToTheAutoscalerWithinItsBounds(t *testing.T) {
	t.Parallel()
	applied := func(manager, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{
			Manager: manager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: "apps/v1", FieldsType: "FieldsV1",
			FieldsV1: metav1.NewFieldsV1(fields),
		}
	}
	const replicas, other = `{"f:spec":{"f:replicas":{}}}`, `{"f:spec":{"f:minReadySeconds":{}}}`
	for name, test := range map[string]struct {
		by   metav1.ManagedFieldsEntry
		runs int32
		want int32 // 0 for none
	}{
		"within the bounds":                  {applied("tenantry-operator", replicas), 3, 3},
		"fewer":                              {applied("tenantry-operator", replicas), 1, 2},
		"more":                               {applied("tenantry-operator", replicas), 9, 5},
		"the operator left the number open":  {applied("tenantry-operator", other), 3, 0},
		"the operator applied nothing of it": {applied("kubectl", replicas), 3, 0},
	} {
		d := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso-scim", UID: "uid-1", ManagedFields: []metav1.ManagedFieldsEntry{test.by}},
			Spec:       appsv1.DeploymentSpec{Replicas: &test.runs, MinReadySeconds: 2},
		}
		got, err := Released(d, &v1alpha1.Autoscaling{MinReplicas: 2, MaxReplicas: 5})
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want == 0:
			if got != nil {
				t.Errorf("%s: got %+v", name, got.Spec)
			}
		case got == nil || *got.Namespace+"/"+*got.Name != "customers/contoso-scim" || *got.UID != d.UID ||
			ptr.Deref(got.Spec.Replicas, 0) != test.want || got.Spec.MinReadySeconds != nil:
			t.Errorf("%s: got %+v", name, got)
		}
	}
}
