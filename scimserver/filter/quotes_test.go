package filter_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// TestValuesInOtherQuotes: RFC 7644 section 3.4.2.2 knows JSON strings only. Clients also send what their language or a
// word processor puts around a text.
func TestValuesInOtherQuotes(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"single quotes", `userName eq 'anna'`, `userName eq "anna"`},
		{"with blanks, brackets and keywords inside", `displayName eq 'Sales and (North) [a] or pr'`, `displayName eq "Sales and (North) [a] or pr"`},
		{"in parentheses and brackets", `(title eq 'CFO') and emails[type eq 'work' and value ew '@x']`, `title eq "CFO" and emails[type eq "work" and value ew "@x"]`},
		{"before a bracket, then a sub-attribute", `emails[type eq 'work'].value eq 'a@x'`, `emails[type eq "work" and value eq "a@x"]`},
		{"an apostrophe within a word", `name.familyName eq 'O'Brien'`, `name.familyName eq "O'Brien"`},
		{"a typographic one", `name.familyName eq 'O’Brien' or name.familyName eq ‘O’Brien’`, `name.familyName eq "O’Brien" or name.familyName eq "O’Brien"`},
		{"an escaped quote, and other escapes", `title eq 'the \'boss\' \"x\" \\ \u00e5\/'`, `title eq "the 'boss' \"x\" \\ å/"`},
		{"an escaped quote at the end", `title eq 'the Smiths\''`, `title eq "the Smiths'"`},
		{"a double quote within a word", `title eq 'a"b'`, `title eq "a\"b"`},
		{"nothing", `title eq ''`, `title eq ""`},
		{"null as text", `title eq 'null'`, `title eq "null"`},
		{"a boolean, a number, a dateTime", `active eq 'True' and seats ge '4' and bought eq '2026-01-31T12:00:00Z' and roles[primary eq 'false']`,
			`active eq true and ` + device + `seats ge 4 and ` + device + `bought eq "2026-01-31T12:00:00Z" and roles[primary eq false]`},
		{"a part of a dateTime", `meta.lastModified sw '2026-01'`, `meta.lastModified sw "2026-01"`},
		{"typographic double quotes", `title eq “Chief Officer”`, `title eq "Chief Officer"`},
		{"German ones", `title eq „Chefin“ or title eq ‚Chefin‘`, `title eq "Chefin" or title eq "Chefin"`},
		{"Swedish ones", `title eq ”chef” or title eq ’chef’`, `title eq "chef" or title eq "chef"`},
		{"French and Danish ones", `title eq «chef» or title eq »chef«`, `title eq "chef" or title eq "chef"`},
		{"a mixed list of terms", `title eq "a" or title eq 'b' or title eq c`, `title eq "a" or title eq "b" or title eq "c"`},
		{"text outside of the basic plane", `title eq '😀 \ud83d\ude00'`, `title eq "😀 😀"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, lenience, err := filter.ParseFor(users(), nil, c.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.String(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if got := strings.Join(lenience.Quirks(), " "); got != schema.QuirkSingleQuotes {
				t.Errorf("the quirks are %q", got)
			}
		})
	}
	t.Run("what the RFC has and bare words are no such accommodation", func(t *testing.T) {
		f, lenience, err := filter.ParseFor(users(), nil, `title eq "'a'" or title eq jyoung or name.familyName eq O'Brien or name.familyName eq O’Brien or title eq "\u2019"`)
		if err != nil || lenience != 0 {
			t.Fatal(f, lenience, err)
		}
		const want = `title eq "'a'" or title eq "jyoung" or name.familyName eq "O'Brien" or name.familyName eq "O’Brien" or title eq "’"`
		if f.String() != want {
			t.Errorf("got  %s\nwant %s", f, want)
		}
	})
	t.Run("in a path", func(t *testing.T) {
		p, lenience, err := filter.ParsePath(users(), `emails[type eq 'work'].value`)
		if err != nil || p.String() != `emails[type eq "work"].value` || lenience != schema.LenientQuotes {
			t.Errorf("got %s, %v, %v", p, lenience, err)
		}
	})
}

