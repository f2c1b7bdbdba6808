//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// server is the SCIM server behind the proxies, with the samples as its manifests.
type server struct {
	program, folder string
	address         string
	token           string
	command         *exec.Cmd
}

// restart is how long the server is away when it restarts.
const restart = 3 * time.Second

func newServer(ctx context.Context, folder string) (*server, error) {
	s := &server{program: filepath.Join(folder, "scimserver"), folder: folder}
	if _, err := output(ctx, "go", "build", "-o", s.program, "./cmd/scimserver"); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s.address = "127.0.0.1:" + port
	if err := os.CopyFS(filepath.Join(folder, "manifests"), os.DirFS("config/samples")); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	token, err := os.ReadFile(filepath.Join(folder, "data", "contoso.token"))
	s.token = strings.TrimSpace(string(token))
	return s, errors.Join(err, s.await(ctx, http.StatusOK))
}

func (s *server) start(ctx context.Context) error {
	s.command = exec.CommandContext(ctx, s.program, "--manifests", filepath.Join(s.folder, "manifests"), "--tenant", "contoso",
		"--data", filepath.Join(s.folder, "data"), "--listen", s.address, "--admin-listen", "127.0.0.1:0")
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.command.Start(); err != nil {
		return err
	}
	return s.await(ctx, http.StatusUnauthorized)
}

func (s *server) stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	_ = s.command.Wait()
}

// await waits until the server, asked directly, answers with this status; without a token it is asked where there is none yet.
func (s *server) await(ctx context.Context, status int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+v1alpha1.BasePath+"/ServiceProviderConfig", http.NoBody)
		if err != nil {
			return err
		}
		if status != http.StatusUnauthorized {
			request.Header.Set("Authorization", "Bearer "+s.token)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode == status {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer %d", status)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// with lets the tenant's spec have more lines while all columns take a step. It waits until the server answers with a status, before and after.
func (s *server) with(ctx context.Context, lines string, status int, step func()) error {
	path := filepath.Join(s.folder, "manifests", "contoso.yaml")
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	after := strings.Replace(string(before), "  displayName: Contoso Ltd\n", "  displayName: Contoso Ltd\n"+lines, 1)
	if err := os.WriteFile(path, []byte(after), 0o600); err != nil {
		return err
	}
	if err := s.await(ctx, status); err != nil {
		return err
	}
	step()
	return errors.Join(os.WriteFile(path, before, 0o600), s.await(ctx, http.StatusOK))
}

// together takes the steps that concern the server itself, all columns at once.
func (s *server) together(ctx context.Context, columns []*column, idle time.Duration) error {
	if err := s.with(ctx, "  rateLimit: {requestsPerSecond: 1, burst: 1}\n", http.StatusTooManyRequests, func() {
		for _, c := range columns {
			c.passes(ctx, "429 with Retry-After", http.StatusTooManyRequests)
		}
	}); err != nil {
		return err
	}
	if err := s.with(ctx, "  provisioning: {state: Suspended}\n", http.StatusServiceUnavailable, func() {
		all(columns, func(c *column) { c.passes(ctx, "503 with Retry-After", http.StatusServiceUnavailable) })
	}); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "idle for", idle)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(idle):
	}
	all(columns, func(c *column) { c.creates(ctx, fmt.Sprintf("create after %s without a request", idle), "idle") })

	s.stop()
	var started error
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-ctx.Done():
			started = ctx.Err()
		case <-time.After(restart):
			started = s.start(ctx)
		}
	}()
	all(columns, func(c *column) { c.bridges(ctx) })
	<-done
	if started != nil {
		return started
	}
	all(columns, func(c *column) { c.recovers(ctx) })
	return nil
}
