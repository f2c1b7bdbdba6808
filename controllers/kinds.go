package controllers

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// The kinds of the server and of its volume claim.
const (
	kindDeployment = "Deployment"
	kindClaim      = "PersistentVolumeClaim"
)

// controlled are the kinds that a tenant always owns and the operator prunes.
func controlled() []client.Object {
	return []client.Object{
		&corev1.ServiceAccount{}, &rbacv1.Role{}, &rbacv1.RoleBinding{}, &appsv1.Deployment{}, &corev1.Service{},
		&networkingv1.Ingress{}, &networkingv1.NetworkPolicy{}, &autoscalingv2.HorizontalPodAutoscaler{}, &policyv1.PodDisruptionBudget{},
		&batchv1.Job{},
	}
}

// controlledLists are the lists of the same kinds.
func controlledLists() []client.ObjectList {
	return []client.ObjectList{
		&corev1.ServiceAccountList{}, &rbacv1.RoleList{}, &rbacv1.RoleBindingList{}, &appsv1.DeploymentList{}, &corev1.ServiceList{},
		&networkingv1.IngressList{}, &networkingv1.NetworkPolicyList{}, &autoscalingv2.HorizontalPodAutoscalerList{},
		&policyv1.PodDisruptionBudgetList{}, &batchv1.JobList{},
	}
}

// controllingTenant does what builder.Owns would, which asks the REST mapper with each event. Of an object without a controller, which may
// be orphaned, the label tells.
func controllingTenant(ctx context.Context, object client.Object) []ctrl.Request {
	controller := metav1.GetControllerOf(object)
	switch {
	case controller == nil:
		return labelledTenant(ctx, object)
	case !isTenant(controller):
		return nil
	}
	return []ctrl.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: controller.Name}}}
}

// isTenant tells whether a reference is to a tenant; nil is not.
func isTenant(owner *metav1.OwnerReference) bool {
	return owner != nil &&
		schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind() == schema.GroupKind{Group: v1alpha1.GroupName, Kind: "ProvisioningTenant"}
}

func labelledTenant(_ context.Context, object client.Object) []ctrl.Request {
	name := object.GetLabels()[v1alpha1.TenantLabel]
	if name == "" {
		return nil
	}
	return []ctrl.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: name}}}
}
