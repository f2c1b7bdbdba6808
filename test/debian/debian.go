//go:build linux

// Package debian has programs of Debian for tests that run them: their packages are fetched and unpacked, and not installed, so that none starts
// a service or stays.
package debian

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Unpack fetches packages, with those of their dependencies that this machine lacks, and unpacks them below root, a new folder in folder, as they
// would be below /. versions are by the names of the packages. It takes root.
func Unpack(ctx context.Context, folder string, packages ...string) (root string, versions map[string]string, err error) {
	root, versions = filepath.Join(folder, "root"), map[string]string{}
	archives := filepath.Join(folder, "archives")
	if err := os.MkdirAll(filepath.Join(archives, "partial"), 0o755); err != nil {
		return "", nil, err
	}
	if _, err := Output(ctx, nil, "apt-get", "update", "-qq"); err != nil {
		return "", nil, err
	}
	install := []string{"install", "--yes", "-qq", "--download-only", "--reinstall", "--no-install-recommends", "-o", "Dir::Cache::archives=" + archives}
	if _, err := Output(ctx, nil, "apt-get", append(install, packages...)...); err != nil {
		return "", nil, err
	}
	files, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil {
		return "", nil, err
	}
	for _, file := range files {
		if _, err := Output(ctx, nil, "dpkg-deb", "--extract", file, root); err != nil {
			return "", nil, err
		}
		name, _, _ := strings.Cut(filepath.Base(file), "_")
		if versions[name], err = Output(ctx, nil, "dpkg-deb", "--field", file, "Version"); err != nil {
			return "", nil, err
		}
	}
	return root, versions, nil
}

// Output runs a program with more in its environment, and returns what it writes; all that it said is in the error.
func Output(ctx context.Context, environment []string, program string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, program, args...)
	command.Env = append(append(os.Environ(), "DEBIAN_FRONTEND=noninteractive"), environment...)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", program, strings.Join(args, " "), err, out, &complaint)
	}
	return strings.TrimSpace(string(out)), nil
}
