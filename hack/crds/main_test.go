package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func files(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("../../config/crd/bases/*.yaml")
	if err != nil || len(found) != 3 {
		t.Fatalf("found %v: %v", found, err)
	}
	return found
}

// An empty status of a definition is a difference to tools that compare, and no status to those that validate.
func TestADefinitionIsWrittenWithoutAStatus(t *testing.T) {
	t.Parallel()
	for _, file := range files(t) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd map[string]any
		if err := yaml.Unmarshal(content, &crd); err != nil {
			t.Fatal(err)
		}
		if status, there := crd["status"]; there || crd["spec"] == nil {
			t.Errorf("%s has the status %v", file, status)
		}
	}
}

// kubectl explain prints the description of a field, and behind it that of the elements of its list or map.
func TestExplainReadsAsDocumentation(t *testing.T) {
	t.Parallel()
	for _, file := range files(t) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd definition
		if err := yaml.UnmarshalStrict(content, &crd); err != nil {
			t.Fatal(err)
		}
		root := *crd.Spec.Versions[0].Schema.OpenAPIV3Schema
		delete(root.Properties, "metadata") // which the API server describes
		fields := 0
		for path, description := range described(root, crd.Spec.Names.Kind, true) {
			fields++
			name := path[strings.LastIndex(path, ".")+1:]
			if !strings.HasPrefix(description, name) && !strings.HasPrefix(description, "Refused: it is called ") && !theirs.MatchString(path) {
				t.Errorf("%s is described by %q, which does not begin with its name", path, description)
			}
		}
		if fields < 25 {
			t.Errorf("%s has %d fields only", file, fields)
		}
		for path, description := range described(root, crd.Spec.Names.Kind, false) {
			if description != "" {
				t.Errorf("the elements of %s have a description of their own: %s", path, description)
			}
		}
	}
}

// theirs are fields that Kubernetes describes.
var theirs = regexp.MustCompile(`^\w+[.](apiVersion|kind)$|[.](resources|affinity|tolerations\[\]|topologySpreadConstraints\[\]|conditions\[\])[.]`)

// described returns the descriptions below a schema by their paths, of fields or of elements.
func described(schema apiextensionsv1.JSONSchemaProps, path string, ofFields bool) map[string]string {
	found := map[string]string{}
	add := func(path string, schema apiextensionsv1.JSONSchemaProps, isField bool) {
		if isField == ofFields {
			found[path] = schema.Description
		}
		maps.Copy(found, described(schema, path, ofFields))
	}
	for name, field := range schema.Properties {
		add(path+"."+name, field, true)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		add(path+"[]", *schema.Items.Schema, false)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		add(path+"[*]", *schema.AdditionalProperties.Schema, false)
	}
	return found
}
