package protocol_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/connections"
	"github.com/tenantry/tenantry/test/race"
)

// A server that keeps two connections on which nobody is let in closes those of strangers, and none of a client's.
func TestStrangersLoseTheConnectionsThatTheyHoldAndClientsDoNot(t *testing.T) {
	race.Meets(t)
	f := newFixture(t)
	f.snapshot.Tenant.Spec.Authentication.OAuth = &v1alpha1.OAuth{}
	reader := f.withReader("payroll")
	bound := connections.New(2, 100)
	f.http = httptest.NewUnstartedServer(f.server.Handler())
	bound.Configure(f.http.Config)
	f.http.Start()
	t.Cleanup(f.http.Close)

	const anna = `{"userName":"anna"}`
	provisioner, search := f.begin(f.token, "/Users", anna[:5], len(anna)), f.begin(reader, "/Users/.search", "{", 2)
	var strangers []*begun
	for _, path := range []string{v1alpha1.TokenPath, "/Users", "/nowhere", v1alpha1.TokenPath, "/Users", "/nowhere"} {
		if path == v1alpha1.TokenPath { // the others are refused before they send a body
			strangers = append(strangers, f.begin("", path, "g", 100))
			continue
		}
		if next := f.begin("invented", path, "", 100); next.answer().status != http.StatusUnauthorized {
			t.Errorf("a stranger was let in at %s", path)
		}
	}
	last := f.begin("", v1alpha1.TokenPath, "g", 100)
	for bound.Waiting() > 2 {
		runtime.Gosched()
	}
	for _, stranger := range strangers[:len(strangers)-1] {
		if _, err := stranger.reader.ReadByte(); err == nil {
			t.Error("a stranger's connection is kept that waits for longest")
		}
	}
	for _, c := range []struct {
		*begun
		rest   string
		status int
	}{{last, strings.Repeat("g", 99), http.StatusBadRequest}, {provisioner, anna[5:], http.StatusCreated}, {search, "}", http.StatusOK}} {
		if _, err := c.Write([]byte(c.rest)); err != nil {
			t.Fatal(err)
		}
		if got := c.answer(); got.status != c.status {
			t.Errorf("%d, want %d: %s", got.status, c.status, got.body)
		}
	}
}
