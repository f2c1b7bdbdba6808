package protocol_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
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

// TestAPanicBehindTheFirstPortionCutsTheConnection: net/http would end the answer as if it were whole.
func TestAPanicBehindTheFirstPortionCutsTheConnection(t *testing.T) {
	f := newFixture(t)
	f.server.SetPortion(100_000)
	for i := range 60 {
		title := "" // which gzip makes hardly smaller, so that a portion of it leaves the buffers of net/http
		for len(title) < 3000 {
			title += rand.Text()
		}
		f.create("", "/Users", fmt.Sprintf(`{"userName":"user %d","title":%q}`, i, title))
	}
	f.database.found = func() {
		if f.database.finds.Load() == 2 {
			panic(personalData)
		}
	}
	for _, coding := range []string{"identity", "gzip"} {
		f.database.finds.Store(0)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.http.URL+"/scim/v2/Users", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+f.token)
		request.Header.Set("Accept-Encoding", coding)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusOK || len(data) == 0 || err == nil {
			t.Errorf("in %s: %d, %d bytes, %v, want a connection that is cut", coding, response.StatusCode, len(data), err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if logged := f.logs.String(); !strings.Contains(logged, "type string") || strings.Contains(logged, personalData) {
		t.Errorf("want the type and the stack in the log, and no value\n%s", logged)
	}
}
