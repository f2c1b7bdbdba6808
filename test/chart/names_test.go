package chart

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
)

// named renders all but the CRDs for a release of some name.
func named(t *testing.T, release string, values map[string]any) []*unstructured.Unstructured {
	t.Helper()
	chart := load(t)
	rendered, err := util.ToRenderValues(chart, values,
		common.ReleaseOptions{Name: release, Namespace: releaseNamespace, Revision: 1, IsInstall: true}, common.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(chart, rendered)
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(path, ".yaml") && !strings.HasSuffix(path, "/crds.yaml") {
			objects = append(objects, parse(t, path, files[path])...)
		}
	}
	return objects
}

// TestNamesBeginWithThatOfTheReleaseAndTheChart so that a release called prod makes no ClusterRole prod-edit.
func TestNamesBeginWithThatOfTheReleaseAndTheChart(t *testing.T) {
	long := strings.Repeat("a", 53) // the longest name of a release
	for name, test := range map[string]struct {
		release string
		values  map[string]any
		want    string
	}{
		"the chart's own":        {"tenantry", nil, "tenantry"},
		"one that has it":        {"tenantry-blue", nil, "tenantry-blue"},
		"another":                {"prod", nil, "prod-tenantry"},
		"another chart name":     {"prod", map[string]any{"nameOverride": "scim"}, "prod-scim"},
		"a name":                 {"prod", map[string]any{"fullnameOverride": "scim"}, "scim"},
		"a name and a chart's":   {"prod", map[string]any{"fullnameOverride": "scim", "nameOverride": "other"}, "scim"},
		"one that is too long":   {long, nil, long[:46]},
		"one cut off at a dash":  {strings.Repeat("a", 45) + "-bcdefg", nil, strings.Repeat("a", 45)},
		"a name that is maximal": {"prod", map[string]any{"fullnameOverride": long[:46]}, long[:46]},
	} {
		t.Run(name, func(t *testing.T) {
			values := maps.Clone(cases(t)["everything"])
			delete(values, "extraObjects")
			maps.Copy(values, test.values)
			for _, object := range named(t, test.release, values) {
				if !strings.HasPrefix(object.GetName(), test.want+"-") {
					t.Errorf("%s does not begin with %s-", id(object), test.want)
				}
				if problems := validation.IsDNS1123Label(object.GetName()); object.GetKind() == "Service" && len(problems) > 0 {
					t.Errorf("%s: %v", id(object), problems)
				}
				if object.GetKind() == "Deployment" && object.GetName() != test.want+"-operator" {
					t.Errorf("%s is not called %s-operator", id(object), test.want)
				}
			}
		})
	}
}

// selectors are all maps by which an object of the chart chooses others.
func selectors(object *unstructured.Unstructured) []map[string]string {
	var found []map[string]string
	for _, path := range [][]string{{"spec", "selector"}, {"spec", "selector", "matchLabels"}, {"spec", "podSelector", "matchLabels"}} {
		if labels, ok, err := unstructured.NestedStringMap(object.Object, path...); ok && err == nil {
			found = append(found, labels)
		}
	}
	return found
}

// TestCommonLabelsAndAnnotationsAreOnEveryObject and its pods, and on no selector, which could not change later.
func TestCommonLabelsAndAnnotationsAreOnEveryObject(t *testing.T) {
	for file, values := range cases(t) {
		t.Run(file, func(t *testing.T) {
			values := maps.Clone(values)
			delete(values, "extraObjects") // They are as they are written.
			values["commonLabels"] = map[string]any{"example.com/cost-center": "4711"}
			values["commonAnnotations"] = map[string]any{"example.com/owner": "identity"}
			chosen := 0
			for _, object := range render(t, values) {
				all := []*unstructured.Unstructured{object}
				if template, ok, _ := unstructured.NestedMap(object.Object, "spec", "template"); ok {
					all = append(all, &unstructured.Unstructured{Object: template})
				}
				for _, object := range all {
					if object.GetLabels()["example.com/cost-center"] != "4711" || object.GetAnnotations()["example.com/owner"] != "identity" {
						t.Errorf("%s has labels %v and annotations %v", id(object), object.GetLabels(), object.GetAnnotations())
					}
				}
				for _, labels := range selectors(object) {
					chosen++
					if labels["example.com/cost-center"] != "" {
						t.Errorf("%s selects by %v", id(object), labels)
					}
				}
			}
			if chosen == 0 {
				t.Error("nothing selects anything")
			}
		})
	}
}

// TestWhatTheChartSaysOfItsObjectsCannotBeOverwritten: a label that stood twice would be an error, and one that is lost would leave a Service
// without its pods.
func TestWhatTheChartSaysOfItsObjectsCannotBeOverwritten(t *testing.T) {
	values := maps.Clone(cases(t)["everything"])
	without := map[string]*unstructured.Unstructured{}
	for _, object := range render(t, values) {
		without[id(object)] = object
	}
	others := map[string]any{"app.kubernetes.io/name": "other", "app.kubernetes.io/instance": "other", "app.kubernetes.io/version": "other"}
	values["commonLabels"], values["podLabels"] = others, others
	values["commonAnnotations"] = map[string]any{hookAnnotation: "other"}
	for _, object := range render(t, values) {
		before := without[id(object)]
		for key := range others {
			if object.GetKind() != "CustomResourceDefinition" && key != "app.kubernetes.io/version" && object.GetLabels()[key] != before.GetLabels()[key] {
				t.Errorf("%s has the label %s=%s", id(object), key, object.GetLabels()[key])
			}
		}
		if hook := before.GetAnnotations()[hookAnnotation]; hook != "" && object.GetAnnotations()[hookAnnotation] != hook {
			t.Errorf("%s is no hook any more", id(object))
		}
	}
}

// TestOneValueOverwritesACommonOne where both name a key.
func TestOneValueOverwritesACommonOne(t *testing.T) {
	values := maps.Clone(cases(t)["everything"])
	values["commonLabels"], values["podLabels"] = map[string]any{"team": "common"}, map[string]any{"team": "pods"}
	values["commonAnnotations"] = map[string]any{"example.com/at": "common"}
	values["podAnnotations"], values["deploymentAnnotations"] = map[string]any{"example.com/at": "pods"}, map[string]any{"example.com/at": "deployment"}
	for _, object := range render(t, values) {
		if object.GetKind() != "Deployment" {
			continue
		}
		label, _, _ := unstructured.NestedString(object.Object, "spec", "template", "metadata", "labels", "team")
		annotation, _, _ := unstructured.NestedString(object.Object, "spec", "template", "metadata", "annotations", "example.com/at")
		if label != "pods" || annotation != "pods" || object.GetLabels()["team"] != "common" || object.GetAnnotations()["example.com/at"] != "deployment" {
			t.Errorf("got pods with %s and %s, and the Deployment with %v and %v", label, annotation, object.GetLabels(), object.GetAnnotations())
		}
	}
}
