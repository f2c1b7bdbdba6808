package hosts

import (
	"slices"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// All are the hosts that a tenant asks for. baseDomain gives one to a tenant that names none, "" for no tenant.
func All(tenant *v1alpha1.ProvisioningTenant, baseDomain string) []string {
	hosts := Additional(tenant, baseDomain)
	if host := Main(tenant, baseDomain); host != "" {
		hosts = append(hosts, host)
	}
	return hosts
}

// Additional are the hosts that a tenant asks for besides its own, each once. The default host may be named among them.
func Additional(tenant *v1alpha1.ProvisioningTenant, baseDomain string) []string {
	var hosts []string
	for _, name := range tenant.Spec.Exposure.AdditionalHosts {
		if host := Canonical(string(name)); host != Main(tenant, baseDomain) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// Main is the host that a tenant asks for; empty if it asks for none.
func Main(tenant *v1alpha1.ProvisioningTenant, baseDomain string) string {
	exposure := tenant.Spec.Exposure
	if exposure.Host != "" || exposure.Type == v1alpha1.ExposureNone || baseDomain == "" {
		return Canonical(exposure.Host)
	}
	return Canonical(tenant.Name + "." + baseDomain)
}

// Unclaimed returns why a tenant claims no host though it should have one, nil where it claims host or should have none.
func Unclaimed(tenant *v1alpha1.ProvisioningTenant, host string) *problem.Stalled {
	switch storage := tenant.Spec.Storage.Type; {
	case storage != v1alpha1.StorageSQLite && storage != v1alpha1.StoragePostgreSQL && storage != "":
		return problem.NotAccepted(v1alpha1.ReasonUnsupported,
			"spec.storage.type %q is of a newer version: upgrade the operator or choose SQLite or PostgreSQL.", storage)
	case host == "" && tenant.Spec.Exposure.Type != v1alpha1.ExposureNone:
		return problem.NotAccepted(v1alpha1.ReasonHostMissing, "Set spec.exposure.host: the operator has no base domain from which to make one.")
	}
	return nil
}

// Publishes tells whether a tenant which the platform routes to itself publishes a URL of the host. Its route is not in the cluster, so
// this stands for it: like a route, it gets nobody a host that another has one for.
func Publishes(tenant *v1alpha1.ProvisioningTenant, host string) bool {
	url := desired.TenantURL(tenant, host)
	return tenant.Spec.Exposure.Type == v1alpha1.ExposureNone &&
		(tenant.Status.TenantURL == url || slices.Contains(tenant.Status.AdditionalURLs, url))
}

// Claims is what came of a tenant's claims.
type Claims struct {
	// Main is the host that the tenant has, whoever routes it; empty if none. Additional are those that it has besides.
	Main       string
	Additional []string
	// Problem with the host that the spec asks for; nil for none.
	Problem *problem.Stalled
	// Refused says why the tenant has not got all additional hosts; nil where it has.
	Refused *problem.Stalled
	// Undecided tells that it could not be found out whose the host is, and Unsure the same of any host.
	Undecided, Unsure bool
}

// Has tells whether the tenant has the host.
func (c *Claims) Has(host string) bool { return host == c.Main || slices.Contains(c.Additional, host) }

// Add adds what came of the claim to an additional host.
func (c *Claims) Add(host string, has bool, refused *problem.Stalled) {
	if has {
		c.Additional = append(c.Additional, host)
	}
	c.Refused = problem.Join(c.Refused, refused)
}

// Settle makes host the main one of those that the tenant has. Where that is none, and a problem says why, the first additional one is.
func (c *Claims) Settle(host string) {
	if host == "" && c.Problem != nil && len(c.Additional) > 0 {
		host = c.Additional[0] // whose Lease the cache may not have yet
	}
	c.Main = host
	c.Additional = slices.DeleteFunc(c.Additional, func(additional string) bool { return additional == host })
}

// Problems is one problem that says why the tenant has not got all hosts that it asks for, nil where it has.
func (c *Claims) Problems() *problem.Stalled { return problem.Join(c.Problem, c.Refused) }
