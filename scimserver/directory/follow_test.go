package directory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
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
	return `{"locale":"` + language + `",` + tenantry("all", `"Contoso AB"`) + `}`
}

func TestAUserWrittenUnderOlderDefaultsIsLookedAtAgain(t *testing.T) {
	behind := newWorld(t)
	behind.set(always(1, "sv-SE"))
	old := behind.create(`{"userName":"old"}`)
	ahead := behind.replica()
	ahead.set(always(2, "fi-FI"))
	ahead.sees(old, locale("fi-FI"))

	created := behind.create(`{"userName":"created"}`)
	behind.patch(old, `{"op":"Replace","path":"title","value":"Chief"}`)
	behind.sees(created, locale("sv-SE"))
	behind.sees(old, `{"title":"Chief","locale":"sv-SE",`+tenantry("all", `"Contoso AB"`)+`}`)

	behind.looks()
	behind.sees(created, locale("sv-SE"))
	ahead.looks()
	ahead.sees(created, locale("fi-FI"))
	ahead.sees(old, `{"title":"Chief","locale":"fi-FI",`+tenantry("all", `"Contoso AB"`)+`}`)

	behind.looks() // still with the older ones, and not undoing the newer
	behind.sees(created, locale("fi-FI"))
}

func TestAWalkThatOlderDefaultsCameInBetweenIsMadeAgain(t *testing.T) {
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
	w := newWorld(t)
	w.set(always(1, "sv-SE"))
	id := w.create(`{"userName":"a"}`)
	seen := func() (version int64, walker string) {
		user, err := w.Get(t.Context(), directory.Target{Kind: store.User, ID: id}, directory.Related{})
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
	behind := newWorld(t)
	behind.set(always(1, "sv-SE"))
	id := behind.create(`{"userName":"a"}`)
	ahead := behind.replica()
	ahead.set(always(2, "fi-FI"))
	behind.SetDefaults([]*directory.Defaults{compiled(t, always(1, "sv-SE"))})
	behind.looks()
	behind.sees(id, locale("fi-FI"))
}

// Two replicas may hold the users against the same new defaults at once. Whoever is through first must not answer for a mark
// that the other, who never gets to its end, has taken away.
func TestAWalkThatAnotherBeganAfterDoesNotCountAsMade(t *testing.T) {
	behind := newWorld(t)
	behind.set(always(1, "sv-SE"))
	var ids []string
	for n := range 150 { // two steps of a walk
		ids = append(ids, behind.create(fmt.Sprintf(`{"userName":"user%d"}`, n)))
	}
	first, steps := behind.replica(), 0
	first.Directory = directory.New(directory.Options{Store: behind.store, Now: func() time.Time {
		if steps++; steps == 2 { // the first step is through
			behind.patch(ids[0], `{"op":"Replace","path":"title","value":"Chief"}`)
			behind.sees(ids[0], `{"title":"Chief","locale":"sv-SE",`+tenantry("all", `"Contoso AB"`)+`}`)
			err := behind.store.Update(t.Context(), func(tx store.Tx) error {
				return errors.Join(tx.SetMeta(t.Context(), "defaults-walker", "another"), tx.SetMeta(t.Context(), "defaults-astray", ""))
			})
			if err != nil {
				t.Error(err)
			}
		}
		return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	}})
	first.SetDefaults([]*directory.Defaults{compiled(t, always(2, "fi-FI"))})
	first.looks()
	first.sees(ids[0], `{"title":"Chief","locale":"fi-FI",`+tenantry("all", `"Contoso AB"`)+`}`)
}

func compiled(t *testing.T, ud *v1alpha1.UserDefaults) *directory.Defaults {
	t.Helper()
	d, err := directory.NewDefaults(ud, catalog, schema.User())
	if err != nil {
		t.Fatal(err)
	}
	return d
}
