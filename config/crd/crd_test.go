package crd

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"k8s.io/client-go/openapi"
)

// api is an API server that serves some schemas of our group.
type api struct {
	document map[string]any
	hash     string
	err      error
	asked    int
}

func (a *api) PathsWithContext(context.Context) (map[string]openapi.GroupVersionWithContext, error) {
	if a.err != nil {
		return nil, a.err
	}
	served := map[string]openapi.GroupVersionWithContext{"api/v1": a}
	if a.document != nil {
		served["apis/provisioning.tenantry.dev/v1alpha1"] = a
	}
	return served, nil
}

func (a *api) SchemaWithContext(context.Context, string) ([]byte, error) {
	a.asked++
	return json.Marshal(a.document)
}

func (a *api) ServerRelativeURL() string {
	return "/openapi/v3/apis/provisioning.tenantry.dev/v1alpha1?hash=" + a.hash
}

// serve returns the document that an API server has for the definitions of this folder, after edit.
func serve(t *testing.T, edit func(kind string, schema fields)) map[string]any {
	t.Helper()
	all, err := readDefinitions()
	if err != nil {
		t.Fatal(err)
	}
	schemas := map[string]any{"io.k8s.apimachinery.pkg.apis.meta.v1.Status": map[string]any{}}
	for _, d := range all {
		edit(d.gvk.Kind, d.schema)
		schema := map[string]any{"properties": d.schema.Properties}
		schema["x-kubernetes-group-version-kind"] = []any{d.gvk}
		schemas["dev.tenantry.provisioning.v1alpha1."+d.gvk.Kind] = schema
	}
	return map[string]any{"components": map[string]any{"schemas": schemas}}
}

func TestACRDThatLacksFieldsIsNamedWithThem(t *testing.T) {
	t.Parallel()
	tenants := func(edit func(properties map[string]fields)) func(string, fields) {
		return func(kind string, schema fields) {
			if kind == "ProvisioningTenant" {
				edit(schema.Properties)
			}
		}
	}
	for name, test := range map[string]struct {
		edit func(string, fields)
		want []string
	}{
		"none":         {func(string, fields) {}, nil},
		"a field more": {tenants(func(p map[string]fields) { p["another"] = fields{} }), nil},
		"a field within one": {tenants(func(p map[string]fields) {
			delete(p["status"].Properties["directory"].Properties, "id")
		}), []string{"status.directory.id"}},
		"a field with its own, and one in a list": {tenants(func(p map[string]fields) {
			delete(p["spec"].Properties, "access")
			delete(p["status"].Properties["conditions"].Items.Properties, "reason")
		}), []string{"spec.access", "status.conditions[].reason"}},
		"a field of the other kind": {func(kind string, schema fields) {
			if kind == "UserDefaults" {
				delete(schema.Properties["spec"].Properties, "companies")
			}
		}, []string{"spec.companies"}},
		"whatever is kept as it is": {tenants(func(p map[string]fields) {
			p["status"] = fields{PreserveUnknown: true}
		}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outdated, err := (&Follower{API: &api{document: serve(t, test.edit)}}).Outdated(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range outdated {
				got = append(got, o.Lacks...)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("the cluster lacks %q, want %q", got, test.want)
			}
		})
	}
}

func TestAnOutdatedCRDIsToldWithTheWayOut(t *testing.T) {
	t.Parallel()
	older := serve(t, func(kind string, schema fields) {
		if kind == "UserDefaults" {
			delete(schema.Properties["spec"].Properties, "companies")
			delete(schema.Properties, "status")
		}
	})
	outdated, err := (&Follower{API: &api{document: older}}).Outdated(t.Context())
	if err != nil || len(outdated) != 1 {
		t.Fatalf("got %+v, %v", outdated, err)
	}
	const want = "the CRD userdefaults.provisioning.tenantry.dev of the cluster is older than this operator, so the API server drops spec.companies, status: " +
		"kubectl apply --server-side -f config/crd/bases/provisioning.tenantry.dev_userdefaults.yaml of this version"
	if got := outdated[0].Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSchemasAreReadAgainOnlyWhenTheyChanged(t *testing.T) {
	t.Parallel()
	server := &api{document: serve(t, func(_ string, schema fields) { delete(schema.Properties, "status") }), hash: "a"}
	follower := &Follower{API: server}
	look := func(want, asked int) {
		t.Helper()
		before := server.asked
		outdated, err := follower.Outdated(t.Context())
		if err != nil || len(outdated) != want || server.asked-before != asked {
			t.Errorf("%d are outdated, found by %d questions (%v), want %d by %d", len(outdated), server.asked-before, err, want, asked)
		}
	}
	look(2, 3)
	look(2, 0)
	server.document, server.hash = serve(t, func(string, fields) {}), "b"
	look(0, 3)
	look(0, 0)
	server.err = errors.New("away")
	if _, err := follower.Outdated(t.Context()); !errors.Is(err, server.err) {
		t.Errorf("got %v", err)
	}
	server.err, server.document = nil, nil // the kinds are gone, which is told elsewhere
	look(0, 0)
}
