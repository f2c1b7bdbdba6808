package directory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// replica is another server over the same store.
func (w *world) replica() *world {
	now := func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }
	return &world{t: w.t, store: w.store, Directory: directory.New(directory.Options{Store: w.store, Now: now})}
}

// looks has a replica look once whether users must be held against the defaults again.
func (w *world) looks() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	again, done := make(chan time.Time), make(chan error, 1)
	go func() { done <- w.Follow(ctx, again) }()
	for range 2 { // it takes the second when it is through with the first
		again <- time.Time{}
	}
	cancel()
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
}

func always(generation int64, locale string) *v1alpha1.UserDefaults {
	ud := userDefaults("all", v1alpha1.UserDefaultsSpec{Apply: v1alpha1.ApplyAlways, Locale: locale})
	ud.Generation = generation
	return ud
}

func locale(language string) string {
	return `{"locale":"` + language + `",` + tenantry("all", `"Contoso AB"`, "locale") + `}`
}

func TestAUserWrittenUnderOlderDefaultsIsLookedAtAgain(t *testing.T) {
	race.Meets(t)
	behind := newWorld(t)
	behind.set(always(1, "sv-SE"))
	old := behind.create(`{"userName":"old"}`)
	ahead := behind.replica()
	ahead.set(always(2, "fi-FI"))
	ahead.sees(old, locale("fi-FI"))

	created := behind.create(`{"userName":"created"}`)
	behind.patch(old, `{"op":"Replace","path":"title","value":"Chief"}`)
	behind.sees(created, locale("sv-SE"))
	behind.sees(old, `{"title":"Chief","locale":"sv-SE",`+tenantry("all", `"Contoso AB"`, "locale")+`}`)

	behind.looks()
	behind.sees(created, locale("sv-SE"))
	ahead.looks()
	ahead.sees(created, locale("fi-FI"))
	ahead.sees(old, `{"title":"Chief","locale":"fi-FI",`+tenantry("all", `"Contoso AB"`, "locale")+`}`)

	behind.looks() // still with the older ones, and not undoing the newer
	behind.sees(created, locale("fi-FI"))
}

func TestAWalkThatOlderDefaultsCameInBetweenIsMadeAgain(t *testing.T) {
	race.Meets(t)
	behind := newWorld(t)
	behind.set(always(1, "sv-SE"))
	ahead := behind.replica()
	late := ""
	ahead.Directory = directory.New(directory.Options{Store: behind.store, Now: func() time.Time {
		if late == "" { // in the middle of a step of the walk would be too late: there the store belongs to it
			late = behind.create(`{"userName":"late"}`)
		}
		return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	}})
	ahead.SetDefaults([]*directory.Defaults{compiled(t, always(2, "fi-FI"))})
	ahead.looks()
	ahead.sees(late, locale("fi-FI"))
	if !ahead.followed([]*v1alpha1.UserDefaults{always(2, "fi-FI")}) {
		t.Error("the walk that was made again does not count as made")
	}
}

func TestAReplicaThatOnlyLooksWritesNothingWhereNothingIsAstray(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	w.set(always(1, "sv-SE"))
	id := w.create(`{"userName":"a"}`)
	seen := func() (version int64, walker string) {
		user, err := w.Get(t.Context(), directory.Target{Kind: store.User, ID: id})
		if err != nil {
			t.Fatal(err)
		}
		if walker, err = w.store.Meta(t.Context(), "defaults-walker"); err != nil || walker == "" {
			t.Fatalf("nobody walked (%v)", err)
		}
		return user.Version, walker
	}
	version, walker := seen()
	w.looks()
	if v, again := seen(); v != version || again != walker {
		t.Errorf("version %d, walker %s; want %d and %s", v, again, version, walker)
	}
}

func TestOlderDefaultsThatAreReadOnceMoreAreNotNewer(t *testing.T) {
	race.Meets(t)
	behind := newWorld(t)
	behind.set(always(1, "sv-SE"))
	id := behind.create(`{"userName":"a"}`)
	ahead := behind.replica()
	ahead.set(always(2, "fi-FI"))
	behind.SetDefaults([]*directory.Defaults{compiled(t, always(1, "sv-SE"))})
	behind.looks()
	behind.sees(id, locale("fi-FI"))
}

