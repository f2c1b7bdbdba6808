package desired

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	// portHTTP names the port for clients, in the container and in the Service.
	portHTTP = "http"
	// portAdmin names the port for health, readiness and metrics.
	portAdmin = "admin"
	// servicePort is the port for clients in the Service.
	servicePort = 80
)

// Service leads to the server: port 80 for clients, the admin port for metrics. It names defaults that decide where a connection ends, so
// that they come back where somebody else changes them.
func Service(t Tenant) *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(ServerName(t.Resource.Name), t.Resource.Namespace).
		WithLabels(Labels(t.Resource.Name)).
		WithOwnerReferences(owner(t.Resource)).
		WithSpec(corev1ac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithPublishNotReadyAddresses(false).
			WithSessionAffinity(corev1.ServiceAffinityNone).
			WithInternalTrafficPolicy(corev1.ServiceInternalTrafficPolicyCluster).
			WithSelector(selector(t.Resource.Name)).
			WithPorts(
				corev1ac.ServicePort().WithName(portHTTP).WithProtocol(corev1.ProtocolTCP).
					WithPort(servicePort).WithTargetPort(intstr.FromString(portHTTP)),
				corev1ac.ServicePort().WithName(portAdmin).WithProtocol(corev1.ProtocolTCP).
					WithPort(v1alpha1.AdminPort).WithTargetPort(intstr.FromString(portAdmin)),
			))
}

// Ingress routes the host to the Service. It routes the SCIM endpoints and, where the tenant has one, the token endpoint and its
// metadata only, so that whatever else the server listens on stays inside the cluster.
func Ingress(t Tenant) *networkingv1ac.IngressApplyConfiguration {
	exposure := t.Resource.Spec.Exposure
	path := func(path string, pathType networkingv1.PathType) *networkingv1ac.HTTPIngressPathApplyConfiguration {
		return networkingv1ac.HTTPIngressPath().WithPath(path).WithPathType(pathType).
			WithBackend(networkingv1ac.IngressBackend().WithService(networkingv1ac.IngressServiceBackend().
				WithName(ServerName(t.Resource.Name)).
				WithPort(networkingv1ac.ServiceBackendPort().WithName(portHTTP))))
	}
	rule := networkingv1ac.HTTPIngressRuleValue().WithPaths(
		path(v1alpha1.BasePath, networkingv1.PathTypePrefix),
		path(v1alpha1.FrontPagePath, networkingv1.PathTypeExact))
	if issuesTokens(t.Resource) {
		rule.WithPaths(
			path(v1alpha1.TokenPath, networkingv1.PathTypeExact),
			path(v1alpha1.OAuthMetadataPath, networkingv1.PathTypeExact))
	}
	spec := networkingv1ac.IngressSpec()
	for _, host := range t.hosts() {
		spec.WithRules(networkingv1ac.IngressRule().WithHost(host).WithHTTP(rule))
	}
	if t.IngressClass != "" {
		spec.WithIngressClassName(t.IngressClass)
	}
	if tls := exposure.IngressTLS(); tls != nil {
		spec.WithTLS(networkingv1ac.IngressTLS().WithHosts(t.hosts()...).WithSecretName(TLSSecretName(t.Resource)))
	}
	ingress := networkingv1ac.Ingress(routeName(t), t.Resource.Namespace).
		WithLabels(Labels(t.Resource.Name)).
		WithOwnerReferences(owner(t.Resource)).
		WithSpec(spec)
	if exposure.Ingress != nil && len(exposure.Ingress.Annotations) > 0 {
		ingress.WithAnnotations(exposure.Ingress.Annotations)
	}
	if tls := exposure.IngressTLS(); tls != nil && tls.IssuerRef != nil {
		ingress.WithAnnotations(issuerAnnotations(*tls.IssuerRef))
	}
	ingress.WithAnnotations(map[string]string{AnnotationPlace: t.IngressClass})
	if readiness := exposure.IngressReadiness(); readiness != v1alpha1.ReadinessLoadBalancerStatus {
		ingress.WithAnnotations(map[string]string{AnnotationReadiness: string(readiness)})
	}
	return ingress
}

// TLSSecretName is the Secret with the certificate for the tenant's host; empty where the tenant names none.
func TLSSecretName(tenant *v1alpha1.ProvisioningTenant) string {
	switch tls := tenant.Spec.Exposure.IngressTLS(); {
	case tls == nil:
		return ""
	case tls.SecretName == "":
		return tenant.Name + tlsSuffix
	default:
		return tls.SecretName
	}
}

// issuerAnnotations make cert-manager issue the certificate of an Ingress. They are its interface for that, so the operator
// needs neither its kinds nor rights on them.
func issuerAnnotations(issuer v1alpha1.IssuerReference) map[string]string {
	const group = "cert-manager.io"
	if issuer.Kind == "ClusterIssuer" && issuer.Group == group {
		return map[string]string{group + "/cluster-issuer": issuer.Name}
	}
	annotations := map[string]string{group + "/issuer": issuer.Name}
	if issuer.Group != group {
		annotations[group+"/issuer-kind"], annotations[group+"/issuer-group"] = issuer.Kind, issuer.Group
	}
	return annotations
}

