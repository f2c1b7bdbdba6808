//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// process is a program that runs until it is stopped.
type process struct {
	command *exec.Cmd
	said    *words
	ended   chan struct{}
}

// words is what a program says, and may be read while it speaks.
type words struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// end is what was said last.
func (w *words) end() string {
	text := w.String()
	return text[max(0, len(text)-500):]
}

// start runs a program in the background until the scene ends.
func (s *scene) start(ctx context.Context, args ...string) (*process, error) {
	return s.startAs(ctx, nil, args...)
}

// startUnprivileged does so as the user who owns PostgreSQL's data: PgBouncer and PostgreSQL refuse to be run by root.
func (s *scene) startUnprivileged(ctx context.Context, args ...string) (*process, error) {
	who, err := owner()
	if err != nil {
		return nil, err
	}
	return s.startAs(ctx, who, args...)
}

// owner is the user who owns PostgreSQL's data, nil for the one who runs this.
func owner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nobody else
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

func (s *scene) startAs(ctx context.Context, who *syscall.Credential, args ...string) (*process, error) {
	p := &process{command: exec.CommandContext(ctx, args[0], args[1:]...), said: &words{}, ended: make(chan struct{})}
	p.command.Env = append(append(os.Environ(), s.programs.environment()...), "HOME="+s.folder) // Patroni writes there
	p.command.Dir = s.folder
	p.command.Stdout, p.command.Stderr = p.said, p.said
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: who}
	p.command.WaitDelay = time.Second // what Patroni leaves behind holds its output
	p.command.Cancel = func() error { return p.command.Process.Signal(syscall.SIGTERM) }
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait()
	}()
	s.ends(p.stop)
	return p, nil
}

// stop ends the program as a service manager would.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		p.kill()
	}
}

// kill ends it without a word.
func (p *process) kill() {
	_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// listens waits until something takes connections at an address.
func (p *process) listens(ctx context.Context, address string) error {
	err := await(ctx, 30*time.Second, func() bool {
		select {
		case <-p.ended:
			return true
		default:
		}
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	})
	select {
	case <-p.ended:
		return fmt.Errorf("%s ended: %s", p.command.Path, p.said.end())
	default:
	}
	if err != nil {
		return fmt.Errorf("%s does not listen: %s", p.command.Path, p.said.end())
	}
	return nil
}

// freePorts returns addresses of 127.0.0.1 that nobody listens on.
func freePorts(count int) (addresses []string, err error) {
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() //nolint:revive // all are held until all are known
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}
