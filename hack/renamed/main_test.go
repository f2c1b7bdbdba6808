package main

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// An empty status of a definition is a difference to tools that compare, and no status to those that validate.
func TestADefinitionIsWrittenWithoutAStatus(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join("..", "..", file))
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
