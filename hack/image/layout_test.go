package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestALayoutHasAnImageForEveryArchitectureWithItsSBOM(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "layout")
	var printed bytes.Buffer
	binaries := []string{programFor(t, "amd64"), programFor(t, "arm64")}
	if err := writeLayout(&printed, binaries, "example.com/server:dev", directory, ""); err != nil {
		t.Fatal(err)
	}
	top, err := layout.ImageIndexFromPath(directory)
	if err != nil {
		t.Fatal(err)
	}
	contents, err := top.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(contents.Manifests) != 3 {
		t.Fatalf("the layout has %d manifests, want an index and two SBOMs", len(contents.Manifests))
	}
	descriptor := contents.Manifests[0]
	if want := "example.com/server:dev@" + descriptor.Digest.String() + "\n"; printed.String() != want {
		t.Errorf("printed %q, want %q", printed.String(), want)
	}
	if got := descriptor.Annotations[annotationReference]; got != "example.com/server:dev" {
		t.Errorf("the index is called %q", got)
	}
	index, err := top.ImageIndex(descriptor.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	images, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for at, image := range images.Manifests {
		platforms = append(platforms, image.Platform.String())
		attached := contents.Manifests[at+1]
		document := sbomIn(t, top, attached, image.Digest)
		if !strings.Contains(document, `"purl": "pkg:golang/std@`) {
			t.Errorf("the SBOM of %s names no standard library:\n%s", image.Platform, document)
		}
	}
	if !slices.Equal(platforms, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("the index has images for %v", platforms)
	}
}

// sbomIn returns the document in an artifact, which must refer to the image.
func sbomIn(t *testing.T, index v1.ImageIndex, artifact v1.Descriptor, image v1.Hash) string {
	t.Helper()
	found, err := index.Image(artifact.Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := found.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if manifest.Subject == nil || manifest.Subject.Digest != image {
		t.Errorf("an SBOM refers to %v, want %s", manifest.Subject, image)
	}
	if manifest.Config.MediaType != sbomType {
		t.Errorf("an SBOM has type %s", manifest.Config.MediaType)
	}
	layers, err := found.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("an artifact with %d layers: %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	document, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

func TestTheSameBinariesGiveTheSameLayout(t *testing.T) {
	binary := program(t)
	var manifests [2][]byte
	for i := range manifests {
		directory := filepath.Join(t.TempDir(), "layout")
		if err := writeLayout(io.Discard, []string{binary}, "example.com/server:dev", directory, ""); err != nil {
			t.Fatal(err)
		}
		manifests[i], _ = os.ReadFile(filepath.Join(directory, "index.json"))
	}
	if len(manifests[0]) == 0 || !bytes.Equal(manifests[0], manifests[1]) {
		t.Errorf("two layouts of one binary differ:\n%s\n%s", manifests[0], manifests[1])
	}
}

func TestTwoBinariesForOneArchitectureAreRefused(t *testing.T) {
	binary := program(t)
	err := writeLayout(io.Discard, []string{binary, binary}, "example.com/server:dev", filepath.Join(t.TempDir(), "layout"), "")
	if err == nil || !strings.Contains(err.Error(), "name one for each architecture") {
		t.Errorf("got %v", err)
	}
}

// The packer is a Go program with dependencies like any other: it knows its own.
func TestAnSBOMNamesTheModulesInABinary(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := sbom(&text, self); err != nil {
		t.Fatal(err)
	}
	var document struct {
		BOMFormat, SpecVersion, SerialNumber string
		Components                           []struct{ Name, Version, PURL string }
	}
	if err := json.Unmarshal(text.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if document.BOMFormat != "CycloneDX" || document.SerialNumber != "" {
		t.Errorf("got %+v", document)
	}
	for _, component := range document.Components {
		if component.Name == "github.com/google/go-containerregistry" && strings.HasPrefix(component.Version, "v0.") &&
			component.PURL == "pkg:golang/github.com/google/go-containerregistry@"+component.Version {
			return
		}
	}
	t.Errorf("the SBOM does not name the library that writes images:\n%s", text.String())
}
