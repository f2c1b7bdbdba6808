package chart

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// byID leaves out what only one of Helm and kustomize has: labels by which Helm knows its own, the namespace, which
// `helm install --create-namespace` makes, and hooks.
func byID(t *testing.T, objects []*unstructured.Unstructured) map[string]any {
	t.Helper()
	found := map[string]any{}
	for _, object := range objects {
		if object.GetKind() == "Namespace" || object.GetAnnotations()[hookAnnotation] != "" {
			continue
		}
		object = object.DeepCopy()
		drop(object, "labels", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart")
		drop(object, "annotations", policyAnnotation)
		if _, twice := found[id(object)]; twice {
			t.Errorf("%s is there twice", id(object))
		}
		found[id(object)] = object.Object
	}
	return found
}

func drop(object *unstructured.Unstructured, field string, keys ...string) {
	for _, key := range keys {
		unstructured.RemoveNestedField(object.Object, "metadata", field, key)
	}
	if left, _, _ := unstructured.NestedMap(object.Object, "metadata", field); len(left) == 0 {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
}

func kustomize(t *testing.T, path string) []*unstructured.Unstructured {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, path, string(text))
}

func TestKustomizeBuildsTheObjectsOfTheChart(t *testing.T) {
	fromKustomize, fromChart := byID(t, kustomize(t, root+"/config/default")), byID(t, render(t, nil))
	if diff := cmp.Diff(fromKustomize, fromChart); diff != "" {
		t.Errorf("config/default and the chart with its default values differ (- config, + chart):\n%s", diff)
	}
}

func TestTheChartsCRDsAreThoseOfConfig(t *testing.T) {
	bases, err := filepath.Glob(root + "/config/crd/bases/*.yaml")
	if err != nil || len(bases) == 0 {
		t.Fatalf("found no CRD: %v", err)
	}
	want := map[string]any{}
	for _, path := range bases {
		for _, crd := range parse(t, path, string(read(t, path))) {
			want[id(crd)] = crd.Object
		}
	}
	for _, keep := range []bool{true, false} {
		got := map[string]any{}
		for _, object := range render(t, map[string]any{"crds": map[string]any{"keep": keep}}) {
			if object.GetKind() != "CustomResourceDefinition" {
				continue
			}
			if kept := object.GetAnnotations()[policyAnnotation] == "keep"; kept != keep {
				t.Errorf("crds.keep=%v: %s is kept: %v", keep, id(object), kept)
			}
			drop(object, "annotations", policyAnnotation)
			got[id(object)] = object.Object
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("crds.keep=%v (- config/crd/bases, + chart):\n%s", keep, diff)
		}
	}
}

// TestTheOperatorHasTheseRightsAndNoOthers has a line for each resource, so that a new right is seen in review.
func TestTheOperatorHasTheseRightsAndNoOthers(t *testing.T) {
	for _, name := range []string{"default", "namespaced"} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			for _, object := range render(t, cases(t)[name]) {
				switch object.GetKind() {
				case "ClusterRole", "Role":
					lines = append(lines, rights(t, object)...)
				case "ClusterRoleBinding", "RoleBinding":
					lines = append(lines, binding(t, object))
				}
			}
			for _, line := range lines {
				if strings.Contains(line, "*") {
					t.Errorf("too much: %s", line)
				}
			}
			golden(t, "testdata/rights/"+name+".txt", strings.Join(lines, "\n")+"\n")
		})
	}
}

