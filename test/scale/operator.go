//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/tenantry/tenantry/test/testenv"
)

const (
	// ticksPerSecond is how often Linux counts processor time (USER_HZ).
	ticksPerSecond = 100
	poll           = 20 * time.Millisecond
	// lookEvery is how often the operator's metrics are read, which costs it processor time too.
	lookEvery = time.Second
	patience  = 15 * time.Minute
)

// writeKubeconfig gives the operator's process the rights of its ServiceAccount.
func writeKubeconfig(cluster *testenv.Cluster, folder string) (string, error) {
	config := cluster.AsServiceAccount(testenv.OperatorNamespace, testenv.OperatorAccount)
	kubeconfig := api.Config{
		Clusters: map[string]*api.Cluster{"scale": {Server: config.Host, CertificateAuthorityData: config.CAData}},
		AuthInfos: map[string]*api.AuthInfo{"scale": {
			ClientCertificateData: config.CertData, ClientKeyData: config.KeyData,
			Impersonate: config.Impersonate.UserName, ImpersonateGroups: config.Impersonate.Groups,
		}},
		Contexts:       map[string]*api.Context{"scale": {Cluster: "scale", AuthInfo: "scale"}},
		CurrentContext: "scale",
	}
	path := filepath.Join(folder, "kubeconfig")
	if err := clientcmd.WriteToFile(kubeconfig, path); err != nil {
		return "", fmt.Errorf("write a kubeconfig: %w", err)
	}
	return path, nil
}

// operator is the operator as a process.
type operator struct {
	command *exec.Cmd
	metrics string
	said    bytes.Buffer
	ended   chan error
}

func startOperator(ctx context.Context, binary, kubeconfig string) (*operator, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	o := &operator{metrics: "http://" + address + "/metrics", ended: make(chan error, 1)}
	o.command = exec.CommandContext(ctx, binary,
		"--server-image=scimserver:scale", "--base-domain=scim.test", "--lease-namespace="+testenv.OperatorNamespace,
		"--metrics-bind-address="+address, "--metrics-secure=false", "--health-probe-bind-address=0", "--log-level=warn")
	o.command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	o.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	o.command.Stderr = &o.said
	o.command.Cancel = func() error { return o.command.Process.Signal(syscall.SIGTERM) }
	if err := o.command.Start(); err != nil {
		return nil, fmt.Errorf("start the operator: %w", err)
	}
	go func() { o.ended <- o.command.Wait() }()
	return o, nil
}

func (o *operator) stop() {
	_ = o.command.Process.Signal(syscall.SIGTERM)
	if err := <-o.ended; err != nil {
		fmt.Fprintln(os.Stderr, "scale: the operator ended with", err)
	}
}

// usage is what the process has used: processor time, and memory now.
type usage struct {
	cpu    time.Duration
	memory float64 // MiB
}

func (o *operator) usage() (usage, error) {
	pid := o.command.Process.Pid
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, fmt.Errorf("read the operator's processor time: %w\n%s", err, &o.said)
	}
	_, after, _ := bytes.Cut(stat, []byte(") "))
	fields := strings.Fields(string(after))
	var ticks int64
	for _, at := range []int{11, 12} { // utime and stime, counted from the state
		n, err := strconv.ParseInt(fields[at], 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("read the operator's processor time: %w", err)
		}
		ticks += n
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}, fmt.Errorf("read the operator's memory: %w", err)
	}
	var kib float64
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				return usage{}, fmt.Errorf("read the operator's memory: %w", err)
			}
		}
	}
	return usage{time.Duration(ticks) * time.Second / ticksPerSecond, kib / 1024}, nil
}

// counted are figures of the operator's metrics.
type counted struct {
	patches    float64 // applies and status patches; events are POSTs
	reads      float64 // GETs, of which the watches and lists of caches are a few
	reconciles float64
	waiting    float64 // in work queues, and being worked on
}

func (o *operator) counted(ctx context.Context) (counted, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.metrics, http.NoBody)
	if err != nil {
		return counted{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return counted{}, err
	}
	defer response.Body.Close()
	families, err := readMetrics(response.Body)
	if err != nil {
		return counted{}, err
	}
	return counted{
		patches:    sum(families["rest_client_requests_total"], "method", "PATCH"),
		reads:      sum(families["rest_client_requests_total"], "method", "GET"),
		reconciles: sum(families["controller_runtime_reconcile_total"], "controller", "provisioningtenant"),
		waiting: sum(families["workqueue_depth"], "name", "provisioningtenant") +
			sum(families["controller_runtime_active_workers"], "controller", "provisioningtenant"),
	}, nil
}

func readMetrics(body io.Reader) (map[string]*dto.MetricFamily, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(body)
	if err != nil {
		return nil, fmt.Errorf("read the operator's metrics: %w", err)
	}
	return families, nil
}

func sum(family *dto.MetricFamily, label, value string) float64 {
	total := 0.0
	for _, metric := range family.GetMetric() {
		for _, pair := range metric.GetLabel() {
			if pair.GetName() == label && pair.GetValue() == value {
				total += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
			}
		}
	}
	return total
}

// settled waits until the operator has nothing to do, having reconciled at least so often.
func (o *operator) settled(ctx context.Context, atLeast float64) (counted, error) {
	var last counted
	quiet := 0
	err := wait.PollUntilContextTimeout(ctx, lookEvery, patience, true, func(ctx context.Context) (bool, error) {
		select {
		case err := <-o.ended:
			return false, errors.Join(fmt.Errorf("the operator ended:\n%s", &o.said), err)
		default:
		}
		now, err := o.counted(ctx)
		if err != nil {
			return false, nil //nolint:nilerr // it does not serve its metrics yet
		}
		if now.waiting == 0 && now.reconciles >= atLeast && now == last {
			quiet++
		} else {
			quiet = 0
		}
		last = now
		return quiet >= 2, nil
	})
	if err != nil {
		return last, fmt.Errorf("wait until the operator has settled: %w", err)
	}
	return last, nil
}
