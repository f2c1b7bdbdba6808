package owner_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	entra   = "8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11"
	entra2  = "00000000-0a52-4a5b-9b61-3f2f6f6d2c11"
	known   = "11111111-1111-4111-8111-111111111111"
	another = "22222222-2222-4222-8222-222222222222"
)

func contoso(edits ...func(*owner.Identity)) owner.Identity {
	i := owner.Identity{EntraTenantID: entra, Namespace: "customers", Name: "contoso", UID: "uid-1"}
	for _, edit := range edits {
		edit(&i)
	}
	return i
}

func noEntra(i *owner.Identity)            { i.EntraTenantID = "" }
func otherEntra(i *owner.Identity)         { i.EntraTenantID = entra2 }
func shouted(i *owner.Identity)            { i.EntraTenantID = "{" + strings.ToUpper(entra) + "}" }
func otherName(i *owner.Identity)          { i.Name = "fabrikam" }
func otherNamespace(i *owner.Identity)     { i.Namespace = "guests" }
func otherUID(i *owner.Identity)           { i.UID = "uid-2" }
func noUID(i *owner.Identity)              { i.UID = "" }
func mark(i owner.Identity) owner.Mark     { return owner.Mark{Directory: known, Identity: i} }
func in(m owner.Mark, b string) owner.Mark { m.InPlaceOf = b; return m }
func of(m owner.Mark, d string) owner.Mark { m.Directory = d; return m }

var now = time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC)

// made is the directory of a mark that the verdict has made.
const made = "made"

