// Package version says which release a program is.
package version

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
)

// unreleased is the version of a program that was built from a work tree.
const unreleased = "dev"

// release is set by the linker: -X github.com/tenantry/tenantry/internal/version.release=v1.2.3.
//
//nolint:gochecknoglobals // the linker can set nothing else
var release string

// Version of the program: v1.2.3, or "dev" where it was built from a work tree.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return of(release, info)
}

// of prefers what the linker was told. Without it the module has a version where it was downloaded, as by go install MODULE@v1.2.3; in a work tree
// Go makes one up of the commit, which names no release.
func of(release string, info *debug.BuildInfo) string {
	if release != "" {
		return release
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return unreleased + "+" + setting.Value[:min(len(setting.Value), 12)]
		}
	}
	if version := info.Main.Version; strings.HasPrefix(version, "v") && !strings.Contains(version, "+") {
		return version
	}
	return unreleased
}

// Print writes the line that --version asks for.
func Print(out io.Writer, program string) error {
	_, err := fmt.Fprintf(out, "%s %s (%s, %s/%s)\n", program, Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
