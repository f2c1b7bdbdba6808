//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/tenantry/tenantry/test/testenv"
)

func main() {
	tenants := flag.String("tenants", "100,1000,2000", "`numbers` of tenants to measure at, growing")
	idle := flag.Duration("idle", time.Minute, "`duration` in which a settled operator must write nothing")
	results := flag.String("results", "", "keep the table in this `folder` too; empty for nowhere")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, clock.RealClock{}, os.Stdout, *tenants, *idle, *results)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, clock clock.PassiveClock, out io.Writer, sizes string, idle time.Duration, results string) error {
	var counts []int
	for text := range strings.SplitSeq(sizes, ",") {
		count, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || count < 1 || len(counts) > 0 && count <= counts[len(counts)-1] {
			return fmt.Errorf("-tenants must be growing numbers such as 100,1000, not %q", sizes)
		}
		counts = append(counts, count)
	}
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	folder, err := os.MkdirTemp("", "tenantry-scale")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(folder)
	binary := filepath.Join(folder, "operator")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./cmd/operator")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as `make images` does
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the operator: %w\n%s", err, out)
	}
	cluster, err := testenv.Start(ctx)
	defer func() { _ = cluster.Stop() }()
	if err != nil {
		return err
	}
	kubeconfig, err := writeKubeconfig(cluster, folder)
	if err != nil {
		return err
	}
	begin := clock.Now()
	table := &table{machine: machine(), loadBefore: loadAverage()}
	trial := &trial{clock: clock, cluster: cluster, binary: binary, kubeconfig: kubeconfig, idle: idle, table: table}
	if err := trial.run(ctx, counts); err != nil {
		return err
	}
	table.took = clock.Since(begin)
	if _, err := fmt.Fprint(out, table); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	if results == "" {
		return nil
	}
	path := filepath.Join(results, fmt.Sprintf("%s-operator-%d.md", begin.Format(time.DateOnly), counts[len(counts)-1]))
	if err := os.WriteFile(path, []byte(table.String()), 0o600); err != nil {
		return fmt.Errorf("keep the table: %w", err)
	}
	return nil
}
