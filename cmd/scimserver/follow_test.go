package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/transfer"
	"github.com/tenantry/tenantry/test/race"
)

// fakeSource is a settings.Source that a test publishes to.
type fakeSource struct{ settings.Latest }

func (*fakeSource) Run(context.Context) error { return nil }

// fakeTokens remember the settings that they were told of.
type fakeTokens struct {
	told []*settings.Snapshot
	away error
}

func (f *fakeTokens) Follow(_ context.Context, current *settings.Snapshot) error {
	f.told = append(f.told, current)
	return f.away
}

func TestAccessTokensFollowTheSettingsAndAreToldAgainWhereTheyCouldNot(t *testing.T) {
	database, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	users := directory.New(directory.Options{Store: database, Now: time.Now})
	tokens := &fakeTokens{away: store.ErrUnavailable}
	f := &followed{Source: &fakeSource{}, tokens: tokens}
	first, second := declaring(), declaring()
	for _, current := range []*settings.Snapshot{first, second} {
		if f.put(t.Context(), current, users, logr.Discard()) {
			t.Error("settings are said to be followed that were not")
		}
		if f.Current() != current {
			t.Error("settings that end tokens wait for the storage")
		}
	}
	tokens.away = nil
	if !f.put(t.Context(), second, users, logr.Discard()) {
		t.Error("good settings are not in force")
	}
	if want := []*settings.Snapshot{first, second, second}; !slices.Equal(tokens.told, want) {
		t.Errorf("they were told of %d settings, want %d in their order", len(tokens.told), len(want))
	}
}

func declaring(attributes ...v1alpha1.SchemaAttribute) *settings.Snapshot {
	tenant := &v1alpha1.ProvisioningTenant{}
	tenant.Name = "contoso"
	tenant.Spec.Schema.Extensions = []v1alpha1.SchemaExtension{{ID: "urn:contoso:hr", Attributes: attributes}}
	return &settings.Snapshot{Tenant: tenant}
}

func TestSettingsCountOnlyOnceTheirSchemasAreInForce(t *testing.T) {
	database, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	users := directory.New(directory.Options{Store: database, Now: time.Now})
	source := &fakeSource{}
	f := &followed{Source: source, tokens: &fakeTokens{}}
	first := declaring(v1alpha1.SchemaAttribute{Name: "badge"})
	if !f.put(t.Context(), first, users, logr.Discard()) || f.Current() != first {
		t.Fatal("good settings are not in force")
	}
	if !users.Type(store.User).Knows("urn:contoso:hr:badge") {
		t.Error("the declared attribute is not known")
	}

	// With the storage away, newer settings count with the schemas that were in force.
	if err := database.Close(); err != nil {
		t.Fatal(err)
	}
	second := declaring(v1alpha1.SchemaAttribute{Name: "level"})
	if f.put(t.Context(), second, users, logr.Discard()) {
		t.Error("schemas are said to be in force that the storage did not take")
	}
	if f.Current() != second || !users.Type(store.User).Knows("urn:contoso:hr:badge") || users.Type(store.User).Knows("urn:contoso:hr:level") {
		t.Error("the newer settings do not count with the schemas before them")
	}

	// And without any before, nobody is served.
	fresh := &followed{Source: source, tokens: &fakeTokens{}}
	if fresh.put(t.Context(), second, directory.New(directory.Options{Store: database, Now: time.Now}), logr.Discard()) || fresh.Current() != nil {
		t.Error("clients are served without the schemas that were declared")
	}
}

// speaking are settings with one UserDefaults that gives a locale.
func speaking(generation int64, locale string) *settings.Snapshot {
	s := declaring()
	s.Tenant.Spec.Schema.Extensions = nil
	s.Tenant.Spec.Catalog.Companies = []string{"Contoso AB"}
	s.Defaults = []v1alpha1.UserDefaults{{
		ObjectMeta: metav1.ObjectMeta{Name: "all", UID: "all-1", Generation: generation},
		Spec:       v1alpha1.UserDefaultsSpec{Companies: []string{"Contoso AB"}, Locale: locale},
	}}
	return s
}

func TestARefusedUserDefaultsIsToldOnceAndItsLastGoodVersionIsInForce(t *testing.T) {
	folder := t.TempDir()
	var lines []string
	log := funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})
	for _, start := range []string{"first", "second"} { // the second server knows the broken version only
		database, err := sqlite.Open(t.Context(), folder)
		if err != nil {
			t.Fatal(err)
		}
		users := directory.New(directory.Options{Store: database, Now: time.Now})
		f := &followed{Source: &fakeSource{}, tokens: &fakeTokens{}}
		if start == "first" && !f.put(t.Context(), speaking(1, "sv-SE"), users, log) {
			t.Fatal("good settings are not in force")
		}
		broken := speaking(2, "xx-YY")
		for range 2 {
			if !f.put(t.Context(), broken, users, log) || f.Current() != broken {
				t.Error("a typo in a UserDefaults keeps other settings from being in force")
			}
		}
		created, err := users.Create(t.Context(), directory.Caller{}, store.User, schema.Object{"userName": start})
		if err != nil || !strings.Contains(string(created.Document), "sv-SE") {
			t.Errorf("at the %s start who arrives gets %s (%v)", start, created.Document, err)
		}
		if err := database.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(lines) != 2 || !strings.Contains(lines[0], "xx-YY") {
		t.Errorf("the log has, of two starts:\n%s", strings.Join(lines, "\n"))
	}
}

