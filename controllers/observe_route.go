package controllers

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// observeRoute tells whether the host leads to the server. While the wanted route does not, an old one may.
func (r *ProvisioningTenantReconciler) observeRoute(ctx context.Context, s *scope) error {
	if s.claims.Undecided && s.claims.Main == "" {
		return nil
	}
	judged, err := r.judgeRoute(ctx, s)
	s.exposed = err == nil && judged.Status == metav1.ConditionTrue
	switch {
	case s.exposed || s.old == nil:
		if err == nil {
			s.found(judged)
		}
		return err
	case err == nil:
		judged.Type = v1alpha1.ConditionExposureInEffect
		s.found(judged)
	default:
		s.fail(about(v1alpha1.ConditionExposureInEffect, err))
	}
	s.found(s.old.kept())
	return nil
}

// judgeRoute judges the wanted route; its typed errors speak of Exposed.
func (r *ProvisioningTenantReconciler) judgeRoute(ctx context.Context, s *scope) (metav1.Condition, error) {
	key := client.ObjectKey{Namespace: s.tenant.Namespace, Name: s.routeName}
	switch {
	case s.host == "":
		return conditions.True(v1alpha1.ConditionExposed, v1alpha1.ReasonNotExposed,
			fmt.Sprintf("The platform routes to Service %s itself.", s.serverKey().Name)), nil
	case len(s.gateways) > 0:
		return r.judgeHTTPRoute(ctx, s, key)
	}
	if err := r.requireCertificate(ctx, s); err != nil {
		return metav1.Condition{}, err
	}
	var ingress networkingv1.Ingress
	if err := r.Get(ctx, key, &ingress); client.IgnoreNotFound(err) != nil {
		return metav1.Condition{}, fmt.Errorf("get the Ingress: %w", err)
	}
	return exposed(&ingress, key.Name, s, s.desired(r.Options).IngressClass), nil
}

func (r *ProvisioningTenantReconciler) judgeHTTPRoute(ctx context.Context, s *scope, key client.ObjectKey) (metav1.Condition, error) {
	if !r.Gateways.available() {
		return metav1.Condition{}, &Stalled{
			Condition: v1alpha1.ConditionExposed, Reason: v1alpha1.ReasonGatewayAPIMissing,
			Message: "The cluster knows no HTTPRoute: install the Gateway API, or choose another spec.exposure.type.",
		}
	}
	var route gatewayv1.HTTPRoute
	if err := r.Get(ctx, key, &route); client.IgnoreNotFound(err) != nil {
		return metav1.Condition{}, fmt.Errorf("get the HTTPRoute: %w", err)
	}
	served := make([]parent, len(s.gateways))
	for i, gateway := range s.gateways {
		state, err := r.Gateways.classes.of(ctx, gateway)
		if err != nil {
			return metav1.Condition{}, err
		}
		if state.unknown {
			return metav1.Condition{}, &Stalled{
				Condition: v1alpha1.ConditionExposed, Reason: v1alpha1.ReasonGatewayAPIMissing, Recheck: r.Gateways.every,
				Message: fmt.Sprintf("The cluster knows no %s: install a Gateway API that has it, "+
					"or name a Gateway in spec.exposure.gateway.parentRefs.", gateway.Kind),
			}
		}
		served[i] = parent{gateway, state}
	}
	return routeAccepted(&route, served, s.host, s.written[kindHTTPRoute]), nil
}

// parent is a Gateway that a route is on.
type parent struct {
	v1alpha1.GatewayReference
	gatewayState
}

// ifThisLasts says what to do about a parent of which nobody speaks.
func (p *parent) ifThisLasts() string {
	switch {
	case p.refused != "":
		return "The ListenerSet is not accepted: " + p.refused
	case p.Kind == v1alpha1.KindListenerSet:
		return "If this lasts, check that the ListenerSet and its Gateway exist and the controller runs."
	default:
		return "If this lasts, check that the Gateway exists and its controller runs."
	}
}

// routeAccepted judges the HTTPRoute: every Gateway must have taken it, in this generation, and found the Service. written is
// its generation if this reconcile wrote it.
func routeAccepted(route *gatewayv1.HTTPRoute, parents []parent, host string, written int64) metav1.Condition {
	said := []string{fmt.Sprintf("Every Gateway routes %s to the server.", host)}
	for _, on := range parents {
		name := fmt.Sprintf("%s %s/%s", on.Kind, on.Namespace, on.Name)
		waiting := conditions.False(v1alpha1.ConditionExposed, v1alpha1.ReasonWaitingForGateway,
			fmt.Sprintf("No controller has answered for the HTTPRoute on %s yet. %s", name, on.ifThisLasts()))
		if on.missing || route.Generation < written {
			return waiting
		}
		var taken bool
		var refused []string
		for i := range route.Status.Parents {
			entry := &route.Status.Parents[i]
			if !speaksOf(entry.ParentRef, on.GatewayReference, route.Namespace) || on.controller != "" && string(entry.ControllerName) != on.controller {
				continue
			}
			takes, why := judgeEntry(entry, route.Generation)
			taken = taken || takes
			if why != "" {
				refused = append(refused, fmt.Sprintf("%s: %s", entry.ControllerName, why))
			}
		}
		switch {
		case !taken && len(refused) == 0:
			return waiting
		case !taken:
			return conditions.False(v1alpha1.ConditionExposed, v1alpha1.ReasonRouteRejected,
				fmt.Sprintf("%s does not take the HTTPRoute. %s", name, strings.Join(refused, " ")))
		case len(refused) > 0:
			said = append(said, fmt.Sprintf("Of %s another controller says otherwise.", name))
			said = append(said, refused...)
		}
	}
	return conditions.True(v1alpha1.ConditionExposed, v1alpha1.ReasonRouteAccepted, strings.Join(said, " "))
}

