package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// program compiles a static program to pack, for the architecture of this machine.
func program(t *testing.T) string { return programFor(t, runtime.GOARCH) }

func programFor(t *testing.T, architecture string) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "server")
	build := exec.Command("go", "build", "-o", binary, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+architecture)
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return binary
}

func TestTheSameInputsGiveTheSameBytes(t *testing.T) {
	binary, dir := program(t), t.TempDir()
	var images [2][]byte
	for i := range images {
		output := filepath.Join(dir, "image.tar")
		if err := write(binary, "example.com/server:dev", output, ""); err != nil {
			t.Fatal(err)
		}
		images[i], _ = os.ReadFile(output)
	}
	if len(images[0]) == 0 || !bytes.Equal(images[0], images[1]) {
		t.Error("two images of one binary differ")
	}
}

func TestAnImageRunsItsBinaryWithoutRootAndTrustsTheGivenAuthorities(t *testing.T) {
	binary, output := program(t), filepath.Join(t.TempDir(), "image.tar")
	authorities := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authorities, []byte("certificates"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(binary, "example.com/server:dev", output, authorities); err != nil {
		t.Fatal(err)
	}
	image, err := tarball.ImageFromPath(output, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" || len(config.Config.Entrypoint) != 1 || config.Config.Entrypoint[0] != "/server" {
		t.Errorf("user %q, entry point %q", config.Config.User, config.Config.Entrypoint)
	}
	var content bytes.Buffer
	if _, err := content.ReadFrom(mutate.Extract(image)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"server", "etc/ssl/certs/ca-certificates.crt"} {
		if !strings.Contains(content.String(), path) {
			t.Errorf("the image has no %s", path)
		}
	}
}

func TestABinaryThatNeedsALoaderIsRefused(t *testing.T) {
	err := write("/bin/sh", "example.com/shell:dev", filepath.Join(t.TempDir(), "image.tar"), "")
	if err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("packing a dynamically linked program gave %v, want the cure", err)
	}
}

func TestATagMustNameItsRegistry(t *testing.T) {
	if err := write(program(t), "server:dev", filepath.Join(t.TempDir(), "image.tar"), ""); err == nil {
		t.Error("containerd would look for this image under another name")
	}
}
