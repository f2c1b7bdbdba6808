package clustertest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// There is no kubelet to forward a port, so a server stands where the port would lead.
func TestThePluginReadsTheProvisioningLogFromAReadyPod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	none := `no server of tenant "contoso" is ready; 'kubectl tenantry describe contoso -n ` + w.namespace + `' says why`
	k.refused(none, "log", "contoso")
	pod := w.pod()
	k.refused(none, "log", "contoso")
	w.ready(pod)

	secret := get(w, &corev1.Secret{}, "contoso-credentials")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+string(secret.Data["token"]) {
			w.WriteHeader(http.StatusUnauthorized)
		}
		fmt.Fprintf(w, "{\"sequence\":1,\"requestId\":%q}\n", r.URL)
	}))
	t.Cleanup(server.Close)
	k.forwards(pod, server)
	if got := k.want("log", "contoso", "--limit", "5", "-o", "json"); got != `{"sequence":1,"requestId":"/log?limit=5"}`+"\n" {
		t.Errorf("log is %s", got)
	}
}

// pod is one of the tenant contoso's server, as its Deployment would have it.
func (w *world) pod() *corev1.Pod {
	w.Helper()
	return create(w, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, Name: "contoso-scim-1", Labels: get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Template.Labels,
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "scimserver", Image: "scimserver"}}},
	})
}

func (w *world) ready(pod *corev1.Pod) {
	w.Helper()
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	if err := w.Status().Update(w.Context(), pod); err != nil {
		w.Fatal(err)
	}
}

// forwards has a server stand where the admin port of the pod would lead.
func (k *kubectl) forwards(pod *corev1.Pod, server *httptest.Server) {
	k.forward = func(_ context.Context, config *rest.Config, at client.ObjectKey, port int) (string, error) {
		if config.Host != cluster.Config.Host || at != client.ObjectKeyFromObject(pod) || port != v1alpha1.AdminPort {
			k.Errorf("port %d of pod %s is forwarded through %s", port, at, config.Host)
		}
		return server.Listener.Addr().String(), nil
	}
}

// What the server makes of a file is looked at in the tests of packages plugin and admin.
func TestThePluginSendsAnImportToATenantWhoseProvisioningIsSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	secret := get(w, &corev1.Secret{}, "contoso-credentials")
	pod := w.pod()
	w.ready(pod)
	const content = `{"directory":{"format":1}}` + "\n" +
		`{"end":{"users":0,"groups":0,"memberships":0,"entries":0,"sha256":"SUM"}}` + "\n"
	sum := sha256.Sum256([]byte(`{"directory":{"format":1}}` + "\n"))
	file := filepath.Join(t.TempDir(), "contoso.jsonl")
	if err := os.WriteFile(file, []byte(strings.Replace(content, "SUM", hex.EncodeToString(sum[:]), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Authorization") != "Bearer "+string(secret.Data["token"]) {
			w.WriteHeader(http.StatusUnauthorized)
		}
		asked = append(asked, fmt.Sprintf("%s %s with %d bytes", r.Method, r.URL, len(body)))
		fmt.Fprint(w, `{"users":7}`)
	}))
	t.Cleanup(server.Close)
	k.forwards(pod, server)

	patch := func(state v1alpha1.State) string {
		return fmt.Sprintf(`kubectl patch provisioningtenant contoso -n %s --type=merge -p '{"spec":{"provisioning":{"state":%q}}}'`, w.namespace, state)
	}
	k.refused("provisioning of tenant \"contoso\" is not suspended, and no client may write while its directory is filled. Suspend it, and run this again:\n  "+
		patch(v1alpha1.StateSuspended), "import", "contoso", "-f", file)
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Provisioning.State = v1alpha1.StateSuspended })
	got := k.want("import", "contoso", "-f", file)
	if !strings.HasPrefix(got, "imported 7 users, 0 groups and 0 memberships into tenant contoso\n") || !strings.HasSuffix(got, "\n  "+patch(v1alpha1.StateActive)+"\n") {
		t.Errorf("import says\n%s", got)
	}
	if want := fmt.Sprintf("POST /import with %d bytes", len(content)-len("SUM")+hex.EncodedLen(len(sum))); len(asked) != 1 || asked[0] != want {
		t.Errorf("the server was asked %q, want %q", asked, want)
	}
}
