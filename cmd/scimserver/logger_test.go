package main

import (
	"bytes"
	"errors"
	"io"
	standard "log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/loglimit"
)

func TestNoMessageOfTheProcessLogIsWithoutBound(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		log := logger(&out, options{logFormat: format})
		for i := range 1000 {
			log.WithValues("requestID", i).Error(io.ErrUnexpectedEOF, "a request failed")
			log.Info("an import was refused; nothing was imported", "client", i)
		}
		if got := strings.Count(out.String(), "\n"); got != 2*loglimit.Burst {
			t.Errorf("%s: %d lines of two messages, want %d", format, got, 2*loglimit.Burst)
		}
	}
}

// The standard library names the client's address with a connection, and with a panic its value and a stack.
func TestWhatTheStandardLibraryLogsIsBoundedAndHasNoPersonalData(t *testing.T) {
	var out bytes.Buffer
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("anna.k@contoso.test") }))
	server.Config.ErrorLog = standard.New(standardLog{logger(&out, options{logFormat: "json"})}, "", 0)
	server.Start()
	for range 200 {
		if response, err := http.Get(server.URL); err == nil {
			response.Body.Close()
			t.Fatal("the panic was answered; this test would prove nothing")
		}
	}
	server.Close()
	if got := strings.Count(out.String(), "\n"); got != loglimit.Burst || !strings.Contains(out.String(), `"text":"http: panic serving"`) {
		t.Errorf("%d lines of 200 panics, want %d:\n%s", got, loglimit.Burst, out.String())
	}
	for _, personal := range []string{"anna.k", "127.0.0.1", "[::1]"} {
		if strings.Contains(out.String(), personal) {
			t.Errorf("the log has %q", personal)
		}
	}
}

// A value in the log must not steer the terminal of its reader.
func TestNoControlCharacterReachesTheProcessLogAsItIs(t *testing.T) {
	const hostile = "a\x1b[2J\nlevel=INFO msg=forged\u202e\u2028"
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		logger(&out, options{logFormat: format}).Error(errors.New(hostile), "a request failed", "value", hostile)
		if _, err := (standardLog{logger(&out, options{logFormat: format})}).Write([]byte("http: Accept error: \x1b[2J\u202e")); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); strings.ContainsAny(got, "\x1b\u202e\u2028") || strings.Count(got, "\n") != 2 {
			t.Errorf("%s: %q", format, got)
		}
	}
}
