package clustertest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// leaks looks for tokens and connection URLs, after all tests, wherever they do not belong: in the operator's log, in events, and in every
// object but the credentials Secrets.
//
// bug class 21: secrets in status, events or logs.
func leaks(ctx context.Context) []string {
	var found []string
	if text := logs.String(); strings.Contains(text, token.Prefix) || strings.Contains(text, databasePassword) {
		found = append(found, "the operator's log")
	}
	issued := 0
	for _, list := range []client.ObjectList{
		&v1alpha1.ProvisioningTenantList{}, &v1alpha1.UserDefaultsList{}, &corev1.SecretList{}, &corev1.PersistentVolumeClaimList{},
		&corev1.ServiceList{}, &corev1.ServiceAccountList{}, &appsv1.DeploymentList{}, &networkingv1.IngressList{},
		&networkingv1.NetworkPolicyList{}, &autoscalingv2.HorizontalPodAutoscalerList{}, &policyv1.PodDisruptionBudgetList{}, &batchv1.JobList{}, &rbacv1.RoleList{}, &rbacv1.RoleBindingList{}, &eventsv1.EventList{},
	} {
		if err := cluster.Client.List(ctx, list); err != nil {
			return append(found, fmt.Sprintf("what cannot be listed: %v", err))
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return append(found, err.Error())
		}
		for _, item := range items {
			object, _ := item.(client.Object)
			secret, isSecret := item.(*corev1.Secret)
			if isSecret {
				secret.StringData = map[string]string{}
				for key, value := range secret.Data {
					secret.StringData[key] = string(value)
				}
			}
			text, err := json.Marshal(item)
			if err != nil {
				return append(found, err.Error())
			}
			switch has := strings.Contains(string(text), token.Prefix); {
			case has && isSecret && (strings.HasSuffix(object.GetName(), v1alpha1.CredentialsSuffix) || strings.Contains(object.GetName(), v1alpha1.ReaderInfix)):
				issued++
			case has, strings.Contains(string(text), databasePassword) && !isSecret:
				found = append(found, fmt.Sprintf("%T %s/%s", item, object.GetNamespace(), object.GetName()))
			}
		}
	}
	if issued == 0 {
		found = append(found, "nothing at all, not even a credentials Secret: this search cannot find anything")
	}
	return found
}
