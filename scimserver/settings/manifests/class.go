package manifests

import (
	"fmt"
	"slices"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// classOf returns the class that a tenant names, or the default one; nil where it is not among the manifests. Of several default ones it is the first by
// name: a file does not say which is the newest. Selectors of namespaces are left out, since there are no namespaces here.
func (o objects) classOf(tenant *v1alpha1.ProvisioningTenant) *v1alpha1.ProvisioningTenantClass {
	var found *v1alpha1.ProvisioningTenantClass
	for i, class := range o.classes {
		is := class.Name == tenant.Spec.ClassName
		if tenant.Spec.ClassName == "" {
			is = class.IsDefault()
		}
		if is && (found == nil || class.Name < found.Name) {
			found = &o.classes[i]
		}
	}
	return found
}

// follow gives a tenant what its class says of the rate limit and the retention where the files say nothing of the tenant's. given is its spec in them.
// Everything else of a class is the operator's, its bounds too.
func follow(tenant *v1alpha1.ProvisioningTenant, given v1alpha1.ProvisioningTenantSpec, class *v1alpha1.ProvisioningTenantClass) error {
	defaults, spec := class.Spec.Defaults, &tenant.Spec
	spec.RateLimit = given.RateLimit.Or(defaults.RateLimit).Or(spec.RateLimit)
	spec.Retention = given.Retention.Or(defaults.Retention).Or(spec.Retention)
	if invalid := validateTenant(tenant); len(invalid) > 0 {
		return fmt.Errorf("%s %s for %s %s: %w", classKind, class.Name, tenantKind, tenant.Name, invalid.ToAggregate())
	}
	return nil
}

// tellClass says what counts of the class of a tenant.
func (s *Source) tellClass(tenant *v1alpha1.ProvisioningTenant, class *v1alpha1.ProvisioningTenantClass) {
	switch {
	case class != nil:
		s.options.Log.Info("Of the class the rate limit and the retention count here; all else of it is the operator's", "class", class.Name)
	case tenant.Spec.ClassName != "":
		s.options.Log.Info("The class that the tenant names is not among the manifests, so it has no say", "class", tenant.Spec.ClassName)
	}
}

// isKind tells whether an object of the API matters.
func isKind(apiVersion, kind string) bool {
	return apiVersion == v1alpha1.SchemeGroupVersion.String() && slices.Contains([]string{tenantKind, defaultsKind, classKind}, kind)
}
