// Command krew fills in the manifest by which krew, the plugin manager of kubectl, installs kubectl tenantry: a platform for each archive
// in a folder, with its SHA-256. hack/plugin.sh makes the archives and runs it.
package main

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

//go:embed tenantry.yaml.tmpl
var manifest string

func main() {
	version := flag.String("version", "", "`version` of the release, as in v1.2.3")
	flag.Parse()
	if err := run(os.Stdout, *version, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "krew:", err)
		os.Exit(1)
	}
}

// release is what the manifest is made of.
type release struct {
	Version  string
	Archives []archive
}

// archive is the plugin for one platform.
type archive struct{ OS, Arch, File, SHA256 string }

// Binary is the program's file.
func (a archive) Binary() string {
	if a.OS == "windows" {
		return "kubectl-tenantry.exe"
	}
	return "kubectl-tenantry"
}

func run(out io.Writer, version, folder string) error {
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(version) {
		return fmt.Errorf("the version must be like v1.2.3, which is what krew compares, not %q", version)
	}
	found, err := archives(version, folder)
	if err != nil {
		return err
	}
	filled, err := template.New("").Option("missingkey=error").Parse(manifest)
	if err != nil {
		return err
	}
	return filled.Execute(out, release{version, found})
}

// archives lists those of a version in the order of their names.
func archives(version, folder string) (found []archive, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "kubectl-tenantry_"+version+"_*.tar.gz"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		a := archive{File: filepath.Base(file)}
		platform := strings.TrimSuffix(strings.TrimPrefix(a.File, "kubectl-tenantry_"+version+"_"), ".tar.gz")
		var ok bool
		if a.OS, a.Arch, ok = strings.Cut(platform, "_"); !ok {
			return nil, fmt.Errorf("%s names no platform, as in linux_amd64", a.File)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		a.SHA256 = hex.EncodeToString(sum[:])
		found = append(found, a)
	}
	if len(found) == 0 {
		return nil, errors.New("there is no archive of version " + version + " in " + folder)
	}
	return found, nil
}
