package kubernetes

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// reported is a source whose clock the test sets, before a tenant whose status has what the test puts there.
type reported struct {
	*testing.T
	api    *fakeAPI
	source *Source
	now    time.Time
}

func reports(t *testing.T, standing *v1alpha1.StorageProblem) *reported {
	t.Helper()
	r := &reported{T: t, api: newFakeAPI(t), now: time.Unix(1700000000, 0)}
	r.put(standing)
	r.source, _ = run(t, r.api, t.TempDir(), &log{}, func(s *Source) {
		s.options.TenantUID = "uid-1"
		s.options.Now = func() time.Time { return r.now }
	})
	r.seen(standing)
	return r
}

// put makes a problem stand in the status.
func (r *reported) put(problem *v1alpha1.StorageProblem) {
	r.api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) {
		t.Status.Storage = &v1alpha1.StorageStatus{Type: v1alpha1.StorageSQLite, Problem: problem}
	}))
}

// seen waits until the watch has seen what was put.
func (r *reported) seen(problem *v1alpha1.StorageProblem) {
	r.Helper()
	until(r.T, "the watch sees the problem", func() bool {
		seen := r.source.problems.observed.Load()
		switch {
		case seen == nil:
			return false
		case problem == nil || seen.StorageProblem == nil:
			return problem == nil && seen.StorageProblem == nil
		}
		return seen.Pod == problem.Pod && seen.Reason == problem.Reason && seen.ObservedTime.Equal(&problem.ObservedTime)
	})
}

func (r *reported) report(reason, message string) {
	r.Helper()
	if err := r.source.ReportProblem(r.Context(), reason, message); err != nil {
		r.Fatal(err)
	}
}

// expect compares what was sent since the last call.
func (r *reported) expect(want ...string) {
	r.Helper()
	r.api.mu.Lock()
	got := r.api.patches
	r.api.patches = nil
	r.api.mu.Unlock()
	if !slices.Equal(got, want) {
		r.Errorf("patches\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func wrote(reason, message string, at time.Time) string {
	return fmt.Sprintf(ofTenant+`{"op":"add","path":"/status/storage/problem","value":{"reason":%q,"message":%q,"pod":"pod-a","observedTime":%q}}]`, reason, message, at.UTC().Format(time.RFC3339))
}

// ofTenant is how each patch begins.
const ofTenant = `[{"op":"test","path":"/metadata/uid","value":"uid-1"},`

const tookAway = ofTenant + `{"op":"test","path":"/status/storage/problem/pod","value":"pod-a"},{"op":"remove","path":"/status/storage/problem"}]`

func problemOf(pod string, at time.Time) *v1alpha1.StorageProblem {
	return &v1alpha1.StorageProblem{Reason: "DatabaseFull", Message: "m", Pod: pod, ObservedTime: metav1.NewTime(at)}
}

func TestAProblemIsWrittenAgainWhileItLastsAndTakenAwayWhenItIsOver(t *testing.T) {
	t.Parallel()
	r := reports(t, nil)
	r.report("", "")
	r.expect()

	began := r.now
	r.report("DatabaseUnreachable", "from port 1")
	r.now = began.Add(29 * time.Second)
	r.report("DatabaseUnreachable", "from port 2") // another message alone is none that has to be told at once
	r.expect(wrote("DatabaseUnreachable", "from port 1", began))
	r.now = began.Add(30 * time.Second)
	r.report("DatabaseUnreachable", "from port 3")
	r.report("DatabaseRefused", "because")
	r.expect(wrote("DatabaseUnreachable", "from port 3", r.now), wrote("DatabaseRefused", "because", r.now))

	standing := problemOf("pod-a", r.now)
	r.put(standing)
	r.seen(standing)
	r.report("", "")
	r.report("", "") // though the watch has not seen it go
	r.expect(tookAway)
	r.put(nil)
	r.seen(nil)
	r.report("", "")
	r.expect()
	r.report("DatabaseRefused", "because")
	r.expect(wrote("DatabaseRefused", "because", r.now))
}

// A full volume and a wrong password have nothing to do with each other.
func TestTheProblemOfAConnectionHasAPlaceOfItsOwn(t *testing.T) {
	t.Parallel()
	r := reports(t, problemOf("pod-b", time.Unix(1700000000, 0)))
	connection := func(reason, message string) {
		t.Helper()
		if err := r.source.ReportConnectionProblem(t.Context(), reason, message); err != nil {
			t.Fatal(err)
		}
	}
	connection("", "")
	connection("DatabaseRefused", "because")
	r.now = r.now.Add(29 * time.Second)
	connection("DatabaseRefused", "because")
	r.expect(strings.Replace(wrote("DatabaseRefused", "because", time.Unix(1700000000, 0)), `/problem`, `/connectionProblem`, 1))
	of := func(pod string) {
		r.api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) {
			t.Status.Storage = &v1alpha1.StorageStatus{Problem: problemOf("pod-b", r.now), ConnectionProblem: problemOf(pod, r.now)}
		}))
		until(t, "the watch sees the problem", func() bool {
			seen := r.source.connection.observed.Load()
			return seen != nil && seen.StorageProblem != nil && seen.Pod == pod
		})
	}
	of("pod-a")
	connection("", "")
	connection("", "")
	r.expect(strings.ReplaceAll(tookAway, "/problem", "/connectionProblem"))

	of("pod-b") // of several servers one writes
	connection("DatabaseRefused", "because")
	r.expect()
}