// ClusterPorts are the ports at which pods reach the cluster's own services, behind the Services that lead there: each list has every port
// once and sorted, and is empty where they are not known.
type ClusterPorts struct {
	// API are those of the Kubernetes API.
	API []int32
	// DNS are those of the cluster's DNS.
	DNS []int32
}

// Equal tells whether both have the same ports.
func (p ClusterPorts) Equal(other ClusterPorts) bool {
	return slices.Equal(p.API, other.API) && slices.Equal(p.DNS, other.DNS)
}

// NetworkPolicy lets clients and metrics collectors in, and the server out to DNS, to the Kubernetes API, which is outside the reach of pod and
// namespace selectors, to the login authority, to its database, and through a proxy, wherever these are. Some networks go by the port of a Service,
// and most by that of its endpoints, so both are open: 443 for the API and Microsoft's authority, 53 for DNS, and what the cluster really has. It is
// nil where the platform wants none.
func NetworkPolicy(t Tenant) (*networkingv1ac.NetworkPolicyApplyConfiguration, error) {
	if t.Policy.Mode == v1alpha1.NetworkPolicyDisabled {
		return nil, nil
	}
	spec := networkingv1ac.NetworkPolicySpec().
		WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(selector(t.Resource.Name))).
		WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress).
		// An ingress controller may run in the host's network, so clients come from anywhere.
		WithIngress(networkingv1ac.NetworkPolicyIngressRule().WithPorts(port(corev1.ProtocolTCP, v1alpha1.ServerPort)))
	if err := letAdminsIn(spec, t.Policy.AdminPeers); err != nil {
		return nil, err
	}
	letOut(spec, t)
	return networkingv1ac.NetworkPolicy(ServerName(t.Resource.Name), t.Resource.Namespace).
		WithLabels(Labels(t.Resource.Name)).
		WithOwnerReferences(owner(t.Resource)).
		WithSpec(spec), nil
}

func port(protocol corev1.Protocol, number int32) *networkingv1ac.NetworkPolicyPortApplyConfiguration {
	return networkingv1ac.NetworkPolicyPort().WithProtocol(protocol).WithPort(intstr.FromInt32(number))
}

// letAdminsIn opens the admin port to these peers, and to the pods of every namespace where they are nil. A rule without peers would open it to
// everybody, so there is none for an empty list.
func letAdminsIn(spec *networkingv1ac.NetworkPolicySpecApplyConfiguration, peers []networkingv1.NetworkPolicyPeer) error {
	if peers == nil {
		peers = []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}
	}
	if len(peers) == 0 {
		return nil
	}
	rule := networkingv1ac.NetworkPolicyIngressRule().WithPorts(port(corev1.ProtocolTCP, v1alpha1.AdminPort))
	for _, given := range peers {
		peer := networkingv1ac.NetworkPolicyPeer()
		if err := convert(given, peer); err != nil {
			return err
		}
		rule.WithFrom(peer)
	}
	spec.WithIngress(rule)
	return nil
}

// letOut opens the ports that the server goes out to.
func letOut(spec *networkingv1ac.NetworkPolicySpecApplyConfiguration, t Tenant) {
	dns, api := networkingv1ac.NetworkPolicyEgressRule(), networkingv1ac.NetworkPolicyEgressRule()
	for _, number := range withUsual(53, t.Ports.DNS) {
		dns.WithPorts(port(corev1.ProtocolUDP, number), port(corev1.ProtocolTCP, number))
	}
	known := t.Ports.API
	if len(known) == 0 {
		known = []int32{6443}
	}
	known = withUsual(443, known)
	for _, number := range known {
		api.WithPorts(port(corev1.ProtocolTCP, number))
	}
	spec.WithEgress(dns, api)
	if database := t.Resource.Spec.Storage.PostgreSQL; database != nil {
		spec.WithEgress(networkingv1ac.NetworkPolicyEgressRule().WithPorts(port(corev1.ProtocolTCP, database.Port)))
	}
	others := append([]int32{portOf(t.EntraAuthority)}, t.Policy.EgressPorts...)
	for _, variable := range t.Pods.Env {
		if name := strings.ToUpper(variable.Name); name == "HTTPS_PROXY" || name == "HTTP_PROXY" {
			others = append(others, proxyPort(variable.Value))
		}
	}
	for _, number := range others {
		if number != 0 && !slices.Contains(known, number) {
			known = append(known, number)
			spec.WithEgress(networkingv1ac.NetworkPolicyEgressRule().WithPorts(port(corev1.ProtocolTCP, number)))
		}
	}
}

// withUsual are the ports that are known, after the usual one.
func withUsual(usual int32, known []int32) []int32 {
	ports := []int32{usual}
	for _, number := range known {
		if number != usual {
			ports = append(ports, number)
		}
	}
	return ports
}

// proxyPort is the port of a proxy, of which Go takes a URL, or a host and a port for one that is reached by HTTP.
func proxyPort(proxy string) int32 {
	if proxy != "" && !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	return portOf(proxy)
}

// portOf is the port of a URL to which the server connects, such as that of a login authority or of a proxy; 0 where there is none, or the URL has
// the one of https.
func portOf(address string) int32 {
	at, err := url.Parse(address)
	if err != nil {
		return 0
	}
	text := at.Port()
	if text == "" && at.Scheme == "http" {
		text = "80"
	}
	number, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0
	}
	return int32(number)
}
