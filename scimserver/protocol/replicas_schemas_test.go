package protocol_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// badge is a schema with one attribute of a type.
func badge(of v1alpha1.AttributeType) v1alpha1.SchemaExtension {
	return v1alpha1.SchemaExtension{ID: hrURN, Attributes: []v1alpha1.SchemaAttribute{{Name: "badge", Type: of}}}
}

const (
	textBadge   = `{"userName":"anna","` + hrURN + `":{"badge":"A1"}}`
	numberBadge = `{"userName":"anna","` + hrURN + `":{"badge":1}}`
)

// other starts a replica with a directory of its own, over a store that wrap makes of it.
func (f *fixture) other(wrap func(store.Store) store.Store) (*directory.Directory, string) {
	f.t.Helper()
	d := directory.New(directory.Options{Store: wrap(f.openReplica()), Now: f.clock})
	return d, f.serve(d, prometheus.NewRegistry()).URL + v1alpha1.BasePath
}

func plain(s store.Store) store.Store { return s }

// A replica that has not heard of a declaration yet must not store values of the one before.
func TestAReplicaThatIsBehindStoresNoValueOfTheFormerSchema(t *testing.T) {
	f := newFixture(t)
	f.declare(badge("string"))
	behind, url := f.other(plain)
	if err := behind.SetSchemas(t.Context(), []v1alpha1.SchemaExtension{badge("string")}); err != nil {
		t.Fatal(err)
	}
	f.expect(http.MethodPost, url+"/Users", `{"userName":"bob"}`, http.StatusCreated, "")
	f.declare(badge("integer"))
	if refused := f.directory.Refused(); len(refused) != 0 {
		t.Fatalf("nothing contradicts it: %v", refused)
	}
	f.expect(http.MethodPost, url+"/Users", `{"userName":"carl"}`, http.StatusCreated, "") // of which the schemas say nothing
	got := f.send(http.MethodPost, url+"/Users", textBadge)
	if f.wantError(got, http.StatusServiceUnavailable, ""); got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	f.wantError(f.send(http.MethodPost, url+"/Users", textBadge), http.StatusBadRequest, "invalidValue")
	got = f.expect(http.MethodPost, url+"/Users", numberBadge, http.StatusCreated, "")
	f.ids["anna"] = f.field(got, "id").(string)
	f.expect(http.MethodPatch, url+"/Users/{anna}", `{"Operations":[{"op":"replace","path":"`+hrURN+`:badge","value":2}]}`, http.StatusNoContent, "")
}

// midway is a store that stops in the middle of each update, when it has written.
type midway struct {
	store.Store

	wrote, goOn chan struct{}
}

func (m midway) Update(ctx context.Context, change func(store.Tx) error) error {
	return m.Store.Update(ctx, func(tx store.Tx) error {
		err := change(tx)
		if err == nil {
			_, err = tx.Kinds(ctx, []string{"x"}) // sends what waits
		}
		m.wrote <- struct{}{}
		<-m.goOn
		return err
	})
}

// A value that is being written while a declaration is held against the stored ones is one of them.
func TestADeclarationWaitsForValuesThatAreBeingWritten(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	f.declare(badge("string"))
	m := midway{wrote: make(chan struct{}), goOn: make(chan struct{})}
	writing, url := f.other(func(s store.Store) store.Store { m.Store = s; return m })
	if err := writing.SetSchemas(t.Context(), []v1alpha1.SchemaExtension{badge("string")}); err != nil {
		t.Fatal(err)
	}
	created, declared := make(chan int), make(chan error)
	go func() { created <- f.send(http.MethodPost, url+"/Users", textBadge).status }()
	<-m.wrote
	go func() {
		declared <- f.directory.SetSchemas(context.Background(), []v1alpha1.SchemaExtension{badge("integer")})
	}()
	close(m.goOn)
	if status := <-created; status != http.StatusCreated && status != http.StatusServiceUnavailable {
		t.Errorf("created: %d", status)
	}
	if err := <-declared; err != nil {
		t.Fatal(err)
	}
	if f.directory.Refused()[hrURN] == "" {
		t.Error("a declaration that contradicts a stored value is in force")
	}
}

// A change that was broken off holds nobody up for longer than until the next time that the schemas are set.
func TestAChangeOfSchemasThatWasBrokenOffIsForgotten(t *testing.T) {
	f := newFixture(t)
	f.declare(badge("string"))
	err := f.database.Update(t.Context(), func(tx store.Tx) error { return tx.SetMeta(t.Context(), "schemas-generation", "changing x") })
	if err != nil {
		t.Fatal(err)
	}
	f.wantError(f.send(http.MethodPost, "/Users", textBadge), http.StatusServiceUnavailable, "")
	f.declare(badge("string"))
	f.expect(http.MethodPost, "/Users", textBadge, http.StatusCreated, "")
}

// A change that fails, such as one that cannot be held against the stored values in time, is tried again for as long as it fails.
func TestAChangeOfSchemasThatFailsHoldsNobodyUp(t *testing.T) {
	f := newFixture(t)
	f.declare(badge("string"))
	f.database.find = func(store.Query) (store.Page, error) { return store.Page{}, store.ErrTooWide }
	if err := f.directory.SetSchemas(t.Context(), []v1alpha1.SchemaExtension{badge("integer")}); !errors.Is(err, store.ErrTooWide) {
		t.Fatal(err)
	}
	f.database.find = nil
	f.expect(http.MethodPost, "/Users", textBadge, http.StatusCreated, "")
}