// A value that is neither a JSON string nor clearly one in other quotes is refused: taken as text, it would be a filter that finds
// nothing, and a removal that removes nothing.
func TestQuotesThatDoNotMatchAreRefused(t *testing.T) {
	const (
		mismatched = `the quotes of the value at byte 9 do not match; values stand in double quotes, as in type eq "work"`
		unquoted   = `the value at byte 9 has a character that needs quotes; values stand in double quotes, as in type eq "work"`
		misplaced  = `a quote within the value at byte 9 is not escaped; values stand in double quotes, as in type eq "work"`
	)
	for _, c := range []struct{ name, in, want string }{
		{"no closing quote", `title eq 'a`, mismatched},
		{"no closing quote before a bracket", `title eq ‘a)`, mismatched},
		{"no closing typographic quote", `title eq “a`, mismatched},
		{"a closing quote alone", `title eq a'`, mismatched},
		{"a closing typographic quote alone", `title eq a”`, mismatched},
		{"a single quote closed by a double one", `title eq 'a"`, misplaced},
		{"and by another value's quote", `title eq 'a" or title eq 'b'`, misplaced},
		{"a typographic quote closed by a plain one", `title eq ‘a'`, misplaced},
		{"a plain quote closed by a typographic one", `title eq 'a’ or title eq ‘b'`, misplaced},
		{"one of a pair closed by one of another", `title eq “a’`, misplaced},
		{"no closing quote, but a next value's", `title eq 'a or title eq 'b'`, misplaced},
		{"a doubled quote, as in SQL and OData", `title eq 'O''Brien'`, misplaced},
		{"two pairs", `title eq ''a''`, misplaced},
		{"a quote behind a word inside", `title eq 'the "x" y'`, misplaced},
		{"backticks", "title eq `a`", mismatched},
		{"an acute accent", "title eq ´a´", mismatched},
		{"a backtick closed by a quote", "title eq `a'", mismatched},
		{"full-width quotes", "title eq ＇a＇", mismatched},
		{"corner brackets", "title eq 「a」", mismatched},
		{"escaped quotes", `title eq \'a\'`, mismatched},
		{"modifier letters", "title eq ʼaʼ", mismatched},
		{"a modifier letter at the end", "title eq aʺ", mismatched},
		{"quotes as in HTML", "title eq &quot;a&quot;", unquoted},
		{"quotes as in XML", "title eq &apos;a&#39;", unquoted},
		{"primes", "title eq ′a′", unquoted},
		{"braces of a template", "title eq {a}", unquoted},
		{"and of another one", "title eq ${a}", unquoted},
		{"a semicolon behind", "title eq a;", unquoted},
		{"a comma behind", "title eq a,", unquoted},
		{"asterisks", "title eq *a*", unquoted},
		{"angle brackets", "title eq <a>", unquoted},
		{"a bracket that opens", "title eq [a", unquoted},
		{"percent signs", "title eq %22a%22", unquoted},
		{"a question mark", "title eq a?b", unquoted},
		{"a backslash", `title eq a\b`, unquoted},
		{"a character that nobody sees", "title eq a\u200b", unquoted},
		{"a no-break space", "title eq \u00a0a", unquoted},
		{"a control", "title eq a\x01", unquoted},
		{"an ellipsis", "title eq a…", unquoted},
		{"a lone quote", `title eq '`, mismatched},
		{"a lone backtick", "title eq `", mismatched},
		{"a wrong escape", `title eq '\x'`, "the quoted value at byte 9 is not a JSON string"},
		{"a line break", "title eq 'a\nb'", "the quoted value at byte 9 is not a JSON string"},
		{"a backslash at the end", `title eq 'a\`, mismatched},
		{"U+0000", `title eq '\u0000'`, "the character U+0000 cannot be compared"},
		{"a double quote closed by a single one", `title eq "a'`, "the quoted value at byte 9 has no closing quote"},
		{"more behind the closing quote", `title eq 'a' b'`, "and, or, or the end was expected at byte 13 of the filter"},
		{"a name in quotes", `'title' eq 'a'`, "an attribute name was expected, such as userName, name.givenName or " + enterprise + "department"},
		{"a boolean of another text", `active eq 'yes'`, "active can be compared with eq or ne, and with true or false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := filter.Parse(users(), c.in)
			wantError(t, err, schema.InvalidFilter, c.want)
		})
	}
	for _, in := range []string{`emails[type eq 'work].value`, `emails[type eq work'].value`, `emails[type eq 'work"]`, "emails[type eq `work`].value", `emails[type eq work;].value`, `emails[type eq &quot;work&quot;]`, `emails[type eq {work}].value`, `emails[type eq “work"].value`} {
		t.Run("in a path "+in, func(t *testing.T) {
			if p, _, err := filter.ParsePath(users(), in); err == nil || !strings.Contains(err.Error(), "values stand in double quotes") {
				t.Errorf("got %v, %v", p, err)
			}
		})
	}
}

// TestWordsWithoutQuotes has what clients send without them.
func TestWordsWithoutQuotes(t *testing.T) {
	for _, word := range []string{
		"3f1c0a52-8d4e-4c7b-9a51-1f2e3d4c5b6a", "user_gmail.com#EXT#@contoso.onmicrosoft.com", "anna+test@contoso.test", "@contoso.test", "2026-01-31T12:00:00+02:00",
		"O'Brien", "O’Brien", "urn:contoso:hr/1.0:User", "AbC+/==", "-1.5e3", "+46701234567", "zoë", "zoe\u0308", "अनिता", "マネージャー", "_x", "true", "und1",
	} {
		f, err := filter.Parse(users(), "(title eq "+word+") or emails[value sw "+word+"]")
		if err != nil || f.String() != `title eq "`+word+`" or emails[value sw "`+word+`"]` {
			t.Errorf("%s: %v, %v", word, f, err)
		}
	}
}

func TestListsOfPathsAreSplitOutsideOfBrackets(t *testing.T) {
	for in, want := range map[string][]string{
		"":                                     nil,
		" , ,":                                 nil,
		"userName, name.givenName":             {"userName", "name.givenName"},
		`emails[value eq "a,b"].type,id`:       {`emails[value eq "a,b"].type`, "id"},
		`emails[value eq "["],id`:              {`emails[value eq "["]`, "id"},
		`emails[value eq "]"],id`:              {`emails[value eq "]"]`, "id"},
		`emails[value eq "\"],"],id`:           {`emails[value eq "\"],"]`, "id"},
		`emails[value eq '],['],id`:            {`emails[value eq '],[']`, "id"},
		`emails[value eq “],[”],id`:            {`emails[value eq “],[”]`, "id"},
		`emails[value eq O'Brien],id,x'`:       {`emails[value eq O'Brien]`, "id", "x'"},
		`emails[value eq "a],id`:               {`emails[value eq "a]`, "id"},
		`emails[type eq "a" or (value pr)],id`: {`emails[type eq "a" or (value pr)]`, "id"},
		`emails[type eq "a",id`:                {`emails[type eq "a",id`},
		`"a,b"`:                                {`"a`, `b"`},
	} {
		if got := filter.SplitPaths(in); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}
