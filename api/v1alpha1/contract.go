package v1alpha1

import (
	"fmt"
	"time"
)

// The operator and the SCIM server must agree on these.
const (
	// BasePath is where the SCIM endpoints of a tenant begin; a Tenant URL is https://, the host and this.
	BasePath = "/scim/v2"

	// TokenPath is where the OAuth 2.0 token endpoint of a tenant is, beside its SCIM endpoints.
	TokenPath = "/oauth2/token" //nolint:gosec // a path, not a credential

	// OAuthMetadataPath is where the metadata of that endpoint is (RFC 8414 section 3): its issuer is the Tenant URL's scheme and host.
	OAuthMetadataPath = "/.well-known/oauth-authorization-server"

	// FrontPagePath is where a person who opens the host in a browser finds a page that says what it is.
	FrontPagePath = "/"

	// ServerSuffix is added to a tenant's name to name what belongs to its server, the Service too. Without one a tenant called "default" would
	// claim its namespace's default ServiceAccount.
	ServerSuffix = "-scim"

	// ServerPort is the TCP port on which the SCIM server serves clients.
	ServerPort = 8080
	// AdminPort is the TCP port on which it serves those who run it.
	AdminPort = 8081
	// HealthPath on the admin port answers 200 while the process should live.
	HealthPath = "/healthz"
	// ReadyPath on the admin port answers 200 while the server can take requests.
	ReadyPath = "/readyz"
	// MetricsPath on the admin port serves Prometheus metrics.
	MetricsPath = "/metrics"
	// LogPath on the admin port serves the provisioning log to whoever has a token of the tenant.
	LogPath = "/log"
	// ExportPath on the admin port serves the whole directory to whoever has the Secret Token.
	ExportPath = "/export"
	// ImportPath on the admin port takes a whole directory from whoever has the Secret Token, while provisioning is suspended.
	ImportPath = "/import"

	// MaxUserDefaults is how many UserDefaults of a tenant its server follows: so many names status.userDefaults holds.
	MaxUserDefaults = 1000
	// MaxDefaultsRefusal is how long the server's reason to refuse a UserDefaults may be in the tenant's status, in bytes. A tenant may have
	// MaxUserDefaults of them, and etcd takes 1.5 MiB.
	MaxDefaultsRefusal = 256
	// MaxSchemaRefusal is how long the server's reason to refuse a declared schema may be there, in bytes.
	MaxSchemaRefusal = 1024

	// StorageProblemLifetime is for how long after its observedTime status.storage.problem or .connectionProblem counts. A pod that has a problem
	// writes it three times in that time.
	StorageProblemLifetime = 90 * time.Second

	// DataPath is where the tenant's volume is mounted in the server's container.
	DataPath = "/data"

	// DatabasePath is where the Secret with the connection URL of a PostgreSQL is mounted in the server's container, a file a key.
	DatabasePath = "/database"

	// AuthoritiesPath is where the ConfigMap with a platform's own certificate authorities is mounted in the server's container, and what AuthoritiesVariable
	// names, as Go reads it.
	AuthoritiesPath = "/authorities"
	// AuthoritiesVariable is the environment variable that names folders with certificate authorities.
	AuthoritiesVariable = "SSL_CERT_DIR"

	// CredentialsSuffix is added to a tenant's name to name the Secret that a person copies from.
	CredentialsSuffix = "-credentials"
	// CredentialsTokenKey is its key for the Secret Token.
	CredentialsTokenKey = "token"
	// CredentialsTenantURLKey is its key for the Tenant URL.
	CredentialsTenantURLKey = "tenantURL"
	// CredentialsClientIDKey is its key for the client ID of the tenant's OAuth client.
	CredentialsClientIDKey = "clientID"
	// CredentialsClientSecretKey is its key for the client's secret.
	CredentialsClientSecretKey = "clientSecret"
	// CredentialsTokenURLKey is its key for the URL of the token endpoint.
	CredentialsTokenURLKey = "tokenURL"
	// CredentialsReaderPrefix begins what names the token of a reader among a tenant's credentials; the reader's name follows.
	CredentialsReaderPrefix = "reader."

	// ReaderInfix stands between the names of a tenant and a reader in the name of the Secret with that reader's token. It has a dot, as neither of
	// the names has, so that the Secret is no other tenant's.
	ReaderInfix = "-reader."
	// ReaderTokenKey is the key there for the token.
	ReaderTokenKey = "token"
	// ReaderTypeKey is the key for ReaderType, as the Service Binding specification for Kubernetes wants it.
	ReaderTypeKey = "type"
	// ReaderType is what a reader's Secret leads to.
	ReaderType = "scim"
	// ReaderURIKey is the key for the Tenant URL, named as that specification names it.
	ReaderURIKey = "uri"
	// ReaderEntraTenantIDKey is the key for the ID of the Entra tenant whose people are read.
	ReaderEntraTenantIDKey = "entraTenantID"
	// ReaderExpiresAtKey is the key for the time at which the token ends if it is rotated as the spec says, in RFC 3339.
	ReaderExpiresAtKey = "expiresAt"

	// VerifierSuffix is added to a tenant's name to name the Secret with the hashes that the server checks against.
	VerifierSuffix = "-verifier"
	// VerifierKey is its one key; package token has the format of the value.
	VerifierKey = "verifiers.json"

	// TenantLabel is on every object of a tenant and holds the tenant's name.
	TenantLabel = GroupName + "/tenant"

	// RotateAnnotationPrefix and the key of a credential (token, clientSecret, or reader. and the name of a reader) name the annotation on a
	// ProvisioningTenant that asks for a new one. Its value is the time of asking in RFC 3339, and where the overlap is to be another than that of
	// the spec, a comma and overlap= with a duration: 2026-11-23T12:00:00Z,overlap=0s. Each later time asks once.
	RotateAnnotationPrefix = "rotate." + GroupName + "/"
	// RevokeAnnotationPrefix and the key of a credential name the annotation that asks to end at once the one that is valid beside the newest
	// since a rotation. Its value is the time of asking.
	RevokeAnnotationPrefix = "revoke." + GroupName + "/"
	// AccessTokensCredential is the key with which RotateAnnotationPrefix ends all access tokens of the tenant.
	AccessTokensCredential = "accessTokens"

	// ReconcileAnnotation on a ProvisioningTenant with the value ReconcileDisabled makes the operator keep its hands off the tenant: nothing is
	// applied, put back, rotated or looked at until the annotation is gone, except that spec.deletionPolicy Retain is put into force, because it only
	// keeps data. Any other value asks for nothing, and condition RequestsObeyed says so. Clients are served as before, and the tenant's server goes
	// on following the resources.
	ReconcileAnnotation = GroupName + "/reconcile"
	// ReconcileDisabled is its value.
	ReconcileDisabled = "disabled"

	// CredentialsAnnotation on the Secrets of a tenant tells of each credential in them without a secret, as JSON; package token has the format.
	CredentialsAnnotation = GroupName + "/credentials"
	// EndedAnnotation on the verifier Secret has what status.credentials.ended has, as JSON. It is written with the write that ends a credential.
	EndedAnnotation = GroupName + "/ended"

	// DefaultClassAnnotation on a ProvisioningTenantClass, with the value true, makes it the class of tenants that name none.
	DefaultClassAnnotation = GroupName + "/is-default-class"

	// AdoptDirectoryAnnotation on a ProvisioningTenant lets its server take a directory that is not the tenant's, or begin with an empty
	// one where the tenant's is missing. Its value is what the message of condition StorageReady says. It names one directory, so it has
	// no effect afterwards.
	AdoptDirectoryAnnotation = GroupName + "/adopt-directory"
)

