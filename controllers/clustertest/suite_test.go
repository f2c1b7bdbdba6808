// Package clustertest tests the operator against a real API server: schema, ownership of fields, watches, indexes and
// rights are the API server's own.
package clustertest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/tenantry/tenantry/test/testenv"
)

var (
	cluster  *testenv.Cluster
	operator *testenv.Operator
	logs     = &buffer{}
	entra    *httptest.Server
)

// The Entra tenants that the tests' login authority knows something about; all others are not found.
const (
	knownEntraTenant  = "8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11"
	brokenEntraTenant = "00000000-0000-4000-8000-000000000500"
)

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	log := logTo(logs)
	ctrl.SetLogger(log)
	klog.SetLogger(log)

	entra = httptest.NewServer(http.HandlerFunc(loginAuthority))
	defer entra.Close()

	running, cancel := context.WithCancel(context.Background())
	var err error
	cluster, err = testenv.Start(running)
	defer func() {
		cancel()
		if err := cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the control plane:", err)
		}
	}()
	if err == nil {
		operator, err = cluster.StartOperator(running, testenv.Options(entra.URL), log)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	endOnSignal()
	code := m.Run()
	for _, leak := range leaks(running) {
		fmt.Fprintln(os.Stderr, "a token leaked into", leak)
		code = 1
	}
	if err := operator.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the operator ended with an error:", err)
		code = 1
	}
	if code != 0 && testing.Verbose() {
		fmt.Fprintln(os.Stderr, logs.String())
	}
	return code
}

// endOnSignal ends the control plane on a signal, which would otherwise outlive the tests.
func endOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		if err := cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the control plane:", err)
		}
		os.Exit(1)
	}()
}

// bodyVerbosity is the V from which on client-go logs the bodies of requests.
const bodyVerbosity = 8

// logTo writes everything up to where client-go would log bodies; that includes the end of each reconcile.
func logTo(w io.Writer) logr.Logger {
	return logr.FromSlogHandler(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.Level(1 - bodyVerbosity)}))
}

func loginAuthority(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); id {
	case knownEntraTenant:
		fmt.Fprintf(w, `{"issuer":"https://login.test/%s/v2.0"}`, id)
	case brokenEntraTenant:
		w.WriteHeader(http.StatusInternalServerError)
	default:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_tenant","error_description":"AADSTS90002: Tenant not found."}`)
	}
}

// buffer is a log that can be read while it is written. Each write is one line.
type buffer struct {
	mu         sync.Mutex
	text       bytes.Buffer
	reconciled map[string]int
}

// reconcileEnded is what controller-runtime says when a reconcile of a tenant has ended well.
var reconcileEnded = regexp.MustCompile(`"Reconcile (?:successful|done, requeueing after).* controller=provisioningtenant .*?\bnamespace=(\S+) `)

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ended := reconcileEnded.FindSubmatch(p); ended != nil {
		if b.reconciled == nil {
			b.reconciled = map[string]int{}
		}
		b.reconciled[string(ended[1])]++
	}
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// reconciles counts the looks at tenants of a namespace that ended well.
func (b *buffer) reconciles(namespace string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reconciled[namespace]
}
