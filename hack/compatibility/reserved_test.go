package main

import (
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// docs/compatibility.md says what these names will mean. A field that took one for something else could not be renamed any more.
func TestReservedNamesAreFreeOrOfTheKindThatWasSaid(t *testing.T) {
	t.Parallel()
	spec := definition(t).Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	for path, kind := range map[string]string{
		"className": "string", "guards": "object", "backup": "object", "lifecycle": "object",
		"retention.deleted": "string", "console.administrators": "array",
	} {
		if found := field(spec, strings.Split(path, ".")); found != nil && found.Type != kind {
			t.Errorf("spec.%s is reserved for a field of type %s, and is one of type %s", path, kind, found.Type)
		}
	}
	kinds := []string{"object", "string", "array"}
	if found := field(spec, []string{"retention", "provisioningLog"}); found == nil || !slices.Contains(kinds, found.Type) {
		t.Errorf("a field that is there is not found: %v", found)
	}
}

// field returns the field at a path, nil where there is none.
func field(schema apiextensionsv1.JSONSchemaProps, path []string) *apiextensionsv1.JSONSchemaProps {
	for _, name := range path {
		next, ok := schema.Properties[name]
		if !ok {
			return nil
		}
		schema = next
	}
	return &schema
}
