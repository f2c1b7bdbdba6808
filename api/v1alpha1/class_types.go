package v1alpha1

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ProvisioningTenantClassSpec is what a platform decides once for the tenants of a class: what holds where a tenant says nothing, and what a tenant
// may ask for.
type ProvisioningTenantClassSpec struct {
	// namespaceSelector selects the namespaces whose tenants may be of the class, by their labels. Default: all.
	//
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// defaults are what holds where a tenant says nothing. What a tenant says wins, field by field. Maps are merged by key, and a list of the
	// tenant's is taken whole.
	//
	// +optional
	Defaults ClassDefaults `json:"defaults,omitzero"`

	// bounds are what tenants may ask for. A tenant that asks for more is told by condition ClassInEffect, and goes on with what it had. A new one
	// is not accepted. A bound that is left out is none, and an empty list allows nothing but what the class itself says.
	//
	// +optional
	Bounds ClassBounds `json:"bounds,omitzero"`

	// server is what the platform alone decides for the tenants' pods.
	//
	// +optional
	Server ClassServer `json:"server,omitzero"`

	// networkPolicy shapes the tenants' NetworkPolicies, which the platform alone decides.
	//
	// +optional
	NetworkPolicy ClassNetworkPolicy `json:"networkPolicy,omitzero"`
}

// ClassDefaults are what holds for the tenants of a class that say nothing else.
type ClassDefaults struct {
	// exposure says how the tenants are reached from outside the cluster.
	//
	// +optional
	Exposure ClassExposure `json:"exposure,omitzero"`

	// storage says where the directories are kept.
	//
	// +optional
	Storage ClassStorage `json:"storage,omitzero"`

	// server shapes the pods that run the tenants' SCIM servers.
	//
	// +optional
	Server Server `json:"server,omitzero"`

	// rateLimit holds back clients that ask more than their share.
	//
	// +optional
	RateLimit RateLimit `json:"rateLimit,omitzero"`

	// retention says how long records are kept.
	//
	// +optional
	Retention Retention `json:"retention,omitzero"`
}

// ClassExposure says how the tenants of a class are reached. Of ingress and gateway a tenant gets the one of its type.
type ClassExposure struct {
	// type of the exposure of a tenant that gives none.
	//
	// +optional
	Type ExposureType `json:"type,omitempty"`

	// baseDomain gives a tenant without a host the host NAME.BASEDOMAIN. Default: the operator's.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$')",message="must be a DNS name in lower case such as scim.example.com, without scheme, port or path"
	BaseDomain string `json:"baseDomain,omitempty"`

	// ingress adds to the Ingresses of tenants whose type is Ingress.
	//
	// +optional
	Ingress *IngressExposure `json:"ingress,omitempty"`

	// gateway says on which Gateways the HTTPRoutes are of tenants whose type is Gateway. A reference without a namespace is to the tenant's.
	//
	// +optional
	Gateway *GatewayExposure `json:"gateway,omitempty"`
}

// ClassStorage says where the directories of a class are kept. The type and the class of the volumes count for new directories: a directory that is
// there stays where it is.
//
// +kubebuilder:validation:XValidation:rule="self.?type.orValue('SQLite') != 'PostgreSQL' || has(self.postgresql)",message="postgresql must be given when type is PostgreSQL: it says which database the tenants have"
type ClassStorage struct {
	// type of the storage of a tenant that gives none.
	//
	// +optional
	Type StorageType `json:"type,omitempty"`

	// sqlite shapes the volumes of tenants whose type is SQLite.
	//
	// +optional
	SQLite SQLiteStorage `json:"sqlite,omitzero"`

	// postgresql says where the database is of tenants whose type is PostgreSQL.
	//
	// +optional
	PostgreSQL *PostgreSQLStorage `json:"postgresql,omitempty"`
}

// ClassBounds are what the tenants of a class may ask for. What the class itself says is always allowed.
type ClassBounds struct {
	// exposure bounds spec.exposure of the tenants.
	//
	// +optional
	Exposure ExposureBounds `json:"exposure,omitzero"`

	// storage bounds spec.storage of the tenants.
	//
	// +optional
	Storage StorageBounds `json:"storage,omitzero"`

	// server bounds spec.server of the tenants.
	//
	// +optional
	Server ServerBounds `json:"server,omitzero"`

	// rateLimit is the most that a tenant may set in spec.rateLimit.
	//
	// +optional
	RateLimit RateLimit `json:"rateLimit,omitzero"`

	// retention is the longest that a tenant may set in spec.retention.
	//
	// +optional
	Retention RetentionBounds `json:"retention,omitzero"`
}

