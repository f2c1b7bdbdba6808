package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/connections"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/test/race"
)

// A proxy that finds a kept connection closed while it sends a write answers 502. So it must be the first to give one up.
func TestIdleConnectionsAreKeptLongerThanAnyLoadBalancerKeepsThem(t *testing.T) {
	server := newServer(t.Context(), http.NotFoundHandler(), connections.New(maxWaiting, maxIdle))
	for name, keeps := range map[string]time.Duration{
		"nginx": 60 * time.Second, "Traefik": 90 * time.Second, "Caddy": 2 * time.Minute, "Oracle": 300 * time.Second,
		"Google, which asks for 620 seconds": 620 * time.Second, "Cloudflare": 900 * time.Second, "Envoy": time.Hour, "AWS at the most": 4000 * time.Second,
	} {
		if server.IdleTimeout <= keeps {
			t.Errorf("%s keeps a connection for %v, and the server for %v", name, keeps, server.IdleTimeout)
		}
	}
	if server.ReadHeaderTimeout > time.Minute || server.ReadTimeout > time.Minute || server.WriteTimeout > 2*time.Minute {
		t.Error("a request may take as long as an idle connection is kept")
	}
	if server.ReadTimeout != protocol.ReadTimeout || server.ReadHeaderTimeout != server.ReadTimeout {
		t.Error("small bodies have other time than package protocol counts on, or cost a deadline of their own")
	}
}

// client is a connection that asks again and again.
type client struct {
	*testing.T
	net.Conn
	reader *bufio.Reader
}

func dial(t *testing.T, address net.Addr) *client {
	t.Helper()
	var dialer net.Dialer
	connection, err := dialer.DialContext(t.Context(), "tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return &client{t, connection, bufio.NewReader(connection)}
}

func (c *client) ask(path string) {
	c.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		c.Fatal(err)
	}
}

// answer reads an answer and returns whether it says that the connection is closed.
func (c *client) answer() (closes bool) {
	c.Helper()
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		c.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		c.Fatal(err)
	}
	return response.Close
}

// wantClosed waits until the server has closed the connection.
func (c *client) wantClosed() {
	c.Helper()
	if _, err := c.reader.ReadByte(); !errors.Is(err, io.EOF) {
		c.Errorf("the connection gave %v, want its end", err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func TestTheEndClosesIdleConnectionsAndTellsTheOthers(t *testing.T) {
	race.Meets(t)
	listener := listen(t)
	began, finish := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(began)
			<-finish
		}
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serveUntil(ctx, context.WithoutCancel(ctx), listener, handler) }()

	idle, busy := dial(t, listener.Addr()), dial(t, listener.Addr())
	for range 2 { // the second on the same connection
		idle.ask("/")
		if idle.answer() {
			t.Fatal("a connection is closed that should be kept")
		}
	}
	busy.ask("/slow")
	<-began
	stop()
	idle.wantClosed() // at once, while another request is still worked on
	select {
	case err := <-ended:
		t.Fatalf("the server ended before its request: %v", err)
	default:
	}
	close(finish)
	if !busy.answer() {
		t.Error("an answer during the end does not say Connection: close")
	}
	busy.wantClosed()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestNoMoreIdleConnectionsAreKeptThanAreWorthTheirMemory(t *testing.T) {
	race.Meets(t)
	listener := listen(t)
	bound := connections.New(maxWaiting, 2)
	server := newServer(t.Context(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), bound)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	wait := func(count int) { // the server learns of it after the client
		t.Helper()
		for bound.Idle() != count {
			if t.Context().Err() != nil {
				t.Fatalf("there are %d idle connections, want %d", bound.Idle(), count)
			}
			runtime.Gosched()
		}
	}
	first, second, third := dial(t, listener.Addr()), dial(t, listener.Addr()), dial(t, listener.Addr())
	for i, kept := range []*client{first, second} {
		kept.ask("/")
		if kept.answer() {
			t.Error("a connection is closed while there are fewer than two")
		}
		wait(i + 1)
	}
	third.ask("/")
	if !third.answer() {
		t.Fatal("a third connection is kept")
	}
	third.wantClosed()
	wait(2)
	first.ask("/") // one of those that are kept goes on
	if first.answer() {
		t.Error("a connection that was kept is closed although only one other is idle")
	}
	wait(2)
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	wait(1)
	fourth := dial(t, listener.Addr())
	fourth.ask("/")
	if fourth.answer() {
		t.Error("a connection is closed although another one has gone")
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	wait(0)
}
