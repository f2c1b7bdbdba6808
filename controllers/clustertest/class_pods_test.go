package clustertest

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
)

// environment of the server in a Deployment.
func environment(deployment *appsv1.Deployment) map[string]string {
	values := map[string]string{}
	for _, variable := range deployment.Spec.Template.Spec.Containers[0].Env {
		values[variable.Name] = variable.Value
	}
	return values
}

func TestWhatAClassAloneDecidesIsFollowedAndKeptWhenTheClassGoes(t *testing.T) {
	race.Meets(t)
	t.Parallel()
	w := newWorld(t)
	class := w.class(`
server: {env: [{name: HTTPS_PROXY, value: "http://proxy.example.com:3128"}, {name: NO_PROXY, value: "$(KUBERNETES_SERVICE_HOST)"}]}
networkPolicy: {adminPeers: [{podSelector: {matchLabels: {app: prometheus}}}], egressPorts: [8080]}
defaults: {exposure: {baseDomain: ` + w.namespace + `.example.com}}
`)
	tenant := create(w, w.asking("contoso", "{}"))
	w.until(tenant, ready, "ClassInEffect=True/InEffect")
	if got := environment(get(w, &appsv1.Deployment{}, "contoso-scim")); got["HTTPS_PROXY"] != "http://proxy.example.com:3128" ||
		got["NO_PROXY"] != "$(KUBERNETES_SERVICE_HOST)" || got["GOMEMLIMIT"] == "" {
		t.Errorf("the server's environment is %v", got)
	}
	policy := get(w, &networkingv1.NetworkPolicy{}, "contoso-scim").Spec
	if admins := policy.Ingress[1].From; len(admins) != 1 || admins[0].PodSelector.MatchLabels["app"] != "prometheus" || admins[0].NamespaceSelector != nil {
		t.Errorf("the admin port is open to %+v", admins)
	}
	out := map[int]bool{}
	for _, rule := range policy.Egress {
		for _, port := range rule.Ports {
			out[port.Port.IntValue()] = true
		}
	}
	if !out[8080] || !out[3128] {
		t.Errorf("the server is let out to %v", out)
	}

	edit(w, class, func(class *v1alpha1.ProvisioningTenantClass) {
		class.Spec.NetworkPolicy = v1alpha1.ClassNetworkPolicy{AdminPeers: []networkingv1.NetworkPolicyPeer{}}
	})
	w.eventually("nobody is let in to the admin port", func() string {
		if rules := get(w, &networkingv1.NetworkPolicy{}, "contoso-scim").Spec.Ingress; len(rules) != 1 {
			return fmt.Sprintf("%+v", rules)
		}
		return ""
	})
	edit(w, class, func(class *v1alpha1.ProvisioningTenantClass) {
		class.Spec.NetworkPolicy = v1alpha1.ClassNetworkPolicy{Mode: v1alpha1.NetworkPolicyDisabled}
		class.Spec.Server.Env = class.Spec.Server.Env[:1]
	})
	gone(w, &networkingv1.NetworkPolicy{}, "contoso-scim")
	w.eventually("a variable is gone", func() string {
		if got := environment(get(w, &appsv1.Deployment{}, "contoso-scim")); len(got) != 2 {
			return fmt.Sprint(got)
		}
		return ""
	})
	before := get(w, &appsv1.Deployment{}, "contoso-scim")
	if err := w.Delete(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, ready, "ClassInEffect=False/ClassMissing")
	gone(w, &networkingv1.NetworkPolicy{}, "contoso-scim")
	if after := get(w, &appsv1.Deployment{}, "contoso-scim"); after.Generation != before.Generation {
		t.Errorf("the server was changed: %v", environment(after))
	}
	if get(w, &corev1.ServiceAccount{}, "contoso-scim").Annotations[v1alpha1.GroupName+"/class"] == "" {
		t.Error("nothing is remembered of the class")
	}
}

func TestTheAPIServerRefusesAClassWhosePodsMakeNoSenseAndSaysWhatWould(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rows := map[string]string{
		"{server: {env: [{name: GODEBUG, value: http2debug=2}]}}":                         "must not begin with GO: the operator sets GOMEMLIMIT by the limit of memory, and others of Go's can write requests with their tokens into the log",
		"{server: {env: [{name: GOMEMLIMIT, value: 1GiB}]}}":                              "must not begin with GO: the operator sets GOMEMLIMIT by the limit of memory, and others of Go's can write requests with their tokens into the log",
		"{server: {env: [{name: PGHOST, value: evil}]}}":                                  "must not begin with PG: where a database is stands in the Secret of each tenant alone",
		"{server: {env: [{name: KUBERNETES_SERVICE_HOST, value: evil}]}}":                 "must not begin with KUBE: Kubernetes sets these, and they say where its API is",
		"{server: {env: [{name: TENANTRY_X, value: a}]}}":                                 "must not begin with TENANTRY_: these names are the operator's",
		"{server: {env: [{name: SSL_CERT_FILE, value: a}]}}":                              "must not begin with SSL_CERT_: caBundle says which authorities are trusted beside the public ones",
		"{server: {env: [{name: A-B, value: a}]}}":                                        "must be the name of a variable: letters, digits and '_', and no digit first",
		"{server: {env: [{name: A, value: a}, {name: A, value: b}]}}":                     `Duplicate value: {"name":"A"}`,
		"{networkPolicy: {mode: Disabled, egressPorts: [1]}}":                             "adminPeers and egressPorts must be left out when mode is Disabled: there is no NetworkPolicy that could have them",
		"{networkPolicy: {mode: Disabled, adminPeers: []}}":                               "adminPeers and egressPorts must be left out when mode is Disabled: there is no NetworkPolicy that could have them",
		"{networkPolicy: {adminPeers: [{}]}}":                                             "must have a podSelector, a namespaceSelector or both, or an ipBlock alone",
		"{networkPolicy: {adminPeers: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}}": "must have a podSelector, a namespaceSelector or both, or an ipBlock alone",
		"{networkPolicy: {egressPorts: [65536]}}":                                         "should be less than or equal to 65535",
		"{networkPolicy: {mode: Sometimes}}":                                              `Unsupported value: "Sometimes": supported values: "Enabled", "Disabled"`,
	}
	for _, text := range slices.Sorted(maps.Keys(rows)) {
		class := &v1alpha1.ProvisioningTenantClass{}
		class.GenerateName = "nonsense-"
		if err := yaml.UnmarshalStrict([]byte(text), &class.Spec); err != nil {
			t.Fatal(err)
		}
		t.Run(text, func(t *testing.T) { //nolint:paralleltest // it takes no time
			refused(t, w.Create(t.Context(), class, client.DryRunAll), rows[text])
		})
	}
}