// rights lists the verbs of a role by what they are for.
func rights(t *testing.T, object *unstructured.Unstructured) []string {
	t.Helper()
	var role rbacv1.Role
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &role, true); err != nil {
		t.Fatalf("%s: %v", id(object), err)
	}
	var lines []string
	line := func(what string, rule rbacv1.PolicyRule) {
		lines = append(lines, fmt.Sprintf("%s: %s: %s", id(object), strings.Join(append([]string{what}, rule.ResourceNames...), " "), strings.Join(rule.Verbs, " ")))
	}
	for _, rule := range role.Rules {
		for _, url := range rule.NonResourceURLs {
			line(url, rule)
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				line(strings.TrimSuffix(resource+"."+group, "."), rule)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func binding(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	var b rbacv1.RoleBinding
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &b, true); err != nil {
		t.Fatalf("%s: %v", id(object), err)
	}
	var subjects []string
	for _, subject := range b.Subjects {
		subjects = append(subjects, fmt.Sprintf("%s %s/%s", subject.Kind, subject.Namespace, subject.Name))
	}
	return fmt.Sprintf("%s: %s %s to %s", id(object), b.RoleRef.Kind, b.RoleRef.Name, strings.Join(subjects, ", "))
}

// The rules are what controller-gen makes of the markers in controllers/; `make verify-generated` holds config/rbac to that.
func TestTheOperatorsRulesAreThoseOfTheMarkers(t *testing.T) {
	path := root + "/config/rbac/role.yaml"
	want := parse(t, path, string(read(t, path)))[0].Object["rules"]
	for name, test := range map[string]struct {
		values map[string]any
		roles  []string
	}{
		"in the cluster":        {nil, []string{"ClusterRole tenantry-operator"}},
		"in two namespaces":     {map[string]any{"watchNamespaces": []any{"a", "b"}}, []string{"Role a/tenantry-operator", "Role b/tenantry-operator"}},
		"without any of a role": {map[string]any{"rbac": map[string]any{"create": false}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var roles []string
			for _, object := range render(t, test.values) {
				if object.GetName() != "tenantry-operator" || !strings.HasSuffix(object.GetKind(), "Role") {
					continue
				}
				roles = append(roles, id(object))
				if diff := cmp.Diff(want, object.Object["rules"]); diff != "" {
					t.Errorf("%s (- config/rbac/role.yaml, + chart):\n%s", id(object), diff)
				}
			}
			if diff := cmp.Diff(test.roles, roles); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTheChartsPolicyIsThatOfConfig: `make generate` copies it, and the chart sets what is the installation's in it.
func TestTheChartsPolicyIsThatOfConfig(t *testing.T) {
	if diff := cmp.Diff(string(read(t, root+"/config/admission/policy.yaml")), string(read(t, chartPath+"/files/policy.yaml"))); diff != "" {
		t.Errorf("run make generate (- config/admission, + chart):\n%s", diff)
	}
}

// TestOneNamespaceNeedsNothingOfTheCluster is for teams that may not create anything outside of their namespaces.
func TestOneNamespaceNeedsNothingOfTheCluster(t *testing.T) {
	clusterScoped := map[string]bool{
		"ClusterRole": true, "ClusterRoleBinding": true, "CustomResourceDefinition": true, "Namespace": true,
		"ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true,
	}
	for _, object := range render(t, cases(t)["namespaced"]) {
		if clusterScoped[object.GetKind()] {
			t.Errorf("%s belongs to the whole cluster", id(object))
		}
	}
}

// TestTheCatalogEntryNamesWhatTheChartHas checks the annotations that Artifact Hub shows.
func TestTheCatalogEntryNamesWhatTheChartHas(t *testing.T) {
	annotations := load(t).Metadata.Annotations
	var crds []struct{ Kind, Version, Name, DisplayName, Description string }
	if err := yaml.UnmarshalStrict([]byte(annotations["artifacthub.io/crds"]), &crds); err != nil {
		t.Fatal(err)
	}
	var images []struct {
		Name, Image string
		Platforms   []string
	}
	if err := yaml.UnmarshalStrict([]byte(annotations["artifacthub.io/images"]), &images); err != nil {
		t.Fatal(err)
	}
	named, listed := map[string]bool{}, map[string]bool{}
	for _, crd := range crds {
		named[crd.Name+" "+crd.Kind+" "+crd.Version] = true
	}
	for _, image := range images {
		named[image.Image] = true
	}
	for _, object := range render(t, nil) {
		switch object.GetKind() {
		case "CustomResourceDefinition":
			kind, _, _ := unstructured.NestedString(object.Object, "spec", "names", "kind")
			versions, _, _ := unstructured.NestedSlice(object.Object, "spec", "versions")
			for _, version := range versions {
				if version, ok := version.(map[string]any); ok {
					listed[fmt.Sprintf("%s %s %s", object.GetName(), kind, version["name"])] = true
				}
			}
		case "Deployment":
			text, err := json.Marshal(object.Object)
			if err != nil {
				t.Fatal(err)
			}
			for _, image := range images {
				if strings.Contains(string(text), image.Image+`"`) {
					listed[image.Image] = true
				}
			}
		}
	}
	if diff := cmp.Diff(listed, named); diff != "" {
		t.Errorf("Chart.yaml's annotations (- rendered, + named):\n%s", diff)
	}
}
