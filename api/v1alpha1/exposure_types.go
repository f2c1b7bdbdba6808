package v1alpha1

import "cmp"

// Exposure says how a tenant's SCIM server is reached.
//
// +kubebuilder:validation:XValidation:rule="!has(self.ingress) || !has(self.type) || self.type == 'Ingress'",message="ingress may be specified only when type is Ingress"
// +kubebuilder:validation:XValidation:rule="!has(self.gateway) || has(self.type) && self.type == 'Gateway'",message="gateway may be specified only when type is Gateway"
// +kubebuilder:validation:XValidation:rule="!has(self.host) || !has(self.additionalHosts) || !(self.host in self.additionalHosts)",message="additionalHosts must not have host, which is the tenant's anyway"
type Exposure struct {
	// type is Ingress, where the operator makes an Ingress for the hosts; Gateway, where it makes an HTTPRoute for the hosts on
	// a Gateway of the platform; or None, where it makes no route at all and the platform routes to the tenant's Service itself.
	// Default: Ingress. More values may come.
	//
	// +optional
	Type ExposureType `json:"type,omitempty"`

	// host is the DNS name of the tenant, without scheme, port or path.
	// Default: the resource's name under the operator's base domain. Where the type is None and no host is given, the
	// Tenant URL is that of the tenant's Service inside the cluster. A tenant keeps the host that it has: another that asks for it is told
	// HostTaken, and a host that was let go stays reserved for its namespace for a day, or as long as the operator is told.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$')",message="must be a DNS name in lower case such as contoso.scim.example.com, without scheme, port or path"
	Host string `json:"host,omitempty"`

	// additionalHosts are further DNS names at which clients reach the tenant: the host that it is going to have, or the one that it had
	// until every client asks the new one. Each is claimed as host is, and served by the same route and, with tls, the same certificate. Condition
	// ExposureInEffect tells of each that the tenant cannot have, and all others are served.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	AdditionalHosts []HostName `json:"additionalHosts,omitempty"`

	// ingress adds to the Ingress that the operator makes.
	//
	// +optional
	Ingress *IngressExposure `json:"ingress,omitempty"`

	// gateway says on which Gateways the HTTPRoute is.
	//
	// +optional
	Gateway *GatewayExposure `json:"gateway,omitempty"`
}

// HostName is a DNS name.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$')",message="must be a DNS name in lower case such as contoso.scim.example.com, without scheme, port or path"
type HostName string

// IngressTLS says which certificate the Ingress has for the host, nil where none is named.
func (e *Exposure) IngressTLS() *IngressTLS {
	if e.Ingress == nil {
		return nil
	}
	return e.Ingress.TLS
}

// IngressReadiness says how it is known that the Ingress works.
func (e *Exposure) IngressReadiness() IngressReadiness {
	if e.Ingress == nil {
		return ReadinessLoadBalancerStatus
	}
	return cmp.Or(e.Ingress.Readiness, ReadinessLoadBalancerStatus)
}

// ExposureType is a way to expose a tenant.
//
// +kubebuilder:validation:Enum=Ingress;Gateway;None
type ExposureType string

const (
	// ExposureIngress exposes the tenant by an Ingress.
	ExposureIngress ExposureType = "Ingress"
	// ExposureGateway exposes the tenant by an HTTPRoute of the Gateway API.
	ExposureGateway ExposureType = "Gateway"
	// ExposureNone makes no route.
	ExposureNone ExposureType = "None"
)

// IngressExposure adds to the tenant's Ingress.
type IngressExposure struct {
	// className is the IngressClass. Default: the operator's, else the cluster's default class.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of an IngressClass, of lower-case letters, digits, '-' and '.' such as traefik"
	ClassName string `json:"className,omitempty"`

	// annotations are put on the Ingress as they are.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('provisioning.tenantry.dev/'))",message="must not have annotations of provisioning.tenantry.dev: those are the operator's"
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() <= 317 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="must have names of annotations, such as team or example.com/team"
	Annotations map[string]string `json:"annotations,omitempty"`

	// tls names the certificate for host and additionalHosts. Without it the Ingress has no TLS section, and the ingress controller
	// must terminate TLS with a certificate of its own: Microsoft Entra ID speaks HTTPS only, so the Tenant URL is
	// https either way.
	//
	// +optional
	TLS *IngressTLS `json:"tls,omitempty"`

	// readiness says how the operator knows that the Ingress works: LoadBalancerStatus, by an address in its status.loadBalancer, which an
	// ingress controller writes once it has taken it; or Assumed, where the controller writes none, as one behind ports of the nodes or a
	// proxy outside of the cluster may not. Then the Ingress counts as taken once it exists, condition Exposed is True with the reason
	// IngressAssumed, and nobody has confirmed that the host leads to the server: kubectl tenantry check does.
	// Default: LoadBalancerStatus. More values may come.
	//
	// +optional
	Readiness IngressReadiness `json:"readiness,omitempty"`
}

