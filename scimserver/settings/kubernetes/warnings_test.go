package kubernetes

import (
	"fmt"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestEachWarningOfTheAPIServerIsOneLineOfTheLog(t *testing.T) {
	t.Parallel()
	api, lines := newFakeAPI(t), &log{}
	api.put(tenantPath, tenant())
	api.warn(`unknown field \"status.directory.id\"`, `unknown field \"status.directory.ambiguousNames\"`, `the namespace is to be removed`)
	source, _ := run(t, api, t.TempDir(), lines)
	for users := range int64(3) {
		if err := source.ReportStatus(t.Context(), v1alpha1.DirectoryStatus{Users: users + 1}, v1alpha1.ActivityStatus{}); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]int{
		"The API server drops what this server reports": 1,
		"unknown field":                  1,
		"status.directory.id":            1,
		"the namespace is to be removed": 1,
	} {
		if got := lines.count(text); got != want {
			t.Errorf("%d lines have %q, want %d", got, text, want)
		}
	}
	changing := make([]string, 2*mostWarnings)
	for i := range changing {
		changing[i] = fmt.Sprintf("request %d", i)
	}
	api.warn(changing...)
	if err := source.ReportStatus(t.Context(), v1alpha1.DirectoryStatus{Users: 9}, v1alpha1.ActivityStatus{}); err != nil {
		t.Fatal(err)
	}
	if got := lines.count("The API server"); got != mostWarnings {
		t.Errorf("%d warnings were told, want %d", got, mostWarnings)
	}
}
