package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reference is what conditions.go says.
type reference struct {
	// Conditions by the kinds that have them, and Reasons by what they ask for, as the constants are grouped.
	Conditions, Reasons []group
}

// group is a const block.
type group struct {
	Title   string
	Entries []entry
}

// entry is a constant. Action is "" where there is nothing to do.
type entry struct {
	Constant, Value, Meaning, Action string
}

// mustAct begins the comment of the block whose reasons must all say what to do.
const mustAct = "Reasons that ask a person to act"

// read takes the constants Condition… and Reason… with their comments: the first sentence is the meaning, and what follows is
// what to do.
func read(text []byte) (reference, error) {
	file, err := parser.ParseFile(token.NewFileSet(), source, text, parser.ParseComments)
	if err != nil {
		return reference{}, err
	}
	var found reference
	for _, declaration := range file.Decls {
		block, ok := declaration.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		conditions, reasons, err := entries(block)
		if err != nil {
			return reference{}, err
		}
		title, _ := split(oneLine(block.Doc))
		if len(conditions) > 0 && !block.Lparen.IsValid() {
			title = "Condition type of UserDefaults."
		}
		if len(conditions) > 0 {
			found.Conditions = append(found.Conditions, group{strings.TrimSuffix(title, "."), conditions})
		}
		if len(reasons) > 0 {
			found.Reasons = append(found.Reasons, group{strings.TrimSuffix(title, "."), reasons})
		}
	}
	return found, found.check()
}

// entries are the constants of a block, conditions and reasons apart.
func entries(block *ast.GenDecl) (conditions, reasons []entry, err error) {
	for _, spec := range block.Specs {
		constant, ok := spec.(*ast.ValueSpec)
		if !ok || len(constant.Names) != 1 || len(constant.Values) != 1 {
			return nil, nil, fmt.Errorf("%s: a const with other than one name and one value", source)
		}
		name, doc := constant.Names[0].Name, constant.Doc
		if doc == nil && !block.Lparen.IsValid() {
			doc = block.Doc
		}
		literal, ok := constant.Values[0].(*ast.BasicLit)
		if !ok || doc == nil {
			return nil, nil, fmt.Errorf("%s: %s needs a comment, and a string for its value", source, name)
		}
		value, err := strconv.Unquote(literal.Value)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %s: %w", source, name, err)
		}
		said := strings.TrimPrefix(strings.TrimPrefix(oneLine(doc), name), ":")
		said = strings.TrimSpace(said)
		if strings.HasPrefix(name, "Condition") {
			conditions = append(conditions, entry{name, value, capital(said), ""})
			continue
		}
		meaning, action := split(said)
		reasons = append(reasons, entry{name, value, capital(meaning), action})
	}
	return conditions, reasons, nil
}

// check refuses what a person in need could not use.
func (r reference) check() error {
	seen := map[string]bool{}
	for _, group := range r.Reasons {
		for _, e := range group.Entries {
			if seen[e.Value] {
				return fmt.Errorf("%s: reason %s is there twice", source, e.Value)
			}
			seen[e.Value] = true
			if strings.HasPrefix(group.Title, mustAct) && e.Action == "" {
				return fmt.Errorf("%s: %s says what is wrong and not what to do: add a second sentence", source, e.Constant)
			}
		}
	}
	if len(seen) == 0 || len(r.Conditions) == 0 {
		return fmt.Errorf("%s: no conditions or no reasons", source)
	}
	return nil
}

func oneLine(doc *ast.CommentGroup) string { return strings.Join(strings.Fields(doc.Text()), " ") }

var sentenceEnd = regexp.MustCompile(`\.\s+[A-Z]`)

// split parts the first sentence from the others.
func split(text string) (first, rest string) {
	at := sentenceEnd.FindStringIndex(text)
	if at == nil {
		return text, ""
	}
	return text[:at[0]+1], strings.TrimSpace(text[at[0]+1:])
}

// capital begins a sentence as one should, unless it begins with a field.
func capital(text string) string {
	if strings.HasPrefix(text, "spec.") {
		return text
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
