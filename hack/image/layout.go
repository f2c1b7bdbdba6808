package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// annotationReference names an index in a layout, by the OCI image specification.
const annotationReference = "org.opencontainers.image.ref.name"

// writeLayout makes an index of an image for each binary and, as the OCI 1.1 specification has it, of what refers to each
// image: its SBOM. It prints the digest of the index, by which the image is pinned.
func writeLayout(out io.Writer, binaries []string, tag, directory, authorities string) error {
	reference, err := name.NewTag(tag, name.StrictValidation)
	if err != nil {
		return err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var attachments []v1.Image
	var platforms []v1.Platform
	for _, binary := range binaries {
		image, platform, err := pack(binary, authorities)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(platforms, platform.Equals) {
			return fmt.Errorf("two binaries are for %s: name one for each architecture", platform)
		}
		platforms = append(platforms, platform)
		// Docker's media types are what mutate begins with; an OCI index wants its own.
		image = mutate.ConfigMediaType(mutate.MediaType(image, types.OCIManifestSchema1), types.OCIConfigJSON)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
		attachment, err := attach(binary, image)
		if err != nil {
			return err
		}
		attachments = append(attachments, attachment)
	}
	if err := os.RemoveAll(directory); err != nil {
		return err
	}
	path, err := layout.Write(directory, empty.Index)
	if err != nil {
		return err
	}
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{annotationReference: reference.String()})); err != nil {
		return err
	}
	for _, attachment := range attachments {
		if err := path.AppendImage(attachment); err != nil {
			return err
		}
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s@%s\n", reference, digest)
	return err
}

// attach makes the artifact with the SBOM of a binary, which refers to its image.
func attach(binary string, image v1.Image) (v1.Image, error) {
	var document bytes.Buffer
	if err := sbom(&document, binary); err != nil {
		return nil, err
	}
	subject, err := partial.Descriptor(image)
	if err != nil {
		return nil, err
	}
	artifact := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), sbomType)
	artifact, err = mutate.AppendLayers(artifact, static.NewLayer(document.Bytes(), sbomType))
	if err != nil {
		return nil, err
	}
	referring, ok := mutate.Subject(artifact, *subject).(v1.Image)
	if !ok {
		return nil, fmt.Errorf("attach the SBOM of %s: its artifact is no image", binary)
	}
	return referring, nil
}
