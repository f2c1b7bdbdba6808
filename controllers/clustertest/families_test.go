package clustertest

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/test/race"
	"github.com/tenantry/tenantry/test/testenv"
)

// The Service of a tenant names no family, so it has an address of the cluster's first one, and one of each where somebody asks for that.
func TestATenantIsReachedByTheFamiliesOfAddressesThatTheClusterHas(t *testing.T) {
	race.Meets(t) // operators of its own
	const ipv4, ipv6, node = "10.0.0.0/16", "fd00:10::/112", "fd00::1"
	for name, test := range map[string]struct {
		settings testenv.Settings
		want     []corev1.IPFamily // where both are preferred, as far as the cluster has them
	}{
		"IPv4 and IPv6": {testenv.Settings{ServiceRanges: ipv4 + "," + ipv6}, []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}},
		"IPv6 and IPv4": {testenv.Settings{ServiceRanges: ipv6 + "," + ipv4, Advertised: node}, []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}},
		"IPv6 alone":    {testenv.Settings{ServiceRanges: ipv6, Advertised: node}, []corev1.IPFamily{corev1.IPv6Protocol}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldIn(t, startCluster(t, test.settings))
			tenant := create(w, w.tenant())
			w.until(tenant, ready)
			service := get(w, &corev1.Service{}, "contoso-scim")
			if !slices.Equal(service.Spec.IPFamilies, test.want[:1]) || *service.Spec.IPFamilyPolicy != corev1.IPFamilyPolicySingleStack {
				t.Errorf("the Service has families %v by policy %s, want %v", service.Spec.IPFamilies, *service.Spec.IPFamilyPolicy, test.want[:1])
			}
			if is6 := netip.MustParseAddr(service.Spec.ClusterIP).Is6(); is6 != (test.want[0] == corev1.IPv6Protocol) {
				t.Errorf("the Service has address %s", service.Spec.ClusterIP)
			}
			w.letsOutToTheAPIServer()

			edit(w, service, func(s *corev1.Service) { s.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyPreferDualStack) })
			w.look()
			w.settled()
			if service = get(w, service, service.Name); !slices.Equal(service.Spec.IPFamilies, test.want) || len(service.Spec.ClusterIPs) != len(test.want) {
				t.Errorf("the Service that prefers both has %v and %v, want %v", service.Spec.IPFamilies, service.Spec.ClusterIPs, test.want)
			}
		})
	}
}

// letsOutToTheAPIServer checks that the NetworkPolicy lets the server out to the port that the API server has, whatever its address is.
func (w *world) letsOutToTheAPIServer() {
	w.Helper()
	var api discoveryv1.EndpointSliceList
	if err := w.List(w.Context(), &api, client.InNamespace("default"), client.MatchingLabels{discoveryv1.LabelServiceName: "kubernetes"}); err != nil {
		w.Fatal(err)
	}
	if len(api.Items) == 0 {
		w.Fatal("the API server has no endpoint")
	}
	open := map[int32]bool{}
	for _, rule := range get(w, &networkingv1.NetworkPolicy{}, "contoso-scim").Spec.Egress {
		if len(rule.To) > 0 {
			continue // for some addresses alone
		}
		for _, port := range rule.Ports {
			open[port.Port.IntVal] = true
		}
	}
	for _, endpoints := range api.Items {
		if port := *endpoints.Ports[0].Port; !open[port] {
			w.Errorf("the server is not let out to port %d of %s", port, strings.Join(endpoints.Endpoints[0].Addresses, " "))
		}
	}
}
