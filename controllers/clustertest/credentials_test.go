package clustertest

import (
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// secrets reads the token of the tenant and what its server knows.
func (w *world) plaintext() string {
	w.Helper()
	return string(get(w, &corev1.Secret{}, "contoso-credentials").Data[v1alpha1.CredentialsTokenKey])
}

func (w *world) verifiers() token.Set {
	w.Helper()
	set, err := token.Decode(get(w, &corev1.Secret{}, "contoso-verifier").Data[v1alpha1.VerifierKey])
	if err != nil {
		w.Fatal(err)
	}
	return set
}

func (w *world) deleteSecret(name string) {
	w.Helper()
	if err := w.Delete(w.Context(), get(w, &corev1.Secret{}, name)); err != nil {
		w.Fatal(err)
	}
}

func TestTheCredentialsSecretMayBeDeletedAfterCopyingAndTheTokenStaysValid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	plaintext, fingerprint := w.plaintext(), tenant.Status.Credentials.Fingerprint
	if token.Check(plaintext) != nil || token.Fingerprint(plaintext) != fingerprint || tenant.Status.Credentials.IssuedAt == nil {
		t.Errorf("status.credentials is %+v, which does not tell of the token", tenant.Status.Credentials)
	}
	w.deleteSecret("contoso-credentials")
	w.until(tenant, "CredentialsReady=True/Copied", ready)
	if got := tenant.Status.Credentials; got.Fingerprint != fingerprint || got.SecretName != "" {
		t.Errorf("status.credentials is %+v", got)
	}
	// Whatever else changes, it stays deleted.
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Host = "new." + p.Spec.Exposure.Host })
	w.until(tenant, "CredentialsReady=True/Copied", ready)
	w.settled()
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "contoso-credentials"}, &corev1.Secret{}); !apierrors.IsNotFound(err) {
		t.Errorf("the credentials Secret is back (%v)", err)
	}
	if _, ok := w.verifiers().Find(plaintext); !ok {
		t.Error("the server no longer takes the token that was copied")
	}
}

// accepts waits until the verifier Secret is there, can be read, and has what is missing no more.
func (w *world) accepts(what string, missing func(token.Set) string) {
	w.Helper()
	w.eventually(what, func() string {
		var secret corev1.Secret
		if err := w.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: "contoso-verifier"}, &secret); err != nil {
			return err.Error()
		}
		set, err := token.Decode(secret.Data[v1alpha1.VerifierKey])
		if err != nil {
			return err.Error()
		}
		return missing(set)
	})
}

func TestAVerifierThatIsDeletedOrSpoiledIsDerivedFromTheSameToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	plaintext, before := w.plaintext(), w.verifiers()
	restored := func(what string) {
		t.Helper()
		w.accepts(what, func(set token.Set) string {
			if found, ok := set.Find(plaintext); !ok || found != before.Verifiers[0] {
				return "it is not the verifier from before"
			}
			return ""
		})
	}
	w.deleteSecret("contoso-verifier")
	restored("the verifier Secret comes back")

	spoiled := get(w, &corev1.Secret{}, "contoso-verifier")
	patch := client.MergeFrom(spoiled.DeepCopy())
	spoiled.Data[v1alpha1.VerifierKey] = []byte(`{"verifiers":[]}`)
	if err := w.Patch(t.Context(), spoiled, patch, client.FieldOwner("stranger")); err != nil {
		t.Fatal(err)
	}
	restored("the spoiled verifier Secret is mended")
	if w.plaintext() != plaintext {
		t.Error("the token changed")
	}
}

func TestWhenBothSecretsAreGoneANewTokenIsIssued(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	old := w.plaintext()
	w.deleteSecret("contoso-credentials")
	w.until(tenant, "CredentialsReady=True/Copied")
	w.deleteSecret("contoso-verifier")
	w.until(tenant, "CredentialsReady=True/TokenLost", ready)
	w.untilWarned(v1alpha1.ReasonTokenLost)
	fresh := w.plaintext()
	if fresh == old {
		t.Error("the token is the old one")
	}
	if _, ok := w.verifiers().Find(fresh); !ok {
		t.Error("the server does not take the new token")
	}
	if _, ok := w.verifiers().Find(old); ok {
		t.Error("the server still takes the old token")
	}
	w.settled()
	w.until(tenant, "CredentialsReady=True/TokenLost", ready)
	// As the message says.
	command := regexp.MustCompile(`kubectl patch secret (\S+) -n \S+ --type merge --patch '(.*)'`).FindStringSubmatch(message(tenant, "CredentialsReady"))
	if command == nil {
		t.Fatalf("the message is %q", message(tenant, "CredentialsReady"))
	}
	patch := client.RawPatch(types.MergePatchType, []byte(strings.ReplaceAll(command[2], "OLD_TOKEN", old)))
	if err := w.Patch(t.Context(), get(w, &corev1.Secret{}, command[1]), patch, client.FieldOwner("kubectl-patch")); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "CredentialsReady=True/Issued", ready)
	if _, ok := w.verifiers().Find(old); !ok {
		t.Error("the old token, which was put back, is not accepted")
	}
}

