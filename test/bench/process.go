//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// build builds the server as `make images` does.
func build(ctx context.Context, folder string) (string, error) {
	path := filepath.Join(folder, "scimserver")
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/scimserver")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, out)
	}
	return path, nil
}

// process is a server that runs: ours, or the bare one.
type process struct {
	command *exec.Cmd
	url     string
	started time.Duration // from its start to its first answer that it is ready
	ended   chan struct{}
	said    bytes.Buffer // read it when ended is closed
}

// launch starts a program that logs its addresses, and returns when it is ready.
func launch(ctx context.Context, program string, args ...string) (*process, error) {
	p := &process{command: exec.CommandContext(ctx, program, args...), ended: make(chan struct{})}
	stderr, err := p.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	addresses := make(chan [2]string, 1)
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(io.TeeReader(stderr, &p.said))
		for lines.Scan() {
			var line struct{ Msg, Clients, Admin string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == serving {
				addresses <- [2]string{line.Clients, line.Admin}
			}
		}
		_ = p.command.Wait()
	}()
	select {
	case at := <-addresses:
		p.url = "http://" + at[0]
		err = awaitReady(ctx, "http://"+at[1]+v1alpha1.ReadyPath)
	case <-p.ended:
		return nil, fmt.Errorf("the server ended at its start:\n%s", &p.said)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("wait for the server: %w\n%s", err, &p.said)
	}
	p.started = time.Since(begin)
	return p, nil
}

// serving is the log line that has the addresses.
const serving = "serving"

func awaitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(500 * time.Microsecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stop ends the process and waits until it is gone.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	<-p.ended
}

// memory is what the process has in memory now, and had at most, in MiB.
func (p *process) memory() (now, most float64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		if err != nil {
			continue
		}
		switch name {
		case "VmRSS":
			now = kib / 1024
		case "VmHWM":
			most = kib / 1024
		}
	}
	return now, most, nil
}

// rest watches the memory of a process that has nothing to do until it has not fallen for so long.
func (p *process) rest(ctx context.Context, quiet time.Duration) (least float64, err error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	fell := time.Now()
	for time.Since(fell) < quiet {
		now, _, err := p.memory()
		if err != nil {
			return 0, err
		}
		if least == 0 || now < least-0.05 {
			least, fell = now, time.Now()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return least, nil
}

// machine describes where the run takes place.
func machine(folder string) string {
	model, memory := "unknown processor", ""
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(data), "model name"); ok {
			line, _, _ := strings.Cut(rest, "\n")
			model = strings.Trim(line, "\t :")
		}
	}
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		memory = fmt.Sprintf("%d GiB", (info.Totalram*uint64(info.Unit)+1<<29)>>30)
	}
	kind := "a disk"
	var disk syscall.Statfs_t
	const tmpfs = 0x01021994
	if syscall.Statfs(folder, &disk) == nil && disk.Type == tmpfs {
		kind = "memory (tmpfs), so that durable writes cost nothing here"
	}
	return fmt.Sprintf("%d cores (%s), %s, %s, data on %s; load average before %s", cores(), model, memory, goVersion(), kind, load())
}

// load is the load average of the last minute.
func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(data), " ")
	return first
}
