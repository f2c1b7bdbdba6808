// Package desired says which objects a tenant should have. It is pure: a Tenant goes in, apply configurations come out,
// and the same Tenant gives the same bytes every time, so that a restart of the operator changes nothing.
package desired

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	// ManagedBy is the value of the label app.kubernetes.io/managed-by on every object of a tenant.
	ManagedBy = "tenantry-operator"

	// ManagedByLabel says who looks after an object.
	ManagedByLabel = "app.kubernetes.io/managed-by"

	// AnnotationTemplate on the Deployment is a hash of the pods that were applied.
	AnnotationTemplate = v1alpha1.GroupName + "/template"
	// AnnotationUpgrade on the Deployment is the revision of the operator that gave these pods to a server which was available.
	AnnotationUpgrade = v1alpha1.UpgradeAnnotation
	// AnnotationAccount on the server's pods is the UID of their ServiceAccount.
	AnnotationAccount = v1alpha1.GroupName + "/service-account"
	// AnnotationPublic on a reader's Secret repeats what that holds beside the token, as JSON, so that nobody must read it to know.
	AnnotationPublic = v1alpha1.GroupName + "/public"
	// AnnotationClass on the ServiceAccount is what the tenant's class decided last, as JSON: a tenant that its class does not accept goes on with it.
	AnnotationClass = v1alpha1.GroupName + "/class"
	// AnnotationPlace on an Ingress or HTTPRoute is its Place.
	AnnotationPlace = v1alpha1.GroupName + "/place"
	// AnnotationReadiness on an Ingress is how it is known that it works, where that is not by its status. It stays true of an Ingress that the spec
	// speaks of no more.
	AnnotationReadiness = v1alpha1.GroupName + "/readiness"
	// AnnotationTenantURL on the credentials Secret repeats the Tenant URL that it holds, for the same reason.
	AnnotationTenantURL = v1alpha1.GroupName + "/tenant-url"

	dataSuffix = "-data"
	tlsSuffix  = "-tls"
	moveSuffix = "-move"
	// connectSuffix is that of the Job that tries the connection before.
	connectSuffix = "-connect"
)

// Tenant is all that the objects of a tenant follow from.
type Tenant struct {
	// Resource is the tenant with the spec that holds for it: its author's, and what its class and the defaults add.
	Resource *v1alpha1.ProvisioningTenant
	// Class is what is to be remembered of the tenant's class, as JSON; "" for nothing.
	Class string
	// Pods and Policy are what the platform alone decides of the pods and of the NetworkPolicy.
	Pods   v1alpha1.ClassServer
	Policy v1alpha1.ClassNetworkPolicy
	// ServerImage is the image of the SCIM server.
	ServerImage string
	// Host is the DNS name that the route serves; empty where the tenant has none to serve.
	Host string
	// AdditionalHosts are others that the route serves too.
	AdditionalHosts []string
	// RouteName is the name of the Ingress or HTTPRoute; that of the server where left out.
	RouteName string
	// IngressClass is the class of the Ingress; empty for the cluster's default.
	IngressClass string
	// Gateways that the HTTPRoute is on, each with its kind and namespace.
	Gateways []v1alpha1.GatewayReference
	// EntraAuthority is the login authority in place of Microsoft's; empty for Microsoft's.
	EntraAuthority string
	// PlatformIDs leaves it to the cluster which user and groups the pods have.
	PlatformIDs bool
	// Ports at which the cluster's own services listen.
	Ports ClusterPorts
	// UserDefaults are the names of those that the server follows, sorted.
	UserDefaults []string
	// Engine that the server works with: that of the spec, but for a directory that has yet to be moved to it.
	Engine v1alpha1.StorageType
	// Claim is the volume claim that the server works with, or did until the directory moved; nil where there should be none.
	Claim *Claim
	// Moved tells that the directory on the volume was moved to PostgreSQL.
	Moved bool
	// Stopped tells that no server may run, because the directory is being moved.
	Stopped bool
}

// hosts are those that the route serves, sorted: the same hosts make the same route, whichever of them the Tenant URL has.
func (t *Tenant) hosts() []string {
	return slices.Sorted(slices.Values(append([]string{t.Host}, t.AdditionalHosts...)))
}

// ServerName is the name of the ServiceAccount, Role, RoleBinding, Deployment, HorizontalPodAutoscaler, PodDisruptionBudget,
// Service, NetworkPolicy, Ingress and HTTPRoute.
func ServerName(tenant string) string { return tenant + v1alpha1.ServerSuffix }

// DataName is the name of the volume claim.
func DataName(tenant string) string { return tenant + dataSuffix }

// MoveName is the name of the Job that moves the directory to PostgreSQL.
func MoveName(tenant string) string { return tenant + moveSuffix }

// ConnectName is the name of the Job that tries the connection to PostgreSQL before the directory moves.
func ConnectName(tenant string) string { return tenant + connectSuffix }

// CredentialsName is the name of the Secret that a person copies from.
func CredentialsName(tenant string) string { return tenant + v1alpha1.CredentialsSuffix }

// VerifierName is the name of the Secret with the hashes.
func VerifierName(tenant string) string { return tenant + v1alpha1.VerifierSuffix }

// Labels are on every object of the tenant. The label app.kubernetes.io/instance is not among them: Argo CD takes an object without an
// owner for part of the Application of that name, and deletes it as one that is not in Git.
func Labels(tenant string) map[string]string {
	return map[string]string{
		"app.kubernetes.io/name": "tenantry-scimserver",
		ManagedByLabel:           ManagedBy,
		v1alpha1.TenantLabel:     tenant,
	}
}

// Labelled tells whether an object has the labels of one of the tenant.
func Labelled(object metav1.Object, tenant string) bool {
	labels := object.GetLabels()
	return labels[v1alpha1.TenantLabel] == tenant && labels[ManagedByLabel] == ManagedBy
}

// selector tells the tenant's pods from all others. It is immutable in a Deployment, so it never grows.
func selector(tenant string) map[string]string {
	return map[string]string{
		"app.kubernetes.io/name": "tenantry-scimserver",
		v1alpha1.TenantLabel:     tenant,
	}
}

// owner makes garbage collection delete an object with its tenant.
func owner(tenant *v1alpha1.ProvisioningTenant) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1alpha1.SchemeGroupVersion.String()).
		WithKind("ProvisioningTenant").
		WithName(tenant.Name).
		WithUID(tenant.UID).
		WithController(true).
		WithBlockOwnerDeletion(true)
}