func TestAServerTakesAwayWhatItWroteBeforeItsRestart(t *testing.T) {
	t.Parallel()
	r := reports(t, problemOf("pod-a", time.Unix(1600000000, 0)))
	r.report("", "")
	r.report("", "")
	r.expect(tookAway)
}

func TestAServerLeavesTheProblemOfAnotherAlone(t *testing.T) {
	t.Parallel()
	other := problemOf("pod-b", time.Unix(1700000000, 0))
	r := reports(t, other)
	r.report("", "")
	r.report("DatabaseRefused", "because") // one tells, and the first did
	r.now = r.now.Add(59 * time.Second)
	r.report("DatabaseRefused", "because")
	r.expect()
	r.now = r.now.Add(time.Second) // and is gone
	r.report("DatabaseRefused", "because")
	r.expect(wrote("DatabaseRefused", "because", r.now))

	// Both found theirs at the same time, and the other was the last to write.
	other.ObservedTime = metav1.NewTime(r.now)
	r.put(other)
	r.seen(other)
	r.now = r.now.Add(30 * time.Second)
	r.report("DatabaseRefused", "because")
	r.report("", "")
	r.expect()
}

func TestAServerWhoseWatchIsBehindLeavesTheProblemOfAnotherAlone(t *testing.T) {
	t.Parallel()
	r := reports(t, nil)
	r.report("DatabaseRefused", "because")
	r.expect(wrote("DatabaseRefused", "because", r.now))
	other := problemOf("pod-b", r.now)
	r.put(other)
	r.seen(other)
	r.source.problems.observed.Store(&observedProblem{})
	r.report("", "") // the API server knows better
	r.report("", "")
	r.expect()
}

func TestAProblemThatCouldNotBeWrittenIsTriedAgainAtOnce(t *testing.T) {
	t.Parallel()
	r := reports(t, nil)
	r.api.answer("provisioningtenants", http.StatusForbidden)
	err := r.source.ReportProblem(t.Context(), "DatabaseFull", "m")
	if err == nil || !strings.Contains(err.Error(), "report the problem of the storage of tenant customers/contoso") {
		t.Errorf("error %v", err)
	}
	r.api.answer("provisioningtenants", 0)
	r.report("DatabaseFull", "m")
	r.expect(wrote("DatabaseFull", "m", r.now))
	r.api.answer("provisioningtenants", http.StatusForbidden)
	if err := r.source.ReportProblem(t.Context(), "", ""); err == nil {
		t.Error("it was not taken away, and nobody is told")
	}
	r.put(problemOf("pod-a", r.now))
	r.api.answer("provisioningtenants", 0)
	r.report("", "")
	r.expect(tookAway)
}

// A server of a new tenant with a wrong password knows that before the operator has said where the directory is.
func TestAProblemWaitsUntilTheOperatorHasMadeItsPlace(t *testing.T) {
	t.Parallel()
	r := reports(t, nil)
	r.api.answer("provisioningtenants", http.StatusUnprocessableEntity)
	starting, err := New(r.source.options)
	if err != nil {
		t.Fatal(err)
	}
	if err := starting.ReportProblem(t.Context(), "DatabaseRefused", "because"); err != nil {
		t.Errorf("before anything is known of the tenant: %v", err)
	}
	r.api.answer("provisioningtenants", 0)

	r.api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) { t.Status.Storage = nil }))
	until(t, "the watch sees that", func() bool { return !r.source.problems.observed.Load().placed })
	r.report("DatabaseRefused", "because")
	r.report("DatabaseRefused", "because")
	r.expect()
	r.put(nil)
	until(t, "the watch sees the place", func() bool { return r.source.problems.observed.Load().placed })
	r.report("DatabaseRefused", "because")
	r.expect(wrote("DatabaseRefused", "because", r.now))
	r.api.answer("provisioningtenants", http.StatusUnprocessableEntity)
	if err := r.source.ReportProblem(t.Context(), "DatabaseFull", "m"); err == nil {
		t.Error("the place is there, and nobody is told that nothing was written")
	}
}

func TestAMessageIsBounded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"short":                        "short",
		strings.Repeat("ä", 1024):      strings.Repeat("ä", 1024),
		strings.Repeat("ä", 1025):      strings.Repeat("ä", 1023) + "…",
		"no UTF-8 \xff":                "no UTF-8 ?",
		strings.Repeat("\xff\xfe", 50): "?",
	} {
		if got := bounded(text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
