package clustertest

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/plugin"
	"github.com/tenantry/tenantry/test/testenv"
)

// unstarted is a pod of which no container has run.
const unstarted = "contoso-scim-2"

// canary is planted as a secret, and as the data of a person, wherever one may be.
const canary = "CANARY-s3cret-anna"

// withLogs has kubectl ask the API server through a proxy that has a log for every pod, which no kubelet here has, but for those with a container
// that waits. The function that it returns counts how often the pods of a namespace were listed.
func (k *kubectl) withLogs(text func(pod string, previous bool) string) (lists func(namespace string) int64) {
	k.Helper()
	var listed sync.Map
	lists = func(namespace string) int64 {
		count, _ := listed.LoadOrStore("/api/v1/namespaces/"+namespace+"/pods", new(atomic.Int64))
		return count.(*atomic.Int64).Load() //nolint:forcetypeassert // no other is stored
	}
	to, err := url.Parse(cluster.Config.Host)
	if err != nil {
		k.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cluster.Config.CAData)
	admin, err := tls.X509KeyPair(cluster.Config.CertData, cluster.Config.KeyData)
	if err != nil {
		k.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{admin}, MinVersion: tls.VersionTLS12}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/log") {
			if r.URL.Query().Get("tailLines") != "50" {
				k.Errorf("the log is asked with %s", r.URL.RawQuery)
			}
			pod := path.Base(path.Dir(r.URL.Path))
			if pod == unstarted {
				w.WriteHeader(http.StatusBadRequest) // as the kubelet does of a container that waits
				return
			}
			fmt.Fprint(w, text(pod, r.URL.Query().Get("previous") == "true"))
			return
		}
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/pods") {
			count, _ := listed.LoadOrStore(r.URL.Path, new(atomic.Int64))
			count.(*atomic.Int64).Add(1) //nolint:forcetypeassert // no other is stored
		}
		proxy.ServeHTTP(w, r)
	}))
	k.Cleanup(server.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: server.URL}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", Namespace: k.namespace}
	config.CurrentContext = "test"
	if err := clientcmd.WriteToFile(*config, k.kubeconfig); err != nil {
		k.Fatal(err)
	}
	return lists
}

// unpacked has the files of a bundle by name.
func unpacked(t *testing.T, bundle string) map[string]string {
	t.Helper()
	compressed, err := gzip.NewReader(strings.NewReader(bundle))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(header.Name, "/")
		files[name] = string(content)
	}
}

func (w *world) plantEvent(component, message string) {
	create(w, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, GenerateName: "planted-"}, Reason: "Planted", Message: message, Type: "Warning",
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: w.namespace, Name: "contoso-scim-1"}, Source: corev1.EventSource{Component: component},
	})
}

