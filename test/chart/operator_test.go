package chart

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// program builds the operator as it is in the image.
var program = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(filepath.Dir(shared.kubeconfig), "operator")
	build := exec.Command("go", "build", "-o", binary, "./cmd/operator")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the operator: %w\n%s", err, output)
	}
	return binary, nil
})

// tokenOf asks for a token of a ServiceAccount, as the kubelet does for a pod.
func tokenOf(t *testing.T, namespace, name string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	request := &authenticationv1.TokenRequest{}
	if err := shared.client.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// kubeconfigWith is what a pod has of the cluster: its address, its authority and a token.
func kubeconfigWith(t *testing.T, token string) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["envtest"] = &clientcmdapi.Cluster{Server: shared.config.Host, CertificateAuthorityData: shared.config.CAData}
	config.AuthInfos["pod"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["pod"] = &clientcmdapi.Context{Cluster: "envtest", AuthInfo: "pod"}
	config.CurrentContext = "pod"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// containerOf finds the one container of the object of a kind among what was rendered, and the account that runs it.
func containerOf(t *testing.T, objects []*unstructured.Unstructured, kind string, pod ...string) (account string, args []string) {
	t.Helper()
	for _, object := range objects {
		if object.GetKind() != kind {
			continue
		}
		account, _, _ := unstructured.NestedString(object.Object, append(pod, "serviceAccountName")...)
		containers, _, _ := unstructured.NestedSlice(object.Object, append(pod, "containers")...)
		container, _ := containers[0].(map[string]any)
		args, _, _ := unstructured.NestedStringSlice(container, "args")
		return account, args
	}
	t.Fatalf("the chart renders no %s", kind)
	return "", nil
}

// start runs the operator with the arguments and the account of the Deployment. It knows its namespace and its addresses
// from outside, as it is in no pod.
func start(t *testing.T, objects []*unstructured.Unstructured, metrics string) {
	t.Helper()
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	account, args := containerOf(t, objects, "Deployment", "spec", "template", "spec")
	args = append(args, "--lease-namespace="+releaseNamespace, "--health-probe-bind-address=0", "--metrics-bind-address="+metrics)
	var log bytes.Buffer
	operator := exec.CommandContext(context.Background(), binary, args...)
	operator.Env = []string{"KUBECONFIG=" + kubeconfigWith(t, tokenOf(t, releaseNamespace, account))}
	operator.Stderr = &log
	if err := operator.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		operator.Process.Signal(os.Interrupt)
		if err := operator.Wait(); err != nil {
			t.Errorf("the operator ended with %v", err)
		}
		// The library answers a refusal with a retry, so a right that is missing shows in the log and not in the end.
		if strings.Contains(log.String(), "forbidden") || t.Failed() {
			t.Errorf("the operator's log:\n%s", log.String())
		}
	})
}

// check runs what `helm test` runs.
func check(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	account, args := containerOf(t, objects, "Pod", "spec")
	command := exec.CommandContext(t.Context(), binary, args...)
	command.Env = []string{"KUBECONFIG=" + kubeconfigWith(t, tokenOf(t, releaseNamespace, account))}
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("helm test: %v\n%s", err, output)
	}
}

// TestTheOperatorKnowsEveryArgumentOfTheChart: with --version it reads its flags and ends.
func TestTheOperatorKnowsEveryArgumentOfTheChart(t *testing.T) {
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range cases(t) {
		_, args := containerOf(t, render(t, values), "Deployment", "spec", "template", "spec")
		if output, err := exec.CommandContext(t.Context(), binary, append(args, "--version")...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, output)
		}
	}
}

func tenantIn(t *testing.T, namespace string) *unstructured.Unstructured {
	t.Helper()
	tenant := object("provisioning.tenantry.dev/v1alpha1", "ProvisioningTenant")
	tenant.SetName("contoso")
	tenant.SetNamespace(namespace)
	tenant.Object["spec"] = map[string]any{
		"displayName": "Contoso Ltd", "exposure": map[string]any{"host": namespace + ".example.com"},
		"catalog": map[string]any{"companies": []any{"Contoso AB"}},
	}
	defaults := object("provisioning.tenantry.dev/v1alpha1", "UserDefaults")
	defaults.SetName("everybody")
	defaults.SetNamespace(namespace)
	defaults.Object["spec"] = map[string]any{"tenantRef": map[string]any{"name": "contoso"}, "companies": []any{"Contoso AB"}}
	for _, object := range []*unstructured.Unstructured{tenant, defaults} {
		eventually(t, "the API server takes "+id(object), func() string {
			if err := client.IgnoreAlreadyExists(shared.client.Create(t.Context(), object.DeepCopy())); err != nil {
				return err.Error()
			}
			return ""
		})
		t.Cleanup(func() { shared.client.Delete(context.Background(), object) })
	}
	return tenant
}