func TestANewHostReachesTheCredentialsSecretAndTheTokenStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	plaintext := w.plaintext()
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Host = "new." + p.Spec.Exposure.Host })
	w.until(tenant, ready)
	data := get(w, &corev1.Secret{}, "contoso-credentials").Data
	if want := "https://" + tenant.Spec.Exposure.Host + "/scim/v2"; string(data[v1alpha1.CredentialsTenantURLKey]) != want || tenant.Status.TenantURL != want {
		t.Errorf("the Secret has %q and the status %q, want %q", data[v1alpha1.CredentialsTenantURLKey], tenant.Status.TenantURL, want)
	}
	if string(data[v1alpha1.CredentialsTokenKey]) != plaintext {
		t.Error("the token changed with the host")
	}
}

func TestACredentialsSecretThatOnlyLostItsLabelIsNotTakenForDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	plaintext := w.plaintext()
	secret := get(w, &corev1.Secret{}, "contoso-credentials")
	patch := client.MergeFrom(secret.DeepCopy())
	secret.Labels = nil
	if err := w.Patch(t.Context(), secret, patch, client.FieldOwner("stranger")); err != nil {
		t.Fatal(err)
	}
	w.eventually("the label comes back", func() string {
		if got := get(w, &corev1.Secret{}, "contoso-credentials"); got.Labels[v1alpha1.TenantLabel] != "contoso" {
			return "not yet"
		}
		return ""
	})
	w.until(tenant, "CredentialsReady=True/Issued")
	if w.plaintext() != plaintext {
		t.Error("the token changed")
	}
}

// In each a token has leaked, and a reader is new whose Secret cannot be written.
func TestANewReaderWhoseSecretCannotBeWrittenKeepsBackNoOtherCredential(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reason   string
		inTheWay func(w *world) client.Object
	}{
		"somebody else's Secret": {"NameConflict", func(w *world) client.Object {
			return create(w, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "contoso-reader.pay"}, StringData: map[string]string{"token": "mine"},
			})
		}},
		"a quota": {"Rejected", func(w *world) client.Object {
			secrets := corev1.ResourceList{corev1.ResourceSecrets: resource.MustParse("2")}
			quota := create(w, &corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "q"}, Spec: corev1.ResourceQuotaSpec{Hard: secrets},
			})
			quota.Status = corev1.ResourceQuotaStatus{Hard: secrets, Used: secrets} // no controller of quotas runs here
			if err := w.Status().Update(w.Context(), quota); err != nil {
				w.Fatal(err)
			}
			return quota
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tenant := create(w, w.tenant())
			w.until(tenant, ready)
			leaked, inTheWay := w.plaintext(), test.inTheWay(w)
			edit(w, tenant, reading("pay"))
			annotate(w, tenant, rotateToken, asked(0)+",overlap=0s")
			fresh := w.untilAnother(leaked)
			w.until(tenant, "CredentialsReady=True/"+test.reason, "RequestsObeyed=True/Obeyed", ready)
			if message := message(tenant, "CredentialsReady"); !strings.Contains(message, "Not issued yet: reader.pay.") {
				t.Errorf("the message is %q", message)
			}
			if _, ok := w.verifiers().Find(fresh); !ok || len(w.verifiers().Verifiers) != 1 {
				t.Errorf("the server accepts %+v", w.verifiers().Verifiers)
			}
			if err := w.Delete(t.Context(), inTheWay); err != nil {
				t.Fatal(err)
			}
			w.untilReader("pay", 2)
			w.until(tenant, "CredentialsReady=True/Issued", ready)
			w.settled()
		})
	}
}
