// Package connectproxy has the proxy of a company for tests: the only way to the internet, by HTTP CONNECT.
package connectproxy

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// Proxy leads every host to the same address. A client that does not go through it finds no example.com.
type Proxy struct {
	// URL of the proxy.
	URL string

	t       testing.TB
	address string
	asked   atomic.Value
}

// New returns a proxy to an address that ends with the test.
func New(t testing.TB, address string) *Proxy {
	t.Helper()
	p := &Proxy{t: t, address: address}
	server := httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// Asked is the host and port that a client asked for last; "" where none did.
func (p *Proxy) Asked() string {
	host, _ := p.asked.Load().(string)
	return host
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
		return
	}
	p.asked.Store(r.Host)
	there, err := net.Dial("tcp", p.address)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer there.Close()
	w.WriteHeader(http.StatusOK)
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.t.Error(err)
		return
	}
	defer here.Close()
	go func() {
		_, _ = io.Copy(there, buffered)
		_ = there.Close()
	}()
	_, _ = io.Copy(here, there)
}
