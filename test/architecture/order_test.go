package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheOperatorsFilesReferOneWay holds the files of package controllers to the order in which its doc comment names them: each refers to those
// above it and to none below. Of its rooms, which are packages, the linter holds the same.
func TestTheOperatorsFilesReferOneWay(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(root, "controllers")
	files := token.NewFileSet()
	var parsed []*ast.File
	var order []string
	found, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range found {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
		if filepath.Base(name) == "doc.go" {
			order = regexp.MustCompile(`\w+\.go`).FindAllString(file.Doc.Text(), -1)
		}
	}
	for _, name := range found {
		if base := filepath.Base(name); !strings.HasSuffix(base, "_test.go") && base != "doc.go" && !slices.Contains(order, base) {
			t.Errorf("controllers/doc.go does not say where %s stands", base)
		}
	}
	refers := 0
	for identifier, object := range usesOf(t, files, parsed) {
		from, to := filepath.Base(files.Position(identifier.Pos()).Filename), filepath.Base(files.Position(object.Pos()).Filename)
		// Steps are methods of a reconciler, which is what asks them.
		if from == to || strings.HasSuffix(object.Name(), "Reconciler") {
			continue
		}
		refers++
		if slices.Index(order, to) > slices.Index(order, from) {
			t.Errorf("%s refers to %s of %s, which doc.go names below it", files.Position(identifier.Pos()), object.Name(), to)
		}
	}
	if refers < 100 {
		t.Errorf("found %d references between files: are they still looked for?", refers)
	}
}

// usesOf returns the functions, methods, types, constants and variables of one package by where they are referred to. It does not follow imports.
func usesOf(t *testing.T, files *token.FileSet, parsed []*ast.File) map[*ast.Ident]types.Object {
	t.Helper()
	config := types.Config{Importer: nothing{}, Error: func(error) {}}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	checked, _ := config.Check("controllers", files, parsed, info) // which fails for what is imported
	uses := map[*ast.Ident]types.Object{}
	for identifier, object := range info.Uses {
		method, isFunction := object.(*types.Func)
		if object.Pkg() == checked && (object.Parent() == checked.Scope() || isFunction && method.Signature().Recv() != nil) {
			uses[identifier] = object
		}
	}
	return uses
}

// nothing imports each package as one that has nothing.
type nothing struct{}

func (nothing) Import(name string) (*types.Package, error) {
	imported := types.NewPackage(name, path.Base(name))
	imported.MarkComplete()
	return imported, nil
}