func TestAReportHasWhatAMaintainerNeedsAndNoSecretAndNoPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	secret := w.connectionSecret()
	secret.StringData["url"] = "postgres://contoso:" + canary + "@database-canary.example.com/scim"
	create(w, secret)
	tenant := create(w, w.tenant(inDatabase, reading("payroll"), func(p *v1alpha1.ProvisioningTenant) {
		p.Annotations = map[string]string{"note": canary, corev1.LastAppliedConfigAnnotation: canary}
		p.Labels = map[string]string{"owner": canary}
		p.Spec.DisplayName = canary
		p.Spec.Catalog = v1alpha1.Catalog{Companies: []string{canary}, Roles: []string{canary}}
		p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{Annotations: map[string]string{"nginx.ingress.kubernetes.io/auth-secret": canary}}
		p.Spec.Server.Template.Metadata = v1alpha1.ServerTemplateMetadata{Labels: map[string]v1alpha1.LabelValue{"owner": canary}, Annotations: map[string]v1alpha1.AnnotationValue{"vault": canary}}
		p.Spec.Server.Template.Spec.NodeSelector = map[string]string{"owner": canary}
	}))
	defaults := create(w, w.defaults("sales", func(d *v1alpha1.UserDefaults) {
		d.Spec.Filter, d.Spec.Companies, d.Spec.Roles = `userName eq "`+canary+`"`, []string{canary}, []string{canary}
		d.Spec.Attributes = []v1alpha1.AttributeDefault{{Path: "title", Value: canary}}
	}))
	w.until(tenant, "CredentialsReady=True/Issued")
	w.untilDefaults(defaults, "Accepted=True/Accepted")
	w.seen(tenant, &v1alpha1.ActivityStatus{LastCycle: &v1alpha1.CycleStatus{Requests: 1}})
	edit := func(o client.Object, change func()) {
		t.Helper()
		change()
		if err := w.Status().Update(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	pod := w.pod()
	edit(pod, func() {
		pod.Status.Phase = corev1.PodRunning
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "scimserver", Image: "scimserver", RestartCount: 2,
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled", Message: "user " + canary}},
		}}
	})
	unpulled := create(w, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: unstarted, Labels: pod.Labels}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "scimserver", Image: "scimserver"}},
	}})
	edit(unpulled, func() { unpulled.Status = waiting("ImagePullBackOff", "for "+canary) })
	for component, message := range map[string]string{
		"kubelet":              `Failed to pull image "` + canary + `": password=` + canary + ` for ` + canary + `@example.com`,
		"somebodys-controller": "Anna Canary may not come in",
	} {
		w.plantEvent(component, message)
	}
	labels := map[string]string{v1alpha1.NameLabel: v1alpha1.OperatorName, "test": w.namespace}
	operatorPod := corev1.PodSpec{Containers: []corev1.Container{{
		Name: "operator", Image: "operator:v1.2.3", Args: []string{"--server-image=scimserver:v1.2.3", "--entra-authority=https://" + canary},
		Env: []corev1.EnvVar{{Name: "HTTPS_PROXY", Value: "http://anna:" + canary + "@proxy"}},
	}}}
	create(w, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: testenv.OperatorNamespace, Name: w.namespace + "-operator", Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: operatorPod},
		},
	})
	create(w, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: testenv.OperatorNamespace, Name: w.namespace + "-operator-1", Labels: labels}, Spec: operatorPod})

	secretToken := w.plaintext()
	lists := k.withLogs(func(pod string, previous bool) string {
		lines := []string{
			`{"level":"INFO","msg":"the server starts","version":"v1.2.3"}`,
			`{"level":"ERROR","msg":"it failed","error":"connect to database-canary.example.com as ` + canary + `: refused","user":"Anna Canary"}`,
			`{"level":"ERROR","msg":"the token ` + secretToken + ` and \"Anna Canary\" of anna.canary@example.com","ProvisioningTenant":{"name":"contoso","namespace":"` + w.namespace + `"}}`,
			`{"level":"INFO","msg":"reconciled","ProvisioningTenant":{"name":"neighbour","namespace":"elsewhere"},"namespace":"elsewhere"}`,
			`panic: Anna Canary`,
		}
		if previous {
			lines = []string{`{"level":"ERROR","msg":"the run before ended"}`}
		}
		return strings.Join(lines, "\n") + "\n"
	})
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("a token is sent where none is needed")
		}
		if r.URL.Path == v1alpha1.ReadyPath {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(w, "the database is away: %s", canary)
			return
		}
		fmt.Fprintf(w, "tenantry_requests_total{client=%q,method=\"GET\"} 3\n", canary)
	}))
	t.Cleanup(admin.Close)
	k.forward = func(_ context.Context, _ *rest.Config, at client.ObjectKey, _ int) (string, error) {
		if at.Name != pod.Name {
			return "", errors.New("no kubelet")
		}
		return admin.Listener.Addr().String(), nil
	}

	code, bundle, errOut := k.run("report", "contoso", "-o", "-", "--tail", "50")
	if code != plugin.ExitFine || !strings.HasSuffix(errOut, " to standard output. Read it before you send it.\n") { // all could be read
		t.Errorf("exit %d\n%s", code, errOut)
	}
	for _, namespace := range []string{w.namespace, testenv.OperatorNamespace} {
		if n := lists(namespace); n != 1 {
			t.Errorf("the pods of namespace %s are listed %d times", namespace, n)
		}
	}
	files := unpacked(t, bundle)
	for name, content := range files {
		for _, planted := range []string{canary, "canary", "Canary", secretToken, token.Prefix} {
			if strings.Contains(content, planted) {
				t.Errorf("%s has %q:\n%s", name, planted, content)
			}
		}
		if !strings.Contains(files["INDEX.md"], "- "+name+": ") {
			t.Errorf("the index does not name %s", name)
		}
	}
	server := get(w, &appsv1.Deployment{}, "contoso-scim")
	applied, limit := server.Annotations[v1alpha1.GroupName+"/applied"], server.Spec.Template.Spec.Containers[0].Env[0].Value
	operators := "operator/" + testenv.OperatorNamespace
	operatorLog := operators + "/logs/" + w.namespace + "-operator-1.operator.log"
	// Another test installs HTTPRoutes and takes them away.
	const noRoutes = "- HTTPRoute objects: this kind is not installed in the cluster\n"
	files["INDEX.md"] = strings.Replace(files["INDEX.md"], noRoutes, "", 1)
	for name, parts := range map[string][]string{
		"INDEX.md": {"tenant contoso of namespace " + w.namespace,
			"\n## What there is not\n\n" +
				"- a log of container scimserver of pod contoso-scim-2: it has not run yet (ImagePullBackOff)\n",
		},
		"tenant.yaml": {
			"displayName: '[redacted, 18 bytes]'", "name: contoso-database", "reason: Issued", w.namespace + ".example.com", "auth-secret: '[redacted",
			"message: Secret contoso-credentials holds the Secret Token.",
		},
		"userdefaults.yaml": {"name: sales", "path: title", "reason: Accepted"},
		"secrets.txt":       {"contoso-credentials: type Opaque", "  token: 53 bytes", "contoso-reader.payroll: ", "contoso-verifier: ", "  url: "},
		"children/deployment.yaml": {
			"name: contoso-scim", "image: scimserver", "--tenant=contoso", "name: GOMEMLIMIT\n", "provisioning.tenantry.dev/applied: " + applied,
			"value: \"" + limit + "\"\n",
		},
		"children/pod.yaml":     {"reason: OOMKilled", "exitCode: 137", "restartCount: 2"},
		"children/service.yaml": {"name: contoso-scim"},
		"children/ingress.yaml": {"host: " + w.namespace + ".example.com"},
		"events.yaml": {
			"component: kubelet", "Failed to pull image", "component: somebodys-controller", "message: '[redacted, 27 bytes]'", "Ready: The tenant can be provisioned.",
		},
		"leases.yaml":                                 {"holderIdentity: " + w.namespace + "/contoso/"},
		"cluster.txt":                                 {"Kubernetes v1.", "provisioningtenants.provisioning.tenantry.dev has the hash "},
		"logs/contoso-scim-1.scimserver.log":          {"the server starts", "v1.2.3", "a line of 18 bytes that is none of ours"},
		"logs/contoso-scim-1.scimserver.previous.log": {"the run before ended"},
		"server/contoso-scim-1/readyz.txt":            {"the database is away: [redacted]"},
		"server/contoso-scim-1/metrics.txt":           {`tenantry_requests_total{client="[redacted]",method="GET"} 3`},
		operators + "/deployment.yaml":                {"image: operator:v1.2.3", "--server-image=scimserver:v1.2.3", "name: HTTPS_PROXY"},
		operatorLog:                                   {"the server starts"},
	} {
		for _, part := range parts {
			if !strings.Contains(files[name], part) {
				t.Errorf("%s lacks %q:\n%s", name, part, files[name])
			}
		}
	}
	if log := files[operatorLog]; strings.Contains(log, "neighbour") || strings.Contains(log, "reconciled") {
		t.Errorf("the operator's log has lines about another tenant:\n%s", log)
	}
}

func TestTheStatusAndTheVersionsAreReadFromTheCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	w.until(create(w, w.tenant()), ready)
	labels := map[string]string{v1alpha1.NameLabel: v1alpha1.OperatorName, "test": w.namespace}
	create(w, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "tenantry-operator", Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: v1alpha1.OperatorContainer, Image: "operator:v1.2.3"}},
			}},
		},
	})
	code, out, errOut := k.run("status", "--exit-code", "--operator-namespace", w.namespace)
	for _, part := range []string{
		"Operator:  " + w.namespace + "/tenantry-operator v1.2.3, ", "in flight of at most 10", "no operator leads in namespace " + w.namespace,
	} {
		if code != plugin.ExitWrong || errOut != "" || !strings.Contains(out, part) {
			t.Errorf("status: exit %d, lacks %q\n%s%s", code, part, out, errOut)
		}
	}
	if got := k.want("version", "--operator-namespace", w.namespace); !strings.Contains(got, "v1.2.3") || !strings.Contains(got, "Servers:") {
		t.Errorf("version is\n%s", got)
	}
}
