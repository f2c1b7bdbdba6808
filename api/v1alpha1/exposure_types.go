package v1alpha1

// Exposure says how a tenant's SCIM server is reached.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'Ingress' || !has(self.ingress)",message="ingress may be specified only when type is Ingress"
// +kubebuilder:validation:XValidation:rule="self.type == 'Ingress' || !has(self.tls)",message="tls may be specified only when type is Ingress"
type Exposure struct {
	// type is Ingress, where the operator makes an Ingress for the host, or None, where it makes no route at all and
	// the platform routes to the tenant's Service itself.
	//
	// +optional
	// +kubebuilder:default=Ingress
	Type ExposureType `json:"type,omitempty"`

	// host is the DNS name of the tenant, without scheme, port or path.
	// Default: the resource's name under the operator's base domain. Where the type is None and no host is given, the
	// Tenant URL is that of the tenant's Service inside the cluster. Of two tenants that name one host the older keeps it.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$')",message="must be a DNS name in lower case such as contoso.scim.example.com, without scheme, port or path"
	Host string `json:"host,omitempty"`

	// ingress adds to the Ingress that the operator makes.
	//
	// +optional
	Ingress *IngressExposure `json:"ingress,omitempty"`

	// tls names the certificate for the host. Without it the Ingress has no TLS section, and the ingress controller
	// must terminate TLS with a certificate of its own: Microsoft Entra ID speaks HTTPS only, so the Tenant URL is
	// https either way.
	//
	// +optional
	TLS *ExposureTLS `json:"tls,omitempty"`
}

// ExposureType is a way to expose a tenant.
//
// +kubebuilder:validation:Enum=Ingress;None
type ExposureType string

const (
	// ExposureIngress exposes the tenant by an Ingress.
	ExposureIngress ExposureType = "Ingress"
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
	ClassName string `json:"className,omitempty"`

	// annotations are put on the Ingress as they are.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ExposureTLS names a certificate.
type ExposureTLS struct {
	// secretName is a Secret of type kubernetes.io/tls in the tenant's namespace.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`
}
