package controllers

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// everyTenant is for what concerns all of them.
func everyTenant(*v1alpha1.ProvisioningTenant) bool { return true }

// lookAgain has the tenants looked at again that something outside of them concerns. tenants are read from the cache, and changed leads to
// the controller.
func lookAgain(
	ctx context.Context, tenants client.Reader, changed chan<- event.GenericEvent, concerned func(*v1alpha1.ProvisioningTenant) bool,
) error {
	var list v1alpha1.ProvisioningTenantList
	if err := tenants.List(ctx, &list); err != nil {
		return fmt.Errorf("list the tenants: %w", err)
	}
	for i := range list.Items {
		if !concerned(&list.Items[i]) {
			continue
		}
		select {
		case changed <- event.GenericEvent{Object: &list.Items[i]}:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
