package clustertest

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/testenv"
)

// The API server of the tests listens on a port that no default names, as minikube's and MicroK8s' do.
func TestServersAreLetOutToThePortsOfThisCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	options := testenv.Options(entra.URL)
	options.Namespaces = map[string]cache.Config{w.namespace: {}}
	options.RecheckClusterPorts = 100 * time.Millisecond
	w.operator(options)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Labels = map[string]string{testenv.OwnOperatorLabel: ""} }))
	api, err := url.Parse(cluster.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	open := func() string {
		var ports []string
		for _, rule := range get(w, &networkingv1.NetworkPolicy{}, "contoso-scim").Spec.Egress {
			for _, port := range rule.Ports {
				ports = append(ports, fmt.Sprintf("%s/%s", *port.Protocol, port.Port))
			}
		}
		return strings.Join(ports, " ") + " "
	}
	w.eventually("the policy has the API server's port", func() string {
		if got := open(); !strings.Contains(got, "TCP/"+api.Port()+" ") || strings.Contains(got, "TCP/6443 ") {
			return got
		}
		return ""
	})
	dns := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "kube-system", Name: "kube-dns-of-a-test", Labels: map[string]string{discoveryv1.LabelServiceName: "kube-dns"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.10"}}},
		Ports:       []discoveryv1.EndpointPort{{Name: new("dns"), Port: new(int32(5353))}},
	}
	create(w, dns)
	t.Cleanup(func() {
		if err := cluster.Client.Delete(context.WithoutCancel(t.Context()), dns); err != nil {
			t.Error(err)
		}
	})
	w.eventually("the policy has the port of DNS", func() string {
		if got := open(); !strings.Contains(got, "UDP/53 TCP/53 UDP/5353 TCP/5353 ") {
			return got
		}
		return ""
	})
	w.until(tenant, "Accepted=True/Accepted") // before its operator ends with the test
}
