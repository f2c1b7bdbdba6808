package clustertest

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// recipes are the objects in the blocks of YAML of a document, with the namespaces and hosts of this test. A block without apiVersion is none: values of
// the chart.
func (w *world) recipes(document string) (objects []*unstructured.Unstructured) {
	w.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", document))
	if err != nil {
		w.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```$").FindAllStringSubmatch(string(text), -1) {
		content := strings.ReplaceAll("\n"+block[2], "\n"+block[1], "\n")
		if !strings.Contains(content, "\napiVersion:") {
			continue
		}
		for _, object := range w.decoded(strings.ReplaceAll(content, "scim.example.com", w.namespace+".example.com")) {
			if object.GetNamespace() != "" {
				object.SetNamespace(w.namespace)
			}
			objects = append(objects, object)
		}
	}
	return objects
}

// decoded are the objects of a text of YAML.
func (w *world) decoded(text string) (objects []*unstructured.Unstructured) {
	w.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			w.Fatalf("%v\n%s", err, text)
		}
		objects = append(objects, object)
	}
}

// gatewayKinds is where the definitions of these kinds are, in the module that the operator has its types from.
func gatewayKinds(t *testing.T, plurals ...string) envtest.CRDInstallOptions {
	t.Helper()
	directory, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatalf("find the Gateway API: %v", err)
	}
	var options envtest.CRDInstallOptions
	for _, plural := range plurals {
		options.Paths = append(options.Paths,
			filepath.Join(strings.TrimSpace(string(directory)), "config", "crd", "standard", "gateway.networking.k8s.io_"+plural+".yaml"))
	}
	return options
}

func TestTheRecipesForExposureAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// Neither HTTPRoutes nor ListenerSets, which another test has come and go.
	w.eventually("install Gateways, as another test may at the same moment", func() string {
		if _, err := envtest.InstallCRDs(cluster.Config, gatewayKinds(t, "gateways", "referencegrants")); err != nil {
			return err.Error()
		}
		return ""
	})
	strict := client.WithFieldValidation(w.Client, "Strict")
	kinds := map[string]int{}
	for _, object := range w.recipes("exposure.md") {
		kinds[object.GetKind()]++
		what := object.GetKind() + " " + object.GetName()
		if object.GetKind() == "ListenerSet" {
			continue // which that test creates
		}
		if object.GetKind() != "ProvisioningTenant" {
			if err := strict.Create(t.Context(), object, client.DryRunAll); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		if err := strict.Create(t.Context(), object); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		tenant := &v1alpha1.ProvisioningTenant{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, tenant); err != nil {
			t.Fatal(err)
		}
		w.until(tenant, "Accepted=True/Accepted")
		exposure := tenant.Spec.Exposure
		if exposure.Type != v1alpha1.ExposureIngress {
			continue
		}
		ingress := get(w, &networkingv1.Ingress{}, tenant.Name+"-scim")
		if *ingress.Spec.IngressClassName != exposure.Ingress.ClassName || ingress.Spec.Rules[0].Host != exposure.Host {
			t.Errorf("%s: the Ingress has class %s and host %s", what, *ingress.Spec.IngressClassName, ingress.Spec.Rules[0].Host)
		}
		for name, value := range exposure.Ingress.Annotations {
			if ingress.Annotations[name] != value {
				t.Errorf("%s: the Ingress has %s: %q", what, name, ingress.Annotations[name])
			}
		}
	}
	for _, kind := range []string{"ProvisioningTenant", "Ingress", "Gateway", "ListenerSet", "ReferenceGrant", "Namespace"} {
		if kinds[kind] == 0 {
			t.Errorf("the document has no %s", kind)
		}
	}
}

func TestTheRecipesForApplicationsAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	strict := client.WithFieldValidation(w.Client, "Strict")
	kinds := map[string]int{}
	for _, object := range w.recipes("applications.md") {
		kinds[object.GetKind()]++
		if err := strict.Create(t.Context(), object, client.DryRunAll); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	for _, kind := range []string{"ProvisioningTenant", "Pod", "Role"} {
		if kinds[kind] == 0 {
			t.Errorf("docs/applications.md has no %s", kind)
		}
	}
}

func TestTheObjectsOfTheInstallationAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	strict := client.WithFieldValidation(w.Client, "Strict")
	kinds := map[string]int{}
	for _, object := range w.recipes("install.md") {
		if object.GetKind() == "Kustomization" {
			continue // which kustomize reads
		}
		kinds[object.GetKind()]++
		if err := strict.Create(t.Context(), object, client.DryRunAll); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	for _, kind := range []string{"ProvisioningTenantClass", "Namespace"} {
		if kinds[kind] == 0 {
			t.Errorf("docs/install.md has no %s", kind)
		}
	}
}

// Clients differ in whether they tell of a field that the API does not know: kubectl refuses it.
func TestTheSamplesAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	strict := client.WithFieldValidation(w.Client, "Strict")
	kinds := map[string]int{}
	for _, file := range []string{"class.yaml", "contoso.yaml", "fabrikam.yaml"} {
		content, err := os.ReadFile(filepath.Join("..", "..", "config", "samples", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range w.decoded(string(content)) {
			kinds[object.GetKind()]++
			if object.GetKind() != "ProvisioningTenantClass" {
				object.SetNamespace(w.namespace)
			}
			if err := strict.Create(t.Context(), object, client.DryRunAll); err != nil {
				t.Errorf("%s: %s %s: %v", file, object.GetKind(), object.GetName(), err)
			}
		}
	}
	if kinds["ProvisioningTenantClass"] != 1 || kinds["ProvisioningTenant"] != 2 || kinds["UserDefaults"] == 0 {
		t.Errorf("the samples have %v", kinds)
	}
}

// TestTheFirstTenantBecomesReadyAsItIsWritten in the README: without a Secret, or anything else, that nobody has made yet. The chart's tests do the same with
// the class that the README gives to Helm, and with the tenant of the chart's notes.
func TestTheFirstTenantBecomesReadyAsItIsWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, object := range w.recipes("../README.md") {
		create(w, object)
	}
	w.until(w.tenant(), ready)
	w.untilDefaults(w.defaults("finance"), "Accepted=True/"+v1alpha1.ReasonAccepted)
}
