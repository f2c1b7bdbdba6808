package protocol_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// modified reads when a resource was modified, and its version.
func (f *fixture) modified(path string) (at time.Time, version string) {
	f.t.Helper()
	got := f.expect(http.MethodGet, path, "", http.StatusOK, "")
	at, err := time.Parse(time.RFC3339Nano, f.field(got, "meta", "lastModified").(string))
	if err != nil {
		f.t.Fatal(err)
	}
	return at, f.field(got, "meta", "version").(string)
}

// The clock of another replica may be behind, and a request may wait for its turn. Who synchronises by the time of the last change would
// miss a version that is older than the one before.
func TestLastModifiedGoesOnWithTheVersion(t *testing.T) {
	const manager = `{"userName":"anna","` + schema.EnterpriseUser + `":{"manager":{"value":"{boss}"}}}`
	bulk := func(operation string) string {
		return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[` + operation + `]}`
	}
	for name, change := range map[string]struct {
		method, path, body string
		of                 string
	}{
		"PATCH of a user":           {http.MethodPatch, "/Users/{anna}", `{"Operations":[{"op":"add","path":"title","value":"T"}]}`, "/Users/{anna}"},
		"PUT of a user":             {http.MethodPut, "/Users/{anna}", `{"userName":"anna","title":"T"}`, "/Users/{anna}"},
		"PATCH of a group":          {http.MethodPatch, "/Groups/{sales}", `{"Operations":[{"op":"add","path":"externalId","value":"T"}]}`, "/Groups/{sales}"},
		"PUT of a group":            {http.MethodPut, "/Groups/{sales}", `{"displayName":"sales"}`, "/Groups/{sales}"},
		"a member more":             {http.MethodPatch, "/Groups/{sales}", `{"Operations":[{"op":"add","path":"members","value":[{"value":"{boss}"}]}]}`, "/Groups/{sales}"},
		"no member more":            {http.MethodPatch, "/Groups/{sales}", `{"Operations":[{"op":"remove","path":"members"}]}`, "/Groups/{sales}"},
		"a member that is deleted":  {http.MethodDelete, "/Users/{anna}", "", "/Groups/{sales}"},
		"a manager that is deleted": {http.MethodDelete, "/Users/{boss}", "", "/Users/{anna}"},
		"bulk": {http.MethodPost, "/Bulk", bulk(`{"method":"PATCH","path":"/Users/{anna}","data":{"Operations":[{"op":"add","path":"title","value":"T"}]}}`),
			"/Users/{anna}"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.create("boss", "/Users", `{"userName":"boss"}`)
			f.create("anna", "/Users", manager)
			f.create("sales", "/Groups", `{"displayName":"sales","members":[{"value":"{anna}"}]}`)
			before, version := f.modified(change.of)
			f.advance(-time.Hour)
			if got := f.send(change.method, change.path, change.body); got.status >= http.StatusBadRequest {
				t.Fatalf("%d %s", got.status, got.body)
			}
			after, next := f.modified(change.of)
			if next == version || !after.After(before) {
				t.Errorf("version %s of %s became version %s of %s", version, before, next, after)
			}
			endpoint, _, _ := strings.Cut(change.of, "/{")
			found := f.expect(http.MethodGet, endpoint+`?filter=meta.lastModified gt "`+before.Format(time.RFC3339Nano)+`"`, "", http.StatusOK, "")
			if f.field(found, "totalResults") != 1.0 {
				t.Errorf("who asks for what was modified since finds %s", found.body)
			}
		})
	}
}

func TestLastModifiedGoesOnWhereDefaultsChange(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	before, _ := f.modified("/Users/{anna}")
	f.advance(-time.Hour)
	defaults, err := directory.NewDefaults(&v1alpha1.UserDefaults{ObjectMeta: metav1.ObjectMeta{Name: "all"}, Spec: v1alpha1.UserDefaultsSpec{Apply: v1alpha1.ApplyAlways, Locale: "sv-SE"}},
		v1alpha1.Catalog{}, f.directory.Type(store.User))
	if err != nil {
		t.Fatal(err)
	}
	f.directory.SetDefaults([]*directory.Defaults{defaults})
	ctx, stop := context.WithCancel(t.Context())
	again, ended := make(chan time.Time), make(chan error)
	go func() { ended <- f.directory.Follow(ctx, again) }()
	again <- time.Time{} // taken when it was followed
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if after, version := f.modified("/Users/{anna}"); version != `W/"2"` || !after.After(before) {
		t.Errorf("version 1 of %s became version %s of %s", before, version, after)
	}
}

// late is a store whose updates wait for their turn, in which time goes on.
type late struct {
	store.Store

	wait func()
}

func (l late) Update(ctx context.Context, change func(store.Tx) error) error {
	l.wait()
	return l.Store.Update(ctx, change)
}

func TestAResourceIsAsOldAsItsTransaction(t *testing.T) {
	f := newFixture(t)
	f.database.Store = late{f.database.Store, func() { f.advance(time.Minute) }}
	f.create("anna", "/Users", `{"userName":"anna"}`)
	began, _ := time.Parse(time.RFC3339, started)
	if at, _ := f.modified("/Users/{anna}"); !at.Equal(began.Add(time.Minute)) {
		t.Errorf("created at %s, want a minute after %s", at, began)
	}
	f.expect(http.MethodPatch, "/Users/{anna}", `{"Operations":[{"op":"add","path":"title","value":"T"}]}`, http.StatusNoContent, "")
	if at, _ := f.modified("/Users/{anna}"); !at.Equal(began.Add(2 * time.Minute)) {
		t.Errorf("modified at %s, want two minutes after %s", at, began)
	}
}
