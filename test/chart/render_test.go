package chart

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files and the generated parts of documents")

const (
	root      = "../.."
	chartPath = root + "/charts/tenantry"
	// The names under which config/ installs, so that both can be compared.
	releaseName      = "tenantry"
	releaseNamespace = "tenantry-system"

	hookAnnotation   = "helm.sh/hook"
	policyAnnotation = "helm.sh/resource-policy"
)

func load(t *testing.T) *chartv2.Chart {
	t.Helper()
	chart, err := loader.Load(chartPath)
	if err != nil {
		t.Fatal(err)
	}
	return chart
}

// renderFiles renders the chart with values and returns the text of each template, or the error that a person would see.
func renderFiles(t *testing.T, values map[string]any) (map[string]string, error) {
	t.Helper()
	chart := load(t)
	release := common.ReleaseOptions{Name: releaseName, Namespace: releaseNamespace, Revision: 1, IsInstall: true}
	rendered, err := util.ToRenderValues(chart, values, release, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, rendered)
}

// render returns the objects that the chart makes of values, those of hooks included.
func render(t *testing.T, values map[string]any) []*unstructured.Unstructured {
	t.Helper()
	files, err := renderFiles(t, values)
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if filepath.Ext(path) == ".yaml" {
			objects = append(objects, parse(t, path, files[path])...)
		}
	}
	if len(objects) == 0 {
		t.Fatal("the chart renders nothing")
	}
	return objects
}

// parse reads YAML documents as strictly as the API server: a key that stands twice is an error.
func parse(t *testing.T, name, text string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		object := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(document), &object.Object); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, document)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
	return objects
}

// cases are the files of testdata/values.
func cases(t *testing.T) map[string]map[string]any {
	t.Helper()
	paths, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("found no values to render: %v", err)
	}
	found := map[string]map[string]any{}
	for _, path := range paths {
		values := map[string]any{}
		if err := yaml.Unmarshal(read(t, path), &values); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		found[strings.TrimSuffix(filepath.Base(path), ".yaml")] = values
	}
	return found
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// golden compares with a file, or writes it under -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, path)), got); diff != "" {
		t.Errorf("%s differs; if that is meant, run go -C test/chart test -run %s -update (- golden, + now):\n%s", path, t.Name(), diff)
	}
}

func id(object *unstructured.Unstructured) string {
	return object.GetKind() + " " + strings.TrimPrefix(object.GetNamespace()+"/"+object.GetName(), "/")
}

// TestTheChartRendersWhatIsWrittenDown leaves to other tests what is a file of the chart: CRDs, rules and dashboard.
func TestTheChartRendersWhatIsWrittenDown(t *testing.T) {
	for name, values := range cases(t) {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			for _, object := range render(t, values) {
				if object.GetKind() == "CustomResourceDefinition" {
					continue
				}
				if strings.HasSuffix(object.GetName(), "-operator") && object.Object["rules"] != nil {
					object.Object["rules"] = "those of files/role.yaml"
				}
				if strings.HasSuffix(object.GetName(), "-dashboard") {
					object.Object["data"] = "that of files/dashboard.json"
				}
				if object.GetKind() == "ValidatingAdmissionPolicy" {
					shorten(t, object)
				}
				document, err := yaml.Marshal(object.Object)
				if err != nil {
					t.Fatal(err)
				}
				text.WriteString("---\n" + string(document))
			}
			golden(t, "testdata/golden/"+name+".yaml", text.String())
		})
	}
}

// shorten leaves of a policy what the chart sets in it.
func shorten(t *testing.T, policy *unstructured.Unstructured) {
	t.Helper()
	spec, ok := policy.Object["spec"].(map[string]any)
	variables, ok2 := spec["variables"].([]any)
	if !ok || !ok2 || len(variables) < 3 {
		t.Fatalf("%s has no spec with variables", id(policy))
	}
	spec["variables"], spec["validations"] = variables[:3], "those of files/policy.yaml"
}

func TestTheNotesSayWhatToDoNext(t *testing.T) {
	for name, values := range cases(t) {
		t.Run(name, func(t *testing.T) {
			files, err := renderFiles(t, values)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/golden/"+name+".notes.txt", files["tenantry/templates/NOTES.txt"])
		})
	}
}
