package exposure

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// State is how a tenant is exposed: what it has, what it should have, and what was seen of that. Each step of a reconcile adds to it.
type State struct {
	Tenant *v1alpha1.ProvisioningTenant
	// Hosts is what came of the hosts that the tenant asks for.
	Hosts hosts.Claims
	// Held tells that nothing is made for the tenant before it has a host.
	Held bool
	// Host that the tenant's route is to serve; empty where there is to be no route.
	Host string
	// Gateways that an HTTPRoute for the host is on.
	Gateways []v1alpha1.GatewayReference
	// Class that the Ingress keeps while it is not known whether that is the default; empty otherwise.
	Class string
	// Routes that the tenant owns.
	Routes []Route
	// RouteName is the name of the wanted route.
	RouteName string
	// Old is a route that is not wanted any more and leads to the published Tenant URL as long as Works is false; nil for none.
	Old *Route
	// Works tells that the wanted route works.
	Works bool
	// TenantURL as it should be; empty while the host is missing or someone else's.
	TenantURL string
}

// Findings are what is to be told of the exposure.
type Findings struct {
	// Err keeps the exposure from its end, mostly a *problem.Stalled or *problem.Waiting; nil for nothing.
	Err        error
	Conditions []metav1.Condition
}

// WithoutHost tells whether the tenant has no host and should have one.
func (s *State) WithoutHost() bool {
	return s.Hosts.Main == "" && (s.Hosts.Problem != nil || s.Hosts.Undecided)
}

// HoldBack says how a tenant goes on that has no host and should have one. It keeps the server that it may have: ran tells whether it has had a server
// or credentials.
func (s *State) HoldBack(ran bool) Findings {
	s.Held = !ran
	published := s.Tenant.Status.TenantURL
	if ran && (s.Hosts.Undecided || s.Tenant.Spec.Exposure.Type == v1alpha1.ExposureNone && published == desired.TenantURL(s.Tenant, "")) {
		s.TenantURL = published // that of the Service leads to the server whatever becomes of the host
	}
	refused := s.Hosts.Problem
	if refused == nil {
		return Findings{}
	}
	found := Findings{refused, []metav1.Condition{conditions.False(v1alpha1.ConditionExposed, refused.Reason, refused.Message)}}
	if s.Held && refused.Reason != v1alpha1.ReasonUnsupported {
		for _, conditionType := range []string{
			v1alpha1.ConditionCredentialsReady, v1alpha1.ConditionStorageReady, v1alpha1.ConditionServerAvailable, v1alpha1.ConditionRolledOut,
			v1alpha1.ConditionExposureInEffect, v1alpha1.ConditionStorageInEffect, v1alpha1.ConditionSchemaInEffect,
			v1alpha1.ConditionUserDefaultsInEffect, v1alpha1.ConditionRequestsObeyed,
		} {
			found.Conditions = append(found.Conditions,
				conditions.Unknown(conditionType, v1alpha1.ReasonWaitingForHost, "Nothing is made for the tenant before it has a host."))
		}
	}
	return found
}

// Choose finds what is to route the tenant's host, and the Tenant URL that follows. It returns why nothing can route it, nil where something can or
// nothing should. otherwise is the Gateway for tenants that name none, if it has a name.
func (s *State) Choose(otherwise v1alpha1.GatewayReference) *problem.Stalled {
	s.TenantURL = desired.TenantURL(s.Tenant, s.Hosts.Main)
	switch exposure := s.Tenant.Spec.Exposure; exposure.Type {
	case v1alpha1.ExposureIngress, "":
		if readiness := exposure.IngressReadiness(); readiness != v1alpha1.ReadinessLoadBalancerStatus && readiness != v1alpha1.ReadinessAssumed {
			return problem.NotAccepted(v1alpha1.ReasonUnsupported,
				"spec.exposure.ingress.readiness %q is of a newer version: upgrade the operator or choose LoadBalancerStatus or Assumed.", readiness)
		}
		s.Host = s.Hosts.Main
	case v1alpha1.ExposureGateway:
		gateways := parents(s.Tenant, otherwise)
		if len(gateways) == 0 {
			return problem.NotAccepted(v1alpha1.ReasonGatewayMissing, "Set spec.exposure.gateway.parentRefs: the operator has no Gateway for all tenants.")
		}
		for _, on := range gateways {
			if on.Group != v1alpha1.GatewayAPI || on.Kind != v1alpha1.KindGateway && on.Kind != v1alpha1.KindListenerSet {
				return problem.NotAccepted(v1alpha1.ReasonUnsupported,
					"spec.exposure.gateway.parentRefs: kind %q of group %q is of a newer version: upgrade the operator or choose Gateway or ListenerSet.",
					on.Kind, on.Group)
			}
		}
		s.Host, s.Gateways = s.Hosts.Main, gateways
	case v1alpha1.ExposureNone:
	default:
		return problem.NotAccepted(v1alpha1.ReasonUnsupported,
			"spec.exposure.type %q is of a newer version: upgrade the operator or choose Ingress, Gateway or None.", exposure.Type)
	}
	return nil
}

