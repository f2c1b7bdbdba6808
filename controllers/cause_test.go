package controllers

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// Where the operator may not list pods, as in a cluster that grants it less, the conditions say less.
func TestWithoutTheRightToListPodsATenantIsLookedAfterAllTheSame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer error
		fails  bool
	}{
		"forbidden":      {apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", nil), false},
		"not answered":   {apierrors.NewInternalError(errors.New("down")), true},
		"there are none": {nil, false},
	} {
		fake := interceptor.NewClient(nil, interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
				return c.answer
			},
		})
		r := &ProvisioningTenantReconciler{Live: fake}
		pods, err := r.pods(t.Context(), newScope(r, contoso(), &memory{}), "ReplicaSet")
		if len(pods) != 0 || (err != nil) != c.fails {
			t.Errorf("%s: %v, %v", name, pods, err)
		}
	}
}
