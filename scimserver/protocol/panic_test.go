package protocol_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
)

// exploding is a store that panics with a person's data: where it reads, or in the function of an update.
type exploding struct{ store.Store }

const personalData = "anna.smith@contoso.com"

func (exploding) Get(context.Context, store.Kind, string) (store.Record, error) { panic(personalData) }

func (exploding) Find(context.Context, store.Query) (store.Page, error) { panic(personalData) }

func (e exploding) Update(ctx context.Context, _ func(store.Tx) error) error {
	return e.Store.Update(ctx, func(store.Tx) error { panic(personalData) })
}

// A panic is logged by the type of its value and its stack. The value may hold a person's data.
func TestAPanicIsLoggedByTypeAndStack(t *testing.T) {
	f := newFixture(t)
	f.create("anna", "/Users", `{"userName":"anna"}`)
	f.create("sales", "/Groups", `{"displayName":"sales"}`)
	f.database.Store = exploding{f.database.Store}
	bulk := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"DELETE","path":"/Users/{anna}"}]}`
	for _, request := range []struct{ method, path, body string }{
		{http.MethodGet, "/Users/{anna}", ""},
		{http.MethodGet, "/Users", ""},
		{http.MethodPost, "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}`},
		{http.MethodPost, "/Users", `{"userName":"bob"}`},
		{http.MethodPut, "/Users/{anna}", `{"userName":"anna"}`},
		{http.MethodPatch, "/Groups/{sales}", `{"Operations":[{"op":"replace","path":"displayName","value":"x"}]}`},
		{http.MethodDelete, "/Users/{anna}", ""},
		{http.MethodPost, "/Bulk", bulk},
	} {
		f.mu.Lock()
		f.logs.Reset()
		f.mu.Unlock()
		got := f.send(request.method, request.path, request.body)
		f.mu.Lock()
		logged := f.logs.String()
		f.mu.Unlock()
		name := request.method + " " + request.path
		if strings.Contains(logged, personalData) || strings.Contains(string(got.body), personalData) {
			t.Errorf("%s: the value is told\n%s\n%s", name, got.body, logged)
		}
		if !strings.Contains(logged, "type string") || !strings.Contains(logged, "panic_test.go") {
			t.Errorf("%s: want the type and the stack in the log\n%s", name, logged)
		}
		if status := got.status; status != http.StatusInternalServerError && !strings.Contains(string(got.body), `"500"`) || strings.Contains(string(got.body), ".go") {
			t.Errorf("%s: %d %s", name, status, got.body)
		}
	}
}
