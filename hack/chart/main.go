// Command chart writes the README of the Helm chart: what values.yaml says of each value, in its order, in a table for each group.
// `make generate` runs it.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"
)

const (
	source   = "charts/tenantry/values.yaml"
	document = "charts/tenantry/README.md"
)

//go:embed README.md.tmpl
var page string

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func run() error {
	text, err := os.ReadFile(source)
	if err != nil {
		return fmt.Errorf("run this at the root of the repository: %w", err)
	}
	values, err := read(text)
	if err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	parsed, err := template.New("").Parse(page)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, values); err != nil {
		return err
	}
	return os.WriteFile(document, out.Bytes(), 0o644) //nolint:gosec // a document, for everyone
}

// value is a value that is set as a whole.
type value struct {
	Name, Default, Description string
}

// group is a table of the values below one key, or of those at the top.
type group struct {
	Name, Description string
	Values            []value
}

// read returns the groups of a values.yaml in its order, the values at the top first.
func read(text []byte) ([]group, error) {
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	if len(file.Content) != 1 || file.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("it has no values")
	}
	return groups(group{}, file.Content[0])
}

// groups are that of a mapping, and those of the mappings below it of whose content something is said. Another one is a value as a whole.
func groups(own group, mapping *yaml.Node) ([]group, error) {
	var below []group
	for key, content := range pairs(mapping) {
		name := strings.TrimPrefix(own.Name+"."+key.Value, ".")
		said := description(key)
		if said == "" {
			return nil, fmt.Errorf("line %d: no comment says what %s is", key.Line, name)
		}
		if described(content) {
			more, err := groups(group{Name: name, Description: said}, content)
			if err != nil {
				return nil, err
			}
			below = append(below, more...)
			continue
		}
		standard, err := inline(content)
		if err != nil {
			return nil, err
		}
		own.Values = append(own.Values, value{name, standard, strings.ReplaceAll(said, "|", `\|`)})
	}
	return append([]group{own}, below...), nil
}

// pairs are the keys and contents of a mapping.
func pairs(mapping *yaml.Node) func(yield func(key, content *yaml.Node) bool) {
	return func(yield func(key, content *yaml.Node) bool) {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if !yield(mapping.Content[i], mapping.Content[i+1]) {
				return
			}
		}
	}
}

// described reports whether comments say something of what is in a mapping.
func described(content *yaml.Node) bool {
	if content.Kind != yaml.MappingNode {
		return false
	}
	for key := range pairs(content) {
		if key.HeadComment != "" {
			return true
		}
	}
	return false
}

// description is the comment above a key, on one line.
func description(key *yaml.Node) string {
	lines := strings.Split(key.HeadComment, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(strings.TrimPrefix(line, "#"))
	}
	return strings.Join(lines, " ")
}

// inline writes a default on one line, as JSON, which is YAML too.
func inline(content *yaml.Node) (string, error) {
	var decoded any
	if err := content.Decode(&decoded); err != nil {
		return "", err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(decoded)
	return strings.TrimSpace(out.String()), err
}
