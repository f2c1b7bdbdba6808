package controllers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// maxProblems is how many problems of one resource a condition tells.
const maxProblems = 10

// accept returns everything that keeps the tenant from using these defaults, or nil: the reason is that of the first. It is pure.
func accept(defaults *v1alpha1.UserDefaults, tenant *v1alpha1.ProvisioningTenant, options Options) *Stalled {
	var found problems
	spec := defaults.Spec
	for _, company := range spec.Companies {
		if !slices.Contains(tenant.Spec.Catalog.Companies, company) {
			found.add(v1alpha1.ReasonUnknownCompany,
				"spec.companies: %q must be in spec.catalog.companies of ProvisioningTenant %s.", company, tenant.Name)
		}
	}
	for _, role := range spec.Roles {
		if !slices.Contains(tenant.Spec.Catalog.Roles, role) {
			found.add(v1alpha1.ReasonUnknownRole, "spec.roles: %q must be in spec.catalog.roles of ProvisioningTenant %s.", role, tenant.Name)
		}
	}
	if spec.Filter != "" {
		if err := options.CheckFilter(tenant.Spec.Schema, spec.Filter); err != nil {
			found.add(v1alpha1.ReasonInvalidFilter, "spec.filter must be a SCIM filter over users: %v.", err)
		}
	}
	for _, given := range []v1alpha1.AttributeDefault{
		{Path: "locale", Value: spec.Locale}, {Path: "preferredLanguage", Value: spec.PreferredLanguage}, {Path: "timezone", Value: spec.Timezone},
	} {
		if given.Value == "" {
			continue
		}
		if err := options.CheckAttribute(tenant.Spec.Schema, given.Path, given.Value); err != nil {
			found.add(v1alpha1.ReasonInvalidAttribute, "spec.%s: %v.", given.Path, err)
		}
	}
	for _, attribute := range spec.Attributes {
		if err := options.CheckAttribute(tenant.Spec.Schema, attribute.Path, attribute.Value); err != nil {
			found.add(v1alpha1.ReasonInvalidAttribute, "spec.attributes[%q]: %v.", attribute.Path, err)
		}
	}
	switch spec.Apply {
	case v1alpha1.ApplyOnCreate, v1alpha1.ApplyAlways, "":
	default:
		found.add(v1alpha1.ReasonUnsupported, "spec.apply %q is of a newer version: upgrade the operator or choose OnCreate or Always.", spec.Apply)
	}
	return found.stalled()
}

// problems are those of one UserDefaults.
type problems struct {
	reason   string // of the first
	messages []string
}

func (p *problems) add(reason, format string, args ...any) {
	if len(p.messages) == 0 {
		p.reason = reason
	}
	p.messages = append(p.messages, fmt.Sprintf(format, args...))
}

func (p *problems) stalled() *Stalled {
	if len(p.messages) == 0 {
		return nil
	}
	told := p.messages
	if left := len(told) - maxProblems; left > 0 {
		told = append(slices.Clone(told[:maxProblems]), fmt.Sprintf("There are %d more.", left))
	}
	return &Stalled{Condition: v1alpha1.ConditionAccepted, Reason: p.reason, Message: strings.Join(told, " ")}
}
