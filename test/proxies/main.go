//go:build linux

// Command proxies runs the recipes of docs/exposure.md: each real proxy with its recipe before a real server, on 127.0.0.1 and in a
// folder that is removed at the end. It prints a table, and ends with 1 where a recipe does not hold.
//
// It needs Debian and root, to fetch the proxies' packages, which it unpacks and does not install. `make proxies` runs it.
package main

import (
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	only := flag.String("only", "", "run the proxies whose name begins with this `word`")
	idle := flag.Duration("idle", 125*time.Second, "how long connections are idle: longer than each proxy keeps one to the server")
	flag.Parse()
	log.SetLogger(logr.Discard()) // or the plugin's client complains that nobody has set one
	if err := run(ctx, *only, *idle); err != nil {
		fmt.Fprintln(os.Stderr, "proxies:", err)
		os.Exit(1)
	}
}

// run makes the table. The steps that change the server itself come last and are taken by all proxies at once.
func run(ctx context.Context, only string, idle time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	folder, err := os.MkdirTemp("", "tenantry-proxies-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := os.Chmod(folder, 0o755); err != nil {
		return err
	}
	authorities, err := certificate(folder)
	if err != nil {
		return err
	}
	programs, err := fetch(ctx, folder)
	if err != nil {
		return err
	}
	server, err := newServer(ctx, folder)
	if err != nil {
		return err
	}
	var columns []*column
	defer func() {
		for _, c := range columns {
			c.running.stop()
		}
		server.stop()
	}()
	for _, p := range proxies() {
		if !strings.HasPrefix(strings.ToLower(p.name), strings.ToLower(only)) {
			continue
		}
		started, err := p.start(ctx, programs, server.address, filepath.Join(folder, fmt.Sprintf("run-%d", len(columns))))
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		c := newColumn(p, started, server, authorities, filepath.Join(folder, "tls", "wingtip.crt"))
		columns = append(columns, c)
		if err := c.begins(ctx); err != nil {
			return err
		}
	}
	for _, c := range columns {
		fmt.Fprintln(os.Stderr, c.proxy.name)
		c.walk(ctx)
	}
	if err := server.together(ctx, columns, idle); err != nil {
		return err
	}
	write(os.Stdout, programs, columns)
	var failed []error
	for _, c := range columns {
		failed = append(failed, c.verdict())
	}
	return errors.Join(failed...)
}

// all runs a step of every column at the same time.
func all(columns []*column, step func(*column)) {
	var group sync.WaitGroup
	for _, c := range columns {
		group.Go(func() { step(c) })
	}
	group.Wait()
}

func pool(pem []byte) *x509.CertPool {
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(pem)
	return authorities
}
