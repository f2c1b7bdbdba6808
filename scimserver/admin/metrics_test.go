package admin_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/utils/clock"

	"github.com/tenantry/tenantry/scimserver/admin"
	"github.com/tenantry/tenantry/test/race"
)

func TestWhoDoesNotReadTheMetricsKeepsThemFromNobody(t *testing.T) {
	race.Meets(t)
	registry := prometheus.NewRegistry()
	for n := range 100 { // more than net/http sends with the header
		registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: fmt.Sprintf("requests_%d_total", n), Help: "Requests."}))
	}
	gathered := make(chan struct{}, 100)
	server := httptest.NewServer(admin.New(admin.Options{
		Metrics: prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
			defer func() { gathered <- struct{}{} }()
			return registry.Gather()
		}),
		Log: logr.Discard(), Clock: clock.RealClock{},
	}))
	t.Cleanup(server.Close)
	defer http.DefaultClient.CloseIdleConnections()
	for range 20 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		// The server waits for the rest of the body before it sends an answer.
		if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		<-gathered
	}
	for status := 0; status != http.StatusOK; runtime.Gosched() {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/metrics", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		status = response.StatusCode
	}
}