func TestWhoseADirectoryIs(t *testing.T) {
	stored := func(m owner.Mark) owner.Found { return owner.Found{There: true, Mark: m.Encode()} }
	untouched := func(m owner.Mark) owner.Found { return owner.Found{There: true, Mark: m.Encode(), Untouched: true} }
	elsewhere := func(marks ...owner.Mark) (found owner.Found) {
		for i, m := range marks {
			found.Elsewhere = append(found.Elsewhere, owner.Elsewhere{Place: "schema " + string(rune('a'+i)), Mark: m.Encode()})
		}
		return found
	}
	held := func(m owner.Mark, ago time.Duration) owner.Found {
		return owner.Found{There: true, Mark: m.Encode(), Seen: now.Add(-ago), Now: now}
	}
	for _, c := range []struct {
		name  string
		found owner.Found
		claim owner.Claim
		want  owner.Mark // where it may be served
		note  string     // that of the verdict has this
		// where it may not:
		reason, annotation, says string
	}{
		{name: "the tenant's own", found: stored(mark(contoso())), claim: owner.Claim{Identity: contoso()}, want: mark(contoso())},
		{name: "its own, and known", found: stored(mark(contoso())), claim: owner.Claim{Identity: contoso(), Known: known}, want: mark(contoso())},
		{name: "its own, with the Entra tenant ID spelled otherwise", found: stored(mark(contoso())), claim: owner.Claim{Identity: contoso(shouted)}, want: mark(contoso())},
		{name: "its own, which the mark spells otherwise", found: stored(mark(contoso(shouted))), claim: owner.Claim{Identity: contoso()}, want: mark(contoso()), note: "up to date"},
		{name: "an Entra tenant ID is new in the spec", found: stored(mark(contoso(noEntra))), claim: owner.Claim{Identity: contoso(), Known: known}, want: mark(contoso()), note: "up to date"},
		{name: "the Entra tenant ID is gone from the spec", found: stored(mark(contoso())), claim: owner.Claim{Identity: contoso(noEntra), Known: known}, want: mark(contoso())},
		{name: "without an Entra tenant ID at all", found: stored(mark(contoso(noEntra))), claim: owner.Claim{Identity: contoso(noEntra)}, want: mark(contoso(noEntra))},

		{name: "another Entra tenant ID", found: stored(mark(contoso(otherEntra))), claim: owner.Claim{Identity: contoso()},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "customers/contoso/" + entra2 + "/" + known},
		{name: "another Entra tenant ID, although the directory is known", found: stored(mark(contoso(otherEntra))), claim: owner.Claim{Identity: contoso(), Known: known},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "customers/contoso/" + entra2 + "/" + known},
		{name: "another name", found: stored(mark(contoso(otherName))), claim: owner.Claim{Identity: contoso()},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "customers/fabrikam/" + entra + "/" + known},
		{name: "another namespace, without Entra tenant IDs", found: stored(mark(contoso(otherNamespace, noEntra))), claim: owner.Claim{Identity: contoso(noEntra)},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "guests/contoso/" + known},
		{name: "another name, spelled in other case", found: stored(mark(contoso(func(i *owner.Identity) { i.Name = "Contoso" }))), claim: owner.Claim{Identity: contoso()},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "customers/Contoso/" + entra + "/" + known},
		{name: "an annotation without the directory", found: stored(mark(contoso(otherName))), claim: owner.Claim{Identity: contoso(), Adopt: "customers/fabrikam/" + entra},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "customers/fabrikam/" + entra + "/" + known},
		{name: "an annotation that names another tenant", found: stored(mark(contoso(otherName))), claim: owner.Claim{Identity: contoso(), Adopt: mark(contoso(otherNamespace)).String()},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "customers/fabrikam/" + entra + "/" + known},
		{name: "an annotation that names another directory of that tenant", found: stored(of(mark(contoso(otherName)), another)),
			claim:  owner.Claim{Identity: contoso(), Adopt: mark(contoso(otherName)).String()},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "customers/fabrikam/" + entra + "/" + another},
		{name: "adopted", found: stored(mark(contoso(otherName, otherUID))), claim: owner.Claim{Identity: contoso(), Adopt: mark(contoso(otherName)).String()},
			want: mark(contoso()), note: "adopted"},
		{name: "adopted, with another Entra tenant ID in the spec", found: stored(mark(contoso(otherEntra))), claim: owner.Claim{Identity: contoso(), Known: known, Adopt: " " + mark(contoso(otherEntra)).String()},
			want: mark(contoso()), note: "adopted"},
		{name: "adopted by a tenant without an Entra tenant ID and a UID", found: stored(mark(contoso(otherName))), claim: owner.Claim{Identity: contoso(noEntra, noUID), Adopt: mark(contoso(otherName)).String()},
			want: mark(contoso(noEntra, noUID)), note: "adopted"},
		{name: "adopted in place of another", found: stored(of(mark(contoso(otherName)), another)), claim: owner.Claim{Identity: contoso(), Known: known, Adopt: of(mark(contoso(otherName)), another).String()},
			want: in(of(mark(contoso()), another), known), note: "adopted"},
		{name: "what was adopted, with the annotation still there", found: stored(mark(contoso())), claim: owner.Claim{Identity: contoso(), Known: known, Adopt: mark(contoso(otherName)).String()}, want: mark(contoso())},

		{name: "on a volume that was adopted", found: stored(mark(contoso(otherEntra, otherUID))), claim: owner.Claim{Identity: contoso(), AdoptedVolume: "customers/contoso/" + entra2},
			want: mark(contoso()), note: "adopted"},
		{name: "on a volume that was adopted, and its mark spells the Entra tenant ID otherwise", found: stored(mark(contoso(shouted, otherName))),
			claim: owner.Claim{Identity: contoso(), AdoptedVolume: "customers/fabrikam/" + entra}, want: mark(contoso()), note: "adopted"},
		{name: "a third tenant's on a volume that was adopted", found: stored(mark(contoso(otherName))), claim: owner.Claim{Identity: contoso(), AdoptedVolume: "customers/contoso/" + entra2},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "customers/fabrikam/" + entra + "/" + known},
		{name: "the Entra tenant ID was changed", found: stored(mark(contoso())), claim: owner.Claim{Identity: contoso(otherEntra), Known: known},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "customers/contoso/" + entra + "/" + known, says: "set spec.identityProvider.entra.tenantID back if that was changed"},

		{name: "the Entra tenant ID was changed before anything was written", found: untouched(mark(contoso(otherEntra))), claim: owner.Claim{Identity: contoso(), Known: known},
			want: mark(contoso()), note: "took up the directory customers/contoso/" + entra2 + "/" + known + ", into which nothing was written yet"},
		{name: "and no server has told of the directory yet", found: untouched(mark(contoso(otherEntra))), claim: owner.Claim{Identity: contoso()}, want: mark(contoso()), note: "took up"},
		{name: "and it is not the tenant's directory", found: untouched(of(mark(contoso(otherEntra)), another)), claim: owner.Claim{Identity: contoso(), Known: known},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "customers/contoso/" + entra2 + "/" + another},
		{name: "and it is of another tenant", found: untouched(mark(contoso(otherName))), claim: owner.Claim{Identity: contoso()},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "customers/fabrikam/" + entra + "/" + known},
		{name: "and the tenant was made again, and its former server lives", found: func() owner.Found {
			f := held(mark(contoso(otherEntra, otherUID)), 0)
			f.Untouched = true
			return f
		}(), claim: owner.Claim{Identity: contoso()}, reason: v1alpha1.ReasonForeignDirectory},

		{name: "another directory of the tenant", found: stored(of(mark(contoso()), another)), claim: owner.Claim{Identity: contoso(), Known: known},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "customers/contoso/" + entra + "/" + another},
		{name: "another directory of the tenant, adopted", found: stored(of(mark(contoso()), another)), claim: owner.Claim{Identity: contoso(), Known: known, Adopt: of(mark(contoso()), another).String()},
			want: in(of(mark(contoso()), another), known), note: "adopted"},
		{name: "one that another server has adopted in place of the known", found: stored(in(of(mark(contoso()), another), known)), claim: owner.Claim{Identity: contoso(), Known: known},
			want: in(of(mark(contoso()), another), known)},
		{name: "of another tenant, in place of the known", found: stored(in(of(mark(contoso(otherName)), another), known)), claim: owner.Claim{Identity: contoso(), Known: known},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "customers/fabrikam/" + entra + "/" + another},

		{name: "a new tenant", claim: owner.Claim{Identity: contoso(shouted)}, want: of(mark(contoso()), made), note: "made an empty directory"},
		{name: "a new tenant, whatever is annotated", claim: owner.Claim{Identity: contoso(), Adopt: "new/" + another}, want: of(mark(contoso()), made), note: "made"},
		{name: "none where one was", claim: owner.Claim{Identity: contoso(), Known: known}, reason: v1alpha1.ReasonDirectoryMissing, annotation: "new/" + known},
		{name: "none where one was, after a new one was begun with before", claim: owner.Claim{Identity: contoso(), Known: known, Adopt: "new/" + another},
			reason: v1alpha1.ReasonDirectoryMissing, annotation: "new/" + known},
		{name: "none where one was, as the administrator knows", claim: owner.Claim{Identity: contoso(), Known: known, Adopt: "new/" + known},
			want: in(of(mark(contoso()), made), known), note: "made an empty directory in place of " + known},
		{name: "none where a new one is to be, and its own elsewhere", found: elsewhere(mark(contoso(noUID))), claim: owner.Claim{Identity: contoso()},
			reason: v1alpha1.ReasonDirectoryMissing, annotation: "new/" + known, says: "there is one of it in schema a"},
		{name: "and with another Entra tenant ID", found: elsewhere(mark(contoso(otherEntra))), claim: owner.Claim{Identity: contoso()}, want: of(mark(contoso()), made), note: "made"},
		{name: "and another tenant's before its own", found: elsewhere(mark(contoso(otherName)), mark(contoso())), claim: owner.Claim{Identity: contoso()},
			reason: v1alpha1.ReasonDirectoryMissing, annotation: "new/" + known, says: "schema b"},
		{name: "and another tenant's alone", found: elsewhere(mark(contoso(otherName))), claim: owner.Claim{Identity: contoso()}, want: of(mark(contoso()), made), note: "made"},
		{name: "and its own elsewhere, as the administrator knows", found: elsewhere(mark(contoso())), claim: owner.Claim{Identity: contoso(), Adopt: "new/" + known},
			want: in(of(mark(contoso()), made), known), note: "made an empty directory in place of " + known},
		{name: "none where one was, which is elsewhere", found: elsewhere(of(mark(contoso()), another), mark(contoso())), claim: owner.Claim{Identity: contoso(), Known: known},
			reason: v1alpha1.ReasonDirectoryMissing, annotation: "new/" + known, says: "schema b"},
		{name: "none where one was, and another of the tenant elsewhere", found: elsewhere(of(mark(contoso()), another)), claim: owner.Claim{Identity: contoso(), Known: known},
			reason: v1alpha1.ReasonDirectoryMissing, annotation: "new/" + known, says: known + ", should be; "},
		{name: "of an earlier version", found: owner.Found{There: true}, claim: owner.Claim{Identity: contoso(noEntra, noUID)}, want: of(mark(contoso(noEntra, noUID)), made), note: "earlier version"},
		{name: "without a mark where one with a mark was", found: owner.Found{There: true}, claim: owner.Claim{Identity: contoso(), Known: known, Adopt: "new/" + known},
			reason: v1alpha1.ReasonForeignDirectory, annotation: "unmarked/" + known},
		{name: "without a mark where one with a mark was, adopted", found: owner.Found{There: true}, claim: owner.Claim{Identity: contoso(), Known: known, Adopt: "unmarked/" + known},
			want: in(of(mark(contoso()), made), known), note: "in place of " + known},
		{name: "with a mark of a version to come", found: owner.Found{There: true, Mark: `{"owners":[]}`}, claim: owner.Claim{Identity: contoso()}, reason: v1alpha1.ReasonForeignDirectory},
		{name: "with a mark that is damaged", found: owner.Found{There: true, Mark: `{`}, claim: owner.Claim{Identity: contoso()}, reason: v1alpha1.ReasonForeignDirectory},

		{name: "made again, where one server at a time can open it", found: stored(mark(contoso(otherUID))), claim: owner.Claim{Identity: contoso()}, want: mark(contoso()), note: "up to date"},
		{name: "made again, and the former holder is silent", found: held(mark(contoso(otherUID)), owner.HeldFor), claim: owner.Claim{Identity: contoso()}, want: mark(contoso()), note: "up to date"},
		{name: "made again, and the former holder lives", found: held(mark(contoso(otherUID)), owner.HeldFor-time.Second), claim: owner.Claim{Identity: contoso()}, reason: v1alpha1.ReasonForeignDirectory},
		{name: "made again, and the clock of the database went back", found: held(mark(contoso(otherUID)), -time.Hour), claim: owner.Claim{Identity: contoso()}, reason: v1alpha1.ReasonForeignDirectory},
		{name: "made again below the server that holds it", found: held(mark(contoso(otherUID)), 0), claim: owner.Claim{Identity: contoso(), Held: contoso(otherUID)}, want: mark(contoso()), note: "up to date"},
		{name: "taken over from the server that held it", found: held(mark(contoso(otherUID)), 0), claim: owner.Claim{Identity: contoso(), Held: contoso(), Known: known}, reason: v1alpha1.ReasonForeignDirectory},
		{name: "deleted, and made again by now", found: held(mark(contoso(otherUID)), owner.HeldFor), claim: owner.Claim{Identity: contoso(), Held: contoso(), Gone: true}, reason: v1alpha1.ReasonForeignDirectory},
		{name: "deleted, and the last that had it", found: held(mark(contoso()), owner.HeldFor), claim: owner.Claim{Identity: contoso(), Gone: true}, want: mark(contoso())},
		{name: "another replica lives", found: held(mark(contoso()), 0), claim: owner.Claim{Identity: contoso()}, want: mark(contoso())},
		{name: "manifests beside a holder", found: held(mark(contoso()), 0), claim: owner.Claim{Identity: contoso(noUID)}, want: mark(contoso())},
		{name: "a UID where manifests had none", found: held(mark(contoso(noUID)), 0), claim: owner.Claim{Identity: contoso()}, want: mark(contoso()), note: "up to date"},
		{name: "adopted, but its former tenant lives", found: held(mark(contoso(otherName, otherUID)), 0), claim: owner.Claim{Identity: contoso(), Adopt: mark(contoso(otherName)).String()}, reason: v1alpha1.ReasonForeignDirectory},
		{name: "adopted with manifests, but its former tenant lives", found: held(mark(contoso(otherName)), 0), claim: owner.Claim{Identity: contoso(noUID), Adopt: mark(contoso(otherName)).String()}, reason: v1alpha1.ReasonForeignDirectory},
		{name: "adopted with manifests, but its former tenant lives with manifests", found: held(mark(contoso(otherName, noUID)), 0),
			claim: owner.Claim{Identity: contoso(noUID), Adopt: mark(contoso(otherName)).String()}, reason: v1alpha1.ReasonForeignDirectory},
		{name: "taken with manifests from a server that was silent", found: held(mark(contoso(otherName, noUID)), 0),
			claim:  owner.Claim{Identity: contoso(noUID), Held: contoso(noUID), Known: known, Adopt: mark(contoso(otherName)).String()},
			reason: v1alpha1.ReasonForeignDirectory},
		{name: "the Entra tenant ID was edited below the server, with manifests", found: held(mark(contoso(otherEntra, noUID)), 0),
			claim: owner.Claim{Identity: contoso(noUID), Held: contoso(otherEntra, noUID), Known: known, Adopt: mark(contoso(otherEntra)).String()},
			want:  mark(contoso(noUID)), note: "adopted"},
		{name: "the Entra tenant ID was edited while no server ran", found: held(mark(contoso(otherEntra)), 0),
			claim: owner.Claim{Identity: contoso(), Known: known, Adopt: mark(contoso(otherEntra)).String()}, want: mark(contoso()), note: "adopted"},
		{name: "started again with manifests", found: held(mark(contoso(noUID)), 0), claim: owner.Claim{Identity: contoso(noUID)}, want: mark(contoso(noUID))},
		{name: "adopted, and its former tenant is silent", found: held(mark(contoso(otherName, otherUID)), owner.HeldFor), claim: owner.Claim{Identity: contoso(), Adopt: mark(contoso(otherName)).String()}, want: mark(contoso()), note: "adopted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.claim.Judge(c.found)
			if c.reason != "" {
				refused, ok := errors.AsType[*owner.Refusal](err)
				if !ok || refused.Reason != c.reason || !errors.Is(err, store.ErrUnavailable) {
					t.Fatalf("%+v, %v; want to be refused as %s", got, err, c.reason)
				}
				if !strings.Contains(err.Error(), c.says) {
					t.Errorf("refused with %q; want it to say %q", err, c.says)
				}
				if !strings.HasSuffix(err.Error(), c.annotation) || strings.Contains(err.Error(), v1alpha1.AdoptDirectoryAnnotation) != (c.annotation != "") {
					t.Errorf("refused with %q; want it to end with %q", err, c.annotation)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.want.Directory == made {
				if got.Mark.Directory == "" || got.Mark.Directory == known {
					t.Errorf("the id of the new directory is %q", got.Mark.Directory)
				}
				got.Mark.Directory = made
			}
			if got.Mark != c.want || (got.Note == "") != (c.note == "") || !strings.Contains(got.Note, c.note) {
				t.Errorf("%+v %q; want %+v and a note with %q", got.Mark, got.Note, c.want, c.note)
			}
		})
	}
}

func TestAnAnnotationAdoptsOneDirectoryOnce(t *testing.T) {
	claim := owner.Claim{Identity: contoso(), Adopt: mark(contoso(otherName)).String()}
	var lines []string
	guard := owner.NewGuard(func() (owner.Claim, bool) { return claim, true }, funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{}))
	verdict, err := guard.Judge(owner.Found{There: true, Mark: mark(contoso(otherName)).Encode()})
	if err != nil {
		t.Fatal(err)
	}
	guard.Admit(verdict)
	for range 3 {
		again, err := guard.Judge(owner.Found{There: true, Mark: verdict.Mark.Encode()})
		if err != nil || again.Note != "" {
			t.Fatalf("%+v, %v", again, err)
		}
		guard.Admit(again)
	}
	if len(lines) != 1 {
		t.Errorf("%d lines, want one: %s", len(lines), lines)
	}
	if _, err := guard.Judge(owner.Found{There: true, Mark: of(mark(contoso(otherName)), another).Encode()}); err == nil {
		t.Error("it adopts another directory of the same tenant")
	}
	if _, err := guard.Judge(owner.Found{}); err == nil {
		t.Error("an empty directory would be made in place of the one that was adopted")
	}
}

