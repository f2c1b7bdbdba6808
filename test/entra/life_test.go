package entra_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/job"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// A company lives for two months and is provisioned every ten days. After every cycle the server holds what Entra
// believes, and a cycle without changes sends nothing.
func TestACompanyLivesInBothDialects(t *testing.T) {
	for _, dialect := range []wire.Dialect{wire.Legacy, wire.Flagged} {
		t.Run(string(dialect), func(t *testing.T) {
			w := newWorld(t, company.Generate(company.Size{Seed: 7, Users: 120, Groups: 20}), func(j *job.Job) {
				j.Dialect = dialect
				j.ReferenceChecks = dialect == wire.Flagged
				j.MembersPerRequest = map[wire.Dialect]int{wire.Legacy: 1, wire.Flagged: 3}[dialect]
			})
			r := w.cycleOK()
			if r.Kind != "Initial" || r.Succeeded["User Create"] < 100 || r.Succeeded["Group Create"] != 20 {
				t.Fatalf("the initial cycle: %+v", r.Succeeded)
			}
			w.verifyOK()

			life := company.DefaultLife(7)
			happened := map[company.Kind]int{}
			did := map[string]int{}
			for range 7 {
				w.now = w.now.Add(10 * 24 * time.Hour)
				for _, e := range life.Period(w.company, w.now) {
					happened[e.Kind]++
				}
				r := w.cycleOK()
				if r.Kind != "Incremental" {
					t.Fatalf("a later cycle is %s", r.Kind)
				}
				for what, n := range r.Succeeded {
					did[what] += n
				}
				w.verifyOK()
				if r := w.cycleOK(); r.Requests > 0 {
					t.Fatalf("nothing changed and %d requests were sent: %v", r.Requests, r.Entries)
				}
			}
			for _, kind := range []company.Kind{
				company.Joined, company.Changed, company.Renamed, company.Disabled, company.Enabled,
				company.ManagerChanged, company.MemberAdded, company.MemberRemoved, company.SoftDeleted, company.Restored,
				company.Purged, company.GroupFounded, company.GroupRenamed, company.GroupDissolved,
			} {
				if happened[kind] == 0 {
					t.Errorf("in all this life nothing %s", kind)
				}
			}
			for _, what := range []string{
				"User Create", "User Update", "User Disable", "User StagedDelete", "User Delete", "Group Create",
				"Group Update", "Group Delete",
			} {
				if did[what] == 0 {
					t.Errorf("the log has no %s", what)
				}
			}
		})
	}
}

// Every few requests fail, in each of the ways in which they can; some changes are carried out although their answer is
// lost. A few quiet cycles later everything is as it should be, with nothing there twice. Only creates do not lose their
// answer here: whom the company then deletes before the next cycle, Entra leaves behind for good.
func TestACompanyLivesThroughFailures(t *testing.T) {
	for _, dialect := range []wire.Dialect{wire.Legacy, wire.Flagged} {
		t.Run(string(dialect), func(t *testing.T) {
			w := newWorld(t, company.Generate(company.Size{Seed: 11, Users: 80, Groups: 15}),
				func(j *job.Job) { j.Dialect = dialect })
			var n atomic.Int64
			var calm atomic.Bool
			failures := []func(http.ResponseWriter){
				answer(http.StatusTooManyRequests), answer(http.StatusInternalServerError),
				answer(http.StatusServiceUnavailable), func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
			}
			w.server.Intercept = func(rw http.ResponseWriter, _ *http.Request) bool {
				i := n.Add(1)
				if calm.Load() || i%7 != 0 {
					return false
				}
				failures[int(i/7)%len(failures)](rw)
				return true
			}
			w.server.Lose = func(r *http.Request) bool {
				return !calm.Load() && (r.Method == "PATCH" || r.Method == "DELETE") && n.Load()%11 == 0
			}

			life := company.DefaultLife(11)
			codes := map[wire.Code]int{}
			for i := range 6 {
				if i > 0 {
					w.now = w.now.Add(8 * 24 * time.Hour)
					life.Period(w.company, w.now)
				}
				r := w.cycle()
				if r.Quarantine.Quarantined() {
					t.Fatalf("quarantine for a few failures: %+v", r.Quarantine)
				}
				for code, n := range r.Failed {
					codes[code] += n
				}
			}
			for _, code := range []wire.Code{wire.TooManyRequests, wire.InternalServerError, wire.HostUnreachable} {
				if codes[code] == 0 {
					t.Errorf("no failure was %s: %v", code, codes)
				}
			}
			calm.Store(true)
			for range 3 {
				w.now = w.now.Add(25 * time.Hour) // beyond the longest back-off
				w.cycle()
			}
			w.cycleOK()
			w.verifyOK()
		})
	}
}

// The same seed must lead to the same requests, or a failing test could not be repeated.
func TestTheSameSeedSendsTheSameRequests(t *testing.T) {
	story := func() (lines []string) {
		w := newWorld(t, company.Generate(company.Size{Seed: 3, Users: 30, Groups: 12}),
			func(j *job.Job) { j.Concurrency = 1 })
		w.server.Intercept = func(_ http.ResponseWriter, r *http.Request) bool {
			lines = append(lines, fmt.Sprint(r.Method, " ", r.URL.RequestURI(), " ", r.ContentLength))
			return false
		}
		w.cycleOK()
		company.DefaultLife(3).Period(w.company, w.now)
		w.cycleOK()
		return lines
	}
	a, b := story(), story()
	if len(a) != len(b) {
		t.Fatalf("%d requests, then %d", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("request %d was %s, then %s", i, a[i], b[i])
		}
	}
}
