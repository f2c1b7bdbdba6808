package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/internal/entra"
)

// verifyEntra finds EntraTenantVerified from what the verifier knows by now. It never waits for the network; news from
// the login authority brings the tenant back here.
func (r *ProvisioningTenantReconciler) verifyEntra(_ context.Context, s *scope) error {
	name := client.ObjectKeyFromObject(s.tenant)
	if s.tenant.Spec.Entra() == nil {
		r.Entra.Forget(name)
		s.found(conditions.Unknown(v1alpha1.ConditionEntraTenantVerified, v1alpha1.ReasonNotConfigured,
			"spec.identityProvider.entra is not given, so there is nothing to verify."))
		return nil
	}
	remembered := entra.Pending
	before := meta.FindStatusCondition(s.tenant.Status.Conditions, v1alpha1.ConditionEntraTenantVerified)
	if before != nil && before.ObservedGeneration == s.tenant.Generation {
		remembered = rememberedAnswer(before.Reason)
	}
	tenant := entra.NewTenant(*s.tenant.Spec.Entra())
	s.found(entraVerified(tenant, r.Entra.Answer(name, tenant, remembered)))
	return nil
}

// rememberedAnswer is the answer that a reason of EntraTenantVerified stands for.
func rememberedAnswer(reason string) entra.Answer {
	switch reason {
	case v1alpha1.ReasonVerified:
		return entra.Exists
	case v1alpha1.ReasonNotFound:
		return entra.NotFound
	case v1alpha1.ReasonAuthorityUnreachable:
		return entra.Unreachable
	default:
		return entra.Pending
	}
}

func entraVerified(tenant entra.Tenant, answer entra.Answer) metav1.Condition {
	const condition = v1alpha1.ConditionEntraTenantVerified
	switch answer {
	case entra.Exists:
		return conditions.True(condition, v1alpha1.ReasonVerified, fmt.Sprintf("The login authority knows Entra tenant %s.", tenant.ID))
	case entra.NotFound:
		return conditions.False(condition, v1alpha1.ReasonNotFound,
			fmt.Sprintf("The login authority does not know Entra tenant %s: correct spec.identityProvider.entra.", tenant.ID))
	case entra.Unreachable:
		return conditions.Unknown(condition, v1alpha1.ReasonAuthorityUnreachable,
			"The login authority could not be asked; it is asked again later. Provisioning works regardless.")
	default:
		return conditions.Unknown(condition, v1alpha1.ReasonProgressing, "The login authority is being asked.")
	}
}