func TestNobodyIsServedBeforeTheDefaultsAreInForce(t *testing.T) {
	database, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	away := &withoutDefaults{Store: database, away: true}
	users := directory.New(directory.Options{Store: away, Now: time.Now})
	f := &followed{Source: &fakeSource{}, tokens: &fakeTokens{}}
	if f.put(t.Context(), speaking(1, "sv-SE"), users, logr.Discard()) || f.Current() != nil {
		t.Error("users could arrive without their defaults")
	}
	away.away = false
	if !f.put(t.Context(), speaking(1, "sv-SE"), users, logr.Discard()) || f.Current() == nil {
		t.Error("the settings are not in force once the storage answers")
	}
	// From then on the storage may be away: what needs no storage must not wait, and the defaults before stay.
	away.away = true
	newer := speaking(2, "fi-FI")
	if f.put(t.Context(), newer, users, logr.Discard()) || f.Current() != newer {
		t.Error("newer settings wait for the storage")
	}
	if status, err := users.Status(t.Context()); err != nil || status.Defaults[0].PendingGeneration != 1 {
		t.Errorf("the defaults in force are %+v (%v), want those before", status.Defaults, err)
	}
}

// withoutDefaults is a store that cannot say which defaults were good.
type withoutDefaults struct {
	store.Store

	away bool
}

func (w *withoutDefaults) Meta(ctx context.Context, key string) (string, error) {
	if w.away && key == store.MetaDefaults {
		return "", store.ErrUnavailable
	}
	return w.Store.Meta(ctx, key)
}

func TestChangedSettingsAreFollowed(t *testing.T) {
	race.Meets(t)
	database, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	users := directory.New(directory.Options{Store: database, Now: time.Now})
	source := &fakeSource{}
	f := &followed{Source: source, tokens: &fakeTokens{}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		f.follow(ctx, users, nil, logr.Discard())
		close(ended)
	}()
	for _, name := range []string{"badge", "level"} {
		source.Publish(declaring(v1alpha1.SchemaAttribute{Name: name}))
		tick := time.NewTicker(time.Millisecond)
		deadline := time.After(30 * time.Second)
		for !users.Type(store.User).Knows("urn:contoso:hr:" + name) {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("the schema with %s is not followed", name)
			}
		}
		tick.Stop()
	}
	stop()
	<-ended
}

func TestHowLongInactiveUsersAreKeptIsFollowedWithoutARestart(t *testing.T) {
	database, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	now := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	users := directory.New(directory.Options{Store: database, Now: func() time.Time { return now }})
	f := &followed{Source: &fakeSource{}, tokens: &fakeTokens{}}
	for n, step := range []struct {
		name  string
		after *metav1.Duration
		state v1alpha1.State
		want  int
	}{
		{"not set", nil, "", 0},
		{"set", &metav1.Duration{Duration: 48 * time.Hour}, "", 1},
		{"longer", &metav1.Duration{Duration: 100 * time.Hour}, "", 0},
		{"shorter, and provisioning is suspended", &metav1.Duration{Duration: 24 * time.Hour}, "Suspended", 0},
		{"no longer suspended", &metav1.Duration{Duration: 24 * time.Hour}, "Active", 4},
		{"unset", nil, "", 0},
	} {
		user := schema.Object{"userName": fmt.Sprint("u", n), "active": false}
		if _, err := users.Create(t.Context(), directory.Caller{}, store.User, user); err != nil {
			t.Fatal(err)
		}
		snapshot := declaring()
		snapshot.Tenant.Spec.Schema.Extensions = nil
		snapshot.Tenant.Spec.Retention.DeactivatedUsers, snapshot.Tenant.Spec.Provisioning.State = step.after, step.state
		f.put(t.Context(), snapshot, users, logr.Discard())
		now = now.Add(30 * time.Hour)
		if got, err := users.Purge(t.Context()); err != nil || got != step.want {
			t.Errorf("%s: %d users are deleted, want %d (%v)", step.name, got, step.want, err)
		}
	}
}

