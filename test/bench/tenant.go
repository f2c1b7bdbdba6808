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

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

const contentType = "application/scim+json; charset=utf-8"

const manifest = `apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenant
metadata: {name: contoso, namespace: customers}
spec:
  displayName: Contoso Ltd
  catalog: {companies: [Contoso AB], roles: [approver]}
  rateLimit: {requestsPerSecond: 100000, burst: 100000}
---
apiVersion: provisioning.tenantry.dev/v1alpha1
kind: UserDefaults
metadata: {name: everybody, namespace: customers}
spec:
  tenantRef: {name: contoso}
  companies: [Contoso AB]
  roles: [approver]
  locale: sv-SE
---
apiVersion: v1
kind: Secret
metadata: {name: contoso-credentials, namespace: customers}
stringData: {token: %s}
`

// tenant is one directory and the server in front of it.
type tenant struct {
	binary, folder string
	name           string
	engine         engine
	token          string
	*process
	users []string // ids, in the order in which they were created
}

func newTenant(b *bench, name string) *tenant {
	return &tenant{binary: b.binary, folder: filepath.Join(b.folder, name), name: name, engine: b.engine}
}

// open starts the server, on what is in the tenant's folder.
func (t *tenant) open(ctx context.Context) error {
	if t.token == "" {
		secret, err := token.New(rand.Reader)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(t.manifests(), 0o700); err != nil {
			return err
		}
		t.token = secret
		if err := os.WriteFile(filepath.Join(t.manifests(), "contoso.yaml"), fmt.Appendf(nil, manifest, secret), 0o600); err != nil {
			return err
		}
	}
	flags, err := t.flags()
	if err != nil {
		return err
	}
	t.process, err = launch(ctx, t.binary, append(flags, "--manifests", t.manifests(), "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")...)
	return err
}

// flags are where the directory is kept.
func (t *tenant) flags() ([]string, error) {
	flags, err := t.engine.flags(t.name)
	return append(flags, "--data", t.data()), err
}

// opened starts the server if it is not running.
func (t *tenant) opened(ctx context.Context) error {
	if t.process != nil {
		return nil
	}
	return t.open(ctx)
}

func (t *tenant) stop() {
	if t.process != nil {
		t.process.stop()
		t.process = nil
	}
}

func (t *tenant) manifests() string { return filepath.Join(t.folder, "manifests") }
func (t *tenant) data() string      { return filepath.Join(t.folder, "data") }

// send sends a SCIM request and returns the body of its answer, which must have this status.
func (t *tenant) send(ctx context.Context, client *http.Client, method, path string, body []byte, status int) ([]byte, error) {
	return send(ctx, client, method, t.url+v1alpha1.BasePath+path, t.token, body, status)
}

// send sends what Entra would, to whichever server.
func send(ctx context.Context, client *http.Client, method, url, token string, body []byte, status int) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if len(body) > 0 {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != status {
		return nil, fmt.Errorf("%s %s = %d, want %d: %s", method, url, response.StatusCode, status, data)
	}
	return data, nil
}

// newClient returns a client that keeps a connection for each of so many users of it.
func newClient(connections int) *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}}
}

// idOf finds the id in an answer.
func idOf(data []byte) (string, error) {
	var resource struct{ ID string }
	if err := json.Unmarshal(data, &resource); err != nil || resource.ID == "" {
		return "", fmt.Errorf("the answer has no id: %s", data)
	}
	return resource.ID, nil
}

// user is the body with which Entra creates a user of whom it knows everything that the tutorial maps; 1.5 KB.
func user(n int) []byte {
	given, family, city := fmt.Sprintf("Given%d", n%997), fmt.Sprintf("Family%d", n%9973), fmt.Sprintf("City %d", n%211)
	return []byte(strings.NewReplacer(
		"{n}", fmt.Sprint(n), "{uuid}", fmt.Sprintf("3f1e6a2b-9c4d-4e8f-a1b2-%012d", n), "{given}", given, "{family}", family,
		"{city}", city, "{department}", fmt.Sprintf("Department %d", n%100), "{title}", fmt.Sprintf("Title %d", n%50),
	).Replace(userBody))
}

const userBody = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",` +
	`"urn:ietf:params:scim:schemas:extension:medius:2.0:User"],"externalId":"{uuid}","userName":"{given}.{family}.{n}@contoso.com","active":true,` +
	`"addresses":[{"primary":false,"type":"work","country":"SE","formatted":"Building {n}","locality":"{city}","postalCode":"582 13",` +
	`"region":"Östergötland","streetAddress":"Storgatan {n}"}],"displayName":"{given} {family}","emails":[{"primary":true,"type":"work",` +
	`"value":"{given}.{family}.{n}@contoso.com"}],"meta":{"resourceType":"User"},"name":{"familyName":"{family}","formatted":"{given} {family}",` +
	`"givenName":"{given}"},"phoneNumbers":[{"primary":true,"type":"work","value":"+46 13 {n}"},{"primary":false,"type":"mobile","value":"+46 70 {n}"},` +
	`{"primary":false,"type":"fax","value":"+46 13 0{n}"}],"preferredLanguage":"sv-SE","title":"{title}",` +
	`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"{department}","employeeNumber":"E{n}",` +
	`"manager":"0192f0c1-0000-7000-8000-000000000001"},"urn:ietf:params:scim:schemas:extension:medius:2.0:User":{"configurationFilter":"finance",` +
	`"identityProvider":"entra","nameIdentifier":"{uuid}","customFieldText1":"Cost centre {department}","customFieldText2":"Plant {city}"}}`
