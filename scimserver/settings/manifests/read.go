package manifests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// folder is the content of the files that matter, in the order of their names.
type folder []file

type file struct {
	name string
	data []byte
}

func (f folder) equal(other folder) bool {
	return slices.EqualFunc(f, other, func(a, b file) bool { return a.name == b.name && bytes.Equal(a.data, b.data) })
}

func read(dir string) (folder, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the manifests: %w", err)
	}
	var files folder
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
			continue
		}
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("read the manifests: %w", err)
		}
		if info.IsDir() {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the manifests: %w", err)
		}
		files = append(files, file{name: name, data: data})
	}
	return files, nil
}

// document is one object of a file.
type document struct {
	kind, namespace, name string
	// place is the file and document, for messages.
	place string
	// json is the object.
	json []byte
}

// failure returns an error about the document.
func (d document) failure(err error) error {
	return fmt.Errorf("%s: %s %s: %w", d.place, d.kind, d.name, err)
}

// documents returns the objects of kinds that matter, and every error in the files.
func (f folder) documents() ([]document, error) {
	var documents []document
	var failures []error
	for _, file := range f {
		for i, data := range pages(file.data) {
			found, err := split(fmt.Sprintf("%s, document %d", file.name, i+1), data)
			documents, failures = append(documents, found...), append(failures, err)
		}
	}
	return documents, errors.Join(failures...)
}

// pages returns the documents of a YAML stream, each with an empty line for every line before it, so that a parser's
// line numbers are those of the file.
func pages(data []byte) [][]byte {
	var pages [][]byte
	var page []byte
	for number, line := range bytes.SplitAfter(data, []byte("\n")) {
		if rest, ok := bytes.CutPrefix(line, []byte("---")); ok && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\r\n")) {
			if len(bytes.TrimSpace(page)) > 0 {
				pages = append(pages, page)
			}
			page, line = bytes.Repeat([]byte("\n"), number), rest
		}
		page = append(page, line...)
	}
	return append(pages, page)
}

// split returns the object in data, or those of a List, as far as their kinds matter.
func split(place string, data []byte) ([]document, error) {
	converted, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", place, strings.NewReplacer("error converting YAML to JSON: ", "", " unmarshal errors:\n ", "").Replace(err.Error()))
	}
	if string(converted) == "null" { // only comments
		return nil, nil
	}
	var head struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"metadata"`
		Items []json.RawMessage `json:"items"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(converted, &head); err != nil {
		return nil, fmt.Errorf("%s: is no Kubernetes object: %w", place, plain(err))
	}
	group, _, _ := strings.Cut(head.APIVersion, "/")
	d := document{
		kind: head.Kind, namespace: head.Metadata.Namespace, name: head.Metadata.Name,
		place: place, json: converted,
	}
	switch {
	case head.APIVersion == "" || head.Kind == "":
		return nil, fmt.Errorf("%s: apiVersion and kind are required", place)
	case head.APIVersion == "v1" && head.Kind == "List":
		var documents []document
		var failures []error
		for i, item := range head.Items {
			found, err := split(fmt.Sprintf("%s, item %d", place, i+1), item)
			documents, failures = append(documents, found...), append(failures, err)
		}
		return documents, errors.Join(failures...)
	case head.APIVersion == "v1" && head.Kind == "Secret":
	case group != v1alpha1.GroupName:
		return nil, nil
	case !isKind(head.APIVersion, head.Kind):
		return nil, fmt.Errorf("%s: %s of %s is not known, only %s, %s and %s of %s are", place, head.Kind, head.APIVersion,
			tenantKind, defaultsKind, classKind, v1alpha1.SchemeGroupVersion)
	}
	if d.name == "" {
		return nil, fmt.Errorf("%s: %s: metadata.name is required", place, d.kind)
	}
	return []document{d}, nil
}

const (
	tenantKind   = "ProvisioningTenant"
	defaultsKind = "UserDefaults"
	classKind    = "ProvisioningTenantClass"
)

// decode reads the document into object and refuses fields that object does not have.
func (d document) decode(object any) error {
	strict, err := kjson.UnmarshalStrict(d.json, object)
	if err := errors.Join(plain(err), errors.Join(strict...)); err != nil {
		return d.failure(err)
	}
	return nil
}

// plain says an error of a JSON decoder in the words of the manifest.
func plain(err error) error {
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if mismatch.Field == "" {
			return fmt.Errorf("must be %s, not %s", mismatch.Type.Kind(), mismatch.Value)
		}
		return fmt.Errorf("%s: must be %s, not %s", mismatch.Field, mismatch.Type.Kind(), mismatch.Value)
	}
	return err
}
