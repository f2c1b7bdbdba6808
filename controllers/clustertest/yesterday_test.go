package clustertest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// replaceSecret puts a Secret back as kubectl replace does, managed fields and all.
func (w *world) replaceSecret(saved *corev1.Secret) {
	w.Helper()
	again := saved.DeepCopy()
	again.ResourceVersion = ""
	if err := w.Update(w.Context(), again, client.FieldOwner("kubectl-replace")); err != nil {
		w.Fatal(err)
	}
}

// untilLater waits until tokens of now have another time than those of the tenant.
func (w *world) untilLater(tenant *v1alpha1.ProvisioningTenant) {
	w.Helper()
	w.eventually("the clock goes on", func() string {
		if now := time.Now(); !now.After(tenant.Status.Credentials.IssuedAt.Add(time.Second)) {
			return now.String()
		}
		return ""
	})
}

func TestSecretsOfYesterdayOverATenantThatWasRotatedAreToldOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	credentials, verifier, a := get(w, &corev1.Secret{}, "contoso-credentials"), get(w, &corev1.Secret{}, "contoso-verifier"), w.plaintext()
	w.untilLater(tenant)
	annotate(w, tenant, rotateToken, asked(-1)+",overlap=0s")
	b := w.untilAnother(a)
	w.eventually("the status remembers what ended", func() string {
		w.until(tenant, ready)
		if ended := tenant.Status.Credentials.Ended; len(ended) != 1 || ended[0].Fingerprint != token.Fingerprint(a) {
			return fmt.Sprintf("what ended is %+v", ended)
		}
		return ""
	})

	// The one to copy from alone.
	w.replaceSecret(credentials)
	w.until(tenant, "CredentialsReady=False/ValueRefused")
	w.untilWarned(v1alpha1.ReasonValueRefused)
	if message := message(tenant, "CredentialsReady"); !strings.Contains(message, "it was ended on request at ") {
		t.Errorf("the message is %q", message)
	}
	if set := w.verifiers(); len(set.Verifiers) != 1 || set.Verifiers[0].Fingerprint() != token.Fingerprint(b) {
		t.Errorf("the server accepts %+v", set.Verifiers)
	}
	w.putIn("contoso-credentials", "token", b)
	w.until(tenant, "CredentialsReady=True/Issued", ready)

	// Both, and the operator sees neither of them alone.
	w.untilLater(tenant)
	annotate(w, tenant, v1alpha1.ReconcileAnnotation, v1alpha1.ReconcileDisabled)
	w.until(tenant, "Ready=Unknown/ReconcileDisabled")
	w.replaceSecret(verifier)
	w.replaceSecret(credentials)
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { delete(p.Annotations, v1alpha1.ReconcileAnnotation) })
	w.until(tenant, "CredentialsReady=True/TokenReplaced", ready)
	w.untilWarned(v1alpha1.ReasonTokenReplaced)
	if message := message(tenant, "CredentialsReady"); !strings.HasPrefix(message, "The Secret Token with the fingerprint "+token.Fingerprint(b)+" ended") {
		t.Errorf("the message is %q", message)
	}
	w.eventually("a token that nobody ended is accepted, and no other", func() string {
		set, c := w.verifiers(), w.plaintext()
		if _, ok := set.Find(c); !ok || c == a || c == b || len(set.Verifiers) != 1 {
			return fmt.Sprintf("accepted are %+v", set.Verifiers)
		}
		return ""
	})
	w.settled()
	// The status and the verifier Secret go on remembering the one that ended.
	var told []v1alpha1.EndedCredential
	if err := json.Unmarshal([]byte(get(w, &corev1.Secret{}, "contoso-verifier").Annotations[v1alpha1.EndedAnnotation]), &told); err != nil ||
		len(told) != 1 || told[0].Fingerprint != token.Fingerprint(a) {
		t.Errorf("the verifier Secret tells that %+v ended (%v)", told, err)
	}
}
