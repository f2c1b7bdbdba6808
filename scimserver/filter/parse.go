package filter

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// Parse reads a filter: the whole grammar of RFC 7644 figure 1, operators in any case, and what clients send beyond it:
// literals without quotes or in others than double ones, booleans and numbers in quotes, a sub-attribute behind a value
// path (emails[type eq "work"].value eq "x", read as emails[type eq "work" and value eq "x"]), and a complex attribute
// where its "value" is meant (manager eq "x"). The error is an *schema.Error invalidFilter: it says at which byte, or
// names an attribute that no schema has.
func Parse(rt *schema.ResourceType, s string) (Filter, error) {
	if err := checkText(s); err != nil {
		return nil, err
	}
	return parse(rt, s, MaxDepth, MaxTerms)
}

// ParseFor is Parse for a query over several resource types. It reads the filter for one of them: an attribute that only
// the others have counts as one without a value (RFC 7644 section 3.4.2.1). The lenience is what had to be made of the
// filter's values.
func ParseFor(rt *schema.ResourceType, others []*schema.ResourceType, s string) (Filter, schema.Lenience, error) {
	if err := checkText(s); err != nil {
		return nil, 0, err
	}
	p := parser{rt: rt, others: others, s: s, depth: MaxDepth, terms: MaxTerms}
	f, err := p.whole()
	return f, p.lenience, err
}

func checkText(s string) error {
	if len(s) > MaxLength {
		return invalid("the filter is longer than %d bytes", MaxLength)
	}
	if !utf8.ValidString(s) {
		return invalid("the filter must be UTF-8")
	}
	return nil
}

func parse(rt *schema.ResourceType, s string, depth, terms int) (Filter, error) {
	p := parser{rt: rt, s: s, depth: depth, terms: terms}
	return p.whole()
}

func (p *parser) whole() (Filter, error) {
	f, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.skipSpace(); p.pos < len(p.s) {
		return nil, p.expected("and, or, or the end")
	}
	return f, nil
}

// parser is a recursive descent over s: or → and → term → comparison.
type parser struct {
	rt     *schema.ResourceType
	others []*schema.ResourceType // whose attributes rt may lack
	s      string
	pos    int
	depth  int // levels left
	terms  int // comparisons left
	// element is the attribute in whose brackets the parser is; names are its sub-attributes there.
	element  *schema.Path
	lenience schema.Lenience
}

func (p *parser) or() (Filter, error) {
	return p.sequence("or", p.and, func(terms []Filter) Filter { return Or{terms} })
}

func (p *parser) and() (Filter, error) {
	return p.sequence("and", p.term, func(terms []Filter) Filter { return And{terms} })
}

// sequence reads operands that a keyword joins. Operands of the same kind in parentheses join in: grouping does not
// change what an "and" of "and"s means.
func (p *parser) sequence(keyword string, operand func() (Filter, error), join func([]Filter) Filter) (Filter, error) {
	first, err := operand()
	if err != nil || !p.keyword(keyword) {
		return first, err
	}
	terms := flattened(nil, keyword, first)
	for more := true; more; more = p.keyword(keyword) {
		next, err := operand()
		if err != nil {
			return nil, err
		}
		terms = flattened(terms, keyword, next)
	}
	return join(terms), nil
}

func flattened(terms []Filter, keyword string, f Filter) []Filter {
	switch x := f.(type) {
	case And:
		if keyword == "and" {
			return append(terms, x.Terms...)
		}
	case Or:
		if keyword == "or" {
			return append(terms, x.Terms...)
		}
	}
	return append(terms, f)
}

func (p *parser) term() (Filter, error) {
	p.skipSpace()
	if p.next('(') {
		return p.group()
	}
	start := p.pos
	if p.keyword("not") {
		if p.skipSpace(); p.next('(') {
			f, err := p.group()
			return Not{f}, err
		}
		if _, ok := p.operator(); !ok {
			return nil, invalid("not needs parentheses around what it negates, as in not (active eq true)")
		}
		p.pos = start // an attribute that is called not
	}
	return p.expression()
}

