package protocol_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/transfer"
)

// oddities makes requests that clients get wrong, or nearly, of which the server accepts a part.
type oddities struct{ *rand.Rand }

func (o oddities) value(depth int) any {
	switch n := o.IntN(10); {
	case n < 3 && depth < 3:
		object := map[string]any{}
		for range o.IntN(4) {
			object[o.pick("value", "display", "type", "primary", "formatted", "givenName", "locality", "floor", "badge", "skills", "desks", "$ref", "managerId")] = o.value(depth + 1)
		}
		return object
	case n < 5 && depth < 3:
		array := []any{}
		for range o.IntN(4) {
			array = append(array, o.value(depth+1))
		}
		return array
	}
	values := []any{"", "a", "v0", " blank ", "\u200b", "True", "false", true, false, 7, 7.5, 1e3, nil, "2026-01-01T00:00:00", "AQI", "-_8=",
		"ｗｉｄｅ", "İ\u212a", "a\u0000", "\u2028<&>", "Finance", map[string]any{"value": "x", "primary": true}, []any{map[string]any{"type": "work", "value": "x"}}}
	return values[o.IntN(len(values))]
}

func (o oddities) pick(from ...string) string { return from[o.IntN(len(from))] }

func (o oddities) attribute() string {
	return o.pick("name", "name.givenName", "displayName", "nickName", "profileUrl", "title", "locale", "active", "password", "emails", "emails.value",
		"phoneNumbers", "photos", "addresses", "addresses.locality", "roles", "x509Certificates", "externalId", "id", "meta", "groups", "department",
		"manager", "managerId", "unknown", enterpriseURN, hrURN, hrURN+":badge", "badge", "level", "remote", "hired", "photo", "skills", "desks", "unit", "costCenter")
}

func (o oddities) path() string {
	return o.attribute() + o.pick("", "", "", ".value", ".type", `[type eq "work"].value`, `[value eq "x"]`, ".floor")
}

// body is a user, as whom it says it is or somebody else.
func (o oddities) body(userName string) map[string]any {
	body := map[string]any{"userName": userName, "department": o.pick("Finance", "Sales")}
	for range o.IntN(4) {
		body[o.attribute()] = o.value(0)
	}
	return body
}

func (o oddities) patch() map[string]any {
	var operations []any
	for range 1 + o.IntN(2) {
		operations = append(operations, map[string]any{"op": o.pick("add", "replace", "remove"), "path": o.path(), "value": o.value(0)})
	}
	return map[string]any{"Operations": operations}
}

// A directory is exported, imported and moved as it is, byte for byte, whatever clients have sent.
func TestADirectoryIsTakenAnywhereWhateverClientsSent(t *testing.T) {
	f := newFixture(t)
	f.declare(hrSchema())
	follows := finance(v1alpha1.ApplyAlways)
	follows.Name, follows.Spec.Filter = "finance-follows", `department eq "Finance" and not (locale pr)`
	f.setDefaults(follows, finance(v1alpha1.ApplyOnCreate))
	random := oddities{rand.New(rand.NewPCG(7, 7643))}
	accepted := 0
	send := func(method, path string, body map[string]any) {
		f.advance(time.Second)
		if f.send(method, path, encoded(t, body)).status/100 == 2 {
			accepted++
		}
	}
	for n := range 40 {
		f.create(fmt.Sprint(n), "/Users", encoded(t, map[string]any{"userName": fmt.Sprint("known", n), "department": random.pick("Finance", "Sales")}))
	}
	for n := range 40 {
		path := "/Users/{" + fmt.Sprint(n) + "}"
		send("POST", "/Users", random.body(fmt.Sprint("u", n)))
		send("PUT", path, random.body(fmt.Sprint("known", n)))
		for range 6 {
			send("PATCH", path, random.patch())
		}
		send("POST", "/Groups", map[string]any{"displayName": random.pick("Buyers", "buyers", "ＢＵＹＥＲＳ"), "externalId": fmt.Sprint("e", n),
			"members": []any{map[string]any{"value": f.ids[fmt.Sprint(n)]}, map[string]any{"value": f.ids["0"]}}})
	}
	if accepted < 100 {
		t.Errorf("the server accepted %d requests, which says little", accepted)
	}
	f.wantCanonical(f.database)
	f.planted = true
	f.plant(map[string]string{"1": "zoe\u0308@contoso.test", "2": "zo\u00eb@contoso.test", "3": "\u3000"})
	f.declare() // what is out of sight comes along too

	file := f.exported(f.database)
	for _, says := range []string{`"cleared":[`, `"overlay":{`, `{"defaults":"finance","path":"`, `\"former\":`, `"Buyers"`, `"buyers"`} {
		if !bytes.Contains(file, []byte(says)) {
			t.Errorf("the export has no %s, so that it says little", says)
		}
	}
	for name, take := range map[string]func(to store.Store, restorer *directory.Directory) error{
		"import": func(to store.Store, restorer *directory.Directory) error {
			_, err := transfer.Import(t.Context(), to, restorer, bytes.NewReader(file))
			return err
		},
		"move": func(to store.Store, restorer *directory.Directory) error {
			_, err := transfer.Move(t.Context(), f.database, to, restorer)
			return err
		},
	} {
		for _, engine := range testenv.Engines() {
			to := f.opened(engine)
			if err := take(to, directory.New(directory.Options{Store: to, Now: f.clock})); err != nil {
				t.Fatalf("%s to %s: %v", name, engine, err)
			}
			if again := f.exported(to); !bytes.Equal(file, again) {
				t.Errorf("%s to %s: the export is another", name, engine)
			}
		}
	}
}

// plant gives users names that an earlier version took, two of which may be one by now.
func (f *fixture) plant(userNames map[string]string) {
	f.t.Helper()
	ctx := f.t.Context()
	err := f.database.Update(ctx, func(tx store.Tx) error {
		for user, userName := range userNames {
			rec, err := tx.Get(ctx, store.User, f.ids[user])
			if err != nil {
				return err
			}
			document, err := schema.Decode(rec.Document)
			if err != nil {
				return err
			}
			document["userName"] = userName
			rec.Key, rec.Document = schema.Fold(userName), []byte(encoded(f.t, document))
			if err := tx.Replace(ctx, &rec); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = store.Rekey(ctx, func(ctx context.Context, change func(store.Tx) error) error { return f.database.Update(ctx, change) })
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) exported(from store.Store) []byte {
	f.t.Helper()
	var out bytes.Buffer
	if _, err := transfer.Export(f.t.Context(), from, &out, transfer.Options{Log: true}); err != nil {
		f.t.Fatal(err)
	}
	return slices.Clone(out.Bytes())
}

// opened is another directory, empty, in an engine of that name.
func (f *fixture) opened(engine string) store.Store {
	f.t.Helper()
	var to store.Store
	var err error
	if engine == "postgres" {
		url := schemas.Schema(f.t)
		to, err = postgres.Open(f.t.Context(), postgres.Options{URL: func() (string, error) { return url, nil }})
	} else {
		to, err = sqlite.Open(f.t.Context(), f.t.TempDir())
	}
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := to.Close(); err != nil {
			f.t.Error(err)
		}
	})
	return to
}
