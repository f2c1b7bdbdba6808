package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/test/entra/internal/fakescim"
)

const token = "secret-token"

// command runs the command and returns its exit code and what it printed.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(context.Background(), args, &out, &err)
	if all := out.String() + err.String(); strings.Contains(all, token) {
		t.Errorf("the token was printed: %s", all)
	}
	return code, out.String(), err.String()
}

func tokenFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestACompanyIsProvisionedAndALaterRunIsIncremental(t *testing.T) {
	server := fakescim.New(token)
	h := httptest.NewServer(server)
	defer h.Close()
	state := filepath.Join(t.TempDir(), "state")
	args := []string{
		"--url", h.URL + "/scim/?aadOptscim062020", "--token-file", tokenFile(t), "--users", "40", "--groups", "12",
		"--state", state, "--cycles", "2", "--set", "configurationFilter=finance,sales", "--print-sample", "3",
		"--show", "urn:ietf:params:scim:schemas:extension:medius:2.0:User:configurationFilter,title",
	}
	code, out, errs := command(t, args...)
	if code != 0 {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	for _, want := range []string{
		"Test Connection: ok", "Initial cycle", "User Create", "10 days pass", "Incremental cycle", "p99",
		"Verified: the server holds what Entra believes", "USERNAME", "CONFIGURATIONFILTER", "finance", "sales", "true",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	for _, want := range []string{"users", "groups", "memberships", "managers", "verifying Users"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no progress of %q in:\n%s", want, errs)
		}
	}

	code, out, errs = command(t, append(args, "--cycles", "1", "--json", "--quiet")...)
	var r struct {
		Cycles []struct {
			Kind     string
			Requests int
		}
		Verified, OK bool
		Sample       []any
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || errs != "" {
		t.Fatalf("exit %d, %v: %s", code, err, errs)
	}
	if len(r.Cycles) != 1 || r.Cycles[0].Kind != "Incremental" || r.Cycles[0].Requests == 0 ||
		!r.Verified || !r.OK || len(r.Sample) != 3 {
		t.Fatalf("got %+v", r)
	}
}

func TestADifferenceMakesTheExitCodeOne(t *testing.T) {
	server := fakescim.New(token)
	h := httptest.NewServer(server)
	defer h.Close()
	server.Edit(func(users, _ map[string]fakescim.Object) {
		users["stranger"] = fakescim.Object{"id": "stranger", "userName": "stranger"}
	})
	code, out, _ := command(t, "--url", h.URL+"/scim", "--token-file", tokenFile(t), "--users", "3", "--groups", "0")
	if code != 1 || !strings.Contains(out, "1 differences") || !strings.Contains(out, "stranger") {
		t.Fatalf("exit %d:\n%s", code, out)
	}
}

func TestAForeignTokenIsRejected(t *testing.T) {
	h := httptest.NewServer(fakescim.New("another token"))
	defer h.Close()
	code, _, errs := command(t, "--url", h.URL+"/scim", "--token", token, "--cycles", "0")
	if code != 1 || !strings.Contains(errs, "InvalidCredentials") || !strings.Contains(errs, "401") {
		t.Fatalf("exit %d: %s", code, errs)
	}
}

// The name in the URL resolves nowhere: only the dial override and the given authority lead to the server.
func TestResolveAndCAFileReachAServerBehindAnIngress(t *testing.T) {
	h := httptest.NewTLSServer(fakescim.New(token))
	defer h.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(h.URL, "https://")
	args := []string{"--url", "https://example.com/scim", "--token", token, "--users", "2", "--groups", "1"}
	trusted := append(args, "--ca-file", ca, "--resolve", "example.com:443="+address)
	if code, out, errs := command(t, trusted...); code != 0 {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	if code, _, errs := command(t, append(args, "--resolve", "example.com:443="+address)...); code != 1 ||
		!strings.Contains(errs, "certificate") {
		t.Fatalf("an unknown authority was trusted: exit %d: %s", code, errs)
	}
}

func TestACompanyFileIsProvisioned(t *testing.T) {
	server := fakescim.New(token)
	h := httptest.NewServer(server)
	defer h.Close()
	file := filepath.Join(t.TempDir(), "company.json")
	text := `{"name":"Fabrikam","users":[{"objectId":"1","userPrincipalName":"ada@fabrikam.test","accountEnabled":true}],
		"groups":[{"objectId":"2","displayName":"All","members":["1"]}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := command(t, "--url", h.URL+"/scim", "--token", token, "--company", file)
	if code != 0 {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	server.Edit(func(users, groups map[string]fakescim.Object) {
		if len(users) != 1 || len(groups) != 1 {
			t.Fatalf("%v %v", users, groups)
		}
	})
}

func TestWrongArgumentsAreExplained(t *testing.T) {
	for wrong, want := range map[string]string{
		"--token x":                                     "--url is missing",
		"--url http://h/scim":                           "--token-file is missing",
		"--url ftp://h/scim --token x":                  "https://",
		"--url http://h --token x --dialect modern":     "dialect",
		"--url http://h --token x --set department":     "name=value",
		"--url http://h --token x --users -1":           "below",
		"--url http://h --token x extra":                "no arguments",
		"--url http://h --token x --show a[b":           "--show",
		"--url http://h --token x --token-file y":       "exclude",
		"--url http://h --token-file /nowhere/at/all":   "--token-file",
		"--url http://h --token x --concurrency 0":      "below",
		"--url http://u:p@h/scim --token x":             "credentials",
		"--url http://h --token x --no-such-flag-known": "not defined",
	} {
		if code, _, errs := command(t, strings.Fields(wrong)...); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d, %s", wrong, code, errs)
		}
	}
}
