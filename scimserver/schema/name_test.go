package schema

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

func TestNamesThatArePrecisEqualAreOne(t *testing.T) {
	for _, same := range [][]string{
		{"anna@contoso.com", "ANNA@Contoso.com", "Ａｎｎａ＠ｃｏｎｔｏｓｏ．ｃｏｍ"},
		{"zoë", "ZOË", "zoe\u0308", "Zoe\u0308", "ＺＯＥ\u0308"},
		{"Åsa", "A\u030asa", "\u212bsa", "åsa"},
		{"Nguyễn", "Nguye\u0302\u0303n", "Nguyê\u0303n"},
		{"ガ", "カ\u3099", "ｶﾞ", "ｶ\u3099"},
		{"한", "\u1112\u1161\u11ab"},
		{"ΣΊΣΥΦΟΣ", "σίσυφος", "σι\u0301συφοσ"},
		{"İ", "i\u0307", "I\u0307"},
		{"\u212aelvin", "kelvin", "KELVIN"},
		{"straße", "STRAẞE"},
		{"ſam", "sam"},
		{"o\u0323\u0308", "o\u0308\u0323"},
		// Names that PRECIS refuses are compared in the same way.
		{"José O’Brien", "JOSE\u0301 O’BRIEN"},
		{"Jose\u0301 Smith", "José\u3000Smith"},
		{"שלוםx e\u0301", "שלוםx é"},
	} {
		for _, name := range same[1:] {
			if FoldName(name) != FoldName(same[0]) {
				t.Errorf("%+q and %+q are two: %+q, %+q", name, same[0], FoldName(name), FoldName(same[0]))
			}
		}
	}
}

func TestNamesThatDifferStayDifferent(t *testing.T) {
	names := []string{
		"zoe", "zoë", "zoé", "åsa", "asa", "ισ", "ı", "i", "strasse", "straße", "ﬁ", "fi", "Μάιος", "Μαίος", "Μαιος", "カ", "ガ", "a b", "ab",
		"x²", "x2", "ªx", "ax",
	}
	for i, a := range names {
		for _, b := range names[:i] {
			if FoldName(a) == FoldName(b) {
				t.Errorf("%q and %q are one", a, b)
			}
		}
	}
}

// Servers of the version before go on for a while beside one of this, and both must find most people.
func TestACommonNameHasTheKeyThatItAlwaysHad(t *testing.T) {
	for _, name := range []string{
		"Anna@Contoso.com", "Åsa.Öberg", "José O’Brien", "Σίσυφος", "Łukasz", "山田太郎", "カタカナガ", "Иванова", "Nguyễn", "한글", "ß", "محمد",
	} {
		if FoldName(name) != Fold(name) {
			t.Errorf("%q: %+q, want %+q", name, FoldName(name), Fold(name))
		}
	}
}

// checkName wants one key for all that is equal to s. A mark U+0345 that stands before another is left out of what is canonically
// equal: under case folding it is a letter, and both cannot be had. Nobody writes so, and neither normalization form has it.
func checkName(t *testing.T, s string) {
	t.Helper()
	composed, decomposed := norm.NFC.String(s), norm.NFD.String(s)
	equal(t, composed, decomposed)
	equal(t, s, FoldName(s))
	equal(t, s, Fold(s)) // which is the key that the version before gave it
	if !strings.ContainsRune(s, combiningIota) {
		equal(t, s, composed)
	}
	if prepared, err := precis.UsernameCaseMapped.String(s); err == nil {
		equal(t, composed, prepared)
	}
	for _, change := range []func(rune) rune{unicode.ToUpper, unicode.ToLower, unicode.ToTitle, unicode.SimpleFold} {
		if other := strings.Map(change, s); strings.EqualFold(s, other) {
			equal(t, s, other)
		}
	}
}

func equal(t *testing.T, a, b string) {
	t.Helper()
	if FoldName(a) != FoldName(b) {
		t.Errorf("%+q has the key %+q, and %+q has %+q", a, FoldName(a), b, FoldName(b))
	}
}

func TestEveryCharacterHasOneKeyInAllItsForms(t *testing.T) {
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if alone := string(r); unicode.SimpleFold(r) != r || norm.NFKD.String(alone) != alone {
			checkName(t, alone)
			checkName(t, "α"+alone+"\u0301")
		}
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"zoe\u0308", "ｶﾞ", "\u0345", "ᾳ\u0323\u0345\u0301", "α\u0345\u0301", "ΐ", "İ", "\u1e9b\u0323", "\xff\xfee\u0301", "\u3000", "a\u0316ﾞ\u0345"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkName(t, strings.ToValidUTF8(s, "")) })
}

func BenchmarkFoldName(b *testing.B) {
	for name, s := range map[string]string{"ascii": "anna.karlsson@contoso.com", "letters": "åsa.öberg@contoso.com", "marks": "a\u030asa.o\u0308berg@contoso.com"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				FoldName(s)
			}
		})
	}
}