func TestWhetherADirectoryIsUntouchedIsAskedWhereItMatters(t *testing.T) {
	for name, c := range map[string]struct {
		claim owner.Claim
		found owner.Found
		want  bool
	}{
		"the tenant's own":                  {owner.Claim{Identity: contoso()}, owner.Found{There: true, Mark: mark(contoso()).Encode()}, false},
		"of another Entra tenant":           {owner.Claim{Identity: contoso()}, owner.Found{There: true, Mark: mark(contoso(otherEntra)).Encode()}, true},
		"and it is known that it is":        {owner.Claim{Identity: contoso()}, owner.Found{There: true, Mark: mark(contoso(otherEntra)).Encode(), Untouched: true}, false},
		"another tenant's":                  {owner.Claim{Identity: contoso()}, owner.Found{There: true, Mark: mark(contoso(otherName)).Encode()}, false},
		"none where one should be":          {owner.Claim{Identity: contoso(), Known: known}, owner.Found{}, false},
		"without a mark where one had some": {owner.Claim{Identity: contoso(), Known: known}, owner.Found{There: true}, false},
	} {
		guard := owner.NewGuard(func() (owner.Claim, bool) { return c.claim, true }, funcr.New(func(_, _ string) {}, funcr.Options{}))
		if got := guard.Hinges(c.found); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestAGuardWaitsForSettings(t *testing.T) {
	guard := owner.NewGuard(func() (owner.Claim, bool) { return owner.Claim{}, false }, funcr.New(func(_, _ string) {}, funcr.Options{}))
	if _, err := guard.Judge(owner.Found{}); !errors.Is(err, owner.ErrNoSettings) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

func TestAHoldIsRenewedOnceAMinuteByItsHolder(t *testing.T) {
	claim := owner.Claim{Identity: contoso()}
	guard := owner.NewGuard(func() (owner.Claim, bool) { return claim, true }, funcr.New(func(_, _ string) {}, funcr.Options{}))
	for _, c := range []struct {
		name string
		mark owner.Mark
		age  time.Duration
		want bool
	}{
		{"its own", mark(contoso()), owner.RenewAfter, true},
		{"its own, just renewed", mark(contoso()), owner.RenewAfter - time.Second, false},
		{"another's", mark(contoso(otherUID)), time.Hour, false},
		{"a manifest's", mark(contoso(noUID)), time.Hour, false},
	} {
		if got := guard.Holds(c.mark, owner.Found{Seen: now.Add(-c.age), Now: now}); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}
