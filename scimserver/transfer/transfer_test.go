package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/patch"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/transfer"
	"github.com/tenantry/tenantry/test/race"
)

// childVariable makes this binary import its standard input into the folder that it names, for the tests that kill it.
const childVariable = "TENANTRY_TRANSFER_TEST_FOLDER"

func TestMain(m *testing.M) {
	if folder := os.Getenv(childVariable); folder != "" {
		if err := child(folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func child(folder string) error {
	s, err := sqlite.Open(context.Background(), folder)
	if err != nil {
		return err
	}
	_, err = transfer.Import(context.Background(), s, of(s), os.Stdin)
	return errors.Join(err, s.Close())
}

func open(t testing.TB, folder string) store.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func of(s store.Store) *directory.Directory {
	clock := time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)
	return directory.New(directory.Options{Store: s, Now: func() time.Time {
		clock = clock.Add(time.Second)
		return clock
	}})
}

// population is how many users fill makes.
const population = 100

// fill makes a directory of users, some with values of defaults, which some have cleared or patched, and groups in groups.
func fill(t testing.TB, s store.Store, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	d := of(s)
	tenant := &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Name: "contoso", Namespace: "customers", UID: "t"}}
	tenant.Spec.Catalog = v1alpha1.Catalog{Companies: []string{"A"}, Roles: []string{"r"}}
	var all []v1alpha1.UserDefaults
	for name, apply := range map[string]v1alpha1.ApplyMode{"stamped": v1alpha1.ApplyOnCreate, "followed": v1alpha1.ApplyAlways} {
		all = append(all, v1alpha1.UserDefaults{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.UserDefaultsSpec{
				Filter: `title eq "` + name + `"`, Apply: apply, Companies: []string{"A"}, Roles: []string{"r"}, Locale: "sv-SE",
			},
		})
	}
	if err := d.FollowDefaults(t.Context(), tenant, all); err != nil {
		t.Fatal(err)
	}
	caller := directory.Caller{Client: "token-1", RequestID: "r"}
	var ids []string
	for n := range population {
		user := schema.Object{
			"userName": fmt.Sprintf("u%d<&>\u2028å@contoso.test", n), "title": []string{"none", "stamped", "followed"}[random.IntN(3)],
			"active": random.IntN(4) > 0, "externalId": fmt.Sprint("e", n),
		}
		created, err := d.Create(t.Context(), caller, store.User, user)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, created.ID)
	}
	for n := range 20 {
		var members []any
		for range random.IntN(200) {
			members = append(members, schema.Object{"value": ids[random.IntN(len(ids))]})
		}
		created, err := d.Create(t.Context(), caller, store.Group, schema.Object{"displayName": fmt.Sprint("g", n), "members": members})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, created.ID) // later groups have earlier ones
	}
	request, err := patch.Parse(d.Type(store.User), []byte(`{"Operations":[{"op":"replace","path":"nickName","value":"n"},{"op":"remove","path":"locale"},
		{"op":"add","path":"roles","value":"extra"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		if _, err := d.Patch(t.Context(), caller, directory.Target{Kind: store.User, ID: ids[random.IntN(population)]}, request); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.SetMeta(t.Context(), "signing-key", "s3cr3t") }); err != nil {
		t.Fatal(err)
	}
}

func exported(t testing.TB, s store.Store, o transfer.Options) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := transfer.Export(t.Context(), s, &out, o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatWasImportedIsExportedAsTheSameBytes(t *testing.T) {
	for seed := range uint64(2) {
		from := open(t, t.TempDir())
		fill(t, from, seed)
		for _, o := range []transfer.Options{{Log: true}, {}} {
			file := exported(t, from, o)
			to := open(t, t.TempDir())
			counts, err := transfer.Import(t.Context(), to, of(to), bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			if again := exported(t, to, o); !bytes.Equal(file, again) {
				t.Errorf("seed %d, %+v: the second export has %d bytes, the first %d", seed, o, len(again), len(file))
			}
			if counts.Users != population || counts.Groups != 20 || counts.Memberships < 100 || (counts.Entries >= population+20) != o.Log {
				t.Errorf("counts %+v", counts)
			}
			if bytes.Contains(file, []byte("s3cr3t")) || bytes.Contains(file, []byte("signing-key")) {
				t.Error("the export has what the server keeps for itself")
			}
			sameAnswers(t, from, to)
		}
	}
}

// sameAnswers compares what clients are told of both directories, by filters that use each kind of index.
func sameAnswers(t *testing.T, a, b store.Store) {
	t.Helper()
	for _, text := range []string{
		`userName sw "U1"`, `externalId eq "e7"`, `title eq "followed"`, `locale eq "sv-SE"`, `active eq false`, `nickName eq "N"`,
		`urn:ietf:params:scim:schemas:extension:tenantry:2.0:User:defaults eq "followed"`,
		`defaulted[path eq "locale" and defaults eq "stamped"]`, `defaulted.path eq "locale"`, `cleared eq "locale"`, `patched eq "roles"`,
	} {
		var answers [2]string
		for i, s := range []store.Store{a, b} {
			d := of(s)
			list, err := d.List(t.Context(), store.User, directory.Query{Filter: text, Limit: 1000})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			answers[i] = fmt.Sprintf("%d %+v", list.Total, list.Resources)
			memberships := d.Memberships(list.Resources, directory.Related{Groups: true}, func(int64) bool { return true })
			for _, user := range list.Resources {
				err := memberships.Groups(t.Context(), user.ID, func(groups []directory.Membership) error {
					answers[i] += fmt.Sprintf(" %s %+v", user.ID, groups)
					return nil
				})
				if err != nil {
					t.Fatalf("%s: %v", text, err)
				}
			}
		}
		if answers[0] != answers[1] {
			t.Errorf("%s: the import answers otherwise", text)
		}
	}
	stats, err := a.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same, err := b.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(stats) != fmt.Sprint(same) {
		t.Errorf("stats %v, want %v", same, stats)
	}
}

func TestTheLogGoesOnAfterAnImport(t *testing.T) {
	from, to := open(t, t.TempDir()), open(t, t.TempDir())
	fill(t, from, 1)
	if _, err := transfer.Import(t.Context(), to, of(to), bytes.NewReader(exported(t, from, transfer.Options{Log: true}))); err != nil {
		t.Fatal(err)
	}
	before, err := to.Log(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	newest := before[len(before)-1].Sequence
	if _, err := of(to).Create(t.Context(), directory.Caller{}, store.User, schema.Object{"userName": "one more"}); err != nil {
		t.Fatal(err)
	}
	after, err := to.Log(t.Context(), newest, 10)
	if err != nil || len(after) != 1 || after[0].Operation != directory.OperationCreate {
		t.Errorf("after %d: %+v, %v", newest, after, err)
	}
}

func TestAFileThatIsNoWholeExportIsRefusedAndLeavesNothing(t *testing.T) {
	from := open(t, t.TempDir())
	fill(t, from, 1)
	whole := string(exported(t, from, transfer.Options{Log: true}))
	lines := strings.SplitAfter(strings.TrimSuffix(whole, "\n"), "\n")
	group := population + 1
	change := func(n int, old, to string) string {
		changed := append([]string(nil), lines...)
		if changed[n] = strings.Replace(changed[n], old, to, 1); changed[n] == lines[n] {
			t.Fatalf("line %d has no %s", n+1, old)
		}
		return strings.Join(changed, "")
	}
	without := func(n int) string {
		return strings.Join(append(append([]string(nil), lines[:n]...), lines[n+1:]...), "")
	}
	first := regexp.MustCompile(`"id":"([^"]*)"`).FindStringSubmatch(lines[1])[1]
	into := open(t, t.TempDir())
	for name, c := range map[string]struct{ file, want string }{
		"nothing":                           {"", "line 1: this is no whole export: the file was cut off here"},
		"something else":                    {"id,userName\n", "line 1: this is no whole export: it is not the JSON of an export"},
		"no header":                         {without(0), "line 1: this is no whole export: the first line, and only that, says which format this is"},
		"two headers":                       {lines[0] + whole, "line 2: this is no whole export: the first line, and only that"},
		"a newer format":                    {change(0, `1`, `2`), "line 1: this is an export of another format: it has format 2, and this program reads 1"},
		"cut off between lines":             {strings.Join(lines[:60], ""), "line 61: this is no whole export: the file was cut off here, its last line is missing"},
		"cut off in a line":                 {whole[:len(whole)/2], "this is no whole export: it is not the JSON of an export: unexpected end of JSON input"},
		"a user less":                       {without(7), "this is no whole export: "},
		"the last entry less":               {without(len(lines) - 2), fmt.Sprintf("line %d: this is no whole export: it counts", len(lines)-1)},
		"a letter changed":                  {change(5, `contoso.test`, `contoso.tesT`), fmt.Sprintf("line %d: this is no whole export: the SHA-256", len(lines))},
		"something after the end":           {whole + lines[1], fmt.Sprintf("line %d: this is no whole export: it does not belong after", len(lines)+1)},
		"a user among groups":               {strings.Join(append(append([]string(nil), lines[:group+3]...), lines[1]), ""), fmt.Sprintf("line %d: this is no whole export: it does not belong after", group+4)},
		"a user twice":                      {lines[0] + lines[1] + lines[1], "line 3: this is no whole export: the id does not follow"},
		"a userName twice":                  {lines[0] + lines[1] + strings.Replace(lines[1], first, "ffffffff"+first[8:], 1), "line 3: User ffffffff" + first[8:] + ": its userName is taken by User " + first},
		"an id that is none":                {change(1, first, "anna"), "line 2: this is no whole export: the id is not a UUID in canonical form"},
		"a user without a name":             {change(1, `"userName"`, `"profileUrl"`), "line 2: this is no whole export: User " + first + ": document: it has no userName"},
		"an active that is a text":          {change(1, `"active":`, `"active":"perhaps","x":`), "line 2: this is no whole export: User " + first + ": document: it has no active that is true or false"},
		"an active that is null":            {change(1, `"active":`, `"active":null,"x":`), "line 2: this is no whole export: User " + first + ": document: it has no active that is true or false"},
		"a user without active":             {change(1, `"active":`, `"x":`), "line 2: this is no whole export: User " + first + ": document: it has no active that is true or false"},
		"a document that is none":           {lines[0] + `{"user":{"id":"` + first + `","version":1,"created":"2026-11-25T06:00:00Z","modified":"2026-11-25T06:00:00Z","document":7}}`, "line 2: this is no whole export: User " + first + ": document: "},
		"an unpaired surrogate":             {change(1, `"userName":"`, `"userName":"\ud800`), "line 2: this is no whole export: it has text that is not UTF-8, or an unpaired surrogate"},
		"an unpaired surrogate in an entry": {change(len(lines)-2, `"client":"`, `"client":"\udc00`), fmt.Sprintf("line %d: this is no whole export: it has text that is not UTF-8", len(lines)-1)},
		"an entry that is not UTF-8":        {change(len(lines)-2, `"client":"`, "\"client\":\"\xff"), fmt.Sprintf("line %d: this is no whole export: it has text that is not UTF-8", len(lines)-1)},
		"an unknown field":                  {change(1, `"version"`, `"secret":1,"version"`), `line 2: this is no whole export: it is not the JSON of an export: unknown field "user.secret"`},
		"two things in a line":              {change(1, `{"user"`, `{"end":{},"user"`), "line 2: this is no whole export: it is 2 things, want one"},
		"two objects in a line":             {lines[0] + strings.TrimSuffix(lines[1], "\n") + lines[2], "line 2: this is no whole export: it is not the JSON of an export: invalid character '{' after top-level value"},
		"members of nobody":                 {lines[0] + `{"members":{"group":"` + first + `"}}` + "\n", "line 2: this is no whole export: there is no group of this id"},
		"a member that is not there":        {strings.Join(lines[:group], "") + lines[group] + `{"members":{"group":"` + idOf(lines[group]) + `","users":["` + idOf(lines[group]) + `"]}}`, "a member of group " + idOf(lines[group]) + " is no User"},
		"an entry of another resource":      {lines[0] + `{"entry":{"sequence":1,"time":"2026-11-25T06:00:00Z","resourceType":"Device","operation":"create","outcome":"success","count":1}}`, "line 2: this is no whole export: the resourceType is neither User nor Group"},
		"a line without end":                {lines[0] + `{"user":"` + strings.Repeat("x", 33<<20), "line 2: this is no whole export: it has more than 33554432 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := transfer.Import(t.Context(), into, of(into), strings.NewReader(c.file))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
			empty(t, into)
		})
	}
	if _, err := transfer.Import(t.Context(), into, of(into), strings.NewReader(whole)); err != nil {
		t.Errorf("after all that, the whole file: %v", err)
	}
	if _, err := transfer.Import(t.Context(), into, of(into), strings.NewReader(whole)); !errors.Is(err, transfer.ErrNotEmpty) {
		t.Errorf("a second time: %v", err)
	}
}

