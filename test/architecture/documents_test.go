package architecture

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// TestDocumentsNameWhatExists reads every Markdown file: a relative link leads to a file, and `make TARGET` is a target.
func TestDocumentsNameWhatExists(t *testing.T) {
	t.Parallel()
	targets := makeTargets(t)
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	command := regexp.MustCompile("(?m)(?:`|^\\s*\\$? ?)make ([a-z][a-z-]*)")

	documents := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules") {
			return fs.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		documents++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), match[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", path, match[1])
			}
		}
		for _, match := range command.FindAllStringSubmatch(string(text), -1) {
			if !targets[match[1]] {
				t.Errorf("%s tells people to run make %s, which the Makefile does not know", path, match[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if documents == 0 {
		t.Fatal("found no document: are we in the repository?")
	}
}

func makeTargets(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):`).FindAllStringSubmatch(string(text), -1) {
		targets[match[1]] = true
	}
	return targets
}

// TestRecipesAreThoseThatAreRun holds the recipes of the handbook to the files that `make proxies` and `make test-poolers` run with real programs.
func TestRecipesAreThoseThatAreRun(t *testing.T) {
	t.Parallel()
	for page, program := range map[string]string{"exposure.md": "proxies", "storage.md": "poolers"} {
		handbook, err := os.ReadFile(filepath.Join(root, "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		recipes := filepath.Join(root, "test", program, "recipes")
		files, err := os.ReadDir(recipes)
		if err != nil || len(files) == 0 {
			t.Fatalf("found no recipe: %v", err)
		}
		for _, file := range files {
			recipe, err := os.ReadFile(filepath.Join(recipes, file.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(handbook), "\n"+string(recipe)+"```\n") {
				t.Errorf("docs/%s does not show test/%s/recipes/%s as it is", page, program, file.Name())
			}
		}
	}
}
