package clustertest

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// TestASecretThatAPolicyMadeImmutableIsToldAndHealsOnceItIsDeleted as docs/rotation.md says.
func TestASecretThatAPolicyMadeImmutableIsToldAndHealsOnceItIsDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	secret, clients := get(w, &corev1.Secret{}, "contoso-credentials"), w.plaintext()
	trusted := func() {
		t.Helper()
		if _, ok := w.verifiers().Find(clients); !ok {
			t.Error("the server does not know the token any more that clients have")
		}
	}
	edit(w, secret, func(s *corev1.Secret) { s.Immutable = new(true) })
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.OAuth = &v1alpha1.OAuth{} })
	w.until(tenant, "CredentialsReady=True/"+v1alpha1.ReasonRejected, ready)
	if c := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionCredentialsReady); !strings.Contains(c.Message, "immutable") {
		t.Errorf("the message says nothing of it: %s", c.Message)
	}
	trusted()
	if err := w.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "CredentialsReady=True/"+v1alpha1.ReasonIssued)
	trusted()
	if made := get(w, &corev1.Secret{}, "contoso-credentials"); len(made.Data[v1alpha1.CredentialsClientSecretKey]) == 0 {
		t.Error("the Secret that was made again lacks the new credential")
	}
}
