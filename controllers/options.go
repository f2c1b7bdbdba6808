package controllers

import (
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/hosts"
)

// Options are what the operator is told from outside.
type Options struct {
	// ServerImage is the image of the SCIM server.
	ServerImage string
	// BaseDomain gives a tenant without a host the host <name>.<BaseDomain>. Empty: such a tenant is told to set one.
	BaseDomain string
	// IngressClass is the class of the Ingress of a tenant that names none. Empty for the cluster's default.
	IngressClass string
	// Gateway has the HTTPRoutes of tenants that name no Gateway. Its namespace is given. Empty: such a tenant is told to name one.
	Gateway v1alpha1.GatewayReference
	// EntraAuthority is the base URL of a login authority that operator and servers ask in place of Microsoft's. Empty for
	// Microsoft's.
	EntraAuthority string
	// PlatformIDs leaves it to the cluster which user and groups the servers' pods have: see AssignsIDs.
	PlatformIDs bool
	// Ports of the cluster's own services, for NetworkPolicies; found out where a list is empty.
	Ports desired.ClusterPorts
	// RecheckClusterPorts is how often they are found out; a minute where it is 0.
	RecheckClusterPorts time.Duration
	// RecheckGatewayAPI is how often the API server is asked whether it knows HTTPRoutes; 30 seconds where it is 0.
	RecheckGatewayAPI time.Duration
	// RecheckClasses is how often the API server is asked whether it knows classes of tenants; 30 seconds where it is 0.
	RecheckClasses time.Duration
	// Namespaces are those that are served, as the manager's cache has them; empty for all.
	Namespaces map[string]cache.Config
	// MaxUpgrades is how many servers may restart at a time because the operator, and mostly their image, is another one.
	MaxUpgrades int
	// RecheckUpgrades is when a server that waits for its upgrade asks again, up to half as long again; 30 seconds where it is 0.
	RecheckUpgrades time.Duration
	// LeaseNamespace is the operator's own, where the Leases are that say who holds a host.
	LeaseNamespace string
	// HostReservation is how long a host that was let go stays reserved for its namespace; 0 for not at all.
	HostReservation time.Duration
	// HostRules say who may claim which hosts; everybody every host where there are none.
	HostRules []hosts.Rule
	// RecheckIngressClass is how long an Ingress waits for a controller before the default class is asked for again; two minutes where it is 0.
	RecheckIngressClass time.Duration
	// RecheckHosts is when a tenant asks again whose host no rule allows; 30 seconds where it is 0.
	RecheckHosts time.Duration
	// RecheckSecrets is how often at most a Secret is looked for that was deleted after copying, and about how often one with a connection URL; a
	// minute where it is 0.
	RecheckSecrets time.Duration
	// RecheckOperators is how often it is looked whether the operator of another namespace still works that serves a tenant; a minute where it is 0.
	RecheckOperators time.Duration
	// RecheckCRDs is how often it is looked whether the cluster's CRDs have all fields; a minute where it is 0.
	RecheckCRDs time.Duration
	// DefaultClass is a class that the operator makes, as of the values of its chart; nil for none.
	DefaultClass *unstructured.Unstructured
	// Concurrency is how many resources of one kind are reconciled at a time.
	Concurrency int

	// CheckFilter returns why a string is no SCIM filter over users of a tenant that declares these schemas, or nil. The
	// server's parser stands behind it; the operator does not import it.
	CheckFilter func(declared v1alpha1.Schema, filter string) error
	// CheckAttribute returns why a value cannot be the default of the attribute at path of such a user, or nil.
	CheckAttribute func(declared v1alpha1.Schema, path, value string) error

	// Registerer gets the operator's metrics; nil for none.
	Registerer prometheus.Registerer
	// HTTP asks the login authority.
	HTTP *http.Client
	// Random is where tokens come from: crypto/rand.Reader.
	Random io.Reader
	// Clock dates tokens and transitions.
	Clock clock.PassiveClock
}

// serves tells whether tenants of the namespace are the operator's.
func (o Options) serves(namespace string) bool {
	_, named := o.Namespaces[namespace]
	return named || len(o.Namespaces) == 0
}
