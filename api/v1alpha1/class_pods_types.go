package v1alpha1

import networkingv1 "k8s.io/api/networking/v1"

// ClassServer is what the platform alone decides for the pods of the tenants of a class: those of the server, and those of the Jobs that move a
// directory to a database.
type ClassServer struct {
	// env are environment variables, such as HTTPS_PROXY and NO_PROXY. $(NAME) in a value stands for a variable above it, as in a pod. A value is no
	// place for a secret: all who may read the class or the pods can read it.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Env []EnvironmentVariable `json:"env,omitempty"`

	// caBundle has certificate authorities of the platform's own, which the servers trust beside the public ones: that of a proxy that opens TLS, of a
	// login authority, or of a database whose URL names no sslrootcert.
	//
	// +optional
	CABundle *CABundle `json:"caBundle,omitempty"`
}

// CABundle names a ConfigMap with certificate authorities in the namespace of each tenant, as trust-manager makes it. A server runs without it too, and
// follows it: an authority that is added counts for requests to the internet within a minute or two, and for a database once the server restarts.
type CABundle struct {
	// configMapName is the name of the ConfigMap.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ConfigMapName string `json:"configMapName,omitempty"`

	// key of the certificates in the ConfigMap, in PEM. Default: ca-bundle.crt.
	//
	// +optional
	// +kubebuilder:default="ca-bundle.crt"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')",message="must be a key of a ConfigMap: letters, digits, '-', '_' and '.'"
	Key string `json:"key,omitempty"`
}

// EnvironmentVariable is a variable of the environment of the tenants' servers.
type EnvironmentVariable struct {
	// name of the variable.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z_][A-Za-z0-9_]*$')",message="must be the name of a variable: letters, digits and '_', and no digit first"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('GO')",message="must not begin with GO: the operator sets GOMEMLIMIT by the limit of memory, and others of Go's can write requests with their tokens into the log"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('PG')",message="must not begin with PG: where a database is stands in the Secret of each tenant alone"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('KUBE')",message="must not begin with KUBE: Kubernetes sets these, and they say where its API is"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('TENANTRY_')",message="must not begin with TENANTRY_: these names are the operator's"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('SSL_CERT_')",message="must not begin with SSL_CERT_: caBundle says which authorities are trusted beside the public ones"
	Name string `json:"name,omitempty"`

	// value of the variable.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value,omitempty"`
}

// NetworkPolicyMode says whether tenants have a NetworkPolicy.
//
// +kubebuilder:validation:Enum=Enabled;Disabled
type NetworkPolicyMode string

const (
	// NetworkPolicyEnabled gives each tenant a NetworkPolicy.
	NetworkPolicyEnabled NetworkPolicyMode = "Enabled"
	// NetworkPolicyDisabled gives them none, and deletes those that they have.
	NetworkPolicyDisabled NetworkPolicyMode = "Disabled"
)

// ClassNetworkPolicy shapes the NetworkPolicies of the tenants of a class.
//
// +kubebuilder:validation:XValidation:rule="self.?mode.orValue('Enabled') != 'Disabled' || !(has(self.adminPeers) || has(self.egressPorts))",message="adminPeers and egressPorts must be left out when mode is Disabled: there is no NetworkPolicy that could have them"
type ClassNetworkPolicy struct {
	// mode Disabled leaves what may reach the tenants' pods, and what these may reach, to the platform's own policies. Default: Enabled.
	//
	// +optional
	Mode NetworkPolicyMode `json:"mode,omitempty"`

	// adminPeers alone may reach the admin port, which serves health, readiness and metrics to everybody, and imports, exports and the provisioning
	// log to clients with a token. A peer with a podSelector alone means pods of the tenant's namespace. An empty list lets nobody in; the kubelet
	// of a pod's node reaches it all the same. Default: the pods of every namespace.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:XValidation:rule="has(self.ipBlock) ? !(has(self.podSelector) || has(self.namespaceSelector)) : (has(self.podSelector) || has(self.namespaceSelector))",message="must have a podSelector, a namespaceSelector or both, or an ipBlock alone"
	AdminPeers []networkingv1.NetworkPolicyPeer `json:"adminPeers,omitzero"`

	// egressPorts are TCP ports to which servers may go out beside those that they always need. The port of a proxy that spec.server.env names in
	// HTTPS_PROXY or HTTP_PROXY need not stand here.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	EgressPorts []int32 `json:"egressPorts,omitempty"`
}
