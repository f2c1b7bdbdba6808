package kubernetes

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
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

	first := `{"status":{"directory":{"observedTime":"2026-11-30T08:00:00Z","users":4,"activeUsers":0,"groups":0,"memberships":0,"ambiguousNames":0,"defaultsPending":0,"defaults":null,"refusedSchemas":null},"activity":{"lastRequestTime":"2023-11-14T22:13:20Z","credentialsRejectedSince":null,"lastCycle":null}}}`
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
	third := strings.Replace(first, `"lastCycle":null`,
		`"lastCycle":{"startTime":"2023-11-14T22:13:20Z","requests":7,"creates":2,"updates":0,"deletes":0,"failures":1,"endTime":null}`, 1)
	fourth := strings.Replace(strings.Replace(third, `"endTime":null`, `"endTime":`+ended, 1), `"credentialsRejectedSince":null`, `"credentialsRejectedSince":`+ended, 1)
	expect(first, second, first, third, fourth, third)
}

func TestAMergePatchOfAStatusIsJSON(t *testing.T) {
	t.Parallel()
	patch, err := mergePatch(&v1alpha1.DirectoryStatus{
		Defaults:       []v1alpha1.DefaultsCount{{Name: "b", PendingGeneration: 2}, {Name: "a"}},
		RefusedSchemas: []v1alpha1.RefusedSchema{{ID: "urn:contoso:hr", Message: "m"}},
	}, &v1alpha1.ActivityStatus{})
	if err != nil || !json.Valid(patch) {
		t.Fatal(string(patch), err)
	}
	if got, want := string(patch), `"defaults":[{"name":"a","generation":0,"matchedUsers":0,"appliedUsers":0},{"name":"b","generation":0,"pendingGeneration":2,"matchedUsers":0,"appliedUsers":0}]`; !strings.Contains(got, want) {
		t.Errorf("%s has no %s", got, want)
	}
	if got, want := string(patch), `"refusedSchemas":[{"id":"urn:contoso:hr","message":"m"}]`; !strings.Contains(got, want) {
		t.Errorf("%s has no %s", got, want)
	}
}
