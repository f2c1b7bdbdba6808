package kubernetes

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// dated has a source report the status at one time.
func dated(s *Source) {
	s.options.Now = func() time.Time { return time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC) }
}

func TestStatusIsReportedWhenItChangedAndOnlyTheServersParts(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	secret, _ := verifiers(t)
	api.put(verifierPath, secret)
	standing := v1alpha1.DirectoryStatus{Users: 3, Defaults: []v1alpha1.DefaultsCount{{Name: "a", MatchedUsers: 3}, {Name: "b"}}}
	at := metav1.NewTime(time.Unix(1700000000, 0).UTC())
	api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) {
		t.Status.Directory, t.Status.Activity = &standing, &v1alpha1.ActivityStatus{LastRequestTime: &at}
	}))
	source, _ := run(t, api, t.TempDir(), &log{}, dated)
	wait(t, source, "at all", anySnapshot)

	report := func(directory v1alpha1.DirectoryStatus, activity v1alpha1.ActivityStatus) {
		t.Helper()
		if err := source.ReportStatus(t.Context(), directory, activity); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want ...string) {
		t.Helper()
		if got := api.patched(); !slices.Equal(got, want) {
			t.Errorf("patches\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	report(standing, v1alpha1.ActivityStatus{})
	slices.Reverse(standing.Defaults)
	report(standing, v1alpha1.ActivityStatus{LastRequestTime: &at})
	expect()

	first := ofTenant + `{"op":"add","path":"/status/directory","value":{"observedTime":"2026-11-30T08:00:00Z","users":4,"activeUsers":0,"groups":0,"memberships":0,"ambiguousNames":0,"defaultsPending":0}},` +
		`{"op":"add","path":"/status/activity","value":{"lastRequestTime":"2023-11-14T22:13:20Z"}}]`
	report(v1alpha1.DirectoryStatus{Users: 4}, v1alpha1.ActivityStatus{LastRequestTime: &at})
	report(v1alpha1.DirectoryStatus{Users: 4}, v1alpha1.ActivityStatus{LastRequestTime: &at})
	expect(first)

	api.answer("provisioningtenants", 403)
	if err := source.ReportStatus(t.Context(), v1alpha1.DirectoryStatus{}, v1alpha1.ActivityStatus{}); err == nil || !strings.Contains(err.Error(), "report the status of tenant customers/contoso") {
		t.Errorf("error %v", err)
	}
	api.answer("provisioningtenants", 0)
	report(v1alpha1.DirectoryStatus{Users: 4}, v1alpha1.ActivityStatus{LastRequestTime: &at})
	expect(first)

	// How far a walk is, is written as long as it changes, and that there is none is written like everything else.
	second := strings.Replace(first, `"defaultsPending":0`, `"defaultsPending":3`, 1)
	for range 2 {
		report(v1alpha1.DirectoryStatus{Users: 4, DefaultsPending: 3}, v1alpha1.ActivityStatus{LastRequestTime: &at})
	}
	report(v1alpha1.DirectoryStatus{Users: 4}, v1alpha1.ActivityStatus{LastRequestTime: &at})
	expect(first, second, first)

	// What is no longer so is taken away: the end of a cycle when the next begins, and the time of rejections.
	running := v1alpha1.ActivityStatus{LastRequestTime: &at, LastCycle: &v1alpha1.CycleStatus{StartTime: &at, Requests: 7, Creates: 2, Failures: 1}}
	over := *running.DeepCopy()
	over.LastCycle.EndTime, over.CredentialsRejectedSince = &at, &at
	for _, activity := range []v1alpha1.ActivityStatus{running, over, running, {}} {
		report(v1alpha1.DirectoryStatus{Users: 4}, activity)
	}
	const ended = `"2023-11-14T22:13:20Z"`
	third := strings.Replace(first, `"}}]`, `","lastCycle":{"startTime":"2023-11-14T22:13:20Z","requests":7,"creates":2,"updates":0,"deletes":0,"failures":1}}}]`, 1)
	fourth := strings.Replace(strings.Replace(third, `"requests"`, `"endTime":`+ended+`,"requests"`, 1), `"lastCycle"`, `"credentialsRejectedSince":`+ended+`,"lastCycle"`, 1)
	expect(first, second, first, third, fourth, third)
}

// An edit of the status, or a CustomResourceDefinition of another version, takes away which directory the tenant has.
func TestADirectoryThatTheStatusLostIsWrittenAgainByAQuietServer(t *testing.T) {
	t.Parallel()
	at := metav1.NewTime(time.Unix(1700000000, 0).UTC())
	directory, activity := v1alpha1.DirectoryStatus{ID: "d5f4", Users: 3}, v1alpha1.ActivityStatus{LastRequestTime: &at}
	for name, lose := range map[string]func(*v1alpha1.ProvisioningTenantStatus){
		"the directory": func(s *v1alpha1.ProvisioningTenantStatus) { s.Directory = nil },
		"its id":        func(s *v1alpha1.ProvisioningTenantStatus) { s.Directory.ID = "" },
		"the true id":   func(s *v1alpha1.ProvisioningTenantStatus) { s.Directory.ID = "0000" },
		"the activity":  func(s *v1alpha1.ProvisioningTenantStatus) { s.Activity = nil },
		"both":          func(s *v1alpha1.ProvisioningTenantStatus) { s.Directory, s.Activity = nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r reporter
			stored, writes, prunes := tenant(), 0, false
			send := func(_ context.Context, operations ...operation) (*v1alpha1.ProvisioningTenant, error) {
				written, _ := operations[0].Value.(v1alpha1.DirectoryStatus)
				seen, _ := operations[1].Value.(v1alpha1.ActivityStatus)
				stored.Status.Directory, stored.Status.Activity = &written, &seen
				if prunes {
					lose(&stored.Status)
				}
				writes++
				return stored.DeepCopy(), nil
			}
			report := func(want int, when string) {
				t.Helper()
				if err := r.report(t.Context(), send, directory, activity, at.Time); err != nil || writes != want {
					t.Fatalf("%s: %d writes, want %d; %v", when, writes, want, err)
				}
			}
			report(1, "the watch has told nothing yet")
			report(1, "the watch is behind")
			r.observe(stored)
			report(1, "it stands there")
			for n := range 2 {
				lose(&stored.Status)
				r.observe(stored)
				report(n+2, "it is lost")
				report(n+2, "the watch has not told of the write")
				r.observe(stored)
				report(n+2, "it stands there again")
			}
			prunes = true
			lose(&stored.Status)
			r.observe(stored)
			report(4, "the definition is older")
			report(5, "nothing changes, of which a watch would tell")
			prunes = false
			report(6, "the definition is right again")
			report(6, "all is well")
		})
	}
}

// An empty directory must not take the place of one that is missing because the status does not name it any more.
func TestAServerKeepsWhichDirectoryItsTenantHas(t *testing.T) {
	t.Parallel()
	api, dir := newFakeAPI(t), t.TempDir()
	secret, _ := verifiers(t)
	api.put(verifierPath, secret)
	api.put(tenantPath, tenant(func(t *v1alpha1.ProvisioningTenant) { t.Status.Directory = &v1alpha1.DirectoryStatus{ID: "d5f4"} }))
	source, stop := run(t, api, dir, &log{})
	wait(t, source, "at all", anySnapshot)
	api.put(tenantPath, tenant(inGeneration(2)))
	second := func(s *settings.Snapshot) bool { return s.Tenant.Generation == 2 }
	if got := directoryIn(wait(t, source, "after the loss", second).Tenant); got != "d5f4" {
		t.Errorf("it has directory %q", got)
	}
	stop()
	source, _ = run(t, api, dir, &log{}, func(s *Source) { s.options.TenantUID = "uid-1" })
	if got := directoryIn(wait(t, source, "after a restart", second).Tenant); got != "d5f4" {
		t.Errorf("after a restart it has directory %q", got)
	}
}
