package scim

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the column of cases of README.md")

var (
	factNumber = regexp.MustCompile(`^\d+(\.\d+)+$`)
	goTest     = regexp.MustCompile("`((?:\\w+/)*\\w+)\\.(Test\\w+)`")
)

// TestEveryFactHasACase keeps the list of README.md complete: each fact is shown by a case or by a test that exists, or says
// in words why it is not; each case shows facts that are listed; and the column of cases is up to date.
func TestEveryFactHasACase(t *testing.T) {
	t.Parallel()
	shown := casesByFact(t)
	var out []string
	for line := range strings.Lines(readText(t, "README.md")) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		number := strings.TrimPrefix(cells[0], "| ")
		if len(cells) != 4 || !factNumber.MatchString(number) {
			out = append(out, line)
			continue
		}
		elsewhere := strings.TrimSpace(strings.TrimSuffix(cells[3], "|"))
		for _, match := range goTest.FindAllStringSubmatch(elsewhere, -1) {
			checkTest(t, match[1], match[2])
		}
		if len(shown[number]) == 0 && elsewhere == "" {
			t.Errorf("fact %s is shown nowhere: %s", number, cells[1])
		}
		out = append(out, strings.TrimRight(fmt.Sprintf("| %s | %s | %s | %s", number, cells[1], strings.Join(shown[number], ", "), elsewhere), " ")+" |\n")
		delete(shown, number)
	}
	for number, files := range shown {
		t.Errorf("a case of %v shows fact %s, which README.md does not list", files, number)
	}
	text := strings.Join(out, "")
	if *update {
		if err := os.WriteFile("README.md", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if readText(t, "README.md") != text {
		t.Error("the column of cases is out of date; go test ./test/scim -update writes it")
	}
}

// casesByFact maps the numbers of facts to links to the files that show them.
func casesByFact(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.md")
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]map[string]int{}
	for _, file := range files {
		for _, c := range read(t, file) {
			words := strings.Fields(c.Name)
			if !factNumber.MatchString(words[0]) {
				t.Errorf("%s: the case %q shows no fact", file, c.Name)
			}
			for _, word := range words {
				if !factNumber.MatchString(word) {
					break
				}
				if count[word] == nil {
					count[word] = map[string]int{}
				}
				count[word][file]++
			}
		}
	}
	links := map[string][]string{}
	for number, byFile := range count {
		for file, n := range byFile {
			link := fmt.Sprintf("[%s](%s)", strings.TrimSuffix(filepath.Base(file), ".md"), file)
			if n > 1 {
				link += fmt.Sprintf(" ×%d", n)
			}
			links[number] = append(links[number], link)
		}
		slices.Sort(links[number])
	}
	return links
}

// checkTest fails where a package of the repository has no such test.
func checkTest(t *testing.T, dir, name string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Name.Name == name {
				return
			}
		}
	}
	t.Errorf("README.md names the test %s of %s, which is not there", name, dir)
}
