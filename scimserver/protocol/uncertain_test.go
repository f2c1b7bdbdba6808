package protocol_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/store"
)

// unsureStore makes changes and does not know whether they are safe.
type unsureStore struct{ store.Store }

func (s unsureStore) Update(ctx context.Context, change func(store.Tx) error) error {
	if err := s.Store.Update(ctx, change); err != nil {
		return err
	}
	return fmt.Errorf("%w: only one machine has it", store.ErrUncertain)
}

// A change that may have happened, and one that did and may get lost, is never acknowledged, in whatever way it was sent.
func TestAChangeThatMightGetLostIsNotAcknowledged(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", anna)
	f.create("group", "/Groups", `{"displayName":"all","members":[{"value":"{anna}"}]}`)
	kept := f.database.Store
	f.database.Store = unsureStore{kept}
	const detail = "whether the change happened is not known"
	for n := range 20 {
		for _, c := range [][3]string{
			{"POST", "/Users", fmt.Sprintf(`{"userName":"user%d"}`, n)},
			{"PUT", "/Users/{anna}", anna},
			{"PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"title","value":"x"}`)},
			{"PATCH", "/Groups/{group}", patchOf(`{"op":"remove","path":"members"}`)},
			{"POST", "/Groups", fmt.Sprintf(`{"displayName":"group%d"}`, n)},
		} {
			got := f.send(c[0], c[1], c[2])
			f.wantLater(got, http.StatusServiceUnavailable, 10)
			if !strings.Contains(string(got.body), detail) || strings.Contains(string(got.body), "nothing was changed") {
				t.Errorf("%s %s: %s", c[0], c[1], got.body)
			}
		}
		if got := f.send("POST", "/Bulk", bulkOf(post("a", "/Users", fmt.Sprintf(`{"userName":"bulk%d"}`, n)))); !strings.Contains(string(got.body), detail) {
			t.Errorf("bulk: %s", got.body)
		}
		f.advance(time.Second)
	}
	f.wantLater(f.send("DELETE", "/Groups/{group}", ""), http.StatusServiceUnavailable, 10)
	f.database.Store = kept
	f.advance(time.Minute)
	f.expect("PATCH", "/Users/{anna}", patchOf(`{"op":"replace","path":"title","value":"y"}`), 204, "")
	if lines := f.loud(); len(lines) != 2 || !strings.Contains(lines[0], "are not acknowledged") || !strings.Contains(lines[1], "made final again") {
		t.Errorf("121 requests are logged as %q, want the beginning and the end", lines)
	}
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if counted := family.GetMetric()[0].GetCounter().GetValue(); family.GetName() == "scim_uncertain_changes_total" && counted != 121 {
			t.Errorf("%v are counted", counted)
		}
	}
}
