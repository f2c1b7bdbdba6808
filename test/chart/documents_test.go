package chart

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/cmd"
)

// helm is Helm's own command line.
func helm() int {
	root, err := cmd.NewRootCmd(os.Stdout, os.Args[1:], cmd.SetupLogging)
	if err != nil {
		log.Print(err)
		return 1
	}
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// established waits for CRDs that a block before may have installed.
const established = "kubectl wait crd --all --for=condition=Established --timeout=60s >/dev/null\n"

// TestWhatTheDocumentsTellPeopleToRunRuns runs each block of shell in a document, from top to bottom, on the API server.
// Blocks that need nodes are marked console instead of sh.
func TestWhatTheDocumentsTellPeopleToRunRuns(t *testing.T) {
	blocks := regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	tools := helmTools(t)
	for document, installed := range map[string]bool{"install.md": false, "upgrade.md": true, "backup.md": true} {
		t.Run(document, func(t *testing.T) {
			t.Cleanup(func() { removeCRDs(t) })
			t.Cleanup(func() { uninstall(t, releaseNamespace) })
			if installed {
				namespace(t, releaseNamespace)
				install(t, releaseNamespace, nil)
			}
			found := blocks.FindAllStringSubmatch(string(read(t, root+"/docs/"+document)), -1)
			if len(found) == 0 {
				t.Fatal("the document has no shell to run")
			}
			for _, block := range found {
				shell(t, tools, established+block[1])
			}
		})
	}
}

// helmTools is a folder with a helm.
func helmTools(t *testing.T) string {
	t.Helper()
	tools := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(tools, "helm")); err != nil {
		t.Fatal(err)
	}
	return tools
}

// shell runs what a person types at the root of the repository.
func shell(t *testing.T, tools, commands string) {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands)
	shell.Dir = root
	shell.Env = []string{
		"PATH=" + strings.Join([]string{tools, os.Getenv("KUBEBUILDER_ASSETS"), os.Getenv("PATH")}, ":"),
		"KUBECONFIG=" + shared.kubeconfig, "HOME=" + t.TempDir(),
	}
	if output, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, commands, output)
	}
}

// TestTheValuesInTheDocumentsAreTaken: each block of YAML that is no object is a file of values.
func TestTheValuesInTheDocumentsAreTaken(t *testing.T) {
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
	found := 0
	for _, document := range []string{"install.md", "alerts.md"} {
		for _, block := range blocks.FindAllStringSubmatch(string(read(t, root+"/docs/"+document)), -1) {
			if strings.Contains(block[1], "apiVersion:") {
				continue
			}
			found++
			if _, err := renderFiles(t, valuesOf(t, block[1])); err != nil {
				t.Errorf("%s: %v\n%s", document, err, block[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("there are %d blocks", found)
	}
}
