package entra

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tenantry/tenantry/internal/internet"
	"github.com/tenantry/tenantry/test/connectproxy"
)

// authorityVariable names the authority to the process that asks it: Go reads the variables of a proxy once in a process.
const authorityVariable = "ENTRA_TEST_AUTHORITY"

func TestTheAuthorityIsAskedThroughTheProxyAndByThePlatformsOwnCA(t *testing.T) {
	if login := os.Getenv(authorityVariable); login != "" {
		asks := Authority{Client: &http.Client{Transport: &internet.Transport{}}, Override: login}
		if answer, err := asks.Ask(t.Context(), Tenant{ID: id}); answer != Exists {
			t.Fatalf("got %s, %v", answer, err)
		}
		return
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"issuer":"https://login.example.com/` + id + `/v2.0"}`))
	}))
	defer server.Close()
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	authorities, login := t.TempDir(), "https://login.example.com:"+at.Port()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(authorities, "ca-bundle.crt"), certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	proxy := connectproxy.New(t, at.Host)
	for name, test := range map[string]struct {
		env  []string
		asks bool
	}{
		"proxy and CA": {[]string{"HTTPS_PROXY=" + proxy.URL, "SSL_CERT_DIR=" + authorities}, true},
		"no proxy":     {[]string{"SSL_CERT_DIR=" + authorities}, false},
		"no CA":        {[]string{"HTTPS_PROXY=" + proxy.URL}, false},
	} {
		t.Run(name, func(t *testing.T) {
			ask := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheAuthorityIsAskedThroughTheProxyAndByThePlatformsOwnCA$")
			ask.Env = append(os.Environ(), append(test.env, authorityVariable+"="+login)...)
			if out, err := ask.CombinedOutput(); (err == nil) != test.asks {
				t.Errorf("the authority was asked: %v\n%s", err, out)
			}
		})
	}
	if want := "login.example.com:" + at.Port(); proxy.Asked() != want {
		t.Errorf("the proxy was asked for %q, want %q", proxy.Asked(), want)
	}
}
