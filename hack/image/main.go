// Command image packs static binaries into container images without a Docker daemon: an empty base, the binary, and a CA
// bundle where one is given. The same inputs give the same bytes, so an unchanged image keeps its digest.
//
// With -output it writes the image of one binary as an archive for a local cluster. With -layout it writes what is pushed
// to a registry: an OCI image layout with an image for the architecture of each binary, each with its SBOM.
package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// user is "nonroot" by the convention of distroless images; a number, because Kubernetes cannot check a name against
// runAsNonRoot.
const user = "65532:65532"

func main() {
	var binaries []string
	flag.Func("binary", "static `file` that becomes the entry point; once for each architecture", func(path string) error {
		binaries = append(binaries, path)
		return nil
	})
	tag := flag.String("tag", "", "`reference` of the image, as in tenantry.dev/scimserver:dev")
	output := flag.String("output", "", "`file` to write, a tarball of one image that docker load and ctr images import read")
	layout := flag.String("layout", "", "`directory` to write, an OCI image layout with an index of all images and their SBOMs")
	authorities := flag.String("ca-certificates", "", "`file` of PEM certificates to trust in the image (default none)")
	flag.Parse()
	if len(binaries) == 0 || *tag == "" || (*output == "") == (*layout == "") || *output != "" && len(binaries) > 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	var err error
	if *output != "" {
		err = write(binaries[0], *tag, *output, *authorities)
	} else {
		err = writeLayout(os.Stdout, binaries, *tag, *layout, *authorities)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func write(binary, tag, output, authorities string) error {
	reference, err := name.NewTag(tag, name.StrictValidation)
	if err != nil {
		return err
	}
	image, _, err := pack(binary, authorities)
	if err != nil {
		return err
	}
	return tarball.WriteToFile(output, reference, image)
}

// pack makes the image of one binary, for the architecture that the binary is for.
func pack(binary, authorities string) (v1.Image, v1.Platform, error) {
	platform, err := platformOf(binary)
	if err != nil {
		return nil, v1.Platform{}, err
	}
	entrypoint := "/" + filepath.Base(binary)
	files := []file{{entrypoint[1:], binary, 0o755}}
	if authorities != "" {
		files = append(files, file{"etc/ssl/certs/ca-certificates.crt", authorities, 0o644})
	}
	layer, err := layer(files)
	if err != nil {
		return nil, v1.Platform{}, err
	}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: platform.OS, Architecture: platform.Architecture,
		Created: v1.Time{Time: time.Unix(0, 0).UTC()},
		Config:  v1.Config{User: user, Entrypoint: []string{entrypoint}, WorkingDir: "/"},
		RootFS:  v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, v1.Platform{}, err
	}
	image, err = mutate.AppendLayers(image, layer)
	return image, platform, err
}

// platformOf reads the architecture from a binary. It refuses one that needs a loader: an empty image has none, and the
// container would end with a baffling "no such file or directory".
func platformOf(binary string) (v1.Platform, error) {
	f, err := elf.Open(binary)
	if err != nil {
		return v1.Platform{}, fmt.Errorf("%s: %w", binary, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return v1.Platform{}, fmt.Errorf("%s is dynamically linked: build it with CGO_ENABLED=0", binary)
		}
	}
	switch f.Machine {
	case elf.EM_X86_64:
		return v1.Platform{OS: "linux", Architecture: "amd64"}, nil
	case elf.EM_AARCH64:
		return v1.Platform{OS: "linux", Architecture: "arm64"}, nil
	default:
		return v1.Platform{}, fmt.Errorf("%s is for %s: build it for amd64 or arm64", binary, f.Machine)
	}
}

type file struct {
	path, source string
	mode         int64
}

// layer holds the files with owner root and no timestamps; directories are made on the way.
func layer(files []file) (v1.Layer, error) {
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	made := map[string]bool{".": true}
	for _, f := range files {
		if err := directories(archive, made, filepath.Dir(f.path)); err != nil {
			return nil, err
		}
		content, err := os.ReadFile(f.source)
		if err != nil {
			return nil, err
		}
		if err := archive.WriteHeader(&tar.Header{Name: f.path, Mode: f.mode, Size: int64(len(content))}); err != nil {
			return nil, err
		}
		if _, err := archive.Write(content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil
	})
}

func directories(archive *tar.Writer, made map[string]bool, path string) error {
	if made[path] {
		return nil
	}
	if err := directories(archive, made, filepath.Dir(path)); err != nil {
		return err
	}
	made[path] = true
	return archive.WriteHeader(&tar.Header{Name: path + "/", Mode: 0o755, Typeflag: tar.TypeDir})
}
