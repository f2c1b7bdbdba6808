package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// idleTimeout is how long a connection is kept that nothing is asked on. It must be longer than any proxy keeps one: a server that
	// closes first may do so while the proxy sends a write, which is then answered 502. Google's load balancers keep 600 seconds,
	// Cloudflare 900, Envoy an hour, AWS 4,000 seconds at the most. A peer that is gone is noticed by TCP's keep-alive within minutes.
	idleTimeout = 70 * time.Minute
	// maxIdle is how many such connections are kept. With more, each answer asks its client to close, so that clients which never do cost no
	// more than 20 MiB: an idle connection takes 19 KiB (docs/operating.md). Proxies keep as many as they had requests at once, at most.
	maxIdle = 1000
	// drainTimeout is how long requests that have begun may take after SIGTERM. The pod's grace period is longer.
	drainTimeout = 20 * time.Second
)

// serveUntil serves until ctx ends, and then lets requests that have begun finish. The context of each request is made of base.
func serveUntil(ctx, base context.Context, listener net.Listener, handler http.Handler) error {
	server := newServer(base, handler, &idleConnections{most: maxIdle})
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	// Shutdown closes idle connections at once, and the others with their answer, which says Connection: close.
	if err := server.Shutdown(drain); err != nil {
		return fmt.Errorf("finish the requests that had begun: %w", err)
	}
	return nil
}

func newServer(base context.Context, handler http.Handler, idle *idleConnections) *http.Server {
	return &http.Server{
		BaseContext:       func(net.Listener) context.Context { return base },
		Handler:           idle.bounded(handler),
		ConnState:         idle.follow,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    32 << 10,
	}
}

// idleConnections are the connections that wait for their next request.
type idleConnections struct {
	most int

	mu   sync.Mutex
	idle map[net.Conn]struct{}
}

// follow is the hook of an http.Server that tells what becomes of each connection.
func (c *idleConnections) follow(connection net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state != http.StateIdle {
		delete(c.idle, connection)
		return
	}
	if c.idle == nil {
		c.idle = map[net.Conn]struct{}{}
	}
	c.idle[connection] = struct{}{}
}

func (c *idleConnections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.idle)
}

// bounded lets no connection become idle while there are enough of them.
func (c *idleConnections) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.count() >= c.most {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