// ExposureBounds are what tenants may ask for in spec.exposure.
type ExposureBounds struct {
	// types of exposure that tenants may have.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Types []ExposureType `json:"types,omitzero"`

	// hosts say which tenants may claim which hosts. A tenant may claim a host that one of them allows, and the operator's rules too.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Hosts []HostRule `json:"hosts,omitzero"`

	// ingress bounds spec.exposure.ingress of the tenants.
	//
	// +optional
	Ingress IngressBounds `json:"ingress,omitzero"`

	// gateway bounds spec.exposure.gateway of the tenants.
	//
	// +optional
	Gateway GatewayBounds `json:"gateway,omitzero"`
}

// HostRule lets the tenants of some namespaces claim some hosts.
type HostRule struct {
	// namespaceSelector selects the namespaces by their labels. Default: all.
	//
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// patterns are hosts such as contoso.scim.example.com, all hosts below a domain as in *.scim.example.com, or * for every host. In a pattern
	// {namespace} and {name} stand for the tenant's.
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Patterns []HostPattern `json:"patterns,omitempty"`
}

// HostPattern is a pattern of hosts.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self == '*' || self.matches('^([*][.])?([a-z0-9]|[{](namespace|name)[}])(-|[a-z0-9]|[{](namespace|name)[}])*([.]([a-z0-9]|[{](namespace|name)[}])(-|[a-z0-9]|[{](namespace|name)[}])*)*$')",message="must be a host such as contoso.scim.example.com, *.DOMAIN or *, in which {namespace} and {name} stand for the tenant's"
type HostPattern string

// IngressBounds are what tenants may ask for in spec.exposure.ingress.
type IngressBounds struct {
	// classNames are the IngressClasses that tenants may have.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	ClassNames []string `json:"classNames,omitzero"`

	// annotationPrefixes are those with one of which an annotation of a tenant's Ingress must begin, such as
	// nginx.ingress.kubernetes.io/proxy-. What an annotation may do is decided by the ingress controller: some let the author of an annotation
	// configure the proxy at will.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=317
	// +kubebuilder:validation:items:MinLength=1
	AnnotationPrefixes []string `json:"annotationPrefixes,omitzero"`

	// issuers are the issuers of cert-manager that tenants may name.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Issuers []IssuerReference `json:"issuers,omitzero"`
}

// GatewayBounds are what tenants may ask for in spec.exposure.gateway.
type GatewayBounds struct {
	// parentRefs are the Gateways and ListenerSets that tenants may name. One without a sectionName or port allows every listener.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	ParentRefs []GatewayReference `json:"parentRefs,omitzero"`
}

// StorageBounds are what tenants may ask for in spec.storage.
type StorageBounds struct {
	// types of storage that tenants may have.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Types []StorageType `json:"types,omitzero"`

	// sqlite bounds spec.storage.sqlite of the tenants.
	//
	// +optional
	SQLite SQLiteBounds `json:"sqlite,omitzero"`
}

// SQLiteBounds are what tenants may ask for in spec.storage.sqlite.
type SQLiteBounds struct {
	// maxSize is the largest volume that a tenant may ask for.
	//
	// +optional
	MaxSize *resource.Quantity `json:"maxSize,omitempty"`

	// storageClassNames are the StorageClasses that tenants may name.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	StorageClassNames []string `json:"storageClassNames,omitzero"`
}

