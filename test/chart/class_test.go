package chart

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/strvals"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestHelmTakesNoClassBesideItsCRD is why the operator makes the class of the values. Once it fails, the class can be an object of the chart.
func TestHelmTakesNoClassBesideItsCRD(t *testing.T) {
	namespace(t, releaseNamespace)
	t.Cleanup(func() { removeCRDs(t) })
	crd := string(read(t, root+"/config/crd/bases/provisioning.tenantry.dev_provisioningtenantclasses.yaml"))
	class := "---\napiVersion: provisioning.tenantry.dev/v1alpha1\nkind: ProvisioningTenantClass\nmetadata: {name: standard}\n"
	install := action.NewInstall(configuration(t, releaseNamespace))
	install.ReleaseName, install.Namespace, install.WaitStrategy = "beside", releaseNamespace, kube.HookOnlyStrategy
	_, err := install.RunWithContext(t.Context(), chartOf(crd+class), nil)
	if err == nil || !strings.Contains(err.Error(), `no matches for kind "ProvisioningTenantClass"`) {
		t.Errorf("got %v", err)
	}
}

// standard is the class of the values, as it is in the cluster.
func standard(t *testing.T, name string) (*unstructured.Unstructured, error) {
	t.Helper()
	class := object("provisioning.tenantry.dev/v1alpha1", "ProvisioningTenantClass")
	return class, shared.client.Get(t.Context(), client.ObjectKey{Name: name}, class)
}

// saying waits until the class has that base domain.
func saying(t *testing.T, name, domain string) *unstructured.Unstructured {
	t.Helper()
	var class *unstructured.Unstructured
	eventually(t, "the class says "+domain, func() string {
		var err error
		if class, err = standard(t, name); err != nil {
			return err.Error()
		}
		if got, _, _ := unstructured.NestedString(class.Object, "spec", "defaults", "exposure", "baseDomain"); got != domain {
			return "it says " + got
		}
		return ""
	})
	return class
}

// TestTheOperatorMakesTheClassOfTheValues, follows them, and leaves what a person has changed; and the class stays where the release goes.
func TestTheOperatorMakesTheClassOfTheValues(t *testing.T) {
	for name, values := range map[string]string{
		"in the cluster":     "defaultClass: {create: true, name: a, annotations: {example.com/owner: identity}, spec: {defaults: {exposure: {baseDomain: %s}}}}",
		"in some namespaces": "{watchNamespaces: [makes], defaultClass: {create: true, name: a, spec: {defaults: {exposure: {baseDomain: %s}}}}}",
	} {
		t.Run(name, func(t *testing.T) {
			namespace(t, releaseNamespace)
			namespace(t, "makes")
			t.Cleanup(func() { removeCRDs(t) })
			with := func(domain string) map[string]any { return valuesOf(t, fmt.Sprintf(values, domain)) }
			install(t, releaseNamespace, with("one.example.com"))
			t.Run("installed", func(t *testing.T) {
				start(t, render(t, with("one.example.com")), "0")
				class := saying(t, "a", "one.example.com")
				if class.GetAnnotations()["provisioning.tenantry.dev/is-default-class"] != "true" {
					t.Errorf("it is not the default: %v", class.GetAnnotations())
				}
			})
			upgrade(t, releaseNamespace, with("two.example.com"))
			t.Run("upgraded", func(t *testing.T) {
				start(t, render(t, with("two.example.com")), "0")
				saying(t, "a", "two.example.com")
			})
			kubectl(t, "patch", "ptenantclass", "a", "--type=merge", `--patch={"spec":{"defaults":{"exposure":{"baseDomain":"hand.example.com"}}}}`)
			t.Run("changed by hand", func(t *testing.T) {
				start(t, render(t, with("three.example.com")), "0")
				served(t, tenantIn(t, "makes")) // which it does after it looked at the class that it was given
				saying(t, "a", "hand.example.com")
			})
			uninstall(t, releaseNamespace)
			if _, err := standard(t, "a"); err != nil {
				t.Errorf("the class went with the release: %v", err)
			}
		})
	}
}

// TestTheTenantOfTheREADMEBecomesReady with the values that it gives to helm install, and no more than five lines of its own.
func TestTheTenantOfTheREADMEBecomesReady(t *testing.T) {
	readme := string(read(t, root+"/README.md"))
	command := regexp.MustCompile(`(?m)^    [$] (helm install (?:.*\\\n)*.*)$`).FindStringSubmatch(readme)
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllStringSubmatch(readme, -1)
	if command == nil || len(blocks) == 0 {
		t.Fatal("the README has no helm install, or no tenant")
	}
	const customers = "readme"
	tenant := strings.ReplaceAll(blocks[0][1], "namespace: customers", "namespace: "+customers)
	if spec := strings.Split(strings.TrimSpace(tenant[strings.Index(tenant, "spec:"):]), "\n"); len(spec) > 5 {
		t.Errorf("the spec has %d lines", len(spec))
	}
	t.Cleanup(func() { removeCRDs(t) })
	t.Cleanup(func() { uninstall(t, releaseNamespace) })
	// Its host is that of the notes too, and would stay reserved for this namespace.
	t.Cleanup(func() {
		lease := objectIn("coordination.k8s.io/v1", "Lease", releaseNamespace, "host.contoso.scim.example.com")
		if err := shared.client.Delete(context.Background(), lease); err != nil {
			t.Error(err)
		}
	})
	tools := helmTools(t)
	shell(t, tools, command[1])
	values := map[string]any{}
	for _, set := range regexp.MustCompile(`--set (\S+)`).FindAllStringSubmatch(command[1], -1) {
		if err := strvals.ParseInto(set[1], values); err != nil {
			t.Fatal(err)
		}
	}
	start(t, render(t, values), "0")
	namespace(t, customers)
	file := t.TempDir() + "/contoso.yaml"
	if err := os.WriteFile(file, []byte(tenant), 0o600); err != nil {
		t.Fatal(err)
	}
	kubectl(t, "apply", "--filename="+file)
	live := object("provisioning.tenantry.dev/v1alpha1", "ProvisioningTenant")
	t.Cleanup(func() { shared.client.Delete(context.Background(), live) })
	eventually(t, "the tenant of the README becomes ready", func() string {
		if err := client.IgnoreNotFound(play(t.Context(), customers)); err != nil {
			return err.Error()
		}
		if err := shared.client.Get(t.Context(), client.ObjectKey{Namespace: customers, Name: "contoso"}, live); err != nil {
			return err.Error()
		}
		return notReady(live)
	})
	url, _, _ := unstructured.NestedString(live.Object, "status", "tenantURL")
	class, _, _ := unstructured.NestedString(live.Object, "status", "class", "name")
	if class != "standard" || !strings.Contains(readme, "   "+url+"   ") {
		t.Errorf("the tenant is of class %q and has the URL %s, which the README does not show", class, url)
	}
}

// notReady is "" once condition Ready is true, and all conditions before.
func notReady(tenant *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(tenant.Object, "status", "conditions")
	for _, condition := range conditions {
		if condition, ok := condition.(map[string]any); ok && condition["type"] == "Ready" && condition["status"] == "True" {
			return ""
		}
	}
	return fmt.Sprint(conditions)
}
