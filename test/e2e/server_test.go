package e2e

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

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

// readerSecret has the token of a reader, by the reader's name.
const readerSecret = `---
apiVersion: v1
kind: Secret
metadata: {name: contoso-reader.%s, namespace: customers}
stringData: {token: %s}
`

// binary is the server, built once with the race detector; released is the one that people run, with which memory is measured.
var (
	binary   = sync.OnceValues(func() (string, error) { return build("raced", "-race") })
	released = sync.OnceValues(func() (string, error) { return build("released", "-trimpath", "-ldflags", "-s -w") })
)

// built is the folder of the binaries.
var built string

func build(name string, flags ...string) (string, error) {
	path := filepath.Join(built, name)
	args := append(append([]string{"build"}, flags...), "-o", path, "github.com/tenantry/tenantry/cmd/scimserver")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, out)
	}
	return path, nil
}

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "tenantry-e2e"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(built)
	os.Exit(code)
}

// tenant is the folder of one tenant, over which server processes come and go.
type tenant struct {
	t         *testing.T
	manifests string
	data      string
	token     string
	schema    string // in PostgreSQL, "" on a volume
	listen    string // where the server serves clients, a free port of its own choice if the port is 0
	flags     []string
	env       []string
	as        *syscall.SysProcAttr // the user that runs the server, the test's where nil
	binary    func() (string, error)
}

// eachEngine runs a test on a new tenant in SQLite, and on one in PostgreSQL.
func eachEngine(t *testing.T, test func(t *testing.T, c *tenant)) {
	t.Run("SQLite", func(t *testing.T) { test(t, newTenant(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		c := newTenant(t)
		file := filepath.Join(t.TempDir(), "url")
		address := testenv.Schema(t)
		parsed, err := url.Parse(address)
		if err == nil {
			err = os.WriteFile(file, []byte(address+"\n"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		c.schema = parsed.Query().Get("search_path")
		c.flags = []string{"--database-url-file", file}
		test(t, c)
	})
}

func newTenant(t *testing.T) *tenant {
	t.Helper()
	secret, err := token.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &tenant{t: t, manifests: t.TempDir(), data: t.TempDir(), token: secret, listen: "127.0.0.1:0", binary: binary}
	if err := os.WriteFile(filepath.Join(c.manifests, "contoso.yaml"), fmt.Appendf(nil, manifest, secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// process is one running server.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	url   string
	admin string
	token string
	done  chan struct{}
	log   *safeBuffer
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start runs the server and returns when it is ready.
func (c *tenant) start() *process {
	c.t.Helper()
	p := c.launch()
	p.awaitReady()
	return p
}

// launch runs the server and returns when it listens.
func (c *tenant) launch() *process {
	c.t.Helper()
	path, err := c.binary()
	if err != nil {
		c.t.Fatal(err)
	}
	p := &process{t: c.t, token: c.token, done: make(chan struct{}), log: &safeBuffer{}}
	flags := []string{"--manifests", c.manifests, "--data", c.data, "--listen", c.listen, "--admin-listen", "127.0.0.1:0"}
	p.cmd = exec.Command(path, append(flags, c.flags...)...)
	p.cmd.Env, p.cmd.SysProcAttr = append(os.Environ(), c.env...), c.as
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	addresses := make(chan [2]string, 1)
	go func() {
		defer close(p.done)
		lines := bufio.NewScanner(io.TeeReader(stderr, p.log))
		for lines.Scan() {
			var line struct{ Msg, Clients, Admin string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				addresses <- [2]string{line.Clients, line.Admin}
			}
		}
		_ = p.cmd.Wait()
	}()
	c.t.Cleanup(p.kill)
	select {
	case at := <-addresses:
		p.url, p.admin = "http://"+at[0]+v1alpha1.BasePath, "http://"+at[1]
	case <-p.done:
		c.t.Fatalf("the server ended at its start:\n%s", p.log)
	case <-time.After(60 * time.Second):
		c.t.Fatalf("the server did not start:\n%s", p.log)
	}
	return p
}

func (p *process) awaitReady() {
	p.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(60 * time.Second)
	for {
		if response, err := http.Get(p.admin + v1alpha1.ReadyPath); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			p.t.Fatalf("the server never became ready:\n%s", p.log)
		}
	}
}

// kill ends the server with SIGKILL and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// send returns the status and body of a request, or an error where the server went away.
func (p *process) send(method, path, body string) (int, []byte, error) {
	request, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return response.StatusCode, data, err
}

func (p *process) mustSend(method, path, body string, status int) map[string]any {
	p.t.Helper()
	got, data, err := p.send(method, path, body)
	if err != nil || got != status {
		p.t.Fatalf("%s %s = %d %v, want %d\n%s", method, path, got, err, status, data)
	}
	obj := map[string]any{}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &obj); err != nil {
			p.t.Fatal(err)
		}
	}
	return obj
}
