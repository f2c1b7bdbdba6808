package e2e

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

// rewrite changes the tenant's manifests.
func (c *tenant) rewrite(change func(string) string) {
	c.t.Helper()
	path := filepath.Join(c.manifests, "contoso.yaml")
	content, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(change(string(content))), 0o600)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// annotate has the tenant adopt what a message says.
func (c *tenant) annotate(message string) {
	c.t.Helper()
	value := regexp.MustCompile(regexp.QuoteMeta(v1alpha1.AdoptDirectoryAnnotation) + ": ([^ \n]+)").FindStringSubmatch(message)
	if value == nil {
		c.t.Fatalf("%q does not say what to annotate", message)
	}
	c.rewrite(func(manifest string) string {
		return strings.Replace(manifest, "namespace: customers}", "namespace: customers, annotations: {"+value[0]+"}}", 1)
	})
}

// refuses checks that every request is refused with the right to try again, and returns why the server is not ready.
func (p *process) refuses() (why string) {
	p.t.Helper()
	response, err := http.Get(p.admin + v1alpha1.ReadyPath)
	if err != nil {
		p.t.Fatal(err)
	}
	text, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable {
		p.t.Fatalf("ready: %d %s\n%s", response.StatusCode, text, p.log)
	}
	for _, path := range []string{"/Users", "/Groups/1", "/Me", "/ServiceProviderConfig", "/Schemas", "/Bulk"} {
		request, err := http.NewRequest(http.MethodGet, p.url+path, nil)
		if err != nil {
			p.t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+p.token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			p.t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
			p.t.Errorf("GET %s = %d, Retry-After %q", path, response.StatusCode, response.Header.Get("Retry-After"))
		}
	}
	return string(text)
}

func TestADirectoryOfAnotherTenantIsServedOnlyWhereAnAnnotationSaysSo(t *testing.T) {
	eachEngine(t, func(t *testing.T, c *tenant) {
		p := c.start()
		anna := p.mustSend("POST", "/Users", `{"userName":"anna@contoso.test"}`, 201)["id"].(string)
		p.kill()
		fabrikam := func(manifest string) string { return strings.ReplaceAll(manifest, "contoso", "fabrikam") }
		c.rewrite(fabrikam)
		p = c.launch()
		p.until("it says whose the directory is", func() bool {
			return strings.Contains(p.refuses(), "is of tenant customers/contoso, not of customers/fabrikam")
		})
		why := p.refuses()
		if strings.Contains(why, "anna") {
			t.Errorf("%q", why)
		}
		c.annotate(why)
		if c.schema != "" { // which the server of contoso may still have open, as far as anybody knows
			p.until("it waits for the other server", func() bool { return strings.Contains(p.refuses(), "whose server was last seen") })
			testenv.Execute(t, "UPDATE "+c.schema+".meta SET value = '1' WHERE key = '"+store.MetaOwnerSeen+"'")
		}
		p.awaitReady() // without a restart
		p.mustSend("GET", "/Users/"+anna, "", 200)

		// The Entra tenant ID is changed below the server, and back.
		entra := "  identityProvider: {entra: {tenantID: 8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11}}\n  displayName:"
		c.rewrite(func(manifest string) string { return strings.Replace(manifest, "  displayName:", entra, 1) })
		p.until("the mark has the Entra tenant ID", func() bool { return strings.Contains(p.log.String(), "up to date with the tenant") })
		c.rewrite(func(manifest string) string { return strings.Replace(manifest, "8b1c3f0e", "00000000", 1) })
		p.until("it is not ready", func() bool { return strings.Contains(p.log.String(), "8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11, not of") })
		p.refuses()
		c.rewrite(func(manifest string) string { return strings.Replace(manifest, "00000000", "8B1C3F0E", 1) })
		p.awaitReady()
		p.mustSend("GET", "/Users/"+anna, "", 200)
	})
}

func TestADirectoryThatIsMissingIsNotBegunWithByItself(t *testing.T) {
	c := newTenant(t)
	p := c.start()
	p.mustSend("POST", "/Users", `{"userName":"anna@contoso.test"}`, 201)
	p.kill()
	emptied, err := filepath.Glob(filepath.Join(c.data, "directory.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range emptied {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	p = c.launch()
	why := p.refuses()
	if !strings.Contains(why, "there is no directory where that of the tenant") {
		t.Errorf("%q", why)
	}
	c.annotate(why)
	p.awaitReady()
	if n := p.mustSend("GET", "/Users", "", 200)["totalResults"]; n != 0.0 {
		t.Errorf("%v users", n)
	}
	p.kill()
	p = c.start()
	p.mustSend("POST", "/Users", `{"userName":"anna@contoso.test"}`, 201)
}
