package filter

import (
	"strings"
	"unicode"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// Path is the path of a PATCH operation (RFC 7644 figure 7).
type Path struct {
	schema.Path
	// Element is the filter of a value path, nil without one. Its paths are complete, as in Elements.
	Element Filter
}

// ParsePath reads the path of a PATCH operation: attr, attr.sub, attr[filter] or attr[filter].sub, each also behind a
// schema's URN; names are read as by schema.ResourceType.Path. The lenience is what had to be made of the values in
// brackets. The error is an *schema.Error: invalidPath, or invalidFilter for what stands in brackets.
func ParsePath(rt *schema.ResourceType, s string) (Path, schema.Lenience, error) {
	if err := checkText(s); err != nil {
		return Path{}, 0, schema.Errorf(schema.InvalidPath, "the path must be UTF-8 and at most %d bytes", MaxLength)
	}
	return parsePath(rt, s, MaxDepth, MaxTerms)
}

func parsePath(rt *schema.ResourceType, s string, depth, terms int) (Path, schema.Lenience, error) {
	name, _, filtered := strings.Cut(s, "[")
	attribute, err := rt.Path(strings.TrimSpace(name))
	var lenience schema.Lenience
	if rt.IsOlder(name) {
		lenience = schema.LenientOlderURN
	}
	if err != nil || !filtered {
		return Path{Path: attribute}, lenience, err
	}
	p := parser{rt: rt, s: s, pos: len(name) + 1, depth: depth, terms: terms, lenience: lenience}
	elements, err := p.elements(attribute)
	if err != nil {
		return Path{}, 0, err
	}
	path := Path{Path: attribute, Element: elements.Filter}
	if p.next('.') {
		if path.Path, err = attribute.WithSub(p.word()); err != nil {
			return Path{}, 0, err
		}
	}
	if p.skipSpace(); p.pos < len(s) {
		return Path{}, 0, schema.Errorf(schema.InvalidPath, "the path goes on at byte %d, where its end was expected", p.pos)
	}
	return path, p.lenience, nil
}

// String prints the path so that ParsePath reads the same back.
func (p Path) String() string {
	if p.Element == nil {
		return p.Path.String()
	}
	whole := p.Path
	whole.Sub = nil
	s := Elements{whole, p.Element}.String()
	if p.Sub != nil {
		s += "." + p.Sub.Name
	}
	return s
}

// SplitPaths reads a list of attributes that commas separate, without blanks around them. A comma in the brackets of a value path
// separates nothing, as in emails[value eq "a,b"]; what stands there in quotes neither opens nor closes brackets.
func SplitPaths(list string) (paths []string) {
	p := parser{s: list}
	start, depth, before := 0, 0, ' '
	take := func() {
		if path := strings.TrimSpace(list[start:p.pos]); path != "" {
			paths = append(paths, path)
		}
	}
	for p.pos < len(list) {
		r, size := runeAt(list, p.pos)
		if depth > 0 && (r == '"' || closers(r) != "" && unicode.IsSpace(before)) {
			at := p.pos
			if _, _, err := p.literal(); err == nil {
				before = r
				continue
			}
			p.pos = at // a quote without its counterpart is a character like others
		}
		switch {
		case r == '[':
			depth++
		case r == ']':
			depth--
		case r == ',' && depth <= 0:
			take()
			start = p.pos + size
		}
		before = r
		p.pos += size
	}
	take()
	return paths
}
