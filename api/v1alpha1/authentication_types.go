package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Authentication says how clients prove who they are. The Secret Token always works; everything else is off until it is
// named here.
type Authentication struct {
	// secretToken is the Secret Token that an administrator pastes into Microsoft Entra ID. It is generated when the tenant
	// is made, and stays valid until it is rotated.
	//
	// +optional
	// +kubebuilder:default={}
	SecretToken *SecretToken `json:"secretToken,omitempty"`

	// oauth gives the tenant an OAuth 2.0 client, which gets access tokens for its client ID and client secret at the
	// tenant's token endpoint (grant type client_credentials, RFC 6749 section 4.4). Both are in the credentials Secret, which is
	// made again for them where it was deleted. Taken away, the client secret and the access tokens that were issued for it end at once.
	//
	// +optional
	OAuth *OAuth `json:"oauth,omitempty"`

	// workloadIdentity lets Microsoft Entra ID get access tokens at the tenant's token endpoint with a token that Entra has
	// signed itself, so that no secret is shared (workload identity federation, RFC 7523 section 2.2).
	//
	// +optional
	WorkloadIdentity *WorkloadIdentity `json:"workloadIdentity,omitempty"`

	// entraToken accepts the token that Microsoft Entra ID sends where its Secret Token is left blank. Microsoft means it
	// for tests.
	//
	// +optional
	EntraToken *EntraToken `json:"entraToken,omitempty"`

	// userToken lets an application ask who has signed in: the endpoint /Me answers the bearer of a token that Entra issued
	// to a user with that user's resource, and nothing else.
	//
	// +optional
	UserToken *UserToken `json:"userToken,omitempty"`

	// readers are applications that read the directory. Each has a token of its own that can change nothing; it ends when
	// the reader is taken from this list. To rename a reader is to remove it and to add another. The token of a reader is in a Secret
	// of its own, NAME-reader.READER, which may be deleted after copying and is left empty when the reader is gone. A reader with a
	// serviceAccount gets no token here, because Kubernetes issues it one.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Readers []Reader `json:"readers,omitempty"`
}

// SecretToken is a generated bearer token.
type SecretToken struct {
	Rotation `json:",inline"`
}

// Rotation says when a credential is replaced by a new one, and how long the one before stays valid beside it. A rotation
// can be asked for at any time as well, by annotation or with kubectl tenantry rotate. The new credential is in the
// Secret of the one before, which is made again for it where it was deleted.
//
// +kubebuilder:validation:XValidation:rule="!has(self.overlap) || !has(self.rotationInterval) || duration(self.overlap) < duration(self.rotationInterval)",message="overlap must be shorter than rotationInterval: at most two credentials are valid at a time"
type Rotation struct {
	// rotationInterval is the age at which the operator replaces the credential: from 1h to 87600h (ten years), in hours,
	// minutes and seconds such as 4320h. Default: never by itself.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?[hms])+$') && duration(self) >= duration('1h') && duration(self) <= duration('87600h')",message="must be a duration from 1h to 87600h such as 4320h"
	RotationInterval *metav1.Duration `json:"rotationInterval,omitempty"`

	// overlap is how long the credential before stays valid after a rotation, so that there is time to hand over the new
	// one: from 0s, which ends it at once, to 8760h. Default: 168h, or half of rotationInterval where that is less.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?[hms])+$') && duration(self) <= duration('8760h')",message="must be a duration from 0s to 8760h such as 168h"
	Overlap *metav1.Duration `json:"overlap,omitempty"`
}

// OAuth is the OAuth 2.0 client of a tenant. What is said of rotation counts for its client secret; access tokens that
// were issued for the secret before end with it.
type OAuth struct {
	Rotation `json:",inline"`

	// accessTokenLifetime is how long an access token is valid, from 60 to 360 minutes, which is what Microsoft Entra ID
	// accepts. A token ends earlier when its client's secret does. It counts for tokens that are issued by workload
	// identity too. Default: 1h.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?[hms])+$') && duration(self) >= duration('1h') && duration(self) <= duration('6h')",message="must be a duration from 1h to 6h such as 90m"
	AccessTokenLifetime *metav1.Duration `json:"accessTokenLifetime,omitempty"`
}

