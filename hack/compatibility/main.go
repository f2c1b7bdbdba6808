// Command compatibility compares the CustomResourceDefinitions of two folders, those of a release and the present ones, and fails where somebody
// who relies on the release would be broken. `make verify` runs it.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "compatibility:", err)
		os.Exit(1)
	}
}

func run(folders []string) error {
	if len(folders) != 2 {
		return errors.New("give the folder of the released definitions and that of the present ones")
	}
	released, err := read(folders[0])
	if err != nil {
		return err
	}
	present, err := read(folders[1])
	if err != nil {
		return err
	}
	var broken []error
	for name, before := range released {
		now := present[name]
		if now == nil {
			broken = append(broken, fmt.Errorf("%s is gone: put its file back", name))
			continue
		}
		changes := compare(before, now)
		slices.Sort(changes)
		for _, change := range changes {
			broken = append(broken, fmt.Errorf("%s: %s", name, change))
		}
	}
	return errors.Join(broken...)
}

// read returns the definitions of a folder by their names.
func read(folder string) (map[string]*apiextensionsv1.CustomResourceDefinition, error) {
	files := os.DirFS(folder)
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no definitions", folder)
	}
	found := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var definition apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(text, &definition); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(folder, name), err)
		}
		found[definition.Name] = &definition
	}
	return found, nil
}
