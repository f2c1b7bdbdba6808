package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// plugin is what of a manifest differs from release to release.
type plugin struct {
	Metadata struct{ Name string }
	Spec     struct {
		Version          string
		ShortDescription string
		Platforms        []platform
	}
}

type platform struct {
	Selector    struct{ MatchLabels map[string]string }
	URI, SHA256 string
	Files       []map[string]string
	Bin         string
}

func TestEveryFieldOfTheManifestIsFilledIn(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, content := range map[string]string{
		"kubectl-tenantry_v1.2.3_linux_amd64.tar.gz": "for Linux", "kubectl-tenantry_v1.2.3_windows_arm64.tar.gz": "for Windows",
		"kubectl-tenantry_v1.2.2_linux_amd64.tar.gz": "older", "notes.txt": "",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := run(&out, "v1.2.3", folder); err != nil {
		t.Fatal(err)
	}
	var got plugin
	if err := yaml.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	const releases = "https://github.com/tenantry/tenantry/releases/download/v1.2.3/"
	license := map[string]string{"from": "LICENSE", "to": "."}
	want := []platform{
		{
			URI: releases + "kubectl-tenantry_v1.2.3_linux_amd64.tar.gz", SHA256: "f0ef83790d9153e8f73a92ad1198548bb4a9f9619ffe7206fca195918f3bb8f8",
			Files: []map[string]string{{"from": "kubectl-tenantry", "to": "."}, license}, Bin: "kubectl-tenantry",
		},
		{
			URI: releases + "kubectl-tenantry_v1.2.3_windows_arm64.tar.gz", SHA256: "6de6efacae914570714d682846ecc0ddcbfccca3576b30c7d2f47c443ef8e7ae",
			Files: []map[string]string{{"from": "kubectl-tenantry.exe", "to": "."}, license}, Bin: "kubectl-tenantry.exe",
		},
	}
	want[0].Selector.MatchLabels = map[string]string{"os": "linux", "arch": "amd64"}
	want[1].Selector.MatchLabels = map[string]string{"os": "windows", "arch": "arm64"}
	if diff := cmp.Diff(want, got.Spec.Platforms); diff != "" {
		t.Errorf("platforms: want -, got +\n%s", diff)
	}
	if got.Metadata.Name != "tenantry" || got.Spec.Version != "v1.2.3" {
		t.Errorf("plugin %q of version %q", got.Metadata.Name, got.Spec.Version)
	}
	// krew's own limit.
	if n := len(got.Spec.ShortDescription); n == 0 || n > 60 {
		t.Errorf("the short description has %d characters", n)
	}
}

func TestAReleaseThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	odd := t.TempDir()
	if err := os.WriteFile(filepath.Join(odd, "kubectl-tenantry_v1.2.3_linux.tar.gz"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ version, folder, want string }{
		"no version":    {"dev", odd, `the version must be like v1.2.3, which is what krew compares, not "dev"`},
		"no archive":    {"v1.2.4", odd, "there is no archive of version v1.2.4 in "},
		"no platform":   {"v1.2.3", odd, "kubectl-tenantry_v1.2.3_linux.tar.gz names no platform, as in linux_amd64"},
		"a folder less": {"v1.2.3", filepath.Join(odd, "none"), "there is no archive of version v1.2.3 in "},
	} {
		if err := run(&bytes.Buffer{}, c.version, c.folder); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}
