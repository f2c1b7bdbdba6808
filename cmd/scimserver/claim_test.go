package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/settings/kubernetes"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/test/race"
)

// apiServer is one with the tenant customers/contoso, whose UID a test changes. Its watches tell nothing.
type apiServer struct {
	uid atomic.Pointer[types.UID]
	url string
}

func newAPIServer(t *testing.T, uid types.UID) *apiServer {
	t.Helper()
	c := &apiServer{}
	c.uid.Store(&uid)
	verifiers, err := (&token.Set{}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var object any
		meta := map[string]any{"name": "contoso", "namespace": "customers", "uid": *c.uid.Load()}
		switch {
		case r.URL.Query().Get("watch") != "":
			<-r.Context().Done()
			return
		case strings.HasSuffix(r.URL.Path, "/namespaces/customers"):
			object = map[string]any{"apiVersion": "v1", "kind": "Namespace"}
		case strings.HasSuffix(r.URL.Path, "/secrets"):
			data := map[string]any{v1alpha1.VerifierKey: verifiers}
			object = map[string]any{"apiVersion": "v1", "kind": "SecretList", "items": []any{map[string]any{"metadata": meta, "data": data}}}
		default:
			object = map[string]any{
				"apiVersion": v1alpha1.SchemeGroupVersion.String(), "kind": "ProvisioningTenantList", "items": []any{map[string]any{"metadata": meta}},
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(object)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// serve opens the directory in a database for the tenant as it is now, and takes no more notice of it then.
func (c *apiServer) serve(t *testing.T, databaseURLFile string) *owned {
	t.Helper()
	source, err := kubernetes.New(kubernetes.Options{
		Config: &rest.Config{Host: c.url}, Namespace: "customers", Tenant: "contoso", DataDir: t.TempDir(), Log: logr.Discard(), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended, changed := make(chan error, 1), source.Changed()
	go func() { ended <- source.Run(ctx) }()
	<-changed
	stop()
	e := &engine{databaseURLFile: databaseURLFile, log: logr.Discard(), guard: owner.NewGuard(claim(source), logr.Discard())}
	database, err := e.open(t.Context())
	if err := errors.Join(err, <-ended); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	return e.owned(database, source, logr.Discard())
}

// kubectl replace --force makes a tenant again before its former servers have ended, and these know nothing of it.
func TestATenantThatIsMadeAgainIsServedOnceItsFormerServersHaveEnded(t *testing.T) {
	race.Meets(t)
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte(testenv.Schema(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	api := newAPIServer(t, "uid-1")
	former, replica := api.serve(t, file), api.serve(t, file)
	for _, server := range []*owned{former, replica} {
		if err := server.review(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	former.end(t.Context()) // as in a rollout, while the tenant lives

	api.uid.Store(new(types.UID("uid-2")))
	again := api.serve(t, file)
	if err := again.review(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "was last seen") {
		t.Fatalf("the directory of a tenant that lives was let go: %v", err)
	}
	replica.end(t.Context())
	if err := again.review(t.Context(), nil); err != nil {
		t.Errorf("after the last server of the former tenant has ended: %v", err)
	}
	former.end(t.Context())
	if err := again.review(t.Context(), nil); err != nil {
		t.Errorf("a server of the former tenant took the directory back: %v", err)
	}
}
