package e2e

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const aUser = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann@contoso.com"}`

// A server in a pod is told to listen on a port alone, and a person may name an address of IPv6.
func TestClientsAreServedOverIPv6(t *testing.T) {
	c := newTenant(t)
	c.listen = "[::1]:0"
	p := c.start()
	if !strings.HasPrefix(p.url, "http://[::1]:") {
		t.Fatalf("the server listens on %s", p.url)
	}
	created := p.mustSend(http.MethodPost, "/Users", aUser, http.StatusCreated)
	meta, _ := created["meta"].(map[string]any)
	location, _ := meta["location"].(string)
	if want := p.url + "/Users/"; !strings.HasPrefix(location, want) {
		t.Errorf("the user is at %q, want it below %s", location, want)
	}
	if found := p.mustSend(http.MethodGet, strings.TrimPrefix(location, p.url), "", http.StatusOK); found["id"] != created["id"] {
		t.Errorf("at %s there is %v", location, found)
	}
}

func TestAPortAloneIsServedOverBothFamilies(t *testing.T) {
	c := newTenant(t)
	c.listen = ":0"
	p := c.start()
	_, port, err := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(p.url, "http://"), v1alpha1.BasePath))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		p.url = "http://" + net.JoinHostPort(host, port) + v1alpha1.BasePath
		if list := p.mustSend(http.MethodGet, "/Users", "", http.StatusOK); list["totalResults"] != float64(0) {
			t.Errorf("at %s there is %v", host, list)
		}
	}
}
