package controllers

import (
	"context"
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// classManager is the field manager that holds the class of an Ingress as admission would have filled it in.
const classManager = apply.FieldManager + "-class"

// keepClass makes an Ingress whose class the spec no longer names one of the default class, where that is the same. Another object of the
// same controller would serve the same host twice, which some controllers refuse.
func (r *ProvisioningTenantReconciler) keepClass(ctx context.Context, s *scope) error {
	named := func(found route) bool { return found.kind == kindIngress && !found.moved && found.place != "" }
	at := slices.IndexFunc(s.routes, named)
	if at < 0 || slices.ContainsFunc(s.routes, func(found route) bool { return found.kind == kindIngress && !named(found) }) {
		return nil
	}
	found := &s.routes[at]
	class, err := r.defaultClass(ctx, s.tenant.Namespace)
	if err != nil || class == "" || class != found.class {
		return err
	}
	// A field that nobody manages goes, and admission fills in the class of a new Ingress only.
	release := networkingv1ac.Ingress(found.GetName(), found.GetNamespace()).WithUID(found.GetUID()).
		WithSpec(networkingv1ac.IngressSpec().WithIngressClassName(class))
	if err := r.Apply(ctx, release, client.FieldOwner(classManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("leave the class of Ingress %q as it is: %w", found.GetName(), err)
	}
	found.place = ""
	return nil
}

// defaultClass is the class that admission gives to an Ingress which names none, "" where there is none or policies refuse the question.
// IngressClasses are the cluster's, and an operator with a Role alone could not read them.
func (r *ProvisioningTenantReconciler) defaultClass(ctx context.Context, namespace string) (string, error) {
	trial := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "tenantry-"},
		Spec: networkingv1.IngressSpec{DefaultBackend: &networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: "none", Port: networkingv1.ServiceBackendPort{Number: 80}},
		}},
	}
	err := r.Create(ctx, trial, client.DryRunAll)
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("find the default class of Ingresses: %w", err)
	}
	return ptr.Deref(trial.Spec.IngressClassName, ""), nil
}
