package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// UserDefaultsSpec says which users receive which values.
type UserDefaultsSpec struct {
	// tenantRef names the ProvisioningTenant, in the same namespace, whose users these defaults are for.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="tenantRef is immutable: make a new UserDefaults for the other tenant"
	TenantRef TenantReference `json:"tenantRef,omitzero"`

	// priority orders the defaults of a tenant: the highest first, equal ones by name. The first that matches a user
	// applies to it, and no other.
	//
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=-1000000
	// +kubebuilder:validation:Maximum=1000000
	Priority int32 `json:"priority"`

	// configurationFilter matches users whose attribute
	// urn:ietf:params:scim:schemas:extension:medius:2.0:User:configurationFilter equals it, without regard to case.
	// Where filter is given too, both must hold. Where neither is given, every user matches: the fallback.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	ConfigurationFilter string `json:"configurationFilter,omitempty"`

	// filter is a SCIM filter (RFC 7644 section 3.4.2.2) over the user as the client sent it, such as
	// department eq "Finance".
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Filter string `json:"filter,omitempty"`

	// apply is OnCreate, where the values are stamped on the user when it arrives and are the client's to change from
	// then on, or Always, where they follow this resource for as long as it matches. More values may come.
	//
	// +optional
	// +kubebuilder:default=OnCreate
	Apply ApplyMode `json:"apply,omitempty"`

	// companies that the user belongs to, where the application has any. Each must be in the tenant's catalog.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Companies []string `json:"companies,omitempty"`

	// roles of the user, given where the client sent none. Each must be in the tenant's catalog.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Roles []string `json:"roles,omitempty"`

	// locale of the user as a language tag such as sv-SE (RFC 7643 section 4.1.1), given where the client sent none. Each of its
	// subtags must be in the registry of BCP 47.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=35
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$')",message="must be a language tag such as sv-SE"
	Locale string `json:"locale,omitempty"`

	// preferredLanguage of the user such as sv, or sv-SE, en;q=0.8 as in the header field Accept-Language, given where the client sent none.
	// Each subtag must be in the registry of BCP 47.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z]{1,8}([-_][A-Za-z0-9]{1,8})*|[*])([ ]*[;][ ]*[qQ]=[01]([.][0-9]{0,3})?)?([ ]*,[ ]*([A-Za-z]{1,8}([-_][A-Za-z0-9]{1,8})*|[*])([ ]*[;][ ]*[qQ]=[01]([.][0-9]{0,3})?)?)*$')",message="must be language tags as in Accept-Language, such as sv or sv-SE, en;q=0.8"
	PreferredLanguage string `json:"preferredLanguage,omitempty"`

	// timezone of the user in the IANA database such as Europe/Stockholm, given where the client sent none. It must be a name that is in
	// that database, spelled as there.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$')",message="must be a name of the IANA time zone database such as Europe/Stockholm"
	Timezone string `json:"timezone,omitempty"`

	// attributes are further values, each given where the client sent none.
	//
	// +optional
	// +listType=map
	// +listMapKey=path
	// +kubebuilder:validation:MaxItems=50
	Attributes []AttributeDefault `json:"attributes,omitempty"`
}

// TenantReference names a ProvisioningTenant in the same namespace.
type TenantReference struct {
	// name of the ProvisioningTenant.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=52
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="must be the name of a ProvisioningTenant, of lower-case letters, digits and '-' such as contoso"
	Name string `json:"name,omitempty"`
}

// ApplyMode says when defaults are applied.
//
// +kubebuilder:validation:Enum=OnCreate;Always
type ApplyMode string

const (
	// ApplyOnCreate stamps the values when the user is created.
	ApplyOnCreate ApplyMode = "OnCreate"
	// ApplyAlways makes the values follow the resource.
	ApplyAlways ApplyMode = "Always"
)

// AttributeDefault is the value of one attribute.
type AttributeDefault struct {
	// path of a writable attribute with a single value: title, name.honorificPrefix or
	// urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.matches('(?i)^(urn:ietf:params:scim:schemas:core:2[.]0:user:)?(id|meta([.].*)?|schemas|username|externalid|active|password|groups([.].*)?)$')",message="must not be id, meta, schemas, userName, externalId, active, password or groups: these are the client's or the server's"
	Path string `json:"path,omitempty"`

	// value to give. A boolean is given as "true" or "false".
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value,omitempty"`
}

// UserDefaultsStatus is what was seen of the defaults.
type UserDefaultsStatus struct {
	// observedGeneration is the generation of the spec that the conditions speak of. It is -1 until the operator has looked at the
	// resource for the first time.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// matchedUsers are the users for whom this is the first UserDefaults that matches.
	//
	// +optional
	MatchedUsers int64 `json:"matchedUsers"`

	// appliedUsers are the users who carry its values.
	//
	// +optional
	AppliedUsers int64 `json:"appliedUsers"`

	// conditions: Ready sums up, Accepted tells whether the spec makes sense for the tenant, Applied whether the
	// tenant's server works with this generation.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// UserDefaults gives the users that are provisioned into a tenant their companies, roles, locale and other settings.
// A value that the client sent always wins over a default.
//
// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:metadata:annotations={"argocd.argoproj.io/sync-options=Prune=false","kustomize.toolkit.fluxcd.io/prune=disabled"}
// +kubebuilder:resource:path=userdefaults,singular=userdefaults,shortName=udef,categories=tenantry
// +kubebuilder:selectablefield:JSONPath=`.spec.tenantRef.name`
// +kubebuilder:printcolumn:name="Tenant",type=string,JSONPath=`.spec.tenantRef.name`
// +kubebuilder:printcolumn:name="Priority",type=integer,JSONPath=`.spec.priority`
// +kubebuilder:printcolumn:name="Apply",type=string,JSONPath=`.spec.apply`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Matched",type=integer,JSONPath=`.status.matchedUsers`
// +kubebuilder:printcolumn:name="Applied",type=integer,JSONPath=`.status.appliedUsers`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type UserDefaults struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says which users receive which values.
	//
	// +required
	Spec UserDefaultsSpec `json:"spec,omitzero"`

	// status is what was seen of the defaults.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status UserDefaultsStatus `json:"status,omitzero"`
}

// UserDefaultsList is a list of UserDefaults.
//
// +kubebuilder:object:root=true
type UserDefaultsList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []UserDefaults `json:"items"`
}
