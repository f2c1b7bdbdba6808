package store_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/store"
)

func TestMemberChangesComeToWhatIsDifferentInTheEnd(t *testing.T) {
	for name, c := range map[string]struct{ steps, want string }{
		"none":                            {"", ""},
		"in the order of ids":             {"+c -a +b", "-a +b +c"},
		"added and removed":               {"+a -a", ""},
		"removed and added":               {"-a +a", ""},
		"added, removed and added":        {"+a -a +a", "+a"},
		"removed, added and removed":      {"-a +a -a", "-a"},
		"others beside":                   {"+b -a +c -b +a -d +b", "+b +c -d"},
		"some of whom come to no change":  {"-a -b -c +a +b +d", "-c +d"},
		"a cleared group, filled as ever": {"-a -b -c +c +b +a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var changes store.MemberChanges
			for step := range strings.FieldsSeq(c.steps) {
				changes.Step([16]byte{step[1]}, step[0] == '+')
			}
			list, changed := changes.Net()
			var got []string
			for _, m := range list {
				got = append(got, map[bool]string{true: "+", false: "-"}[m.Added]+string(m.ID[0]))
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" || changed != (c.want != "") {
				t.Errorf("changed: %t; (-want +got)\n%s", changed, diff)
			}
			encoded := store.EncodeMemberChanges(list)
			if again, err := store.DecodeMemberChanges(encoded); err != nil || !cmp.Equal(list, again) || len(encoded) != 17*len(list) {
				t.Errorf("%d bytes are read as %v, %v", len(encoded), again, err)
			}
		})
	}
}

func TestNilCollectsNoMemberChanges(t *testing.T) {
	var none *store.MemberChanges
	none.Step([16]byte{1}, true)
	if none.Collects() {
		t.Error("nil collects")
	}
}

func TestABrokenListOfMembersIsAnError(t *testing.T) {
	whole := store.EncodeMemberChanges([]store.MemberChange{{ID: [16]byte{1}, Added: true}})
	for name, encoded := range map[string][]byte{
		"cut off": whole[:16], "longer": append(bytes.Clone(whole), 1), "neither added nor removed": bytes.Repeat([]byte{2}, 17),
	} {
		if list, err := store.DecodeMemberChanges(encoded); !errors.Is(err, store.ErrMemberChanges) {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
}
