package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A person copies a command from a condition and runs it in a shell that is in another namespace.
func TestCommandsInConditionsNameTheNamespace(t *testing.T) {
	t.Parallel()
	command := regexp.MustCompile("kubectl [a-z]+ [^.`]*")
	found := 0
	for _, folder := range []string{"controllers", "scimserver"} {
		err := filepath.WalkDir(filepath.Join("../..", folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(node ast.Node) bool {
				literal, ok := node.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}
				for _, line := range command.FindAllString(literal.Value, -1) {
					if found++; !strings.Contains(line, " -n %s") {
						t.Errorf("%s: %q has no -n", files.Position(literal.Pos()), line)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found == 0 {
		t.Error("no command was found, so nothing was looked at")
	}
}
