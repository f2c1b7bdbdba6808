package clustertest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// The command of docs/backup.md, as it is.
func TestATokenIsRestoredAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "backup.md"))
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`kubectl patch secret (\S+) --type merge --patch "(.*)"\n`).FindStringSubmatch(string(text))
	if command == nil {
		t.Fatal("the document has no command that restores a token")
	}
	w := newWorld(t)
	k := newKubectl(w)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	old := strings.TrimSpace(k.want("token", "contoso"))

	// Both Secrets are lost, and the token is in a vault.
	w.deleteSecret("contoso-credentials")
	w.until(tenant, "CredentialsReady=True/Copied")
	w.deleteSecret("contoso-verifier")
	w.until(tenant, "CredentialsReady=True/TokenLost")
	fresh := strings.TrimSpace(k.want("token", "contoso"))
	if fresh == old {
		t.Fatal("the tenant has its old token already")
	}
	for _, oldToken := range []string{old, fresh, old + `\n`} { // and there and back, and as a file has it
		patch := strings.NewReplacer(`\"`, `"`, "$OLD_TOKEN", oldToken).Replace(command[2])
		secret := &corev1.Secret{}
		secret.Namespace, secret.Name = w.namespace, command[1]
		if err := w.Patch(t.Context(), secret, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			t.Fatal(err)
		}
		w.untilAccepted("contoso-credentials", "token", strings.TrimSuffix(oldToken, `\n`))
		if set := w.verifiers(); len(set.Verifiers) != 1 {
			t.Errorf("the server accepts %+v", set.Verifiers)
		}
		if got := k.want("token", "contoso"); got != strings.TrimSuffix(oldToken, `\n`)+"\n" {
			t.Error("the plugin prints another token")
		}
	}
	w.until(tenant, "CredentialsReady=True/Issued", ready)
}

// The command of docs/backup.md, as it is.
func TestATokenIsPutBackIntoASecretThatIsMadeAgainAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "backup.md"))
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`kubectl create --filename - <<EOF\n((?s).*?)\n   EOF\n`).FindStringSubmatch(string(text))
	if command == nil {
		t.Fatal("the document has no command that makes the Secret again")
	}
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	w.seen(tenant, &v1alpha1.ActivityStatus{LastCycle: &v1alpha1.CycleStatus{Requests: 1}})
	again := func(value string) {
		t.Helper()
		w.deleteSecret("contoso-credentials")
		w.until(tenant, "CredentialsReady=True/Copied", ready)
		object := &unstructured.Unstructured{}
		manifest := strings.ReplaceAll(strings.ReplaceAll(command[1], "\n   ", "\n"), "$OLD_TOKEN", value)
		if err := yaml.UnmarshalStrict([]byte(strings.TrimPrefix(manifest, "   ")), object); err != nil {
			t.Fatal(err)
		}
		object.SetNamespace(w.namespace)
		create(w, object)
	}
	old := w.plaintext()
	again(old + `\n`)
	w.untilAccepted("contoso-credentials", "token", old)
	other := w.newToken()
	again(other)
	w.untilAccepted("contoso-credentials", "token", other)
	w.until(tenant, "CredentialsReady=True/Issued", ready)
	again("'" + old + "'")
	w.until(tenant, "CredentialsReady=True/ValueRefused", ready)
	w.putIn("contoso-credentials", "token", old)
	w.untilAccepted("contoso-credentials", "token", old)
	w.until(tenant, "CredentialsReady=True/Issued", ready)
	w.owned(tenant)
	w.settled()
}

func TestASecretThatIsMadeAgainWithoutLabelsIsTakenUpOrToldOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	again := func(value string) *corev1.Secret {
		t.Helper()
		w.deleteSecret("contoso-credentials")
		w.until(tenant, "CredentialsReady=True/Copied", ready)
		return create(w, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "contoso-credentials"}, StringData: map[string]string{"token": value},
		})
	}
	old := w.plaintext()
	again(old)
	w.until(tenant, "CredentialsReady=True/Issued", ready)
	w.owned(tenant)

	other := w.newToken()
	theirs := again(other)
	w.until(tenant, "CredentialsReady=True/NameConflict", "RequestsObeyed=True/Obeyed", ready)
	w.untilWarned(v1alpha1.ReasonNameConflict)
	annotate(w, tenant, rotateToken, asked(0))
	w.until(tenant, "CredentialsReady=True/NameConflict", "RequestsObeyed=False/NameConflict", ready)
	if now := get(w, &corev1.Secret{}, "contoso-credentials"); now.ResourceVersion != theirs.ResourceVersion {
		t.Errorf("it was changed: %+v", now.ObjectMeta)
	}
	if _, ok := w.verifiers().Find(old); !ok || len(w.verifiers().Verifiers) != 1 {
		t.Errorf("the server accepts %+v", w.verifiers().Verifiers)
	}
	// As the message says.
	command := regexp.MustCompile(`kubectl label secret contoso-credentials -n \S+ (\S+)=(\S+) (\S+)=(\S+)\.`).FindStringSubmatch(message(tenant, "CredentialsReady"))
	if command == nil {
		t.Fatalf("the message is %q", message(tenant, "CredentialsReady"))
	}
	w.editSecret("contoso-credentials", func(s *corev1.Secret) { s.Labels = map[string]string{command[1]: command[2], command[3]: command[4]} })
	w.until(tenant, "CredentialsReady=True/Rotated", "RequestsObeyed=True/Obeyed", ready)
	if _, ok := w.verifiers().Find(other); !ok || w.plaintext() == other {
		t.Error("what was put back was not accepted, or not rotated")
	}
	w.settled()
}
