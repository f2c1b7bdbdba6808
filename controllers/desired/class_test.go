package desired

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/fields"
)

// classed is the tenant that is being moved, with all that its class alone decides.
func classed() Tenant {
	t := moving()
	t.Pods = v1alpha1.ClassServer{
		CABundle: &v1alpha1.CABundle{ConfigMapName: "platform-ca", Key: "ca-bundle.crt"},
		Env:      []v1alpha1.EnvironmentVariable{{Name: "HTTPS_PROXY", Value: "http://proxy.example.com:3128"}, {Name: "NO_PROXY", Value: ".example.com"}},
	}
	t.Policy = v1alpha1.ClassNetworkPolicy{
		AdminPeers: []networkingv1.NetworkPolicyPeer{{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "monitoring"}},
			PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"app": "prometheus"}},
		}, {IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"10.1.0.0/16"}}}},
		EgressPorts: []int32{8080},
	}
	return t
}

func networkPolicy(t *testing.T, tenant Tenant) *networkingv1ac.NetworkPolicyApplyConfiguration {
	t.Helper()
	policy, err := NetworkPolicy(tenant)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func TestAPlatformThatWantsNoNetworkPolicyGetsNone(t *testing.T) {
	t.Parallel()
	tenant := plain()
	tenant.Policy.Mode = v1alpha1.NetworkPolicyEnabled
	if networkPolicy(t, tenant) == nil {
		t.Error("there is none where it is enabled")
	}
	tenant.Policy.Mode = v1alpha1.NetworkPolicyDisabled
	if policy := networkPolicy(t, tenant); policy != nil {
		t.Errorf("there is one where it is disabled: %+v", policy)
	}
}

func TestAdminsAreThosePeersAlone(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		peers []networkingv1.NetworkPolicyPeer
		// rules lead to the admin port, with peers in all.
		rules, from int
	}{
		"left out": {nil, 1, 1},
		"nobody":   {[]networkingv1.NetworkPolicyPeer{}, 0, 0},
		"two":      {classed().Policy.AdminPeers, 1, 2},
	} {
		tenant := plain()
		tenant.Policy.AdminPeers = row.peers
		rules, from := 0, 0
		for _, rule := range networkPolicy(t, tenant).Spec.Ingress {
			for _, port := range rule.Ports {
				if port.Port.IntValue() == v1alpha1.AdminPort {
					rules, from = rules+1, from+len(rule.From)
				}
			}
		}
		if rules != row.rules || from != row.from {
			t.Errorf("%s: %d rules for the admin port with %d peers, want %d with %d", name, rules, from, row.rules, row.from)
		}
	}
}

func TestTheServerIsLetOutToItsProxy(t *testing.T) {
	t.Parallel()
	for proxy, want := range map[string]int{
		"HTTPS_PROXY=http://proxy.example.com:3128": 3128, "https_proxy=https://proxy.example.com:3129": 3129, "HTTP_PROXY=proxy.example.com:3130": 3130,
		"HTTPS_PROXY=http://proxy.example.com": 80, "HTTPS_PROXY=https://proxy.example.com": 0, "NO_PROXY=example.com:3128": 0, "HTTPS_PROXY=": 0,
		"HTTPS_PROXY=http://proxy.example.com:6443": 0,
	} {
		tenant := plain()
		name, value, _ := strings.Cut(proxy, "=")
		tenant.Pods.Env = []v1alpha1.EnvironmentVariable{{Name: name, Value: value}}
		rules := networkPolicy(t, tenant).Spec.Egress[2:]
		if want == 0 && len(rules) == 0 {
			continue
		}
		if len(rules) != 1 || rules[0].Ports[0].Port.IntValue() != want {
			t.Errorf("%s: egress %+v, want port %d", proxy, rules, want)
		}
	}
}

// bug class 5, as for the spec of a tenant.
func TestEveryFieldThatAClassAloneDecidesChangesAnObject(t *testing.T) {
	t.Parallel()
	changes := map[string]func(*Tenant){
		"pods.env":                    func(t *Tenant) { t.Pods.Env = []v1alpha1.EnvironmentVariable{{Name: "A", Value: "b"}} },
		"pods.caBundle.configMapName": func(t *Tenant) { t.Pods.CABundle = &v1alpha1.CABundle{ConfigMapName: "ca"} },
		"pods.caBundle.key":           func(t *Tenant) { t.Pods.CABundle = &v1alpha1.CABundle{Key: "other"} },
		"policy.mode":                 func(t *Tenant) { t.Policy.Mode = v1alpha1.NetworkPolicyDisabled },
		"policy.adminPeers":           func(t *Tenant) { t.Policy.AdminPeers = []networkingv1.NetworkPolicyPeer{} },
		"policy.egressPorts":          func(t *Tenant) { t.Policy.EgressPorts = []int32{3128} },
	}
	for prefix, of := range map[string]reflect.Type{"pods.": reflect.TypeFor[v1alpha1.ClassServer](), "policy.": reflect.TypeFor[v1alpha1.ClassNetworkPolicy]()} {
		for _, leaf := range fields.Leaves(of) {
			if !slices.Contains(slices.Collect(mapsKeys(changes)), prefix+leaf) {
				t.Errorf("%s is new: say here what it changes", prefix+leaf)
			}
		}
	}
	before := build(t, plain())
	for field, change := range changes {
		tenant := plain()
		change(&tenant)
		if reflect.DeepEqual(before, build(t, tenant)) {
			t.Errorf("%s changes no object", field)
		}
	}
}