// ServiceURL is where clients in the cluster find a tenant's SCIM endpoints. It is the tenant's alone and never changes, so it is an audience of
// tokens too.
func ServiceURL(namespace, tenant string) string {
	return fmt.Sprintf("http://%s%s.%s.svc%s", tenant, ServerSuffix, namespace, BasePath)
}

// The manifests of the operator, the operator itself and those who ask how it is must agree on these.
const (
	// NameLabel is the label by which pods and Deployments say what they are.
	NameLabel = "app.kubernetes.io/name"
	// OperatorName is its value on the Deployment and the pods of the operator.
	OperatorName = "tenantry-operator"
	// VersionLabel has the version of what was installed, where the tool that installed it says so.
	VersionLabel = "app.kubernetes.io/version"
	// OperatorContainer is the container of the operator in its pods.
	OperatorContainer = "operator"
	// ServerContainer is the container of the SCIM server in a tenant's pods.
	ServerContainer = "scimserver"
	// LeaderLease names the Lease by which the operators of one namespace elect the one that works.
	LeaderLease = "operator." + GroupName
	// UpgradeAnnotation on the Deployment of a server says for which revision of the operator it was last changed.
	UpgradeAnnotation = GroupName + "/upgrade"
	// LeaseLabel tells the Leases of hosts, whose value is LeaseOfHost, from others of the operator's namespace.
	LeaseLabel = GroupName + "/lease"
	// LeaseOfHost marks the Lease of a host. Its holder is NAMESPACE/NAME/UID of a tenant.
	LeaseOfHost = "host"
)