func idOf(line string) string {
	return regexp.MustCompile(`"id":"([^"]*)"`).FindStringSubmatch(line)[1]
}

func empty(t testing.TB, s store.Store) {
	t.Helper()
	stats, err := s.Stats(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	entries, err := s.Log(context.Background(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if stats.Users+stats.Groups+stats.Memberships != 0 || len(entries) > 0 {
		t.Errorf("something stayed: %+v, %d entries", stats, len(entries))
	}
}

// restarted runs each update twice, as an engine does whose transactions can fail to serialize.
type restarted struct{ store.Store }

func (r restarted) Update(ctx context.Context, change func(tx store.Tx) error) error {
	again := errors.New("serialize")
	err := r.Store.Update(ctx, func(tx store.Tx) error { return errors.Join(change(tx), again) })
	if !errors.Is(err, again) {
		return err
	}
	return r.Store.Update(ctx, change)
}

func TestAnImportThatTheEngineBeginsAgainReadsItsFileAgain(t *testing.T) {
	race.Meets(t) // a reader is left and another begins
	from, to := open(t, t.TempDir()), open(t, t.TempDir())
	fill(t, from, 1)
	file := exported(t, from, transfer.Options{})
	_, err := transfer.Import(t.Context(), restarted{to}, of(to), io.MultiReader(bytes.NewReader(file)))
	if err == nil || !strings.Contains(err.Error(), "needs a file that can be read twice") {
		t.Errorf("from a pipe: %v", err)
	}
	empty(t, to)
	if _, err := transfer.Import(t.Context(), restarted{to}, of(to), bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, exported(t, to, transfer.Options{})) {
		t.Error("the import is another")
	}
}

// Bad day: kill -9 in the middle of an import.
func TestAnImportThatIsKilledLeavesAnEmptyDirectory(t *testing.T) {
	from := open(t, t.TempDir())
	fill(t, from, 1)
	file := exported(t, from, transfer.Options{Log: true})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, share := range []int{3, 2, 1} { // of the file that it is given, in thirds; without its last line even all of it
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childVariable+"="+folder)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		most := file[:bytes.LastIndexByte(file[:len(file)-1], '\n')]
		// A pipe holds 64 KiB, so that when this returns the child has imported all but the last of it.
		if _, err := in.Write(most[:len(most)*share/3]); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		s, err := sqlite.Open(t.Context(), folder)
		if err != nil {
			t.Fatal(err)
		}
		empty(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, folder)
	if _, err := transfer.Import(t.Context(), s, of(s), bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
}

func FuzzImport(f *testing.F) {
	from := open(f, f.TempDir())
	d := of(from)
	anna, err := d.Create(f.Context(), directory.Caller{Client: "c"}, store.User, schema.Object{"userName": "anna"})
	if err != nil {
		f.Fatal(err)
	}
	members := []any{schema.Object{"value": anna.ID}}
	if _, err := d.Create(f.Context(), directory.Caller{}, store.Group, schema.Object{"displayName": "all", "members": members}); err != nil {
		f.Fatal(err)
	}
	whole := string(exported(f, from, transfer.Options{Log: true}))
	f.Add(whole)
	for line := range strings.Lines(whole) {
		f.Add("{\"directory\":{\"format\":1}}\n" + line)
	}
	for _, document := range []string{
		`"emails":[{"value":"x","primary":true}]`, `"emails":"x"`, `"id":"x"`, `"password":"p"`, `"Title":"t"`, `"name":{"givenName":"g"}`, `"title":7`,
		`"` + schema.EnterpriseUser + `":{"department":"d","manager":{"value":"m"}}`, `"urn:contoso:hr":{"badge":"b"}`,
	} {
		f.Add(handmade(plain, user(","+document)))
	}
	f.Add(handmade(plain, given(`{"cleared":["locale"],"companies":["A"],"defaulted":[{"defaults":"d","path":"title"}],"defaults":"d"}`)))
	f.Add(handmade(plain, following(`{"locale":"sv-SE","roles":[{"value":"r"}],`+stamped+`}`)))
	into := open(f, f.TempDir())
	f.Fuzz(func(t *testing.T, file string) {
		d := of(into)
		counts, err := transfer.Import(t.Context(), undone{sifted{into, t, d}}, d, strings.NewReader(file))
		if err != nil && counts != (transfer.Counts{}) {
			t.Errorf("%+v were imported in spite of %v", counts, err)
		}
		empty(t, into)
	})
}

// undone rolls every update back, and says that it succeeded.
type undone struct{ store.Store }

func (u undone) Update(ctx context.Context, change func(tx store.Tx) error) error {
	enough := errors.New("enough")
	err := u.Store.Update(ctx, func(tx store.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return enough
	})
	if errors.Is(err, enough) {
		return nil
	}
	return err
}

func TestDeclaredSchemasAreExportedWithTheirValues(t *testing.T) {
	from := open(t, t.TempDir())
	d := of(from)
	declared := []v1alpha1.SchemaExtension{{ID: "urn:contoso:hr", Attributes: []v1alpha1.SchemaAttribute{{Name: "badge"}}}}
	declare := func(d *directory.Directory, extensions []v1alpha1.SchemaExtension) {
		t.Helper()
		if err := d.SetSchemas(t.Context(), extensions); err != nil {
			t.Fatal(err)
		}
	}
	declare(d, declared)
	if _, err := d.Create(t.Context(), directory.Caller{}, store.User, schema.Object{
		"userName": "anna", "urn:contoso:hr": schema.Object{"badge": "B-1"},
	}); err != nil {
		t.Fatal(err)
	}
	declare(d, nil) // what is out of sight comes along too
	to := open(t, t.TempDir())
	if _, err := transfer.Import(t.Context(), to, of(to), bytes.NewReader(exported(t, from, transfer.Options{}))); err != nil {
		t.Fatal(err)
	}
	into := of(to)
	declare(into, []v1alpha1.SchemaExtension{{ID: "urn:contoso:hr", Attributes: []v1alpha1.SchemaAttribute{{Name: "badge", Type: "integer"}}}})
	if len(into.Refused()) != 1 {
		t.Error("after the import nobody remembers of which type the stored values are")
	}
	declare(into, declared)
	list, err := into.List(t.Context(), store.User, directory.Query{Filter: `urn:contoso:hr:badge eq "b-1"`, Limit: 1})
	if err != nil || list.Total != 1 {
		t.Errorf("found %d, %v", list.Total, err)
	}
}