// group reads what stands behind an opening parenthesis.
func (p *parser) group() (Filter, error) {
	var f Filter
	err := p.nested(func() (err error) {
		f, err = p.or()
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.skipSpace(); !p.next(')') {
		return nil, p.expected("and, or, or )")
	}
	return f, nil
}

func (p *parser) nested(read func() error) error {
	if p.depth == 0 {
		return invalid("the filter nests more than %d levels", MaxDepth)
	}
	p.depth--
	err := read()
	p.depth++
	return err
}

// expression reads a comparison, a presence test, or a value path.
func (p *parser) expression() (Filter, error) {
	name := p.word()
	if name == "" {
		return nil, p.expected("an attribute name")
	}
	path, err := p.attribute(name)
	if err != nil {
		if path, ok := p.elsewhere(name); ok {
			f, err := p.expressionAbout(path)
			if err != nil {
				return nil, err
			}
			return p.withoutValue(f), nil
		}
		return nil, err
	}
	return p.expressionAbout(path)
}

// elsewhere resolves a name that only another resource type knows.
func (p *parser) elsewhere(name string) (schema.Path, bool) {
	if p.element != nil {
		return schema.Path{}, false
	}
	for _, other := range p.others {
		if path, err := other.Path(name); err == nil {
			return path, true
		}
	}
	return schema.Path{}, false
}

// withoutValue is a filter that says of every resource what f says of one without any attribute.
func (p *parser) withoutValue(f Filter) Filter {
	always := Present{}
	always.Path, _ = p.rt.Path("id") // every resource type has it
	if Match(f, schema.Object{}) {
		return always
	}
	return Not{always}
}

func (p *parser) expressionAbout(path schema.Path) (Filter, error) {
	if p.element != nil || !p.next('[') {
		return p.comparison(path)
	}
	elements, err := p.elements(path)
	if err != nil {
		return nil, err
	}
	if !p.next('.') {
		return elements, nil
	}
	sub, err := p.inside(path, p.word())
	if err != nil {
		return nil, err
	}
	f, err := p.comparison(sub)
	if err != nil {
		return nil, err
	}
	elements.Filter = And{flattened(flattened(nil, "and", elements.Filter), "and", f)}
	return elements, nil
}

// elements reads what stands behind an opening bracket.
func (p *parser) elements(path schema.Path) (Elements, error) {
	f := Elements{Path: path}
	if path.Sub != nil || path.Attribute.Type != schema.TypeComplex && !path.Attribute.MultiValued {
		return f, invalid("%s has no elements to choose from with brackets", path)
	}
	p.element = &path
	err := p.nested(func() (err error) {
		f.Filter, err = p.or()
		return err
	})
	p.element = nil
	if err != nil {
		return f, err
	}
	if p.skipSpace(); !p.next(']') {
		return f, p.expected("and, or, or ]")
	}
	return f, nil
}

// attribute resolves a name; between brackets it is that of a sub-attribute.
func (p *parser) attribute(name string) (schema.Path, error) {
	if p.element != nil {
		return p.inside(*p.element, name)
	}
	path, err := p.rt.Path(name)
	if err == nil && p.rt.IsOlder(name) {
		p.lenience |= schema.LenientOlderURN
	}
	return path, asFilterError(err)
}

func (p *parser) inside(path schema.Path, name string) (schema.Path, error) {
	path, err := path.WithSub(name)
	return path, asFilterError(err)
}

func asFilterError(err error) error {
	if cause := (*schema.Error)(nil); errors.As(err, &cause) {
		return invalid("%s", cause.Detail)
	}
	return err
}

// comparison reads an operator and its literal.
func (p *parser) comparison(path schema.Path) (Filter, error) {
	if p.terms == 0 {
		return nil, invalid("the filter has more than %d comparisons", MaxTerms)
	}
	p.terms--
	p.skipSpace()
	start := p.pos
	op, ok := p.operator()
	if !ok {
		p.pos = start
		return nil, p.expected("one of the operators eq, ne, co, sw, ew, gt, ge, lt, le, pr")
	}
	if op == present {
		return Present{path}, nil
	}
	text, quoted, err := p.literal()
	if err != nil {
		return nil, err
	}
	if !quoted && strings.EqualFold(text, "null") {
		switch op {
		case Eq:
			return Not{Present{path}}, nil
		case Ne:
			return Present{path}, nil
		}
		return nil, invalid("null can be compared with eq and ne only")
	}
	if path.Leaf().Type == schema.TypeComplex {
		if path.Sub = path.Attribute.Sub("value"); path.Sub == nil {
			return nil, invalid("%s can be tested with pr; to compare, name one of its sub-attributes", path)
		}
	}
	value, err := valueFor(path, op, text)
	return Compare{path, op, value}, err
}

// present is the operator of a presence test, which has no literal.
const present Op = "pr"

// operator reads an operator in any case; ok is false for another word.
func (p *parser) operator() (op Op, ok bool) {
	switch op = Op(strings.ToLower(p.word())); op {
	case Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le, present:
		return op, true
	}
	return op, false
}

// word reads up to the next space, parenthesis, bracket or quote.
func (p *parser) word() string {
	start := p.pos
	for ; p.pos < len(p.s); p.pos++ {
		switch c := p.s[p.pos]; c {
		case '(', ')', '[', ']', '"':
			return p.s[start:p.pos]
		default:
			if isSpace(c) {
				return p.s[start:p.pos]
			}
		}
	}
	return p.s[start:]
}

// keyword consumes a word in any case if it comes next.
func (p *parser) keyword(word string) bool {
	p.skipSpace()
	start := p.pos
	if strings.EqualFold(p.word(), word) {
		return true
	}
	p.pos = start
	return false
}

func (p *parser) next(c byte) bool {
	if p.pos < len(p.s) && p.s[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *parser) skipSpace() {
	for p.pos < len(p.s) && isSpace(p.s[p.pos]) {
		p.pos++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func (p *parser) expected(what string) error {
	return invalid("%s was expected at byte %d of the filter", what, p.pos)
}

func invalid(format string, args ...any) *schema.Error {
	return schema.Errorf(schema.InvalidFilter, format, args...)
}
