package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/test/connectproxy"
)

const entraManifest = `apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenant
metadata: {name: contoso, namespace: customers}
spec:
  displayName: Contoso Ltd
  identityProvider: {entra: {tenantID: ` + authtest.TenantID + `}}
  authentication: {entraToken: {audiences: [api://tenantry], applications: [provisioning]}}
---
apiVersion: v1
kind: Secret
metadata: {name: contoso-credentials, namespace: customers}
stringData: {token: %s}
`

// The authority has a certificate of its own CA for *.example.com, and is reached through the proxy alone.
func TestTheLoginAuthorityIsAskedThroughTheProxyAndByThePlatformsOwnCA(t *testing.T) {
	authority := authtest.New(t)
	at, err := url.Parse(authority.URL())
	if err != nil {
		t.Fatal(err)
	}
	way := connectproxy.New(t, at.Host)
	login := "https://login.example.com:" + at.Port()

	c := newTenant(t)
	if err := os.WriteFile(filepath.Join(c.manifests, "contoso.yaml"), fmt.Appendf(nil, entraManifest, c.token), 0o600); err != nil {
		t.Fatal(err)
	}
	authorities := t.TempDir() // as an optional ConfigMap that is not there yet
	c.env = []string{"HTTPS_PROXY=" + way.URL, "SSL_CERT_DIR=" + authorities}
	c.flags = []string{"--entra-authority", login}
	p := c.start()
	p.token = authority.Sign(authtest.Times(time.Now()).With(authtest.Claims{
		"iss": login + "/" + authtest.TenantID + "/v2.0", "tid": authtest.TenantID, "ver": "2.0", "aud": "api://tenantry", "azp": "provisioning",
	}))
	if status, body, err := p.send(http.MethodGet, "/Users", ""); err != nil || status != http.StatusServiceUnavailable {
		t.Fatalf("without the CA: %d %s %v, want 503", status, body, err)
	}
	eventually(t, func() bool { return strings.Contains(p.log.String(), "certificate signed by unknown authority") }, p.log.String)

	// As a kubelet puts it there: a link to a file in a folder that a link leads to.
	data := filepath.Join(authorities, "..data-1")
	for _, step := range []error{
		os.Mkdir(data, 0o755), os.WriteFile(filepath.Join(data, "ca-bundle.crt"), authority.Certificate(), 0o600),
		os.Symlink("..data-1", filepath.Join(authorities, "..data")), os.Symlink("..data/ca-bundle.crt", filepath.Join(authorities, "ca-bundle.crt")),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	eventually(t, func() bool {
		status, _, err := p.send(http.MethodGet, "/Users", "")
		return err == nil && status == http.StatusOK
	}, p.log.String)
	if asked := way.Asked(); asked != "login.example.com:"+at.Port() {
		t.Errorf("the proxy was asked for %q", asked)
	}
}

// OpenShift runs pods as a user of the namespace's range, in the group root and in that of the volume. A test that root runs does so too; another
// runs as whoever it is, who has no name in the image either.
func TestTheServerServesAsAnyUserInGroupRootAndWritesToItsVolumeAlone(t *testing.T) {
	c := newTenant(t)
	home, work := t.TempDir(), t.TempDir()
	c.env = []string{"HOME=" + home, "TMPDIR=" + work}
	if os.Geteuid() == 0 {
		const user, group, former = 1000660000, 1000660000, 65532
		c.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: 0, Groups: []uint32{group}}}
		reachable(t, c.manifests, built, home, work)
		// A volume on which another user's server was before, as a kubelet leaves it when the group changes.
		other := newTenant(t)
		other.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: former, Gid: former}}
		other.token, other.manifests, other.data = c.token, c.manifests, c.data
		owned(t, c.data, former, former, os.ModeSetgid|0o770)
		p := other.start()
		p.mustSend("POST", "/Users", `{"userName":"anna@example.com"}`, 201)
		p.kill()
		files, err := os.ReadDir(c.data)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			owned(t, filepath.Join(c.data, file.Name()), former, group, 0o660)
		}
		owned(t, c.data, 0, group, os.ModeSetgid|0o770)
	}
	p := c.start()
	p.mustSend("POST", "/Users", `{"userName":"bertil@example.com"}`, 201)
	p.kill()
	p = c.start() // on files that are the user's own now
	if found := p.mustSend("GET", "/Users", "", 200)["totalResults"]; os.Geteuid() == 0 && found != 2.0 {
		t.Errorf("there are %v users, want 2", found)
	}
	for _, folder := range []string{home, work} {
		if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
			t.Errorf("the server wrote to %s: %v %v", folder, entries, err)
		}
	}
}

// reachable lets everybody into folders, and read the files in them.
func reachable(t *testing.T, folders ...string) {
	t.Helper()
	for _, folder := range folders {
		for at := folder; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
			if err := os.Chmod(at, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if err := os.Chmod(filepath.Join(folder, entry.Name()), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func owned(t *testing.T, name string, user, group int, mode os.FileMode) {
	t.Helper()
	if err := os.Chown(name, user, group); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}
