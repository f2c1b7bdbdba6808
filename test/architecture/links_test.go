package architecture

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tenantry/tenantry"

// TestProgramsLinkOnlyTheirHalf is the last word on the import rules: the linter sees one import at a time, a program
// links what its dependencies bring along.
func TestProgramsLinkOnlyTheirHalf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		program string
		needs   string   // a package it cannot do without, so that an empty list does not pass
		mustNot []string // import path prefixes
		because string
	}{{
		program: module + "/cmd/scimserver",
		needs:   module + "/scimserver/protocol",
		mustNot: []string{"k8s.io/client-go/kubernetes", "sigs.k8s.io/controller-runtime", module + "/controllers", module + "/test"},
		because: "one server runs for each tenant, and a clientset or a manager would be most of its memory",
	}, {
		program: module + "/cmd/operator",
		needs:   module + "/controllers",
		mustNot: []string{module + "/scimserver/protocol", module + "/scimserver/settings", "modernc.org/sqlite", "github.com/jackc/pgx", module + "/test"},
		because: "the operator serves no SCIM and opens no directory",
	}, {
		program: module + "/cmd/kubectl-tenantry",
		needs:   module + "/plugin",
		mustNot: []string{module + "/controllers", module + "/scimserver", "modernc.org/sqlite", "github.com/jackc/pgx", module + "/test"},
		because: "the plugin knows of operator and server what api/ says, so that it works with those of another version",
	}} {
		t.Run(c.program, func(t *testing.T) {
			t.Parallel()
			linked := dependencies(t, c.program)
			if !slices.Contains(linked, c.needs) {
				t.Errorf("%s does not link %s: is this still the program that it was?", c.program, c.needs)
			}
			for _, prefix := range c.mustNot {
				for _, dependency := range linked {
					if within(dependency, prefix) {
						t.Errorf("%s links %s; %s", c.program, dependency, c.because)
					}
				}
			}
		})
	}
}

// within tells whether a package is the one named or stands below it.
func within(importPath, prefix string) bool {
	return importPath == prefix || strings.HasPrefix(importPath, prefix+"/")
}

func dependencies(t *testing.T, program string) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-deps", program)
	var complaint strings.Builder
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v\n%s", program, err, complaint.String())
	}
	return strings.Fields(string(out))
}
