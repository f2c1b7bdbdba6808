package controllers

import (
	"context"
	"errors"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1ac "sigs.k8s.io/gateway-api/applyconfiguration/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// part is a child, and the condition and reason by which the tenant is told that the API server refused it.
type part struct {
	apply.Child
	condition, rejected string
}

// applyChildren applies everything but the two Secrets. An object that fails does not keep back the others.
func (r *ProvisioningTenantReconciler) applyChildren(ctx context.Context, s *scope) error {
	parts, err := children(s.desired(r.Options))
	if err != nil {
		return err
	}
	if route := route(s.desired(r.Options)); route != nil && (s.gateways == nil || r.Gateways.available()) {
		parts = append(parts, *route)
	}
	for _, part := range parts {
		s.children = append(s.children, part.Child)
		generation, err := s.owner.Apply(ctx, part.Child)
		if err := classify(err, part.condition, part.rejected); err != nil {
			s.fail(err)
			if errors.Is(err, apply.ErrOwnerGone) {
				return nil
			}
			continue
		}
		if generation > 0 {
			s.written[part.Kind()] = generation
		}
	}
	return nil
}

// children are the objects of a tenant in the order in which they are applied: the server's rights before the server.
func children(t desired.Tenant) ([]part, error) {
	deployment, err := desired.Deployment(t)
	if err != nil {
		return nil, err
	}
	server := func(child apply.Child) part {
		return part{child, v1alpha1.ConditionServerAvailable, v1alpha1.ReasonRejected}
	}
	parts := []part{
		server(apply.New(desired.ServiceAccount(t), &corev1.ServiceAccount{}, corev1ac.ExtractServiceAccount)),
		server(apply.New(desired.Role(t), &rbacv1.Role{}, rbacv1ac.ExtractRole)),
		server(apply.New(desired.RoleBinding(t), &rbacv1.RoleBinding{}, rbacv1ac.ExtractRoleBinding)),
		{
			apply.New(desired.DataClaim(t), &corev1.PersistentVolumeClaim{}, corev1ac.ExtractPersistentVolumeClaim).
				Adopting(retainedFor(t.Resource.Name)),
			v1alpha1.ConditionStorageReady, v1alpha1.ReasonInvalidStorage,
		},
		server(apply.New(desired.NetworkPolicy(t), &networkingv1.NetworkPolicy{}, networkingv1ac.ExtractNetworkPolicy)),
		server(apply.New(deployment, &appsv1.Deployment{}, appsv1ac.ExtractDeployment)),
		server(apply.New(desired.Service(t), &corev1.Service{}, corev1ac.ExtractService)),
	}
	return parts, nil
}

// route is what leads to the tenant's host, or nil where nothing should.
func route(t desired.Tenant) *part {
	switch {
	case t.Host == "":
		return nil
	case len(t.Gateways) > 0:
		return &part{
			apply.New(desired.HTTPRoute(t), &gatewayv1.HTTPRoute{}, gatewayv1ac.ExtractHTTPRoute),
			v1alpha1.ConditionExposed, v1alpha1.ReasonRejected,
		}
	default:
		return &part{
			apply.New(desired.Ingress(t), &networkingv1.Ingress{}, networkingv1ac.ExtractIngress),
			v1alpha1.ConditionExposed, v1alpha1.ReasonRejected,
		}
	}
}

// retainedFor recognises a volume claim that a tenant of this name left behind: by its labels, or where someone took
// them off, by who applied it.
func retainedFor(tenant string) func(metav1.Object) bool {
	return func(claim metav1.Object) bool {
		labels := claim.GetLabels()
		return labels[v1alpha1.TenantLabel] == tenant && labels[desired.ManagedByLabel] == desired.ManagedBy ||
			slices.ContainsFunc(claim.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
				return entry.Manager == apply.FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply
			})
	}
}

// prune deletes what the tenant owns and no longer wants, such as the Ingress of one that lost its host. The Secrets and
// the volume claim are never pruned.
func (r *ProvisioningTenantReconciler) prune(ctx context.Context, s *scope) error {
	if len(s.children) == 0 {
		return nil
	}
	lists := controlledLists()
	if r.Gateways.available() {
		lists = append(lists, &gatewayv1.HTTPRouteList{})
	}
	return s.owner.Prune(ctx, s.children, lists...)
}