// served waits until the operator has made all that a tenant consists of, and followed its defaults.
func served(t *testing.T, tenant *unstructured.Unstructured) {
	t.Helper()
	children := map[string]string{
		"v1 Secret": "contoso-credentials", "v1 PersistentVolumeClaim": "contoso-data", "v1 ServiceAccount": "contoso-scim", "v1 Service": "contoso-scim",
		"apps/v1 Deployment": "contoso-scim", "networking.k8s.io/v1 Ingress": "contoso-scim", "networking.k8s.io/v1 NetworkPolicy": "contoso-scim",
		"rbac.authorization.k8s.io/v1 Role": "contoso-scim", "rbac.authorization.k8s.io/v1 RoleBinding": "contoso-scim",
	}
	eventually(t, "the operator serves "+id(tenant), func() string {
		for kind, name := range children {
			apiVersion, kind, _ := strings.Cut(kind, " ")
			if err := shared.client.Get(t.Context(), client.ObjectKey{Namespace: tenant.GetNamespace(), Name: name}, object(apiVersion, kind)); err != nil {
				return err.Error()
			}
		}
		defaults := object("provisioning.tenantry.dev/v1alpha1", "UserDefaults")
		if err := shared.client.Get(t.Context(), client.ObjectKey{Namespace: tenant.GetNamespace(), Name: "everybody"}, defaults); err != nil {
			return err.Error()
		}
		if conditions, _, _ := unstructured.NestedSlice(defaults.Object, "status", "conditions"); len(conditions) == 0 {
			return "its UserDefaults have no condition yet"
		}
		return ""
	})
}

// TestTheOperatorWorksWithTheRightsOfTheChart runs the very program, with the arguments, the ServiceAccount and the
// rights that Helm installed, until a tenant has everything; a request that was refused fails the test.
func TestTheOperatorWorksWithTheRightsOfTheChart(t *testing.T) {
	for name, values := range map[string]map[string]any{
		"in the cluster":    nil,
		"in two namespaces": {"watchNamespaces": []any{"customers", "partners"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, name := range []string{releaseNamespace, "customers", "partners", "strangers"} {
				namespace(t, name)
			}
			t.Cleanup(func() { removeCRDs(t) })
			install(t, releaseNamespace, values)
			objects := render(t, values)
			stranger := tenantIn(t, "strangers")
			customer, partner := tenantIn(t, "customers"), tenantIn(t, "partners")
			start(t, objects, "0")
			served(t, customer)
			served(t, partner)
			if values == nil {
				served(t, stranger)
			} else {
				untouched(t, stranger)
			}
			check(t, objects)
		})
	}
}

// untouched sees that an operator which has served its own namespaces did not look at another.
func untouched(t *testing.T, tenant *unstructured.Unstructured) {
	t.Helper()
	if err := shared.client.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
		t.Fatal(err)
	}
	// The API server gives a tenant this status before anybody has looked at it.
	if status := tenant.Object["status"]; !reflect.DeepEqual(status, map[string]any{"observedGeneration": int64(-1)}) {
		t.Errorf("the operator touched %s, which is in no namespace that it watches: %v", id(tenant), status)
	}
}

// TestMetricsAreForThoseWhoMayReadThem asks the running operator without a token, with one that may not, and with one that may.
func TestMetricsAreForThoseWhoMayReadThem(t *testing.T) {
	namespace(t, releaseNamespace)
	t.Cleanup(func() { removeCRDs(t) })
	install(t, releaseNamespace, nil)
	address := freeAddress(t)
	start(t, render(t, nil), address)

	accounts := map[string]*corev1.ServiceAccount{}
	for _, name := range []string{"prometheus", "stranger"} {
		accounts[name] = &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: releaseNamespace, Name: name}}
		if err := client.IgnoreAlreadyExists(shared.client.Create(t.Context(), accounts[name])); err != nil {
			t.Fatal(err)
		}
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "prometheus"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "tenantry-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: releaseNamespace, Name: "prometheus"}},
	}
	if err := shared.client.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	defer shared.client.Delete(context.Background(), binding)

	scrape := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	ask := func(token string) (int, string, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/metrics", nil)
		if err != nil {
			return 0, "", err
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := scrape.Do(request)
		if err != nil {
			return 0, "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return response.StatusCode, string(body), err
	}
	for _, test := range []struct {
		who, token string
		status     int
		says       string
	}{
		{"prometheus", tokenOf(t, releaseNamespace, "prometheus"), http.StatusOK, "leader_election_master_status"},
		{"a stranger", tokenOf(t, releaseNamespace, "stranger"), http.StatusForbidden, "Authorization denied"},
		{"nobody", "", http.StatusUnauthorized, "Unauthorized"},
		{"a forger", "nonsense", http.StatusInternalServerError, "Authentication failed"}, // so controller-runtime answers
	} {
		eventually(t, test.who+" is answered", func() string {
			status, body, err := ask(test.token)
			if err != nil {
				return err.Error()
			}
			if status != test.status || !strings.Contains(body, test.says) {
				return fmt.Sprintf("got %d %.200s", status, body)
			}
			return ""
		})
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
