package admin_test

import (
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/admin"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// lines is a log that any number of goroutines write.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestAPanicIsLoggedByTypeAndStack(t *testing.T) {
	const person = "anna.smith@contoso.com"
	var logged lines
	server := httptest.NewUnstartedServer(admin.New(admin.Options{
		Settings: func() *settings.Snapshot { panic(person) },
		Store:    openSQLite(t),
		Metrics:  prometheus.NewRegistry(), Clock: clocktesting.NewFakeClock(time.Unix(0, 0)),
		Log: funcr.New(func(_, line string) { _, _ = logged.Write([]byte(line + "\n")) }, funcr.Options{}),
	}))
	server.Config.ErrorLog = log.New(&logged, "net/http: ", 0)
	server.Start()
	defer http.DefaultClient.CloseIdleConnections()
	for _, path := range []string{v1alpha1.ReadyPath, v1alpha1.LogPath, v1alpha1.ExportPath} {
		if response, err := http.Get(server.URL + path); err == nil {
			_ = response.Body.Close()
			t.Errorf("GET %s: %s, want a connection that ends", path, response.Status)
		}
	}
	server.Close()
	text := logged.String()
	if strings.Contains(text, person) || strings.Contains(text, "net/http: ") || strings.Count(text, "type string") != 3 ||
		!strings.Contains(text, "panic_test.go") {
		t.Errorf("logged\n%s", text)
	}
}
