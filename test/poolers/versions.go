//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

func versionRows() (rows []row) {
	for _, major := range []string{"13", "15", "16", "17", "18"} {
		rows = append(rows, row{
			name: "versions/" + major, about: "PostgreSQL " + major + ": a walk over SCIM, and the suite of the store",
			run: version(major), limit: 5 * time.Minute,
		})
	}
	return rows
}

// engine names the tests that can come out differently on another version: what is stored and found, and by which plans.
const engine = "^(TestStore|TestFilters|TestLookUps)"

// version runs a walk, and the suite of the store, on a major version of PostgreSQL.
func version(major string) func(context.Context, *scene, *seen) error {
	return func(ctx context.Context, s *scene, saw *seen) error {
		c, err := s.cluster(ctx, "database", major)
		if err != nil {
			return err
		}
		is, err := c.ask(ctx, "postgres", "SHOW server_version")
		if err != nil {
			return err
		}
		saw.must(strings.HasPrefix(is, major+"."), "it is %s", is)
		saw.say("%s", is)
		t, err := s.serveReady(ctx, "contoso", c.url())
		if err != nil {
			return err
		}
		if err := t.walk(ctx); err != nil {
			return err
		}
		return s.test(ctx, saw, superuserURL(c.address), superuserURL(c.address), "-run", engine, "./scimserver/store/postgres")
	}
}

// walk takes the steps of a provisioning client, each of which must be answered as it is here.
func (t *tenant) walk(ctx context.Context) error {
	const group = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Sales","members":[{"value":"{id}"}]}`
	const patch = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"{path}","value":"{value}"}]}`
	id := ""
	for _, step := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{http.MethodPost, "/Users", string(userNamed("anna")), http.StatusCreated, `"anna"`},
		{http.MethodPost, "/Users", string(userNamed("ANNA")), http.StatusConflict, "uniqueness"},
		{http.MethodGet, "/Users?filter=userName+eq+%22Anna%22", "", http.StatusOK, `"totalResults":1`},
		{http.MethodGet, "/Users?filter=userName+sw+%22an%22&sortBy=userName", "", http.StatusOK, `"totalResults":1`},
		{http.MethodPatch, "/Users/{id}", strings.NewReplacer("{path}", "title", "{value}", "Seller").Replace(patch), http.StatusNoContent, ""},
		{http.MethodPost, "/Groups", group, http.StatusCreated, `"Sales"`},
		{http.MethodGet, "/Groups?filter=members+eq+%22{id}%22", "", http.StatusOK, `"totalResults":1`},
		{http.MethodPut, "/Users/{id}", string(userNamed("anna.b")), http.StatusOK, `"anna.b"`},
		{http.MethodDelete, "/Users/{id}", "", http.StatusNoContent, ""},
		{http.MethodGet, "/Users/{id}", "", http.StatusNotFound, ""},
		{http.MethodGet, "/Groups?filter=members+eq+%22{id}%22", "", http.StatusOK, `"totalResults":0`},
	} {
		fillIn := strings.NewReplacer("{id}", id)
		status, answer, _, err := t.send(ctx, step.method, t.url+fillIn.Replace(step.path), []byte(fillIn.Replace(step.body)))
		switch {
		case err != nil:
			return err
		case status != step.status || !strings.Contains(string(answer), step.has):
			return fmt.Errorf("%s %s = %d %s", step.method, step.path, status, detail(answer))
		case id == "":
			var made struct{ ID string }
			if err := json.Unmarshal(answer, &made); err != nil {
				return err
			}
			id = made.ID
		}
	}
	return nil
}
