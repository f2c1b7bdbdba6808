package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const present = "../../config/crd/bases"

// edited is a folder with the definitions of today after a change of one file; "" takes the file away.
func edited(t *testing.T, file string, change func(string) string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(present)); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(folder, file)
	content, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	text := change(string(content))
	if text == "" {
		err = os.Remove(name)
	} else {
		err = os.WriteFile(name, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestDefinitionsAreComparedByTheirNames(t *testing.T) {
	t.Parallel()
	const defaults = "provisioning.tenantry.dev_userdefaults.yaml"
	for name, test := range map[string]struct {
		file   string
		change func(string) string
		want   string
	}{
		"nothing changed": {defaults, func(text string) string { return text }, ""},
		"a kind came": {"other.yaml", func(string) string {
			return "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: provisioningtenantclasses.provisioning.tenantry.dev}\n"
		}, ""},
		"a kind is gone": {defaults, func(string) string { return "" },
			"userdefaults.provisioning.tenantry.dev is gone: put its file back"},
		"a value is gone": {defaults, func(text string) string { return strings.Replace(text, "                - Always\n", "", 1) },
			`userdefaults.provisioning.tenantry.dev: v1alpha1.spec.apply: "Always" is gone: put it back`},
		"a file that is none": {defaults, func(text string) string { return text + "kinds: x\n" }, defaults + ": "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := run([]string{present, edited(t, test.file, test.change)})
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestAReleaseThatKeptNothingIsNoReleaseThatPromisedNothing(t *testing.T) {
	t.Parallel()
	if err := run([]string{t.TempDir(), present}); err == nil || !strings.Contains(err.Error(), "has no definitions") {
		t.Errorf("got %v", err)
	}
}
