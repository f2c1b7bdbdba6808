package desired

import (
	"fmt"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// TenantURL is what an administrator pastes into Microsoft Entra ID. Without a host it is the URL of the Service, which
// only works inside the cluster.
func TenantURL(tenant *v1alpha1.ProvisioningTenant, host string) string {
	if host == "" {
		return fmt.Sprintf("http://%s.%s.svc%s", ServerName(tenant.Name), tenant.Namespace, v1alpha1.BasePath)
	}
	return "https://" + host + v1alpha1.BasePath
}
