package desired

import (
	"strings"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// TenantURL is what an administrator pastes into Microsoft Entra ID. Without a host it is the URL of the Service, which
// only works inside the cluster.
func TenantURL(tenant *v1alpha1.ProvisioningTenant, host string) string {
	if host == "" {
		return v1alpha1.ServiceURL(tenant.Namespace, tenant.Name)
	}
	return "https://" + host + v1alpha1.BasePath
}

// TokenURL is the tenant's token endpoint on the host of its Tenant URL; empty where it has no URL or issues no access tokens.
func TokenURL(tenant *v1alpha1.ProvisioningTenant, tenantURL string) string {
	if tenantURL == "" || !issuesTokens(tenant) {
		return ""
	}
	return strings.TrimSuffix(tenantURL, v1alpha1.BasePath) + v1alpha1.TokenPath
}

// issuesTokens tells whether the tenant's token endpoint is open.
func issuesTokens(tenant *v1alpha1.ProvisioningTenant) bool {
	return tenant.Spec.Authentication.OAuth != nil || tenant.Spec.Authentication.WorkloadIdentity != nil
}
