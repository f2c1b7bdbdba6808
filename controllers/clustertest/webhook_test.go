package clustertest

import (
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// failing makes a webhook for a resource where nobody listens, and waits until the API server asks it.
func (w *world) failing(group, resource string, probe client.Object) *admissionv1.ValidatingWebhookConfiguration {
	w.Helper()
	webhook := create(w, &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name:                    "policy.example.com",
			ClientConfig:            admissionv1.WebhookClientConfig{URL: new("https://127.0.0.1:1/")},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}},
			FailurePolicy:           new(admissionv1.Fail),
			SideEffects:             new(admissionv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.OperationAll},
				Rule:       admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: []string{resource}},
			}},
		}},
	})
	w.eventually("the API server asks the webhook", func() string {
		asked, _ := probe.DeepCopyObject().(client.Object)
		if err := w.Create(w.Context(), asked, client.DryRunAll); !apierrors.IsInternalError(err) {
			return "it does not"
		}
		return ""
	})
	return webhook
}

// A policy engine that is away has the API server fail what it should have judged. Meanwhile a token that has leaked lets somebody in.
func TestARotationThatWaitsForAWebhookIsToldAtOnceAndDoneOnceItIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	leaked := w.plaintext()
	webhook := w.failing("", "secrets", &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "probe"}})
	annotate(w, tenant, rotateToken, asked(0)+",overlap=0s")
	w.until(tenant, "RequestsObeyed=False/"+v1alpha1.ReasonError, ready)
	if err := w.Delete(t.Context(), webhook); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "RequestsObeyed=True/"+v1alpha1.ReasonObeyed, ready)
	if _, ok := w.verifiers().Find(leaked); ok {
		t.Error("the token that has leaked is accepted")
	}
}
