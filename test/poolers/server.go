//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

const manifest = `apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenant
metadata: {name: %[1]s, namespace: customers}
spec:
  displayName: %[1]s
  rateLimit: {requestsPerSecond: 100000, burst: 100000}
---
apiVersion: v1
kind: Secret
metadata: {name: %[1]s-credentials, namespace: customers}
stringData: {token: %[2]s}
`

// tenant is one tenant and its server.
type tenant struct {
	name, token string
	url, ready  string
	process     *process
	client      *http.Client
	begin       func(ctx context.Context) error
}

// serve starts the server of a tenant, and returns when it listens, which is before it is ready.
func (s *scene) serve(ctx context.Context, name, database string) (*tenant, error) {
	return s.serveSchema(ctx, name, database, v1alpha1.DatabaseSchema("customers", name))
}

// serveSchema does so with the schema that a flag names.
func (s *scene) serveSchema(ctx context.Context, name, database, schema string) (*tenant, error) {
	secret, err := token.New(rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &tenant{name: name, token: secret, client: &http.Client{Timeout: 90 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	manifests := s.file(name)
	if err := os.MkdirAll(manifests, 0o755); err != nil {
		return nil, err
	}
	if _, err := s.write(filepath.Join(name, "tenant.yaml"), fmt.Sprintf(manifest, name, secret)); err != nil {
		return nil, err
	}
	file, err := s.write(name+".url", database)
	if err != nil {
		return nil, err
	}
	t.begin = func(ctx context.Context) error {
		t.process, err = s.start(ctx, s.server, "--manifests", manifests, "--data", s.file(name+"-data"), "--listen", "127.0.0.1:0",
			"--admin-listen", "127.0.0.1:0", "--database-url-file", file, "--database-schema", schema)
		if err != nil {
			return err
		}
		return t.listens(ctx)
	}
	return t, t.begin(ctx)
}

// restart ends the server and starts it again.
func (t *tenant) restart(ctx context.Context) error {
	t.process.stop()
	return t.begin(ctx)
}

// listens finds the server's addresses in its log.
func (t *tenant) listens(ctx context.Context) error {
	found := func() bool {
		for line := range strings.Lines(t.process.said.String()) {
			var entry struct{ Msg, Clients, Admin string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
				t.url, t.ready = "http://"+entry.Clients+v1alpha1.BasePath, "http://"+entry.Admin+v1alpha1.ReadyPath
				return true
			}
		}
		return false
	}
	if err := await(ctx, 30*time.Second, found); err != nil {
		return fmt.Errorf("the server does not listen: %s", t.process.said.end())
	}
	return nil
}

// readiness asks whether the server is ready, and what it says.
func (t *tenant) readiness(ctx context.Context) (ready bool, says string) {
	status, body, _, err := t.send(ctx, http.MethodGet, t.ready, nil)
	if err != nil {
		return false, err.Error()
	}
	return status == http.StatusOK, strings.TrimPrefix(strings.TrimSpace(string(body)), "the directory's storage is unavailable: ")
}

// becomes waits until the server is ready, or is not, and returns what it says then.
func (t *tenant) becomes(ctx context.Context, ready bool) (says string, err error) {
	err = await(ctx, time.Minute, func() bool {
		var is bool
		is, says = t.readiness(ctx)
		return is == ready
	})
	if err != nil {
		return says, fmt.Errorf("ready %v %w: %s", ready, err, says)
	}
	return says, nil
}

// serveReady starts a server and waits until it is ready.
func (s *scene) serveReady(ctx context.Context, name, database string) (*tenant, error) {
	t, err := s.serve(ctx, name, database)
	if err != nil {
		return nil, err
	}
	_, err = t.becomes(ctx, true)
	return t, err
}

// send sends a request of the provisioning client.
func (t *tenant) send(ctx context.Context, method, url string, body []byte) (status int, answer []byte, header http.Header, err error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+t.token)
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/scim+json")
	}
	response, err := t.client.Do(request)
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, response.Header, err
}
