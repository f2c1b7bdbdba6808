package exposure

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// A route alone serves nobody: its certificate and an endpoint behind its Service are looked for too, as seldom as can be, because the operator
// caches neither.

const (
	recheckTLS       = 30 * time.Second
	recheckEndpoints = time.Second
)

// judgedIngress are the reasons of Exposed that JudgeIngress gives.
var judgedIngress = []string{ //nolint:gochecknoglobals // a list that nothing writes
	v1alpha1.ReasonIngressReady, v1alpha1.ReasonIngressAssumed, v1alpha1.ReasonWaitingForIngressController,
}

// NeedsCertificate tells whether the Secret in spec.exposure.ingress.tls is to be looked for: until it was found once for this generation. The
// Ingress exists all the while, because it may be what makes an issuer create the Secret.
func NeedsCertificate(tenant *v1alpha1.ProvisioningTenant) bool {
	before := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionExposed)
	found := before != nil && before.ObservedGeneration == tenant.Generation && slices.Contains(judgedIngress, before.Reason)
	return tenant.Spec.Exposure.IngressTLS() != nil && !found
}

// NoCertificate says that the Secret in spec.exposure.ingress.tls, which must be set, was not found or has no certificate.
func NoCertificate(tenant *v1alpha1.ProvisioningTenant) *problem.Waiting {
	name := desired.TLSSecretName(tenant)
	message := fmt.Sprintf("Secret %s in spec.exposure.ingress.tls does not exist or has no %s: create it.", name, corev1.TLSCertKey)
	if issuer := tenant.Spec.Exposure.IngressTLS().IssuerRef; issuer != nil {
		message = fmt.Sprintf("The issuer %s has not made Secret %s yet. "+
			"If this lasts, see whether cert-manager runs, and kubectl describe certificate -n %s %s.", issuer.Name, name, tenant.Namespace, name)
	}
	return &problem.Waiting{Condition: v1alpha1.ConditionExposed, Reason: v1alpha1.ReasonTLSSecretMissing, After: recheckTLS, Message: message}
}

// NeedsEndpoint tells whether an endpoint is to be looked for: where the server is available now, and the tenant was not ready before. now are the
// conditions that were found so far.
func NeedsEndpoint(before, now []metav1.Condition) bool {
	wasReady := meta.IsStatusConditionTrue(before, v1alpha1.ConditionServerAvailable) && meta.IsStatusConditionTrue(before, v1alpha1.ConditionExposed)
	return !wasReady && meta.IsStatusConditionTrue(now, v1alpha1.ConditionServerAvailable)
}

// HasEndpoint tells whether a Service has an endpoint that is ready. all are those of the Service.
func HasEndpoint(all []discoveryv1.EndpointSlice) bool {
	for i := range all {
		for _, endpoint := range all[i].Endpoints {
			if ptr.Deref(endpoint.Conditions.Ready, true) { // which is what nothing means
				return true
			}
		}
	}
	return false
}

// NoEndpoint says that the Service has no endpoint that is ready.
func NoEndpoint(service string) *problem.Waiting {
	return &problem.Waiting{
		Condition: v1alpha1.ConditionExposed, Reason: v1alpha1.ReasonWaitingForEndpoints, After: recheckEndpoints,
		Message: fmt.Sprintf("Service %s has no endpoint that is ready yet.", service),
	}
}
