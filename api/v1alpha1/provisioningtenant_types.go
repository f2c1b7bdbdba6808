package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ProvisioningTenantSpec says what one provisioning tenant should be.
//
// +kubebuilder:validation:XValidation:rule="has(self.identityProvider) || !has(self.authentication) || !(has(self.authentication.workloadIdentity) || has(self.authentication.entraToken) || has(self.authentication.userToken))",message="identityProvider must be specified where authentication has workloadIdentity, entraToken or userToken: its login authority signs those tokens"
// +kubebuilder:validation:XValidation:rule="has(self.className) || (self.?storage.?type.orValue('SQLite') != 'PostgreSQL' || has(self.storage.postgresql))",message="storage.postgresql must be given when storage.type is PostgreSQL: it names the Secret with the connection URL"
// +kubebuilder:validation:XValidation:rule="has(self.className) || (!has(self.server) || self.?storage.?type.orValue('SQLite') == 'PostgreSQL' || !(has(self.server.autoscaling) || has(self.server.replicas) && self.server.replicas > 1))",message="storage.type must be PostgreSQL for server.autoscaling or more than one of server.replicas: one server has a SQLite directory to itself"
// +kubebuilder:validation:XValidation:rule="self.?deletionPolicy.orValue('Retain') != 'Delete' || self.?storage.?type.orValue('SQLite') != 'PostgreSQL'",message="deletionPolicy must be Retain where storage.type is PostgreSQL: the operator deletes nothing in your database"
// +kubebuilder:validation:XValidation:rule="self.?storage.?sqlite.?storageClassName.hasValue() == oldSelf.?storage.?sqlite.?storageClassName.hasValue() && (!self.?storage.?sqlite.?storageClassName.hasValue() || self.storage.sqlite.storageClassName == oldSelf.storage.sqlite.storageClassName)",message="storage.sqlite.storageClassName is immutable: a volume cannot change its class"
type ProvisioningTenantSpec struct {
	// displayName is the customer's name as people write it. It is shown, never matched on.
	// Default: the resource's name.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	DisplayName string `json:"displayName,omitempty"`

	// className is the ProvisioningTenantClass of the tenant: what the platform decided for many tenants, and what they may ask for. Default: the
	// class that the platform made the default one, if there is any. Condition ClassInEffect tells whether the tenant has what the class says.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a ProvisioningTenantClass, of lower-case letters, digits, '-' and '.' such as standard"
	ClassName string `json:"className,omitempty"`

	// identityProvider is where the customer's people are kept, and what provisions them into this tenant. A tenant without one takes
	// whoever has its Secret Token.
	//
	// +optional
	IdentityProvider *IdentityProvider `json:"identityProvider,omitempty"`

	// provisioning says what clients that provision may do, such as Microsoft Entra ID. Requests that it holds back are answered 503 with
	// Retry-After, so that Entra tries again later and deletes nothing. It does not concern readers and people: see access.
	//
	// +optional
	// +kubebuilder:default={}
	Provisioning Provisioning `json:"provisioning,omitzero"`

	// access says whether applications may use what is stored: by the credentials of readers, and by the tokens of people at /Me.
	// It does not concern clients that provision: see provisioning.
	//
	// +optional
	// +kubebuilder:default={}
	Access Access `json:"access,omitzero"`

	// catalog lists the companies and roles that exist in the application. UserDefaults may name only these.
	//
	// +optional
	Catalog Catalog `json:"catalog,omitzero"`

	// authentication says how clients prove who they are.
	//
	// +optional
	// +kubebuilder:default={}
	Authentication Authentication `json:"authentication,omitzero"`

	// exposure says how the tenant's SCIM server is reached from outside the cluster.
	//
	// +optional
	Exposure Exposure `json:"exposure,omitzero"`

	// storage says where the directory, the tenant's users and groups, is kept.
	//
	// +optional
	Storage Storage `json:"storage,omitzero"`

	// retention says how long records are kept.
	//
	// +optional
	Retention Retention `json:"retention,omitzero"`

	// rateLimit holds back a client that asks more than its share. Requests above it are answered 429 with Retry-After.
	//
	// +optional
	RateLimit RateLimit `json:"rateLimit,omitzero"`

	// schema declares what the tenant's users and groups have beside the schemas that every tenant has.
	//
	// +optional
	Schema Schema `json:"schema,omitzero"`

	// server shapes the pod that runs the tenant's SCIM server.
	//
	// +optional
	Server Server `json:"server,omitzero"`

	// deletionPolicy says what becomes of the directory's data when this resource is deleted. With Retain the volume
	// claim or the schema of the database stays, and applying a tenant of the same name and Entra tenant ID in the same namespace finds
	// the data again. With Delete the claim is deleted together with the tenant; a schema is yours to drop. A change is in effect once
	// status.storage.deletionPolicy says so. Default: Retain. More values may come.
	//
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// RateLimit is how many requests one credential may send to one replica of the tenant's SCIM server. All requests without a
// valid credential count together as those of one more, so that they never use up what a valid one has. In a bulk request
// each operation counts, and a large request or answer counts as several. All readers together may send four times as many. Of people
// with tokens of their own each may send as many, and all together four times as many. A change takes effect at once.
type RateLimit struct {
	// requestsPerSecond is how many requests a credential may send each second in the long run. Microsoft Entra ID
	// sends about 25. Default: 200.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	RequestsPerSecond *int32 `json:"requestsPerSecond,omitempty"`

	// burst is how many requests a credential that was quiet may send at once. Default: 400.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	Burst *int32 `json:"burst,omitempty"`
}

// DeletionPolicy says what becomes of a tenant's data when the tenant is deleted.
//
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

const (
	// DeletionPolicyRetain keeps the volume claim, or the schema.
	DeletionPolicyRetain DeletionPolicy = "Retain"
	// DeletionPolicyDelete deletes the volume claim with the tenant.
	DeletionPolicyDelete DeletionPolicy = "Delete"
)

// Switch turns something on or off.
//
// +kubebuilder:validation:Enum=Enabled;Disabled
type Switch string

const (
	// SwitchEnabled turns it on.
	SwitchEnabled Switch = "Enabled"
	// SwitchDisabled turns it off.
	SwitchDisabled Switch = "Disabled"
)

// State says whether requests are answered or held back.
//
// +kubebuilder:validation:Enum=Active;Suspended
type State string

const (
	// StateActive answers them.
	StateActive State = "Active"
	// StateSuspended answers 503 with Retry-After.
	StateSuspended State = "Suspended"
)

// Provisioning says what clients that provision may do. They are those with the Secret Token, with an access token of the tenant's
// token endpoint, or with a token of Microsoft Entra ID's own.
type Provisioning struct {
	// state is Active, or Suspended: then every request of such a client to the Tenant URL is answered 503 with Retry-After, reads too,
	// once it is known who sends it. Nothing is deleted, pods and credentials stay as they are, the token endpoint issues tokens, and
	// the administrative port answers. It takes effect at once, and so does its end. An import needs Suspended.
	// More values may come.
	//
	// +optional
	// +kubebuilder:default=Active
	State State `json:"state,omitempty"`

	// users switches the provisioning of users on or off. Where it is off, requests on users are answered 503 with Retry-After, and
	// discovery does not list the resource type, to a client that provisions.
	//
	// +optional
	// +kubebuilder:default=Enabled
	Users Switch `json:"users,omitempty"`

	// groups switches the provisioning of groups and their memberships in the same way.
	//
	// +optional
	// +kubebuilder:default=Enabled
	Groups Switch `json:"groups,omitempty"`
}

// Access says whether applications may use what is stored in the directory.
type Access struct {
	// state is Active, or Suspended: then every request with a reader's credential or a person's token is answered 503 with
	// Retry-After, once it is known who sends it, the provisioning log on the administrative port included. Credentials stay valid. It
	// takes effect at once, and so does its end. More values may come.
	//
	// +optional
	// +kubebuilder:default=Active
	State State `json:"state,omitempty"`
}

// Catalog lists what exists in the application. Names are compared exactly.
type Catalog struct {
	// companies are the names of the application's companies.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Companies []string `json:"companies,omitempty"`

	// roles are the names of the application's roles.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Roles []string `json:"roles,omitempty"`
}

// Retention says how long records are kept.
type Retention struct {
	// deactivatedUsers is for how long a user must be inactive, its active attribute false, until the server deletes it with
	// its memberships: from 24h to 87600h (ten years), in hours, minutes and seconds such as 2160h. The time counts from the
	// change that made the user inactive, also where that was before this was set. Microsoft Entra ID may make a user active again
	// for 30 days (720h) after it was removed there, so less than that loses memberships that Entra does not send again. None is
	// deleted while provisioning is suspended or that of users is disabled. Default: never.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?[hms])+$') && duration(self) >= duration('24h') && duration(self) <= duration('87600h')",message="must be a duration from 24h to 87600h such as 2160h: users that are inactive for so long are deleted"
	DeactivatedUsers *metav1.Duration `json:"deactivatedUsers,omitempty"`

	// provisioningLog is how long an entry of the provisioning log is kept, from 1h to 87600h (ten years): hours, minutes
	// and seconds, such as 720h or 36h30m. However young they are, no more than the newest 1,000,000 entries are kept, and none
	// older than the newest 20,000 that name more than 100 members of a group. Default: 720h, which is 30 days.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?[hms])+$') && duration(self) >= duration('1h') && duration(self) <= duration('87600h')",message="must be a duration from 1h to 87600h, such as 720h or 36h30m"
	ProvisioningLog metav1.Duration `json:"provisioningLog,omitzero"`
}

// ProvisioningTenant is one provisioning tenant: a SCIM 2.0 server of its own with a secret token, a public URL and a
// directory into which Microsoft Entra ID provisions the users and groups of one customer.
//
// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:metadata:annotations={"argocd.argoproj.io/sync-options=Prune=false","kustomize.toolkit.fluxcd.io/prune=disabled"}
// +kubebuilder:resource:path=provisioningtenants,singular=provisioningtenant,shortName=ptenant,categories=tenantry
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Tenant URL",type=string,JSONPath=`.status.tenantURL`
// +kubebuilder:printcolumn:name="Users",type=integer,JSONPath=`.status.directory.users`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.status.class.name`,priority=1
// +kubebuilder:printcolumn:name="Groups",type=integer,JSONPath=`.status.directory.groups`,priority=1
// +kubebuilder:printcolumn:name="Provisioning",type=string,JSONPath=`.spec.provisioning.state`,priority=1
// +kubebuilder:printcolumn:name="Access",type=string,JSONPath=`.spec.access.state`,priority=1
// +kubebuilder:printcolumn:name="Last Request",type=date,JSONPath=`.status.activity.lastRequestTime`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 52",message="metadata.name must have at most 52 characters: the names of the tenant's objects add to it"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be a DNS label that begins with a letter, of lower-case letters, digits and '-', because it becomes part of a host name and of a Service's name"
// +kubebuilder:validation:XValidation:rule="oldSelf.spec.?storage.?type.orValue('SQLite') != 'PostgreSQL' || self.spec.?storage.?type.orValue('SQLite') == 'PostgreSQL' || self.?status.?storage.?type.orValue('SQLite') != 'PostgreSQL' || !has(self.status.directory) || !has(self.status.directory.id)",message="spec.storage.type must stay PostgreSQL: the directory is there. To go back to SQLite, export it and import it into a new tenant"
type ProvisioningTenant struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says what the tenant should be.
	//
	// +optional
	// +kubebuilder:default={}
	Spec ProvisioningTenantSpec `json:"spec,omitzero"`

	// status is what was seen of it.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status ProvisioningTenantStatus `json:"status,omitzero"`
}

// ProvisioningTenantList is a list of tenants.
//
// +kubebuilder:object:root=true
type ProvisioningTenantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ProvisioningTenant `json:"items"`
}