// crowd makes users enough for three steps of a walk.
func (w *world) crowd() []string {
	w.t.Helper()
	var ids []string
	for n := range 250 {
		ids = append(ids, w.create(fmt.Sprintf(`{"userName":"user%d"}`, n)))
	}
	return ids
}

// stepping is a replica that does something before each step of its walks, which it counts from 1.
func (w *world) stepping(before func(step int)) *world {
	now, steps := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), 0
	return &world{t: w.t, store: w.store, Directory: directory.New(directory.Options{Store: w.store, Now: func() time.Time {
		steps++
		before(steps)
		return now
	}})}
}

func TestTheStatusTellsHowFarAWalkIs(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	other := userDefaults("other", v1alpha1.UserDefaultsSpec{ConfigurationFilter: "other"})
	w.set(other, always(1, "sv-SE"))
	w.crowd()
	unchanged := v1alpha1.DefaultsCount{Name: "other", Generation: 1}
	want := []v1alpha1.DirectoryStatus{{
		Users: 250, ActiveUsers: 250,
		Defaults: []v1alpha1.DefaultsCount{unchanged, {Name: "all", Generation: 1, MatchedUsers: 250, AppliedUsers: 250}},
	}}
	got := []v1alpha1.DirectoryStatus{w.status()}

	// The server starts again, so that it no longer knows what it followed; and another replica, which only waits, tells the same.
	waiting := w.replica()
	var started *world
	started = w.stepping(func(int) {
		if diff := cmp.Diff(waiting.status(), started.status()); diff != "" {
			t.Errorf("another replica tells something else (-it +the one that walks):\n%s", diff)
		}
		got = append(got, started.status())
	})
	rules := []*directory.Defaults{compiled(t, other), compiled(t, always(2, "fi-FI"))}
	waiting.SetDefaults(rules)
	started.SetDefaults(rules)
	got = append(got, started.status()) // before it has begun
	for _, pending := range []int64{250, 250, 150, 50} {
		want = append(want, v1alpha1.DirectoryStatus{
			Users: 250, ActiveUsers: 250, DefaultsPending: pending, Defaults: []v1alpha1.DefaultsCount{
				{Name: "other", PendingGeneration: 1}, {Name: "all", PendingGeneration: 2, MatchedUsers: 250, AppliedUsers: 250},
			},
		})
	}
	started.looks()
	got = append(got, started.status(), waiting.status())
	for range 2 {
		want = append(want, v1alpha1.DirectoryStatus{Users: 250, ActiveUsers: 250, Defaults: []v1alpha1.DefaultsCount{
			unchanged, {Name: "all", Generation: 2, MatchedUsers: 250, AppliedUsers: 250},
		}})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestDefaultsThatDidNotChangeStayAppliedWhileOthersAreFollowed(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	other := userDefaults("other", v1alpha1.UserDefaultsSpec{ConfigurationFilter: "other"})
	w.set(other, always(1, "sv-SE"))
	w.create(`{"userName":"a"}`)
	w.SetDefaults([]*directory.Defaults{compiled(t, other), compiled(t, always(2, "fi-FI")), compiled(t, userDefaults("new", v1alpha1.UserDefaultsSpec{}))})
	want := v1alpha1.DirectoryStatus{Users: 1, ActiveUsers: 1, DefaultsPending: 1, Defaults: []v1alpha1.DefaultsCount{
		{Name: "other", Generation: 1},
		{Name: "all", Generation: 1, PendingGeneration: 2, MatchedUsers: 1, AppliedUsers: 1},
		{Name: "new", PendingGeneration: 1},
	}}
	if diff := cmp.Diff(want, w.status()); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// UserDefaults that are deleted and made anew begin with generation 1 again.
func TestDefaultsOfTheSameGenerationThatSaySomethingElseAreNotApplied(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	w.set(always(1, "sv-SE"))
	w.SetDefaults([]*directory.Defaults{compiled(t, always(1, "fi-FI"))})
	want := []v1alpha1.DefaultsCount{{Name: "all", Generation: 1, PendingGeneration: 1}}
	if diff := cmp.Diff(want, w.status().Defaults); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

// Two replicas may hear of new defaults at once. One walk is enough, and whoever began first must not answer for marks that the
// other has taken away.
func TestOfTwoWalksOnlyTheOneThatBeganLastGoesOn(t *testing.T) {
	race.Meets(t)
	behind := newWorld(t)
	behind.set(always(1, "sv-SE"))
	ids := behind.crowd()
	last, walker := behind.replica(), ""
	walks := func() string {
		t.Helper()
		walker, err := behind.store.Meta(t.Context(), "defaults-walker")
		if err != nil {
			t.Error(err)
		}
		return walker
	}
	first := behind.stepping(func(step int) {
		if step == 2 { // the first step is through
			behind.patch(ids[0], `{"op":"Replace","path":"title","value":"Chief"}`)
			behind.sees(ids[0], `{"title":"Chief","locale":"sv-SE",`+tenantry("all", `"Contoso AB"`, "locale")+`}`)
			last.set(always(2, "fi-FI"))
			walker = walks()
		}
	})
	first.SetDefaults([]*directory.Defaults{compiled(t, always(2, "fi-FI"))})
	first.looks()
	first.sees(ids[0], `{"title":"Chief","locale":"fi-FI",`+tenantry("all", `"Contoso AB"`, "locale")+`}`)
	if !first.followed([]*v1alpha1.UserDefaults{always(2, "fi-FI")}) || walker == "" || walks() != walker {
		t.Errorf("%q walked, want %q alone, and that it counts for both", walks(), walker)
	}
	entries, err := first.store.Log(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	followed := 0
	for _, e := range entries {
		if e.Operation == directory.OperationDefaults {
			followed++
		}
	}
	if want := len(ids) + 1; followed != want { // the one that was patched, twice
		t.Errorf("%d users were given the new values, want %d", followed, want)
	}
}

// A replica that was killed during its walk never gets to its end.
func TestAWalkThatGetsNoFurtherIsTakenOver(t *testing.T) {
	race.Meets(t)
	behind := newWorld(t)
	behind.set(always(1, "sv-SE"))
	ids := behind.crowd()
	now, steps := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), 0
	first := behind.replica()
	other := func(walker string) {
		err := behind.store.Update(t.Context(), func(tx store.Tx) error {
			return errors.Join(tx.SetMeta(t.Context(), "defaults-walker", walker), tx.SetMeta(t.Context(), "defaults-astray", ""))
		})
		if err != nil {
			t.Error(err)
		}
	}
	first.Directory = directory.New(directory.Options{Store: behind.store, Now: func() time.Time {
		if steps++; steps == 2 {
			behind.patch(ids[0], `{"op":"Replace","path":"title","value":"Chief"}`)
			other("another 0")
		}
		return now
	}})
	first.SetDefaults([]*directory.Defaults{compiled(t, always(2, "fi-FI"))})
	waits := func(walker string) {
		t.Helper()
		first.looks()
		if got, err := first.store.Meta(t.Context(), "defaults-walker"); err != nil || got != walker {
			t.Fatalf("%q walks (%v), want %q", got, err, walker)
		}
		first.sees(ids[0], `{"title":"Chief","locale":"sv-SE",`+tenantry("all", `"Contoso AB"`, "locale")+`}`)
	}
	waits("another 0")
	now = now.Add(29 * time.Second)
	other("another 100")
	waits("another 100")
	now = now.Add(29 * time.Second)
	waits("another 100")
	now = now.Add(time.Second)
	first.looks()
	first.sees(ids[0], `{"title":"Chief","locale":"fi-FI",`+tenantry("all", `"Contoso AB"`, "locale")+`}`)
	if !first.followed([]*v1alpha1.UserDefaults{always(2, "fi-FI")}) {
		t.Error("the walk that was taken over does not count as made")
	}
}

func compiled(t *testing.T, ud *v1alpha1.UserDefaults) *directory.Defaults {
	t.Helper()
	d, err := directory.NewDefaults(ud, catalog, schema.User())
	if err != nil {
		t.Fatal(err)
	}
	return d
}
