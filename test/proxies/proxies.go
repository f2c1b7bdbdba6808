//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// proxy is one column of the table.
type proxy struct {
	name string
	// pkg is the package whose version stands in the table.
	pkg, recipe, around string
	// compress are pairs: what stands in the recipe, and with what it is replaced to compress SCIM.
	compress []string
	// security is what takes the place of @RULES@, with exceptions before the rules.
	security, exceptions string
	args                 func(p *programs, at place) []string
	// waits tells that the recipe has the proxy wait for a server that restarts.
	waits bool
	// refuses tells that this one is there to show what it refuses.
	refuses bool
}

func proxies() []proxy {
	apache := proxy{
		name: "Apache", pkg: "apache2", recipe: "apache.conf", around: "apache.conf",
		args: func(p *programs, at place) []string {
			return []string{p.root + "/usr/sbin/apache2", "-DFOREGROUND", "-f", at.file("conf")}
		},
	}
	plain, excepted := apache, apache
	plain.name, plain.pkg, plain.security, plain.refuses = "Core Rule Set as it comes", "modsecurity-crs", mustRead("around/core-rule-set.conf"), true
	excepted.name, excepted.pkg, excepted.security = "Core Rule Set with the recipe", plain.pkg, plain.security
	excepted.exceptions = mustRead("recipes/core-rule-set.conf")
	return []proxy{{
		name: "nginx", pkg: "nginx", recipe: "nginx.conf", around: "nginx.conf",
		args: func(p *programs, at place) []string {
			return []string{p.root + "/usr/sbin/nginx", "-p", at.folder, "-c", at.file("conf")}
		},
	}, {
		name: "HAProxy", pkg: "haproxy", recipe: "haproxy.cfg", waits: true,
		compress: []string{"mode http\n", "mode http\n    compression algo gzip\n    compression type application/scim+json\n"},
		args: func(p *programs, at place) []string {
			return []string{p.root + "/usr/sbin/haproxy", "-db", "-f", at.file("conf")}
		},
	}, {
		name: "Caddy", pkg: "caddy", recipe: "Caddyfile", around: "Caddyfile",
		// Its certificate would come from a public authority.
		compress: []string{"example.com {\n", "example.com:@PORT@ {\n\ttls @TLS@/wingtip.crt @TLS@/wingtip.key\n" +
			"\tencode {\n\t\tgzip\n\t\tmatch header Content-Type application/scim+json*\n\t}\n"},
		args: func(p *programs, at place) []string {
			return []string{p.root + "/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", at.file("conf")}
		},
	}, apache, {
		name: "Traefik", pkg: "traefik", recipe: "traefik.yaml", waits: true,
		compress: []string{"  middlewares:\n", "  middlewares:\n    smaller: {compress: {minResponseBodyBytes: 1}}\n"},
		args: func(p *programs, at place) []string {
			return []string{
				p.traefik, "--entryPoints.websecure.address=127.0.0.1:" + at.port,
				"--entryPoints.websecure.http.middlewares=smaller@file", "--providers.file.filename=" + at.file("conf.yaml"),
			}
		},
	}, plain, excepted}
}

// running is a proxy that runs.
type running struct {
	url     string
	command *exec.Cmd
	said    *bytes.Buffer
	ended   chan struct{}
}

// start runs a proxy with its recipe.
func (p proxy) start(ctx context.Context, programs *programs, server, folder string) (*running, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	if err := os.Chmod(folder, 0o777); err != nil { // the workers of a proxy are another user
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	at := place{folder: folder, root: programs.root, port: port}
	for _, name := range []string{"conf", "conf.yaml"} { // Traefik goes by the name's end
		if err := os.WriteFile(at.file(name), []byte(p.configuration(at, server)), 0o644); err != nil {
			return nil, err
		}
	}
	args := p.args(programs, at)
	r := &running{
		url: "https://localhost:" + port, command: exec.CommandContext(ctx, args[0], args[1:]...), said: &bytes.Buffer{}, ended: make(chan struct{}),
	}
	libraries, err := filepath.Glob(programs.root + "/usr/lib/*-linux-gnu")
	if err != nil {
		return nil, err
	}
	r.command.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"), "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	r.command.Stdout, r.command.Stderr = r.said, r.said
	r.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	r.command.Cancel = func() error { return syscall.Kill(-r.command.Process.Pid, syscall.SIGTERM) }
	if err := r.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(r.ended)
		_ = r.command.Wait()
	}()
	return r, r.await("127.0.0.1:" + port)
}

// await waits until the proxy listens.
func (r *running) await(address string) error {
	deadline := time.After(30 * time.Second)
	for {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return connection.Close()
		}
		select {
		case <-r.ended:
			return fmt.Errorf("it ended:\n%s", r.said)
		case <-deadline:
			r.stop()
			return errors.New("it does not listen")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the proxy with its workers.
func (r *running) stop() {
	_ = syscall.Kill(-r.command.Process.Pid, syscall.SIGTERM)
	select {
	case <-r.ended:
	case <-time.After(10 * time.Second):
	}
	_ = syscall.Kill(-r.command.Process.Pid, syscall.SIGKILL)
	<-r.ended
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}