// judgeEntry tells whether one controller has taken this generation of a route and found its Service, or why not. It does neither while the
// controller has not said.
func judgeEntry(entry *gatewayv1.RouteParentStatus, generation int64) (takes bool, refused string) {
	takes = true
	for _, conditionType := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
		switch condition := meta.FindStatusCondition(entry.Conditions, string(conditionType)); {
		case condition == nil || condition.ObservedGeneration < generation || condition.Status == metav1.ConditionUnknown:
			takes = false
		case condition.Status == metav1.ConditionFalse:
			return false, condition.Reason + ": " + condition.Message
		}
	}
	return takes, ""
}

// speaksOf tells whether an entry of a route's status is about that Gateway.
func speaksOf(parent gatewayv1.ParentReference, gateway v1alpha1.GatewayReference, namespace string) bool {
	return gateway == v1alpha1.GatewayReference{
		Group:       v1alpha1.GatewayGroup(ptr.Deref(parent.Group, gatewayv1.GroupName)),
		Kind:        v1alpha1.GatewayKind(ptr.Deref(parent.Kind, gatewayv1.Kind(v1alpha1.KindGateway))),
		Namespace:   string(ptr.Deref(parent.Namespace, gatewayv1.Namespace(namespace))),
		Name:        string(parent.Name),
		SectionName: string(ptr.Deref(parent.SectionName, "")),
		Port:        ptr.Deref(parent.Port, 0),
	}
}

// requireCertificate looks for the Secret in spec.exposure.ingress.tls until it was found once for this generation. The
// Ingress exists all the while, because it may be what makes an issuer create the Secret.
func (r *ProvisioningTenantReconciler) requireCertificate(ctx context.Context, s *scope) error {
	tls, name := s.tenant.Spec.Exposure.IngressTLS(), desired.TLSSecretName(s.tenant)
	before := meta.FindStatusCondition(s.tenant.Status.Conditions, v1alpha1.ConditionExposed)
	if tls == nil || before != nil && before.ObservedGeneration == s.tenant.Generation &&
		(before.Reason == v1alpha1.ReasonIngressReady || before.Reason == v1alpha1.ReasonWaitingForIngressController) {
		return nil
	}
	_, has, err := r.lookForKey(ctx, s, name, corev1.TLSCertKey)
	if err != nil {
		return err
	}
	if !has {
		message := fmt.Sprintf("Secret %s in spec.exposure.ingress.tls does not exist or has no %s: create it.", name, corev1.TLSCertKey)
		if tls.IssuerRef != nil {
			message = fmt.Sprintf("The issuer %s has not made Secret %s yet. "+
				"If this lasts, see whether cert-manager runs, and kubectl describe certificate -n %s %s.", tls.IssuerRef.Name, name, s.tenant.Namespace, name)
		}
		return &Waiting{Condition: v1alpha1.ConditionExposed, Reason: v1alpha1.ReasonTLSSecretMissing, After: recheckTLS, Message: message}
	}
	return nil
}

// exposed judges the Ingress of that name; a zero one was not seen yet. class is the one that it should have, empty for the default.
func exposed(ingress *networkingv1.Ingress, name string, s *scope, class string) metav1.Condition {
	if ingress.Generation < s.written[kindIngress] {
		ingress = &networkingv1.Ingress{} // as it was before
	}
	if len(ingress.Status.LoadBalancer.Ingress) > 0 {
		return conditions.True(v1alpha1.ConditionExposed, v1alpha1.ReasonIngressReady,
			fmt.Sprintf("An ingress controller routes %s to the server.", s.host))
	}
	return conditions.False(v1alpha1.ConditionExposed, v1alpha1.ReasonWaitingForIngressController, untaken(ingress, name, class, s.memory.class.instead))
}

// awaitEndpoints holds back Exposed until the Service has an endpoint that is ready. It looks where the tenant was not ready before: the
// list is read past the cache, which has none of them.
func (r *ProvisioningTenantReconciler) awaitEndpoints(ctx context.Context, s *scope) error {
	before := s.tenant.Status.Conditions
	available := meta.FindStatusCondition(s.conditions, v1alpha1.ConditionServerAvailable)
	if available == nil || available.Status != metav1.ConditionTrue ||
		meta.IsStatusConditionTrue(before, v1alpha1.ConditionServerAvailable) && meta.IsStatusConditionTrue(before, v1alpha1.ConditionExposed) {
		return nil
	}
	service := s.serverKey()
	var slices discoveryv1.EndpointSliceList
	err := r.Live.List(ctx, &slices, client.InNamespace(service.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service.Name})
	if err != nil {
		return fmt.Errorf("list the endpoints of the Service: %w", err)
	}
	for i := range slices.Items {
		for _, endpoint := range slices.Items[i].Endpoints {
			if ptr.Deref(endpoint.Conditions.Ready, true) { // which is what nothing means
				return nil
			}
		}
	}
	return &Waiting{
		Condition: v1alpha1.ConditionExposed, Reason: v1alpha1.ReasonWaitingForEndpoints, After: recheckEndpoints,
		Message: fmt.Sprintf("Service %s has no endpoint that is ready yet.", service.Name),
	}
}
