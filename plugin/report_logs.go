package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	// maxText bounds what is read of one log or answer, in bytes.
	maxText = 8 << 20
	// askTimeout bounds one answer about a pod.
	askTimeout = 30 * time.Second
)

// operator adds what there is about the operators: of that namespace, or of those that the tenants or the cluster name.
func (b *bundle) operator(ctx context.Context, namespace string, tenants []v1alpha1.ProvisioningTenant, fit func(line string) bool) {
	deployments, err := findOperators(ctx, b.Client, namespace, tenants)
	if err == nil && len(deployments) == 0 {
		err = errors.New(noOperator)
	}
	if err != nil {
		b.unread = append(b.unread, unread{"the operator", err})
		return
	}
	seen := map[string]bool{}
	for i := range deployments {
		at := deployments[i].Namespace
		if seen[at] {
			continue
		}
		seen[at] = true
		in, ours := client.InNamespace(at), client.MatchingLabels{v1alpha1.NameLabel: v1alpha1.OperatorName}
		pods := b.list(ctx, kind("v1", "Pod"), nil, in, ours)
		b.add("operator/"+at+"/deployment.yaml", "each Deployment of the operator in namespace "+at,
			b.list(ctx, kind("apps/v1", "Deployment"), nil, in, ours)...)
		b.add("operator/"+at+"/pod.yaml", "each Pod of the operator in namespace "+at, pods...)
		b.add("operator/"+at+"/lease.yaml", "the Lease by which a leader is elected",
			b.get(ctx, kind("coordination.k8s.io/v1", "Lease"), at, v1alpha1.LeaderLease))
		b.add("operator/"+at+"/events.yaml", "events of the operator's pods", b.list(ctx, kind("v1", "Event"), func(u *unstructured.Unstructured) bool {
			about, _, _ := unstructured.NestedString(u.Object, "involvedObject", "name")
			return strings.HasPrefix(about, deployments[i].Name)
		}, in)...)
		for _, pod := range b.podsOf(pods) {
			b.logs(ctx, &pod, "operator/"+at+"/", fit)
		}
	}
}

// logs adds the ends of the logs of a pod's containers, and those of the run before where one ended.
func (b *bundle) logs(ctx context.Context, pod *corev1.Pod, below string, fit func(line string) bool) {
	b.redact.Know(pod.Name)
	for _, container := range pod.Spec.Containers {
		runs := []bool{false}
		for _, status := range pod.Status.ContainerStatuses {
			if status.Name == container.Name && status.RestartCount > 0 {
				runs = append(runs, true)
			}
		}
		for _, previous := range runs {
			name := below + "logs/" + pod.Name + "." + container.Name
			about := fmt.Sprintf("the last %d lines of container %s of pod %s", b.tail, container.Name, pod.Name)
			if previous {
				name, about = name+".previous", about+", of the run before"
			}
			lines, err := b.log(ctx, pod, container.Name, previous)
			switch waits, never := neverRan(pod, container.Name); {
			case err != nil && never:
				b.missing = append(b.missing, fmt.Sprintf("a log of container %s of pod %s: it has not run yet%s", container.Name, pod.Name, waits))
				continue
			case err != nil:
				b.lacks(about, err)
				continue
			}
			shown := textFile{name: name + ".log", about: about, show: b.redact.Line}
			for _, line := range lines {
				if fit(line) {
					shown.lines = append(shown.lines, line)
				}
			}
			if left := len(lines) - len(shown.lines); left > 0 {
				shown.about += fmt.Sprintf("; %d about other tenants were left out", left)
			}
			b.texts = append(b.texts, shown)
		}
	}
}

// neverRan tells whether a container has not been started yet, and for what it waits, in brackets; "" where nobody says.
func neverRan(pod *corev1.Pod, container string) (waits string, never bool) {
	at := slices.IndexFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == container })
	if at < 0 {
		return "", true
	}
	status := pod.Status.ContainerStatuses[at]
	if status.State.Waiting != nil && status.State.Waiting.Reason != "" {
		waits = " (" + status.State.Waiting.Reason + ")"
	}
	return waits, status.State.Running == nil && status.State.Terminated == nil && status.LastTerminationState.Terminated == nil
}

// log reads the end of a log.
func (b *bundle) log(ctx context.Context, pod *corev1.Pod, container string, previous bool) ([]string, error) {
	asked, err := rest.HTTPClientFor(b.config)
	if err != nil {
		return nil, err
	}
	base, _, err := rest.DefaultServerUrlFor(b.config)
	if err != nil {
		return nil, err
	}
	at := base.JoinPath("api/v1/namespaces", pod.Namespace, "pods", pod.Name, "log")
	at.RawQuery = url.Values{"container": {container}, "tailLines": {strconv.Itoa(b.tail)}, "previous": {strconv.FormatBool(previous)}}.Encode()
	text, status, err := fetch(ctx, asked, at.String())
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the API server answers %d %s", status, http.StatusText(status))
	}
	return strings.Split(strings.TrimRight(text, "\n"), "\n"), err
}

// fetch reads an answer, of which the end is left out where it is too long.
func fetch(ctx context.Context, by *http.Client, from string) (text string, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return "", 0, err
	}
	answered, err := by.Do(request)
	if err != nil {
		return "", 0, err
	}
	defer answered.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answered.Body, maxText))
	return string(content), answered.StatusCode, err
}

// admin adds what a server says of itself, without a token, on its admin port.
func (b *bundle) admin(ctx context.Context, pod *corev1.Pod) {
	if pod.Status.Phase != corev1.PodRunning || containerOf(pod.Spec, v1alpha1.ServerContainer) == nil {
		return
	}
	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	what := "the readiness and the metrics of pod " + pod.Name
	if b.Forward == nil {
		b.lacks(what, errors.New("no port can be forwarded"))
		return
	}
	host, err := b.Forward(ctx, b.config, client.ObjectKeyFromObject(pod), v1alpha1.AdminPort)
	if err != nil {
		b.lacks(what, err)
		return
	}
	direct := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, show := range map[string]func(string) string{v1alpha1.ReadyPath: b.redact.Text, v1alpha1.MetricsPath: b.redact.Metric} {
		text, status, err := fetch(ctx, direct, "http://"+host+path)
		if err != nil {
			b.lacks(path+" of pod "+pod.Name, err)
			continue
		}
		b.texts = append(b.texts, textFile{
			name: "server/" + pod.Name + path + ".txt", about: fmt.Sprintf("what pod %s answers to %s, with status %d", pod.Name, path, status),
			lines: strings.Split(strings.TrimRight(text, "\n"), "\n"), show: show,
		})
	}
}

var (
	namesTenant    = regexp.MustCompile(`"(?:ProvisioningTenant|UserDefaults)":\{"name":"([^"]*)","namespace":"([^"]*)"\}|ProvisioningTenant\.name=(\S+)`)
	namesNamespace = regexp.MustCompile(`"namespace":"([^"]*)"|\bnamespace=(\S+)`)
)

// concerns tells whether a line of the operator's log is about the tenant or about none.
func concerns(line string, tenant *v1alpha1.ProvisioningTenant) bool {
	if found := namesNamespace.FindStringSubmatch(line); found != nil && cmp.Or(found[1], found[2]) != tenant.Namespace {
		return false
	}
	found := namesTenant.FindStringSubmatch(line)
	return found == nil || strings.Contains(found[0], "UserDefaults") || cmp.Or(found[1], found[3]) == tenant.Name
}