// ServerBounds are what tenants may ask for in spec.server.
type ServerBounds struct {
	// maxReplicas is how many servers a tenant may have at most, by replicas or by autoscaling.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`

	// maxResources are the most that a tenant may request for its server, or set as a limit.
	//
	// +optional
	MaxResources corev1.ResourceList `json:"maxResources,omitempty"`

	// labelPrefixes are those with one of which a label must begin that a tenant gives its pods.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=317
	// +kubebuilder:validation:items:MinLength=1
	LabelPrefixes []string `json:"labelPrefixes,omitzero"`

	// annotationPrefixes are those with one of which an annotation must begin that a tenant gives its pods.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=317
	// +kubebuilder:validation:items:MinLength=1
	AnnotationPrefixes []string `json:"annotationPrefixes,omitzero"`

	// imagePullSecrets are the names of Secrets with which tenants may pull the server's image.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	ImagePullSecrets []string `json:"imagePullSecrets,omitzero"`

	// priorityClassNames are the PriorityClasses that tenants may name.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	PriorityClassNames []string `json:"priorityClassNames,omitzero"`

	// scheduling says whether tenants may choose where their servers run, by nodeSelector, tolerations, affinity or topologySpreadConstraints.
	// Default: Allowed.
	//
	// +optional
	Scheduling Permission `json:"scheduling,omitempty"`
}

// Permission says whether tenants may set something.
//
// +kubebuilder:validation:Enum=Allowed;Refused
type Permission string

const (
	// PermissionAllowed lets them.
	PermissionAllowed Permission = "Allowed"
	// PermissionRefused does not.
	PermissionRefused Permission = "Refused"
)

// RetentionBounds are how long tenants may keep records.
type RetentionBounds struct {
	// maxProvisioningLog is the longest that a tenant may keep entries of its provisioning log: from 1h to 87600h (ten years), such as 2160h.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?[hms])+$') && duration(self) >= duration('1h') && duration(self) <= duration('87600h')",message="must be a duration from 1h to 87600h, such as 2160h"
	MaxProvisioningLog *metav1.Duration `json:"maxProvisioningLog,omitempty"`
}

// ProvisioningTenantClass is what a platform decides once for many tenants: defaults, and bounds of what tenants may ask for. A tenant names its class
// in spec.className. One that names none is of the default class, which has the annotation provisioning.tenantry.dev/is-default-class: "true"; where
// several have it, of the newest. Changing a class changes its tenants, whose servers restart a few at a time.
//
// +kubebuilder:object:root=true
// +kubebuilder:metadata:annotations={"argocd.argoproj.io/sync-options=Prune=false","kustomize.toolkit.fluxcd.io/prune=disabled"}
// +kubebuilder:resource:path=provisioningtenantclasses,singular=provisioningtenantclass,scope=Cluster,shortName=ptenantclass,categories=tenantry
// +kubebuilder:printcolumn:name="Default",type=string,JSONPath=`.metadata.annotations.provisioning\.tenantry\.dev/is-default-class`
// +kubebuilder:printcolumn:name="Exposure",type=string,JSONPath=`.spec.defaults.exposure.type`
// +kubebuilder:printcolumn:name="Base Domain",type=string,JSONPath=`.spec.defaults.exposure.baseDomain`
// +kubebuilder:printcolumn:name="Storage",type=string,JSONPath=`.spec.defaults.storage.type`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must have at most 63 characters"
type ProvisioningTenantClass struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says what the class decides.
	//
	// +optional
	Spec ProvisioningTenantClassSpec `json:"spec,omitzero"`
}

// IsDefault tells whether tenants that name no class are of this one.
func (c *ProvisioningTenantClass) IsDefault() bool {
	return c.Annotations[DefaultClassAnnotation] == "true" && c.DeletionTimestamp == nil
}

// ComparePrecedence is negative where the class goes before another, both being default ones: the newest does, and of two of one moment the first by name.
func (c *ProvisioningTenantClass) ComparePrecedence(other *ProvisioningTenantClass) int {
	return cmp.Or(other.CreationTimestamp.Compare(c.CreationTimestamp.Time), cmp.Compare(c.Name, other.Name))
}

// ProvisioningTenantClassList is a list of classes.
//
// +kubebuilder:object:root=true
type ProvisioningTenantClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ProvisioningTenantClass `json:"items"`
}

// ClassStatus tells which class a tenant is of, and what of it the tenant's server follows.
type ClassStatus struct {
	// name of the class whose values the tenant has. It is empty for a tenant that ran before there was a class, and that the class does not accept.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// rateLimit that is in effect.
	//
	// +optional
	RateLimit RateLimit `json:"rateLimit,omitzero"`

	// retention that is in effect.
	//
	// +optional
	Retention Retention `json:"retention,omitzero"`
}
