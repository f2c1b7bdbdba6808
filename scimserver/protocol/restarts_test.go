package protocol_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// A server knows neither the defaults nor the declared schemas until its settings are in force. A report that it wrote before would
// lose the values of the ones, and be found no more by the others.
func TestADeletionIsFinishedUnderTheSettingsInForce(t *testing.T) {
	race.Meets(t)
	const reports = 150
	f := newFixture(t)
	f.declare(hrSchema())
	f.create("boss", "/Users", `{"userName":"boss"}`)
	f.fill(store.User, reports, func(i int) string {
		return fmt.Sprintf(`{"userName":"u%d","active":true,%q:{"manager":{"value":%q}},%q:{"badge":"A1"}}`,
			i, schema.EnterpriseUser, f.ids["boss"], hrURN)
	})
	f.followDefaults(finance(v1alpha1.ApplyAlways))
	w := f.weigh()
	w.fails = 1
	f.expect(http.MethodDelete, "/Users/{boss}", "", http.StatusNoContent, "")
	w.fails = -1

	restarted := directory.New(directory.Options{Store: f.openReplica(), Now: f.clock})
	if err := restarted.FinishDeletions(t.Context()); err != nil {
		t.Fatal(err)
	}
	total := func(filter string) any {
		t.Helper()
		got := f.expect(http.MethodPost, "/Users/.search", `{"count":0,"filter":`+fmt.Sprintf("%q", filter)+`}`, http.StatusOK, "")
		return f.field(got, "totalResults")
	}
	for _, filter := range []string{hrURN + `:badge eq "A1"`, enterpriseURN + `:costCenter eq "100"`} {
		if n := total(filter); n != float64(reports) {
			t.Errorf("%s finds %v, want %d", filter, n, reports)
		}
	}
	if err := f.directory.FinishDeletions(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := total(enterpriseURN + ":manager.value pr"); n != 0.0 {
		t.Errorf("%v still have the manager", n)
	}
}

// A server that starts follows no defaults yet, and leaves what users were given by those before alone.
func TestAServerWithoutSettingsTakesNoDefaultsAway(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	f.followDefaults(finance(v1alpha1.ApplyAlways))
	f.create("anna", "/Users", `{"userName":"anna"}`)
	before := f.expect(http.MethodGet, "/Users/{anna}", "", http.StatusOK, "")
	f.follow(directory.New(directory.Options{Store: f.openReplica(), Now: f.clock}))
	if got := f.expect(http.MethodGet, "/Users/{anna}", "", http.StatusOK, ""); string(got.body) != string(before.body) {
		t.Errorf("before the start\n%s\nand after it\n%s", before.body, got.body)
	}
}
