package exposure

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// routedNowhere are the reasons of Exposed for which nothing leads to the Tenant URL.
var routedNowhere = []string{ //nolint:gochecknoglobals // a list that nothing writes
	v1alpha1.ReasonGatewayAPIMissing, v1alpha1.ReasonGatewayMissing, v1alpha1.ReasonRouteRejected, v1alpha1.ReasonUnsupported,
}

// HandedURL is the Tenant URL for the Secrets: the published one while an old route is kept for it, and then the one that should be.
func (s *State) HandedURL() string {
	if s.Old != nil {
		return s.Tenant.Status.TenantURL
	}
	return s.TenantURL
}

// Publish returns the Tenant URL and the additional ones that are true by the conditions that follow from this reconcile. required are the conditions
// that must be True before a URL is published.
func (s *State) Publish(now []metav1.Condition, required []string) (tenantURL string, additional []string) {
	before, wanted := s.Tenant.Status, s.additionalURLs()
	ready := !slices.ContainsFunc(required, func(conditionType string) bool {
		c := meta.FindStatusCondition(now, conditionType)
		return c == nil || c.Status != metav1.ConditionTrue || c.ObservedGeneration != s.Tenant.Generation
	})
	exposed := meta.FindStatusCondition(now, v1alpha1.ConditionExposed)
	routed := exposed != nil && !slices.Contains(routedNowhere, exposed.Reason)
	tenantURL = s.publishedURL(ready, routed, slices.Contains(wanted, before.TenantURL))
	return tenantURL, publishedURLs(slices.Concat(before.AdditionalURLs, []string{before.TenantURL}), wanted, tenantURL, s.Works)
}

// additionalURLs are the URLs for the additional hosts that the tenant has.
func (s *State) additionalURLs() []string {
	var urls []string
	for _, host := range s.Hosts.Additional {
		urls = append(urls, desired.TenantURL(s.Tenant, host))
	}
	return urls
}

// publishedURL is the Tenant URL if it is true: once everything that it needs was seen to work. From then on it stays while the server merely
// restarts or a controller takes its time, and goes when nothing routes it. ready tells whether everything works, routed whether something may lead to
// the wanted route, and served whether that serves the URL before too. An old route on its way out still leads to that.
func (s *State) publishedURL(ready, routed, served bool) string {
	before := s.Tenant.Status.TenantURL
	switch {
	case s.Old != nil && !s.Works:
		return before
	case s.TenantURL != "" && ready:
		return s.TenantURL
	case (s.TenantURL == before || served) && routed:
		return before
	default:
		return ""
	}
}

// publishedURLs are the additional URLs that are true: those that clients could reach before, and all once the route to them works. There are none
// without a Tenant URL.
func publishedURLs(before, wanted []string, tenantURL string, works bool) []string {
	var published []string
	for _, url := range wanted {
		if tenantURL != "" && url != tenantURL && (works || slices.Contains(before, url)) {
			published = append(published, url)
		}
	}
	return published
}

// Changed tells of another Tenant URL when the published one ends for it, once; "" where there is nothing to tell. That the host was lost, and may
// be regained, is told by conditions. now and additional are the URLs that Publish returned.
func (s *State) Changed(now string, additional []string) string {
	before, wanted := s.Tenant.Status.TenantURL, s.TenantURL
	if before == "" || now == before || wanted == "" || wanted == before {
		return ""
	}
	if slices.Contains(additional, before) {
		return fmt.Sprintf("The Tenant URL was %s and is %s. The old one works as long as spec.exposure.additionalHosts has its host: "+
			"paste the new one into Microsoft Entra ID, and give it to the readers, before that ends.", before, wanted)
	}
	return fmt.Sprintf("The Tenant URL was %s and is %s. Microsoft Entra ID goes on asking the old one, where it is refused or finds nobody: "+
		"paste the new one there as soon as the tenant is Ready, and give it to the readers.", before, wanted)
}
