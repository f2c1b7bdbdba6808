// Command image packs one static binary into a container image without a Docker daemon: an empty base, the binary, and
// a CA bundle where one is given. The same inputs give the same bytes, so an unchanged image keeps its digest.
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
	"runtime"
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
	binary := flag.String("binary", "", "static `file` that becomes the entry point")
	tag := flag.String("tag", "", "`reference` of the image, as in tenantry.dev/scimserver:dev")
	output := flag.String("output", "", "`file` to write, a tarball that docker load and ctr images import read")
	authorities := flag.String("ca-certificates", "", "`file` of PEM certificates to trust in the image (default none)")
	flag.Parse()
	if *binary == "" || *tag == "" || *output == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := write(*binary, *tag, *output, *authorities); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func write(binary, tag, output, authorities string) error {
	reference, err := name.NewTag(tag, name.StrictValidation)
	if err != nil {
		return err
	}
	if err := static(binary); err != nil {
		return err
	}
	entrypoint := "/" + filepath.Base(binary)
	files := []file{{entrypoint[1:], binary, 0o755}}
	if authorities != "" {
		files = append(files, file{"etc/ssl/certs/ca-certificates.crt", authorities, 0o644})
	}
	layer, err := layer(files)
	if err != nil {
		return err
	}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: runtime.GOARCH,
		Created: v1.Time{Time: time.Unix(0, 0).UTC()},
		Config:  v1.Config{User: user, Entrypoint: []string{entrypoint}, WorkingDir: "/"},
		RootFS:  v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return err
	}
	if image, err = mutate.AppendLayers(image, layer); err != nil {
		return err
	}
	return tarball.WriteToFile(output, reference, image)
}

// static refuses a binary that needs a loader: an empty image has none, and the container would end with a baffling
// "no such file or directory".
func static(binary string) error {
	f, err := elf.Open(binary)
	if err != nil {
		return fmt.Errorf("%s: %w", binary, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is dynamically linked: build it with CGO_ENABLED=0", binary)
		}
	}
	return nil
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
