package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/exposure"
)

// observeRoute tells whether the host leads to the server. While the wanted route does not, an old one may.
func (r *ProvisioningTenantReconciler) observeRoute(ctx context.Context, s *scope) error {
	if s.exposure.Hosts.Undecided && s.exposure.Hosts.Main == "" {
		return nil
	}
	s.tell(s.exposure.Observe(r.judgeRoute(ctx, s)))
	return nil
}

// judgeRoute judges the wanted route; its typed errors speak of Exposed.
func (r *ProvisioningTenantReconciler) judgeRoute(ctx context.Context, s *scope) (metav1.Condition, error) {
	key := client.ObjectKey{Namespace: s.tenant.Namespace, Name: s.exposure.RouteName}
	switch t := s.desired(r.Options); exposure.Kind(t) {
	case exposure.KindIngress:
		return r.judgeIngress(ctx, s, key, t.IngressClass)
	case exposure.KindHTTPRoute:
		return r.judgeHTTPRoute(ctx, s, key)
	default:
		return exposure.JudgeUnrouted(s.serverKey().Name), nil
	}
}

func (r *ProvisioningTenantReconciler) judgeIngress(ctx context.Context, s *scope, key client.ObjectKey, class string) (metav1.Condition, error) {
	if err := r.requireCertificate(ctx, s); err != nil {
		return metav1.Condition{}, err
	}
	var ingress networkingv1.Ingress
	if err := r.Get(ctx, key, &ingress); client.IgnoreNotFound(err) != nil {
		return metav1.Condition{}, fmt.Errorf("get the Ingress: %w", err)
	}
	return s.exposure.JudgeIngress(&ingress, s.written[exposure.KindIngress], class, s.memory.class.Instead), nil
}

func (r *ProvisioningTenantReconciler) judgeHTTPRoute(ctx context.Context, s *scope, key client.ObjectKey) (metav1.Condition, error) {
	if !r.Gateways.available() {
		return metav1.Condition{}, exposure.NoHTTPRoutes()
	}
	var route gatewayv1.HTTPRoute
	if err := r.Get(ctx, key, &route); client.IgnoreNotFound(err) != nil {
		return metav1.Condition{}, fmt.Errorf("get the HTTPRoute: %w", err)
	}
	parents := make([]exposure.Parent, len(s.exposure.Gateways))
	for i, reference := range s.exposure.Gateways {
		gateway, err := r.Gateways.classes.of(ctx, reference)
		if err != nil {
			return metav1.Condition{}, err
		}
		if gateway.Unknown {
			return metav1.Condition{}, exposure.NoListenerSets(reference.Kind, r.Gateways.every)
		}
		parents[i] = exposure.Parent{GatewayReference: reference, Gateway: gateway}
	}
	return s.exposure.JudgeHTTPRoute(&route, parents, s.written[exposure.KindHTTPRoute]), nil
}

// requireCertificate looks for the Secret in spec.exposure.ingress.tls while it is not known to be there.
func (r *ProvisioningTenantReconciler) requireCertificate(ctx context.Context, s *scope) error {
	if !exposure.NeedsCertificate(s.tenant) {
		return nil
	}
	_, has, err := r.lookForKey(ctx, s, desired.TLSSecretName(s.tenant), corev1.TLSCertKey)
	if err != nil || has {
		return err
	}
	return exposure.NoCertificate(s.tenant)
}

// awaitEndpoints holds back Exposed until the Service has an endpoint that is ready. It looks where the tenant was not ready before: the
// list is read past the cache, which has none of them.
func (r *ProvisioningTenantReconciler) awaitEndpoints(ctx context.Context, s *scope) error {
	if !exposure.NeedsEndpoint(s.tenant.Status.Conditions, s.conditions) {
		return nil
	}
	service := s.serverKey()
	var slices discoveryv1.EndpointSliceList
	err := r.Live.List(ctx, &slices, client.InNamespace(service.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service.Name})
	if err != nil {
		return fmt.Errorf("list the endpoints of the Service: %w", err)
	}
	if exposure.HasEndpoint(slices.Items) {
		return nil
	}
	return exposure.NoEndpoint(service.Name)
}