// parents are the Gateways that a tenant names, each with its kind and namespace, or else the operator's.
func parents(tenant *v1alpha1.ProvisioningTenant, otherwise v1alpha1.GatewayReference) []v1alpha1.GatewayReference {
	var named []v1alpha1.GatewayReference
	if gateway := tenant.Spec.Exposure.Gateway; gateway != nil {
		for _, parent := range gateway.ParentRefs {
			named = append(named, parent.From(tenant.Namespace))
		}
	}
	if len(named) == 0 && otherwise.Name != "" {
		named = append(named, otherwise)
	}
	return named
}

// Unrouted says why nothing can route the tenant's host, as Choose returned it. An old route goes on.
func (s *State) Unrouted(why *problem.Stalled) Findings {
	if s.Old != nil {
		return s.kept(why)
	}
	return Findings{why, []metav1.Condition{conditions.False(v1alpha1.ConditionExposed, why.Reason, why.Message)}}
}

// Unapplied says why the wanted route could not be applied, or what it does could not be found out. An old route goes on.
func (s *State) Unapplied(err error) Findings {
	if s.Old != nil {
		return s.kept(err)
	}
	return Findings{Err: err}
}

// Observe takes notice of what the wanted route does, or why that is not known, and says what follows. While it does not work, an old route may.
func (s *State) Observe(judged metav1.Condition, err error) Findings {
	s.Works = err == nil && judged.Status == metav1.ConditionTrue
	switch {
	case err != nil:
		return s.Unapplied(err)
	case s.Works || s.Old == nil:
		return Findings{Conditions: []metav1.Condition{judged}}
	}
	found := s.kept(nil)
	judged.Type = v1alpha1.ConditionExposureInEffect
	found.Conditions = append(found.Conditions, judged)
	return found
}

// kept says that the old route goes on, and why the wanted one does not work, nil where a condition says that.
func (s *State) kept(why error) Findings {
	return Findings{problem.About(v1alpha1.ConditionExposureInEffect, why), []metav1.Condition{
		conditions.True(v1alpha1.ConditionExposed, v1alpha1.ReasonRouteKept,
			fmt.Sprintf("%s %s routes %s to the server as before. Condition ExposureInEffect says why the spec is not followed yet.",
				s.Old.Kind, s.Old.GetName(), strings.Join(s.Old.Hosts, ", "))),
	}}
}

// KeepOld finds a route by which the published Tenant URL is reached and that is not the wanted one. lost tells whether a route takes requests from
// another tenant. It returns the error of that.
func (s *State) KeepOld(wantedKind string, lost func(*Route) (bool, error)) error {
	s.Old = nil
	for i := range s.Routes {
		found := &s.Routes[i]
		if !found.works || !found.Published || found.Kind == wantedKind && found.GetName() == s.RouteName {
			continue
		}
		if lost, err := lost(found); err != nil || !lost {
			s.Old = found
			return err
		}
	}
	return nil
}

// Stays tells whether a route stays: the wanted one, and until that works all whose host is not lost.
func (s *State) Stays(wanted, lost bool) bool { return wanted || !s.Works && !lost }

// Uses tells whether the tenant has the host or a route for it.
func (s *State) Uses(host string) bool {
	return s.Hosts.Has(host) || slices.ContainsFunc(s.Routes, func(route Route) bool { return slices.Contains(route.Hosts, host) })
}

// Unknown tells whether it is not known which hosts the tenant uses.
func (s *State) Unknown() bool { return s.Hosts.Undecided || s.Hosts.Unsure }
