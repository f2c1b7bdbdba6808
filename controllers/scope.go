package controllers

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/classes"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/internal/problem"
	"github.com/tenantry/tenantry/controllers/rollout"
	"github.com/tenantry/tenantry/controllers/storage"
)

// scope is what one reconcile of a tenant learned. Steps add to it; the status is computed from it.
type scope struct {
	// tenant as the cache has it, but for its spec: that is the one that holds once its class is resolved. Nothing else changes it.
	tenant *v1alpha1.ProvisioningTenant
	// class is what the tenant's class makes of it, and classText what is to be remembered of that.
	class     classes.Decision
	classText string
	owner     *apply.Owner
	memory    *memory

	// exposure is how the tenant is exposed.
	exposure     exposure.State
	userDefaults []string
	// ports of the cluster's own services.
	ports   desired.ClusterPorts
	storage storage.Decision
	// kept is status.storage with what becomes of a directory of which nothing was applied; nil otherwise.
	kept        *v1alpha1.StorageStatus
	credentials *v1alpha1.CredentialsStatus
	// children that were wanted this time, and the generation of each claim and route that was written.
	children []apply.Child
	written  map[string]int64
	// server is what was done with the server's Deployment.
	server rollout.Applied

	conditions []metav1.Condition
	outcome    outcome
}

func newScope(r *ProvisioningTenantReconciler, tenant *v1alpha1.ProvisioningTenant, memory *memory) *scope {
	owner := &metav1.PartialObjectMetadata{ObjectMeta: tenant.ObjectMeta}
	owner.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("ProvisioningTenant"))
	return &scope{
		tenant:   tenant,
		memory:   memory,
		exposure: exposure.State{Tenant: tenant},
		owner: &apply.Owner{
			Client: r.Client, Live: r.Live, Object: owner, Applied: r.Metrics.applied, Answers: &memory.answers,
			Labelled: func(object metav1.Object) bool { return desired.Labelled(object, tenant.Name) },
		},
		written: map[string]int64{},
	}
}

// serverKey names the Deployment and the Service of a tenant.
func serverKey(tenant client.ObjectKey) client.ObjectKey {
	return client.ObjectKey{Namespace: tenant.Namespace, Name: desired.ServerName(tenant.Name)}
}

func (s *scope) serverKey() client.ObjectKey { return serverKey(client.ObjectKeyFromObject(s.tenant)) }

// applied takes notice of a child that is as it should be, and of its generation if it was written for that.
func (s *scope) applied(kind string, generation int64) {
	switch {
	case kind == kindDeployment:
		s.server = rollout.Applied{Done: true, Written: generation}
	case generation > 0:
		s.written[kind] = generation
	}
}

// found adds a condition. One that a typed error speaks of wins, so it may be called with the better news as well.
func (s *scope) found(condition metav1.Condition) {
	s.conditions = append(s.conditions, condition)
}

// fail adds an error, and the condition that is False because of it.
func (s *scope) fail(err error) {
	s.outcome.add(err)
	var stalled *problem.Stalled
	var waiting *problem.Waiting
	switch {
	case errors.As(err, &stalled):
		s.found(conditions.False(stalled.Condition, stalled.Reason, stalled.Message))
	case errors.As(err, &waiting):
		s.found(conditions.False(waiting.Condition, waiting.Reason, waiting.Message))
	}
}

// tell adds what was found of the exposure.
func (s *scope) tell(findings exposure.Findings) {
	s.fail(findings.Err)
	for _, condition := range findings.Conditions {
		s.found(condition)
	}
}

// before is the condition as the status has it.
func (s *scope) before(conditionType string) metav1.Condition {
	return conditions.Of(s.tenant.Status.Conditions, conditionType)
}

// has tells whether something was found about a condition already.
func (s *scope) has(conditionType string) bool {
	for _, condition := range s.conditions {
		if condition.Type == conditionType {
			return true
		}
	}
	return false
}

// desired is the tenant as package desired wants it.
func (s *scope) desired(options Options) desired.Tenant {
	pods, policy := s.class.Platform()
	return desired.Tenant{
		Resource:    s.tenant,
		Pods:        pods,
		Policy:      policy,
		Class:       s.classText,
		ServerImage: options.ServerImage,
		Host:        s.exposure.Host, AdditionalHosts: s.exposure.Hosts.Additional,
		RouteName:      s.exposure.RouteName,
		IngressClass:   s.exposure.IngressClass(options.IngressClass),
		Gateways:       s.exposure.Gateways,
		EntraAuthority: options.EntraAuthority,
		PlatformIDs:    options.PlatformIDs,
		Ports:          s.ports,
		UserDefaults:   s.userDefaults,
		Engine:         s.storage.Engine,
		Claim:          s.storage.Claim,
		Moved:          s.storage.InDatabase(),
		Stopped:        s.storage.Step.Stopped(),
	}
}
