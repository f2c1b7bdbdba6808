package plugin

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/internal/version"
)

// file is one of a bundle, redacted.
type file struct {
	name, about string
	content     []byte
}

// files redacts all that was collected. What is to be taken out of a text may stand in any object, so all are learned of first.
func (b *bundle) files() ([]file, error) {
	for _, f := range b.objects {
		for _, object := range f.objects {
			b.redact.Learn(object)
		}
	}
	files := []file{{name: "INDEX.md", about: "this list"}}
	for _, f := range b.objects {
		var content bytes.Buffer
		for _, object := range f.objects {
			shown := b.redact.Object(object)
			if object["kind"] == "Event" {
				shown = b.redact.Event(object)
			}
			text, err := yaml.Marshal(shown)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&content, "---\n%s", text)
		}
		files = append(files, file{f.name, f.about, content.Bytes()})
	}
	for _, f := range b.texts {
		var content bytes.Buffer
		for _, line := range f.lines {
			if shown := f.show(line); shown != "" {
				fmt.Fprintln(&content, shown)
			}
		}
		files = append(files, file{f.name, f.about, content.Bytes()})
	}
	files[0].content = b.index(files)
	return files, nil
}

// index says what is in the bundle, what is not, and why.
func (b *bundle) index(files []file) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Report about %s\n\nWritten on %s by kubectl tenantry %s.\n\n", b.about, b.at.Format(time.RFC3339), version.Version())
	fmt.Fprintf(&out, "Taken out, and marked as [redacted], is all that is not known to be free of secrets and of the data of people and customers.\n\n")
	fmt.Fprintf(&out, "## Files\n\n")
	for _, f := range files {
		fmt.Fprintf(&out, "- %s: %s\n", f.name, f.about)
	}
	if len(b.missing) > 0 {
		fmt.Fprintf(&out, "\n## What there is not\n\n")
	}
	for _, what := range b.missing {
		fmt.Fprintf(&out, "- %s\n", b.redact.Text(clean(what)))
	}
	if len(b.unread) > 0 {
		fmt.Fprintf(&out, "\n## What could not be read\n\n")
	}
	for _, u := range b.unread {
		fmt.Fprintf(&out, "- %s: %s\n", u.what, b.redact.Text(clean(u.err.Error())))
	}
	return out.Bytes()
}

// archive writes files as a tar that is compressed by gzip, below a folder.
func archive(to io.Writer, below string, files []file, at time.Time) error {
	compressed := gzip.NewWriter(to)
	out := tar.NewWriter(compressed)
	for _, f := range files {
		header := &tar.Header{Name: below + "/" + f.name, Mode: 0o600, Size: int64(len(f.content)), ModTime: at, Typeflag: tar.TypeReg}
		if err := out.WriteHeader(header); err != nil {
			return err
		}
		if _, err := out.Write(f.content); err != nil {
			return err
		}
	}
	return errors.Join(out.Close(), compressed.Close())
}
