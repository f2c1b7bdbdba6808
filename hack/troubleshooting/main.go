// Command troubleshooting reads the reasons of conditions from api/v1alpha1/conditions.go and writes what their comments say:
// api/advice/reasons.go for programs and docs/troubleshooting.md for people. hack/generate.sh runs it.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/format"
	"os"
	"text/template"
)

const (
	source   = "api/v1alpha1/conditions.go"
	table    = "api/advice/reasons.go"
	document = "docs/troubleshooting.md"
)

//go:embed reasons.go.tmpl
var tableTemplate string

//go:embed troubleshooting.md.tmpl
var documentTemplate string

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "troubleshooting:", err)
		os.Exit(1)
	}
}

func run() error {
	text, err := os.ReadFile(source)
	if err != nil {
		return fmt.Errorf("run this at the root of the repository: %w", err)
	}
	reference, err := read(text)
	if err != nil {
		return err
	}
	code, err := render(tableTemplate, reference)
	if err != nil {
		return err
	}
	if code, err = format.Source(code); err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	page, err := render(documentTemplate, reference)
	if err != nil {
		return err
	}
	if err := os.WriteFile(table, code, 0o644); err != nil { //nolint:gosec // a source file, for everyone
		return err
	}
	return os.WriteFile(document, page, 0o644) //nolint:gosec // a document, for everyone
}

func render(text string, reference reference) ([]byte, error) {
	parsed, err := template.New("").Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, reference)
	return out.Bytes(), err
}
