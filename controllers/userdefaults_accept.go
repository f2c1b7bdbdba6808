package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

const (
	// maxProblems is how many problems of one resource a condition tells.
	maxProblems = 10
	// maxRefused is how many UserDefaults the condition of their tenant names, and longestProblem how many bytes of each one's message.
	maxRefused, longestProblem = 10, 200
)

// resolveDefaults finds which UserDefaults the tenant's server is to follow, and tells of those that are refused. It judges for itself and
// does not wait for their conditions, so the order in which resources are applied does not matter. The server is told of refused ones too:
// it goes on with the last good version of each, and knows from this which were deleted.
func (r *ProvisioningTenantReconciler) resolveDefaults(ctx context.Context, s *scope) error {
	var all v1alpha1.UserDefaultsList
	if err := r.List(ctx, &all, client.InNamespace(s.tenant.Namespace), client.MatchingFields{tenantIndex: s.tenant.Name}); err != nil {
		return fmt.Errorf("list the UserDefaults of the tenant: %w", err)
	}
	followed, left := followable(all.Items)
	var refused []refusedDefaults
	reported := counts(s.tenant)
	for _, defaults := range followed {
		s.userDefaults = append(s.userDefaults, defaults.Name)
		why := accept(defaults, s.tenant, r.Options)
		if why == nil {
			why = refusedByServer(defaults, reported[defaults.Name])
		}
		if why != nil {
			refused = append(refused, refusedDefaults{defaults.Name, why.Message})
		}
	}
	slices.Sort(s.userDefaults)
	for _, defaults := range left {
		refused = append(refused, refusedDefaults{defaults.Name, tooMany().Message})
	}
	if len(refused) > 0 {
		s.found(conditions.False(v1alpha1.ConditionUserDefaultsInEffect, v1alpha1.ReasonUserDefaultsRefused, tellRefused(refused)))
	}
	return nil
}

// followable parts UserDefaults into those that a server follows and those that are too many. The oldest are followed, so that a new one
// takes nothing from those that work already.
func followable(all []v1alpha1.UserDefaults) (followed, left []*v1alpha1.UserDefaults) {
	for i := range all {
		if all[i].DeletionTimestamp == nil {
			followed = append(followed, &all[i])
		}
	}
	slices.SortFunc(followed, func(a, b *v1alpha1.UserDefaults) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	fit := min(len(followed), v1alpha1.MaxUserDefaults)
	return followed[:fit], followed[fit:]
}

// refusedDefaults are UserDefaults that their tenant cannot use as they are.
type refusedDefaults struct{ name, message string }

// tellRefused is the message of the tenant's condition.
func tellRefused(refused []refusedDefaults) string {
	slices.SortFunc(refused, func(a, b refusedDefaults) int { return cmp.Compare(a.name, b.name) })
	var told []string
	for _, r := range refused[:min(len(refused), maxRefused)] {
		told = append(told, fmt.Sprintf("UserDefaults %s: %s", r.name, conditions.Shorten(r.message, longestProblem)))
	}
	if left := len(refused) - maxRefused; left > 0 {
		told = append(told, fmt.Sprintf("There are %d more.", left))
	}
	return strings.Join(told, " ") + " The last good version of each goes on being applied, if there was one."
}

// tooMany is why the tenant's server does not follow defaults at all.
func tooMany() *problem.Stalled {
	return &problem.Stalled{
		Condition: v1alpha1.ConditionAccepted, Reason: v1alpha1.ReasonTooMany,
		Message: fmt.Sprintf("A tenant's server follows %d UserDefaults, and there are as many older ones: delete some, or make one of several.",
			v1alpha1.MaxUserDefaults),
	}
}

// isLeft tells by the names that the server follows whether defaults are too many.
func isLeft(defaults *v1alpha1.UserDefaults, tenant *v1alpha1.ProvisioningTenant) bool {
	return full(tenant) && !slices.Contains(tenant.Status.UserDefaults, defaults.Name)
}

// refusedByServer is why the tenant's server refuses a generation that the operator would take, or nil: what a schema declares may not be in
// effect (see SchemaInEffect), or the server be of another version.
func refusedByServer(defaults *v1alpha1.UserDefaults, count v1alpha1.DefaultsCount) *problem.Stalled {
	if count.RefusedGeneration == 0 || count.RefusedGeneration != defaults.Generation {
		return nil
	}
	return &problem.Stalled{
		Condition: v1alpha1.ConditionAccepted, Reason: v1alpha1.ReasonRefusedByServer,
		Message: fmt.Sprintf("The tenant's server refuses this: %s.", count.Refused),
	}
}

// accept returns everything that keeps the tenant from using these defaults, or nil: the reason is that of the first. It is pure.
func accept(defaults *v1alpha1.UserDefaults, tenant *v1alpha1.ProvisioningTenant, options Options) *problem.Stalled {
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

func (p *problems) stalled() *problem.Stalled {
	if len(p.messages) == 0 {
		return nil
	}
	told := p.messages
	if left := len(told) - maxProblems; left > 0 {
		told = append(slices.Clone(told[:maxProblems]), fmt.Sprintf("There are %d more.", left))
	}
	return &problem.Stalled{Condition: v1alpha1.ConditionAccepted, Reason: p.reason, Message: strings.Join(told, " ")}
}

// full tells whether the tenant's server follows as many UserDefaults as it can.
func full(tenant *v1alpha1.ProvisioningTenant) bool {
	return len(tenant.Status.UserDefaults) >= v1alpha1.MaxUserDefaults
}

// counts are what the tenant's server reports for each UserDefaults by name.
func counts(tenant *v1alpha1.ProvisioningTenant) map[string]v1alpha1.DefaultsCount {
	byName := map[string]v1alpha1.DefaultsCount{}
	if tenant.Status.Directory != nil {
		for _, count := range tenant.Status.Directory.Defaults {
			byName[count.Name] = count
		}
	}
	return byName
}
