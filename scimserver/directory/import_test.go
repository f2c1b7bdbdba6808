package directory_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/transfer"
	"github.com/tenantry/tenantry/test/race"
)

// exported is the whole directory.
func (w *world) exported() *bytes.Buffer {
	w.t.Helper()
	var out bytes.Buffer
	if _, err := transfer.Export(w.t.Context(), w.store, &out, transfer.Options{}); err != nil {
		w.t.Fatal(err)
	}
	return &out
}

// imports fills the directory, as the server does while it runs.
func (w *world) imports(file *bytes.Buffer) {
	w.t.Helper()
	restorer := directory.New(directory.Options{Store: w.store, Now: time.Now})
	if _, err := transfer.Import(w.t.Context(), w.Importing(directory.Caller{}), restorer, file); err != nil {
		w.t.Fatal(err)
	}
}

func TestImportedUsersAreHeldAgainstTheDefaultsOfTheirNewPlace(t *testing.T) {
	race.Meets(t)
	from, to := newWorld(t), newWorld(t)
	from.set(always(1, "sv-SE"))
	id := from.create(`{"userName":"anna"}`)
	to.set(always(1, "fi-FI")) // followed while nobody was there
	other := to.replica()
	to.imports(from.exported())
	to.sees(id, locale("sv-SE"))
	to.looks()
	to.sees(id, locale("fi-FI"))
	other.sees(id, locale("fi-FI"))
}

func TestAllReplicasLearnOfAnImport(t *testing.T) {
	from, to := newWorld(t), newWorld(t)
	from.create(`{"userName":"anna"}`)
	other := to.replica()
	if last, err := other.Imported(t.Context()); last != "" || err != nil {
		t.Errorf("before the import %q, %v", last, err)
	}
	to.imports(from.exported())
	mine, err := to.Imported(t.Context())
	if err != nil || mine == "" {
		t.Errorf("after it %q, %v", mine, err)
	}
	if theirs, err := other.Imported(t.Context()); theirs != mine || err != nil {
		t.Errorf("another replica learns of %q, %v, want %q", theirs, err, mine)
	}
}

// overtaking does something just before its first update.
type overtaking struct {
	store.Store

	first func()
}

func (o *overtaking) Update(ctx context.Context, change func(tx store.Tx) error) error {
	if first := o.first; first != nil {
		o.first = nil
		first()
	}
	return o.Store.Update(ctx, change)
}

func TestADeclarationDoesNotOverwriteTheSchemasThatAnImportBringsMeanwhile(t *testing.T) {
	from, to := newWorld(t), newWorld(t)
	from.declare(hr(v1alpha1.SchemaAttribute{Name: "badge", Type: "integer"}))
	id := from.add(store.User, `{"userName":"anna","`+hrURN+`":{"badge":7}}`)
	file := from.exported()

	declared := []v1alpha1.SchemaExtension{hr(v1alpha1.SchemaAttribute{Name: "badge"})}
	between := directory.New(directory.Options{Now: time.Now, Store: &overtaking{to.store, func() { to.imports(file) }}})
	if err := between.SetSchemas(t.Context(), declared); err == nil || !strings.HasSuffix(err.Error(), "another replica or an import brought others meanwhile") {
		t.Errorf("error %v", err)
	}
	if err := between.SetSchemas(t.Context(), declared); err != nil {
		t.Fatal(err)
	}
	if len(between.Refused()) != 1 {
		t.Error("nobody remembers of which type the imported values are")
	}
	to.declare(hr(v1alpha1.SchemaAttribute{Name: "badge", Type: "integer"}))
	to.reads(store.User, id, `{"userName":"anna","active":true,"`+hrURN+`":{"badge":7}}`)
}
