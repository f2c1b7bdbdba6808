package transfer_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/transfer"
)

func TestAnExportTellsWhichMembersOfAGroupChanged(t *testing.T) {
	const three = "01926e6f-6f2c-7000-8000-000000000003"
	for engine, into := range engines(t) {
		for members, want := range map[string][]store.MemberChange{
			`{"added":["` + one + `","` + three + `"],"removed":["` + two + `"]}`: {{ID: bytesOf(t, one), Added: true}, {ID: bytesOf(t, two)}, {ID: bytesOf(t, three), Added: true}},
			`{"removed":["` + two + `"]}`:                                         {{ID: bytesOf(t, two)}},
			`{"added":["` + one + `"]}`:                                           {{ID: bytesOf(t, one), Added: true}},
		} {
			t.Run(engine+": "+members, func(t *testing.T) {
				file := handmade(plain, grouped(members))
				to := into(t)
				if _, err := transfer.Import(t.Context(), to, of(to), strings.NewReader(file)); err != nil {
					t.Fatal(err)
				}
				entries, err := to.Log(t.Context(), 0, 2)
				if err != nil || len(entries) != 1 {
					t.Fatalf("%d entries, %v", len(entries), err)
				}
				if diff := cmp.Diff(want, entries[0].Members); diff != "" {
					t.Errorf("members (-want +got):\n%s", diff)
				}
				if again := exported(t, to, transfer.Options{Log: true}); !bytes.Equal(again, []byte(file)) {
					t.Errorf("exported again it is\n%s\nwant\n%s", again, file)
				}
			})
		}
	}
}

func bytesOf(t *testing.T, text string) [16]byte {
	t.Helper()
	id, ok := store.ParseID(text)
	if !ok {
		t.Fatalf("%s is no id", text)
	}
	return id
}

// The largest entry that there can be is still a line that an import takes.
func TestAnEntryOfAsManyMembersAsItNamesIsExportedAndImported(t *testing.T) {
	from := open(t, t.TempDir())
	d := of(from)
	var members []any
	for n := range store.MaxMemberChanges {
		user, err := d.Create(t.Context(), directory.Caller{}, store.User, schema.Object{"userName": fmt.Sprint("u", n)})
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, schema.Object{"value": user.ID})
	}
	if _, err := d.Create(t.Context(), directory.Caller{}, store.Group, schema.Object{"displayName": "all", "members": members}); err != nil {
		t.Fatal(err)
	}
	file := exported(t, from, transfer.Options{Log: true})
	to := open(t, t.TempDir())
	if _, err := transfer.Import(t.Context(), to, of(to), bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, exported(t, to, transfer.Options{Log: true})) {
		t.Error("the import is another")
	}
	entries, err := to.Log(t.Context(), store.MaxMemberChanges, 2)
	if err != nil || len(entries) != 1 || len(entries[0].Members) != store.MaxMemberChanges {
		t.Errorf("the group's entry is %+v, %v", entries, err)
	}
}
