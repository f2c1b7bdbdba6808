package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTestsWithGoroutinesAreMarked reads the tests of each package that uses race.Meets: those that start a goroutine, by themselves
// or through a function of the package's tests, have the mark, or else no run under the race detector would see them.
func TestTestsWithGoroutinesAreMarked(t *testing.T) {
	t.Parallel()
	marked := 0
	for folder, files := range testFiles(t) {
		functions := functionsOf(files)
		if !slices.ContainsFunc(functions, func(f function) bool { return f.marked }) {
			continue
		}
		marked++
		starting := startGoroutines(functions)
		for _, f := range functions {
			if f.isTest() && starting[f.name] && !f.marked {
				t.Errorf("%s: %s starts goroutines: mark it, see test/race", folder, f.name)
			}
		}
	}
	if marked == 0 {
		t.Error("found no package with a marked test: are we in the repository?")
	}
}

// function is one function of a package's tests.
type function struct {
	name   string
	marked bool     // calls race.Meets
	starts bool     // has a go statement, or calls a method Go as sync.WaitGroup has it
	calls  []string // names of what it calls in its own package
}

func (f function) isTest() bool { return strings.HasPrefix(f.name, "Test") && f.name != "TestMain" }

// startGoroutines names the functions that start goroutines, directly or through others.
func startGoroutines(functions []function) map[string]bool {
	starting := map[string]bool{}
	for grown := true; grown; {
		grown = false
		for _, f := range functions {
			if !starting[f.name] && (f.starts || slices.ContainsFunc(f.calls, func(name string) bool { return starting[name] })) {
				starting[f.name], grown = true, true
			}
		}
	}
	return starting
}

func functionsOf(files []*ast.File) (functions []function) {
	for _, file := range files {
		for _, declaration := range file.Decls {
			if d, ok := declaration.(*ast.FuncDecl); ok && d.Body != nil {
				functions = append(functions, read(d))
			}
		}
	}
	return functions
}

func read(declaration *ast.FuncDecl) function {
	f := function{name: declaration.Name.Name}
	ast.Inspect(declaration.Body, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.GoStmt:
			f.starts = true
		case *ast.CallExpr:
			switch called := n.Fun.(type) {
			case *ast.Ident:
				f.calls = append(f.calls, called.Name)
			case *ast.SelectorExpr:
				f.calls = append(f.calls, called.Sel.Name)
				f.starts = f.starts || called.Sel.Name == "Go"
				on, _ := called.X.(*ast.Ident)
				f.marked = f.marked || on != nil && on.Name == "race" && called.Sel.Name == "Meets"
			}
		}
		return true
	})
	return f
}

// testFiles are the parsed test files of each folder of the repository.
func testFiles(t *testing.T) map[string][]*ast.File {
	t.Helper()
	files := map[string][]*ast.File{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		folder := filepath.Dir(path)
		files[folder] = append(files[folder], file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
