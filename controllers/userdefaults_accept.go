package controllers

import (
	"fmt"
	"slices"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// accept returns why the tenant cannot use these defaults, or nil. It is pure.
func accept(defaults *v1alpha1.UserDefaults, tenant *v1alpha1.ProvisioningTenant, options Options) *Stalled {
	stalled := func(reason, format string, args ...any) *Stalled {
		return &Stalled{Condition: v1alpha1.ConditionAccepted, Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	spec := defaults.Spec
	for _, company := range spec.Companies {
		if !slices.Contains(tenant.Spec.Catalog.Companies, company) {
			return stalled(v1alpha1.ReasonUnknownCompany,
				"spec.companies: %q must be in spec.catalog.companies of ProvisioningTenant %s.", company, tenant.Name)
		}
	}
	for _, role := range spec.Roles {
		if !slices.Contains(tenant.Spec.Catalog.Roles, role) {
			return stalled(v1alpha1.ReasonUnknownRole, "spec.roles: %q must be in spec.catalog.roles of ProvisioningTenant %s.", role, tenant.Name)
		}
	}
	if spec.Filter != "" {
		if err := options.CheckFilter(tenant.Spec.Schema, spec.Filter); err != nil {
			return stalled(v1alpha1.ReasonInvalidFilter, "spec.filter must be a SCIM filter over users: %v.", err)
		}
	}
	for _, attribute := range spec.Attributes {
		if err := options.CheckAttribute(tenant.Spec.Schema, attribute.Path, attribute.Value); err != nil {
			return stalled(v1alpha1.ReasonInvalidAttribute, "spec.attributes[%q]: %v.", attribute.Path, err)
		}
	}
	switch spec.Apply {
	case v1alpha1.ApplyOnCreate, v1alpha1.ApplyAlways, "":
		return nil
	default:
		return stalled(v1alpha1.ReasonUnsupported, "spec.apply %q is of a newer version: upgrade the operator or choose OnCreate or Always.", spec.Apply)
	}
}
