package filter

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
)

// seeds are the shapes of the RFC, of Entra, and of mistakes.
var seeds = []string{
	`userName eq "bjensen"`, `name.familyName co "O'Malley"`, `title pr and userType eq "Employee"`,
	`urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"`, `meta.lastModified gt "2011-05-13T04:42:34Z"`,
	`userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")`,
	`emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]`,
	`emails[type eq "work"].value eq "anna@contoso.test"`, `roles[primary eq "True"].value`, `externalId eq jyoung`,
	`id eq "u" and manager eq "m"`, `urn:ietf:params:scim:schemas:extension:medius:2.0:User:customFieldText1 eq "1"`,
	`seats ge 4 and weight lt 1.5e3 or bought eq 2026-01-31T12:00:00Z`, `tags[value eq "x"]`, `title eq null`, `not(not(title pr))`,
	`userName eq "a\"\\\u00e5\ud83d\ude00"`, `(((title pr`, `emails[`, `emails[type eq "x"].`, `userName eq "\`, "active eq \xff", `not`,
	`userName eq 'O'Brien'`, `emails[type eq 'work' and value ew '@x'].value`, `roles[primary eq 'True'].value`, `title eq “a b” or title eq ‚c‘`,
	`title eq '\'\u00e5"x'`, `title eq 'a" or title eq 'b'`, "title eq `a`", `title eq ''`, `title eq '\`, `not userName eq 'a'`,
	`addresses[type eq "work"].streetAddress`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.manager`,
}

func users() *schema.ResourceType {
	return schema.User(&schema.Schema{ID: "urn:example:device:1.0:User", Attributes: []*schema.Attribute{
		{Name: "seats", Type: schema.TypeInteger}, {Name: "weight", Type: schema.TypeDecimal, MultiValued: true},
		{Name: "bought", Type: schema.TypeDateTime}, {Name: "tags", MultiValued: true},
	}})
}

// The print of a filter can be longer and deeper than what it was read from, so reading it back is not bounded.
const unbounded = 1 << 20

// FuzzParse checks that what is accepted prints as what reads back to the same tree, that it evaluates, and that every
// error is the client's.
func FuzzParse(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	rt := users()
	obj, err := schema.Decode([]byte(`{"userName":"a","active":true,"emails":[{"type":"work","value":"x"}],"urn:example:device:1.0:User":{"weight":[1,2.5],"bought":"2026-01-31T12:00:00Z"}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tree, err := Parse(rt, s)
		if err != nil {
			checkError(t, err)
			return
		}
		again, err := parse(rt, tree.String(), unbounded, unbounded)
		if err != nil || !reflect.DeepEqual(tree, again) {
			t.Fatalf("%q prints as %q, which reads as %#v, %v", s, tree, again, err)
		}
		if Match(tree, obj) == Match(Not{tree}, obj) {
			t.Fatalf("%q and its complement are the same", s)
		}
	})
}

// FuzzParsePath is FuzzParse for the paths of PATCH operations.
func FuzzParsePath(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
		f.Add(strings.TrimSuffix(seed, ` eq "anna@contoso.test"`))
	}
	rt := users()
	f.Fuzz(func(t *testing.T, s string) {
		path, _, err := ParsePath(rt, s)
		if err != nil {
			checkError(t, err)
			return
		}
		again, _, err := parsePath(rt, path.String(), unbounded, unbounded)
		if err != nil || !reflect.DeepEqual(path, again) {
			t.Fatalf("%q prints as %q, which reads as %#v, %v", s, path, again, err)
		}
	})
}

func checkError(t *testing.T, err error) {
	t.Helper()
	if cause := (*schema.Error)(nil); !errors.As(err, &cause) || cause.Detail == "" {
		t.Fatalf("%T: %v", err, err)
	}
}

// TestPrintReadsBack makes trees that Parse has not made, of every shape that it can make.
func TestPrintReadsBack(t *testing.T) {
	rt := users()
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		tree := (&generator{t, rt, random}).filter(4, nil)
		again, err := parse(rt, tree.String(), unbounded, unbounded)
		if err != nil || !reflect.DeepEqual(tree, again) {
			t.Fatalf("%s\nreads as %v\n%v", tree, again, err)
		}
	}
}

type generator struct {
	t      *testing.T
	rt     *schema.ResourceType
	random *rand.Rand
}

func (g *generator) filter(depth int, element *schema.Path) Filter {
	if depth == 0 {
		return g.leaf(element)
	}
	switch g.random.IntN(5) {
	case 0:
		return And{g.terms(depth, element, func(f Filter) bool { _, ok := f.(And); return ok })}
	case 1:
		return Or{g.terms(depth, element, func(f Filter) bool { _, ok := f.(Or); return ok })}
	case 2:
		return Not{g.filter(depth-1, element)}
	case 3:
		if element == nil {
			path := g.path("emails", "manager", "tags", "roles", "companies")
			return Elements{path, g.filter(depth-1, &path)}
		}
	}
	return g.leaf(element)
}

func (g *generator) terms(depth int, element *schema.Path, same func(Filter) bool) []Filter {
	var terms []Filter
	for len(terms) < 2 || g.random.IntN(2) == 0 {
		if f := g.filter(depth-1, element); !same(f) {
			terms = append(terms, f)
		}
	}
	return terms
}

func (g *generator) leaf(element *schema.Path) Filter {
	path := g.path("userName", "externalId", "active", "name.givenName", "emails.primary", "department", "seats", "weight", "bought", "meta.created", "tags")
	if element != nil {
		path = *element
		if subs := path.Attribute.SubAttributes; len(subs) > 0 {
			path.Sub = subs[g.random.IntN(len(subs))]
		}
	}
	if g.random.IntN(4) == 0 {
		return Present{path}
	}
	pick := func(values ...string) string { return values[g.random.IntN(len(values))] }
	op, text := Op(pick("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le")), ""
	switch path.Leaf().Type {
	case schema.TypeBoolean:
		op, text = Op(pick("eq", "ne")), pick("true", "false")
	case schema.TypeInteger, schema.TypeDecimal:
		op, text = Op(pick("eq", "ne", "gt", "ge", "lt", "le")), pick("0", "-1.5", "1e3")
	case schema.TypeDateTime:
		text = pick("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.5+02:00")
	default:
		text = pick("", "a", `"`, `\`, "null", "å\u2028😀", "\t\n\x01", "a b) and (", "]", "'")
	}
	value, err := valueFor(path, op, text)
	if err != nil {
		g.t.Fatal(err)
	}
	return Compare{path, op, value}
}

func (g *generator) path(names ...string) schema.Path {
	path, err := g.rt.Path(names[g.random.IntN(len(names))])
	if err != nil {
		g.t.Fatal(err)
	}
	return path
}