// WorkloadIdentity says for which tokens of the Entra tenant access tokens are issued. Issuer, tenant ID and signature follow from
// spec.identityProvider.entra.
type WorkloadIdentity struct {
	// audiences are the values of the token's claim aud of which one must be there, exactly as the Microsoft Entra admin
	// center shows it, such as api://1f0c9e6a-6f43-4c43-9f0a-6a3b0d6f9a51.
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Audiences []string `json:"audiences,omitempty"`

	// subjects are the values of the token's claim sub that are let in: the object ID of the service principal that
	// provisions in the customer's Entra tenant.
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Subjects []string `json:"subjects,omitempty"`
}

// EntraToken says which tokens of the Entra tenant open the directory as they are. Issuer, tenant ID and signature follow
// from spec.identityProvider.entra.
type EntraToken struct {
	// audiences are the values of the token's claim aud of which one must be there. The default is what Microsoft Entra ID
	// uses for an application that is not of its gallery.
	//
	// +optional
	// +listType=set
	// +kubebuilder:default={"8adf8e6e-67b2-4cf2-a259-e3dc5476c621"}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Audiences []string `json:"audiences,omitempty"`

	// applications are the values of the token's claim appid (azp in tokens of version 2) that are let in. The default is
	// Entra's provisioning service. Every application that is registered in the customer's Entra tenant can get a token for
	// the audience above, so this list is what keeps them out.
	//
	// +optional
	// +listType=set
	// +kubebuilder:default={"00000014-0000-0000-c000-000000000000"}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Applications []string `json:"applications,omitempty"`
}

// UserToken says which tokens of the Entra tenant's users are answered at /Me. Issuer, tenant ID and signature follow from
// spec.identityProvider.entra.
type UserToken struct {
	// audiences are the values of the token's claim aud of which one must be there: the application's client ID or its
	// application ID URI.
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Audiences []string `json:"audiences,omitempty"`
}

// Reader is an application that reads the directory.
//
// +kubebuilder:validation:XValidation:rule="!has(self.serviceAccount) || !has(self.rotationInterval) && !has(self.overlap)",message="rotationInterval and overlap must not be specified where serviceAccount is: Kubernetes issues that reader's tokens and replaces them"
type Reader struct {
	Rotation `json:",inline"`

	// name of the reader. It names the Secret with its token, what it does in the provisioning log, and with reader. before it the annotations
	// that ask for a rotation, whose names have 63 characters at most.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=56
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be a DNS label of lower-case letters, digits and '-' such as payroll"
	Name string `json:"name,omitempty"`

	// serviceAccount makes this reader the pods of a ServiceAccount in this cluster, without a secret that anybody keeps: they
	// send a token that Kubernetes issued to them, from a projected volume or by the TokenRequest API. Its audience must be the
	// Tenant URL, or the URL of the tenant's Service, http://NAME-scim.NAMESPACE.svc/scim/v2, which stays when the host changes;
	// and it must be valid for a day at most. It is checked by the cluster's keys without a question to the API server, so it stays
	// valid until it expires though its pod or its ServiceAccount is deleted; taken from this list, it ends at once. Where several
	// readers name one ServiceAccount, it is the first of them.
	//
	// +optional
	ServiceAccount *ServiceAccountReference `json:"serviceAccount,omitempty"`
}

// ServiceAccountReference names a ServiceAccount.
type ServiceAccountReference struct {
	// name of the ServiceAccount.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a ServiceAccount, of lower-case letters, digits, '-' and '.' such as payroll"
	Name string `json:"name,omitempty"`

	// namespace of the ServiceAccount. Default: that of the tenant.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be the name of a namespace, a DNS label of lower-case letters, digits and '-' such as apps"
	Namespace string `json:"namespace,omitempty"`
}
