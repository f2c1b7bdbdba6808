package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
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

// observeRoute tells whether the host leads to the server.
func (r *ProvisioningTenantReconciler) observeRoute(ctx context.Context, s *scope, server client.ObjectKey) error {
	switch {
	case s.tenantURL == "":
		for _, stalled := range s.outcome.stalled {
			if stalled.Condition == v1alpha1.ConditionAccepted {
				s.found(conditions.False(v1alpha1.ConditionExposed, stalled.Reason, stalled.Message))
			}
		}
		return nil
	case s.host == "":
		s.found(conditions.True(v1alpha1.ConditionExposed, v1alpha1.ReasonNotExposed,
			fmt.Sprintf("The platform routes to Service %s itself.", server.Name)))
		return nil
	}
	if len(s.gateways) > 0 {
		return r.observeHTTPRoute(ctx, s, server)
	}
	if err := r.requireCertificate(ctx, s); err != nil {
		return err
	}
	var ingress networkingv1.Ingress
	if err := r.Get(ctx, server, &ingress); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("get the Ingress: %w", err)
	}
	s.found(exposed(&ingress, s.host, s.written["Ingress"]))
	return nil
}

func (r *ProvisioningTenantReconciler) observeHTTPRoute(ctx context.Context, s *scope, server client.ObjectKey) error {
	if !r.Gateways.available() {
		return &Stalled{
			Condition: v1alpha1.ConditionExposed, Reason: v1alpha1.ReasonGatewayAPIMissing,
			Message: "The cluster knows no HTTPRoute: install the Gateway API, or choose another spec.exposure.type.",
		}
	}
	var route gatewayv1.HTTPRoute
	if err := r.Get(ctx, server, &route); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("get the HTTPRoute: %w", err)
	}
	s.found(routeAccepted(&route, s.gateways, s.host, s.written["HTTPRoute"]))
	return nil
}

// routeAccepted judges the HTTPRoute: every Gateway must have taken it, in this generation, and found the Service. written is
// its generation if this reconcile wrote it.
func routeAccepted(route *gatewayv1.HTTPRoute, gateways []v1alpha1.GatewayReference, host string, written int64) metav1.Condition {
	for _, gateway := range gateways {
		waiting := conditions.False(v1alpha1.ConditionExposed, v1alpha1.ReasonWaitingForGateway,
			fmt.Sprintf("No controller has answered for the HTTPRoute on Gateway %s/%s yet. "+
				"If this lasts, check that the Gateway exists and its controller runs.", gateway.Namespace, gateway.Name))
		if route.Generation < written {
			return waiting
		}
		for _, conditionType := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
			switch condition := parentCondition(route, gateway, string(conditionType)); {
			case condition == nil || condition.Status == metav1.ConditionUnknown:
				return waiting
			case condition.Status == metav1.ConditionFalse:
				return conditions.False(v1alpha1.ConditionExposed, v1alpha1.ReasonRouteRejected,
					fmt.Sprintf("Gateway %s/%s does not take the HTTPRoute: %s: %s", gateway.Namespace, gateway.Name, condition.Reason, condition.Message))
			}
		}
	}
	return conditions.True(v1alpha1.ConditionExposed, v1alpha1.ReasonRouteAccepted, fmt.Sprintf("Every Gateway routes %s to the server.", host))
}

// parentCondition is what is said of the route's present generation for one Gateway, or nil. Where several controllers speak
// for it, the one that takes the route counts.
func parentCondition(route *gatewayv1.HTTPRoute, gateway v1alpha1.GatewayReference, conditionType string) *metav1.Condition {
	var found *metav1.Condition
	for _, status := range route.Status.Parents {
		parent := status.ParentRef
		if string(parent.Name) != gateway.Name || string(ptr.Deref(parent.Namespace, gatewayv1.Namespace(route.Namespace))) != gateway.Namespace ||
			string(ptr.Deref(parent.SectionName, "")) != gateway.SectionName {
			continue
		}
		condition := meta.FindStatusCondition(status.Conditions, conditionType)
		if condition != nil && condition.ObservedGeneration >= route.Generation && (found == nil || condition.Status == metav1.ConditionTrue) {
			found = condition
		}
	}
	return found
}

// requireCertificate looks for the Secret in spec.exposure.tls until it was found once for this generation. The
// Ingress exists all the while, because it may be what makes an issuer create the Secret.
func (r *ProvisioningTenantReconciler) requireCertificate(ctx context.Context, s *scope) error {
	tls, name := s.tenant.Spec.Exposure.TLS, desired.TLSSecretName(s.tenant)
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
		message := fmt.Sprintf("Secret %s in spec.exposure.tls does not exist or has no %s: create it.", name, corev1.TLSCertKey)
		if tls.IssuerRef != nil {
			message = fmt.Sprintf("The issuer %s has not made Secret %s yet. "+
				"If this lasts, see whether cert-manager runs, and kubectl describe certificate %s.", tls.IssuerRef.Name, name, name)
		}
		return &Waiting{Condition: v1alpha1.ConditionExposed, Reason: v1alpha1.ReasonTLSSecretMissing, After: recheckTLS, Message: message}
	}
	return nil
}

// exposed judges the Ingress. written is its generation if this reconcile wrote it.
func exposed(ingress *networkingv1.Ingress, host string, written int64) metav1.Condition {
	if ingress.Generation >= written && len(ingress.Status.LoadBalancer.Ingress) > 0 {
		return conditions.True(v1alpha1.ConditionExposed, v1alpha1.ReasonIngressReady,
			fmt.Sprintf("An ingress controller routes %s to the server.", host))
	}
	return conditions.False(v1alpha1.ConditionExposed, v1alpha1.ReasonWaitingForIngressController,
		fmt.Sprintf("No ingress controller has taken Ingress %s yet. If this lasts, check spec.exposure.ingress.className and the controller.",
			desired.ServerName(ingress.Labels[v1alpha1.TenantLabel])))
}
