package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/tenantry/tenantry/scimserver/connections"
	"github.com/tenantry/tenantry/scimserver/protocol"
)

const (
	// idleTimeout is how long a connection is kept that nothing is asked on. It must be longer than any proxy keeps one: a server that
	// closes first may do so while the proxy sends a write, which is then answered 502. Google's load balancers keep 600 seconds,
	// Cloudflare 900, Envoy an hour, AWS 4,000 seconds at the most. A peer that is gone is noticed by TCP's keep-alive within minutes.
	idleTimeout = 70 * time.Minute
	// maxIdle is how many such connections are kept. With more, each answer asks its client to close, so that clients which never do cost no
	// more than 10 MiB: an idle connection takes 19 KiB (docs/operating.md), and 60 with the largest header that does not end. Proxies keep
	// as many as they had requests at once, at most.
	maxIdle = 500
	// maxWaiting is how many connections are kept whose request is not let in, or not there yet. With the largest header each takes 60 KiB.
	maxWaiting = 500
	// drainTimeout is how long requests that have begun may take after SIGTERM. The pod's grace period is longer.
	drainTimeout = 20 * time.Second
)

// serveUntil serves until ctx ends, and then lets requests that have begun finish. The context of each request is made of base.
func serveUntil(ctx, base context.Context, listener net.Listener, handler http.Handler) error {
	server := newServer(base, handler, connections.New(maxWaiting, maxIdle))
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

func newServer(base context.Context, handler http.Handler, bound *connections.Bound) *http.Server {
	server := &http.Server{
		BaseContext:       func(net.Listener) context.Context { return base },
		Handler:           handler,
		ReadHeaderTimeout: protocol.ReadTimeout,
		ReadTimeout:       protocol.ReadTimeout,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    32 << 10,
	}
	bound.Configure(server)
	return server
}