// Every replica looks, so this one has not been told.
func TestTheSchemasOfAnImportAreHeldAgainstWhatTheTenantDeclares(t *testing.T) {
	race.Meets(t)
	from, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = from.Close() })
	before := directory.New(directory.Options{Store: from, Now: time.Now})
	if err := before.SetSchemas(t.Context(), declaring(v1alpha1.SchemaAttribute{Name: "badge", Type: "integer"}).Tenant.Spec.Schema.Extensions); err != nil {
		t.Fatal(err)
	}
	user := schema.Object{"userName": "anna", "urn:contoso:hr": schema.Object{"badge": json.Number("7")}}
	if _, err := before.Create(t.Context(), directory.Caller{}, store.User, user); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := transfer.Export(t.Context(), from, &file, transfer.Options{}); err != nil {
		t.Fatal(err)
	}

	database, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	users := directory.New(directory.Options{Store: database, Now: time.Now})
	source := &fakeSource{}
	source.Publish(declaring(v1alpha1.SchemaAttribute{Name: "badge"}))
	f := &followed{Source: source, tokens: &fakeTokens{}}
	ctx, stop := context.WithCancel(t.Context())
	look, ended := make(chan time.Time), make(chan struct{})
	go func() {
		f.follow(ctx, users, look, logr.Discard())
		close(ended)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	look <- time.Time{} // nothing came yet
	restorer := directory.New(directory.Options{Store: database, Now: time.Now})
	if _, err := transfer.Import(t.Context(), users.Importing(directory.Caller{}), restorer, &file); err != nil {
		t.Fatal(err)
	}
	look <- time.Time{}
	look <- time.Time{} // when it is taken, the one before was dealt with
	want := "attribute badge must stay of type integer; declare another attribute for type string: values are stored"
	if got := users.Refused()["urn:contoso:hr"]; got != want {
		t.Errorf("refused: %q, want %q", got, want)
	}
}

// Where the schemas cannot be held against the storage, an import may have brought values of others.
func TestClientsThatWereHeldBackWaitForTheSchemas(t *testing.T) {
	for name, c := range map[string]struct{ provisioning, access v1alpha1.State }{
		"none": {"Active", "Active"}, "provisioning": {"Suspended", "Active"}, "access": {"Active", "Suspended"}, "both": {"Suspended", "Suspended"},
	} {
		database, err := sqlite.Open(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		users := directory.New(directory.Options{Store: database, Now: time.Now})
		f := &followed{Source: &fakeSource{}, tokens: &fakeTokens{}}
		before := declaring(v1alpha1.SchemaAttribute{Name: "badge"})
		before.Tenant.Spec.Provisioning.State, before.Tenant.Spec.Access.State = c.provisioning, c.access
		if !f.put(t.Context(), before, users, logr.Discard()) {
			t.Fatal("good settings are not in force")
		}
		if err := database.Close(); err != nil {
			t.Fatal(err)
		}
		next := declaring(v1alpha1.SchemaAttribute{Name: "badge"})
		next.Tenant.Spec.DisplayName = "Contoso Ltd"
		next.Tenant.Spec.Provisioning.State, next.Tenant.Spec.Access.State = "Active", "Active"
		if f.put(t.Context(), next, users, logr.Discard()) {
			t.Error("schemas are said to be in force that were not held against the storage")
		}
		spec := f.Current().Tenant.Spec
		if spec.Provisioning.State != c.provisioning || spec.Access.State != c.access || spec.DisplayName != "Contoso Ltd" {
			t.Errorf("%s suspended: provisioning is %s, access %s, of %q: want what was held back, and the other new settings",
				name, spec.Provisioning.State, spec.Access.State, spec.DisplayName)
		}
		if next.ProvisioningSuspended() || next.AccessSuspended() {
			t.Errorf("%s suspended: a published snapshot was changed", name)
		}
	}
}

// Clients are told what keeps them from being served, and nothing of whose directory it is.
func TestClientsAreToldWhyTheyAreNotServed(t *testing.T) {
	for _, c := range []struct {
		settings, refused bool
		want              string
	}{
		{false, false, "the server has no settings yet"},
		{false, true, "the server has no settings yet"},
		{true, true, "the directory of this tenant is not where it should be, or another tenant's is there; it is not served until an administrator acts"},
		{true, false, "the directory's storage is unavailable"},
	} {
		source, directory := &fakeSource{}, &owned{}
		if c.settings {
			source.Publish(declaring())
		}
		directory.lost.Store(c.refused)
		f := &followed{Source: source, owned: directory}
		if f.Current() != nil || f.unserved() != c.want {
			t.Errorf("%+v: %q", c, f.unserved())
		}
	}
}

// reviewed is a directory that may be served.
type reviewed struct{ owner.Store }

func (reviewed) Review(context.Context) error { return nil }

// lastStep is closed where settings come into force next.
type lastStep chan struct{}

func (l lastStep) Follow(context.Context, *settings.Snapshot) error {
	close(l)
	return nil
}

// The next start is to know which directory was served, so nobody is served before that is kept. It is kept while the settings are taken.
func TestNobodyIsServedBeforeItIsKeptWhichDirectoryThatIs(t *testing.T) {
	database, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	users := directory.New(directory.Options{Store: database, Now: time.Now})
	last := make(lastStep)
	var f *followed
	served := false
	f = &followed{Source: &fakeSource{}, tokens: last, owned: &owned{store: reviewed{}, log: logr.Discard(), keep: func() error {
		<-last
		for range 10_000 {
			runtime.Gosched()
			served = served || f.Current() != nil
		}
		return nil
	}}}
	if !f.put(t.Context(), declaring(), users, logr.Discard()) || f.Current() == nil {
		t.Error("good settings are not in force")
	}
	if f.owned.kept(); served {
		t.Error("clients were served before")
	}
}
