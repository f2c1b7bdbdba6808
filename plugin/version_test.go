package plugin

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// deployed is a Deployment with one container.
func deployed(namespace, name, container, image string, args ...string) appsv1.Deployment {
	d := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "mesh", Image: "mesh:1"}, {Name: container, Image: image, Args: args}}
	return d
}

func TestVersionsAreCountedByImage(t *testing.T) {
	t.Parallel()
	const digest = "sha256:0123"
	found := Versions{
		Client: "v1.3.0",
		Operators: operatorVersions([]appsv1.Deployment{
			deployed("tenantry-system", "tenantry-operator", v1alpha1.OperatorContainer, "registry.test:5000/operator:v1.3.0", "--leader-elect", "--server-image=scimserver:v1.3.0"),
			deployed("other", "tenantry-operator", v1alpha1.OperatorContainer, "operator@"+digest, "--server-image", "scimserver@"+digest),
		}),
		Servers: serverVersions([]appsv1.Deployment{
			deployed("a", "contoso-scim", v1alpha1.ServerContainer, "scimserver:v1.2.0"),
			deployed("a", "fabrikam-scim", v1alpha1.ServerContainer, "scimserver:v1.3.0"),
			deployed("b", "contoso-scim", v1alpha1.ServerContainer, "scimserver:v1.3.0"),
			deployed("b", "northwind-scim", v1alpha1.ServerContainer, "scimserver@"+digest),
			deployed("b", "mine", "another", "scimserver:v1.3.0"),
		}),
		Namespace: "b",
	}
	const want = `Plugin:    v1.3.0
Operator:  v1.3.0       tenantry-system/tenantry-operator runs registry.test:5000/operator:v1.3.0
Operator:  sha256:0123  other/tenantry-operator runs operator@sha256:0123
Servers:   v1.2.0       1 tenant runs scimserver:v1.2.0, which is not an operator's image: those are scimserver:v1.3.0 and scimserver@sha256:0123
Servers:   v1.3.0       2 tenants run scimserver:v1.3.0
Servers:   sha256:0123  1 tenant runs scimserver@sha256:0123
                        servers of namespace b only, because those of others may not be listed
`
	var out bytes.Buffer
	if err := found.write(&session{Options: options(&out, &out)}); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", &out, want)
	}
}

func TestAServerOfAnotherImageThanTheOperatorsIsToldWithThatOfTheOperator(t *testing.T) {
	t.Parallel()
	one := []OperatorVersion{{ServerImage: "scimserver:v1.3.0"}}
	for name, c := range map[string]struct {
		operators []OperatorVersion
		image     string
		want      string
	}{
		"the operator's":         {one, "scimserver:v1.3.0", ""},
		"another":                {one, "docker.io/scimserver:dev", ", which is not the operator's image scimserver:v1.3.0"},
		"two of one image":       {append(one, one...), "scimserver:dev", ", which is not the operator's image scimserver:v1.3.0"},
		"one that does not tell": {append(one, OperatorVersion{}), "scimserver:dev", ""},
		"without an operator":    {nil, "scimserver:dev", ""},
	} {
		if got := (Versions{Operators: c.operators}).behind(c.image); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestTheVersionOfThePluginNeedsNoCluster(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	code := Run(t.Context(), []string{"version", "--client", "-o", "json", "--kubeconfig", filepath.Join(t.TempDir(), "none")}, options(&out, &errOut))
	if code != ExitFine || !strings.HasPrefix(out.String(), "{\n    \"client\": \"") || errOut.Len() > 0 {
		t.Errorf("exit %d\n%s%s", code, &out, &errOut)
	}
	out.Reset()
	if code := Run(t.Context(), []string{"--version"}, options(&out, &errOut)); code != ExitFine || !strings.HasPrefix(out.String(), "kubectl tenantry ") {
		t.Errorf("--version: exit %d\n%s%s", code, &out, &errOut)
	}
}

// Scripts that build a release name the variable of package version to the linker, which passes over one that is not there.
func TestWhatBuildsAReleaseTellsTheLinkerItsVersion(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"Makefile", "hack/images.sh", "hack/plugin.sh"} {
		text, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), "-X github.com/tenantry/tenantry/internal/version.release=") != 1 {
			t.Errorf("%s does not tell the linker which release it builds", file)
		}
	}
	source, err := os.ReadFile("../internal/version/version.go")
	if err != nil || !strings.Contains(string(source), "\nvar release string\n") {
		t.Errorf("package version has no variable of that name (%v)", err)
	}
}