// IngressReadiness is a way to know that an Ingress works.
//
// +kubebuilder:validation:Enum=LoadBalancerStatus;Assumed
type IngressReadiness string

const (
	// ReadinessLoadBalancerStatus takes an address in status.loadBalancer for the word of the ingress controller.
	ReadinessLoadBalancerStatus IngressReadiness = "LoadBalancerStatus"
	// ReadinessAssumed asks for nobody's word.
	ReadinessAssumed IngressReadiness = "Assumed"
)

// GatewayExposure says on which Gateways the tenant's HTTPRoute is.
type GatewayExposure struct {
	// parentRefs are Gateways or ListenerSets of the platform, whose listeners must allow routes from the tenant's namespace. Entra speaks
	// HTTPS, so their listeners must have a certificate for the host. Default: the operator's Gateway.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	ParentRefs []GatewayReference `json:"parentRefs,omitempty"`
}

// GatewayReference names a Gateway, a ListenerSet that adds listeners to a Gateway, or some of their listeners.
type GatewayReference struct {
	// group of the kind, gateway.networking.k8s.io for both. More values may come.
	//
	// +optional
	// +kubebuilder:default="gateway.networking.k8s.io"
	Group GatewayGroup `json:"group,omitempty"`

	// kind is Gateway, or ListenerSet of Gateway API 1.5 and later. More values may come.
	//
	// +optional
	// +kubebuilder:default=Gateway
	Kind GatewayKind `json:"kind,omitempty"`

	// name of the Gateway or ListenerSet.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a Gateway or ListenerSet, of lower-case letters, digits, '-' and '.' such as public"
	Name string `json:"name,omitempty"`

	// namespace of the Gateway or ListenerSet. Default: the tenant's.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be the name of a namespace, a DNS label of lower-case letters, digits and '-' such as edge"
	Namespace string `json:"namespace,omitempty"`

	// sectionName is the name of one of its listeners. Default: all that take the host.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a listener, of lower-case letters, digits, '-' and '.' such as https"
	SectionName string `json:"sectionName,omitempty"`

	// port of those of its listeners that are meant. Default: any. Not every controller follows it.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// From is the reference, made in a namespace, with all that its defaults say. They are those of the CRD, which may be older than the operator.
func (r GatewayReference) From(namespace string) GatewayReference {
	r.Group, r.Kind, r.Namespace = cmp.Or(r.Group, GatewayAPI), cmp.Or(r.Kind, KindGateway), cmp.Or(r.Namespace, namespace)
	return r
}

// GatewayGroup is the API group of a kind that routes can be on.
//
// +kubebuilder:validation:Enum=gateway.networking.k8s.io
type GatewayGroup string

// GatewayAPI is the group of the Gateway API.
const GatewayAPI GatewayGroup = "gateway.networking.k8s.io"

// GatewayKind is a kind that routes can be on.
//
// +kubebuilder:validation:Enum=Gateway;ListenerSet
type GatewayKind string

const (
	// KindGateway has listeners, and the address at which they are.
	KindGateway GatewayKind = "Gateway"
	// KindListenerSet adds listeners to a Gateway.
	KindListenerSet GatewayKind = "ListenerSet"
)

// IngressTLS names a certificate, or who issues it.
//
// +kubebuilder:validation:XValidation:rule="has(self.secretName) || has(self.issuerRef)",message="secretName or issuerRef must be specified"
type IngressTLS struct {
	// secretName is a Secret of type kubernetes.io/tls in the tenant's namespace. Default where issuerRef is given: the
	// tenant's name and "-tls".
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a Secret, of lower-case letters, digits, '-' and '.' such as contoso-tls"
	SecretName string `json:"secretName,omitempty"`

	// issuerRef is an issuer of cert-manager that makes and renews the certificate. cert-manager must run in the cluster, with
	// its support for Ingresses on, as it is by default.
	//
	// +optional
	IssuerRef *IssuerReference `json:"issuerRef,omitempty"`
}

// IssuerReference names an issuer of cert-manager.
type IssuerReference struct {
	// name of the issuer.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of an issuer, of lower-case letters, digits, '-' and '.' such as letsencrypt"
	Name string `json:"name,omitempty"`

	// kind of the issuer: Issuer in the tenant's namespace, ClusterIssuer, or the kind of an external issuer.
	//
	// +optional
	// +kubebuilder:default=Issuer
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z][A-Za-z0-9]*$')",message="must be a kind such as Issuer or ClusterIssuer"
	Kind string `json:"kind,omitempty"`

	// group of the issuer's kind.
	//
	// +optional
	// +kubebuilder:default="cert-manager.io"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the group of a kind, a DNS name such as cert-manager.io"
	Group string `json:"group,omitempty"`
}
