package classes

import (
	"cmp"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// Choose returns the class of a tenant, nil where it is of none, or why that cannot be said. classes are all that there are, namespace has the labels
// of the tenant's namespace. A tenant that names no class is of the newest default class that takes tenants of its namespace. Where there are default
// classes and none takes them, the tenant is refused: a platform that has a default class wants no tenant without one.
func Choose(tenant *v1alpha1.ProvisioningTenant, classes []v1alpha1.ProvisioningTenantClass, namespace labels.Set) (
	*v1alpha1.ProvisioningTenantClass, *problem.Stalled,
) {
	if name := tenant.Spec.ClassName; name != "" {
		at := slices.IndexFunc(classes, func(class v1alpha1.ProvisioningTenantClass) bool { return class.Name == name })
		if at < 0 {
			return nil, refuse(v1alpha1.ReasonClassMissing,
				"ProvisioningTenantClass %s, which spec.className names, does not exist: create it, or name another.", name)
		}
		return takes(&classes[at], tenant, namespace)
	}
	defaults := slices.DeleteFunc(slices.Clone(classes), func(class v1alpha1.ProvisioningTenantClass) bool { return !class.IsDefault() })
	if len(defaults) == 0 {
		return nil, nil
	}
	slices.SortFunc(defaults, func(a, b v1alpha1.ProvisioningTenantClass) int {
		return a.ComparePrecedence(&b)
	})
	var refused *problem.Stalled
	for i := range defaults {
		class, why := takes(&defaults[i], tenant, namespace)
		if class != nil {
			return class, nil
		}
		refused = cmp.Or(refused, why)
	}
	return nil, refused
}

// NeedNamespaces tells whether a decision may follow from the labels of namespaces.
func NeedNamespaces(classes []v1alpha1.ProvisioningTenantClass) bool {
	return slices.ContainsFunc(classes, func(class v1alpha1.ProvisioningTenantClass) bool {
		return class.Spec.NamespaceSelector != nil || slices.ContainsFunc(class.Spec.Bounds.Exposure.Hosts, func(rule v1alpha1.HostRule) bool {
			return rule.NamespaceSelector != nil
		})
	})
}

// takes returns the class, or why it takes no tenant of that namespace.
func takes(class *v1alpha1.ProvisioningTenantClass, tenant *v1alpha1.ProvisioningTenant, namespace labels.Set) (
	*v1alpha1.ProvisioningTenantClass, *problem.Stalled,
) {
	selected, err := selects(class.Spec.NamespaceSelector, namespace)
	switch {
	case err != nil:
		return nil, refuse(v1alpha1.ReasonClassInvalid, "Class %s: spec.namespaceSelector cannot be read: %s.", class.Name, err)
	case !selected:
		return nil, refuse(v1alpha1.ReasonOutOfBounds, "Class %s takes no tenants of namespace %s (spec.namespaceSelector of the class): "+
			"name another class in spec.className, or ask the platform team.", class.Name, tenant.Namespace)
	}
	return class, nil
}

// selects tells whether a selector selects a namespace with these labels. None selects all.
func selects(selector *metav1.LabelSelector, namespace labels.Set) (bool, error) {
	if selector == nil {
		return true, nil
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return false, fmt.Errorf("read the selector: %w", err)
	}
	return parsed.Matches(namespace), nil
}

func refuse(reason, format string, args ...any) *problem.Stalled {
	return &problem.Stalled{Condition: v1alpha1.ConditionClassInEffect, Reason: reason, Message: fmt.Sprintf(format, args...)}
}
