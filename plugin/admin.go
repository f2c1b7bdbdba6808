package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	// headerTimeout is how long the server may take to begin an answer.
	headerTimeout = 30 * time.Second
	// maxRefusal bounds what is read of a refusal, in bytes.
	maxRefusal = 4 << 10
)

// adminPort asks the admin port of a tenant's server, which no route leads to.
type adminPort struct {
	*session
	client.Client

	tenant *v1alpha1.ProvisioningTenant
	token  string
}

// administer finds the tenant of that name and the token to ask its server with.
func (s *session) administer(ctx context.Context, b *bearer, name, given string) (*adminPort, error) {
	c, tenant, err := s.tenant(ctx, name)
	if err != nil {
		return nil, err
	}
	token, err := b.of(ctx, c, tenant, given)
	return &adminPort{s, c, tenant, token}, err
}

// refusal is an answer of the server that is no success.
type refusal struct {
	status int
	detail string
}

func (e *refusal) Error() string {
	return fmt.Sprintf("the tenant's server answers %d %s: %s", e.status, http.StatusText(e.status), e.detail)
}

// passing tells whether another try may do: who asks is not to blame for what went wrong.
func passing(err error) bool {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused.status == http.StatusServiceUnavailable || refused.status == http.StatusTooManyRequests
	}
	return !errors.Is(err, context.Canceled)
}

// get asks for something and returns what the server sends, for the caller to close.
func (a *adminPort) get(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	ctx, hangUp := context.WithCancel(ctx)
	body, err := a.ask(ctx, path, query)
	if err != nil {
		hangUp()
		return nil, err
	}
	return &connection{body, hangUp}, nil
}

// connection ends with what was forwarded for it.
type connection struct {
	io.ReadCloser
	hangUp context.CancelFunc
}

func (c *connection) Close() error {
	defer c.hangUp()
	return c.ReadCloser.Close()
}

func (a *adminPort) ask(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, (&url.URL{Path: path, RawQuery: query.Encode()}).String(), nil)
	if err != nil {
		return nil, err
	}
	return a.send(request, &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: headerTimeout})
}

// connectionError is why there is no answer, although a pod was found to ask.
type connectionError struct {
	pod string
	error
}

func (e *connectionError) Error() string { return fmt.Sprintf("ask pod %s: %s", e.pod, e.error) }

func (e *connectionError) Unwrap() error { return e.error }

// send has a request answered by a pod that is ready. The request's URL is a path and a query.
func (a *adminPort) send(request *http.Request, direct *http.Transport) (io.ReadCloser, error) {
	pod, err := a.pod(request.Context())
	if err != nil {
		return nil, err
	}
	config, err := a.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	if request.URL.Host, err = a.Forward(request.Context(), config, pod, v1alpha1.AdminPort); err != nil {
		return nil, err
	}
	request.URL.Scheme = "http"
	request.Header.Set("Authorization", "Bearer "+a.token)
	response, err := direct.RoundTrip(request)
	if err != nil {
		return nil, &connectionError{pod.Name, err}
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		detail, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
		return nil, &refusal{response.StatusCode, cmp.Or(clean(string(detail)), "it gives no reason")}
	}
	return response.Body, nil
}

// pod finds a pod of the tenant's server that is ready, the youngest.
func (a *adminPort) pod(ctx context.Context) (client.ObjectKey, error) {
	var pods corev1.PodList
	if err := a.List(ctx, &pods, client.InNamespace(a.tenant.Namespace), client.MatchingLabels{v1alpha1.TenantLabel: a.tenant.Name}); err != nil {
		return client.ObjectKey{}, fmt.Errorf("look for the pods of tenant %q: %w", a.tenant.Name, err)
	}
	ready := slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return !serves(&pod) })
	if len(ready) == 0 {
		return client.ObjectKey{}, fmt.Errorf("no server of tenant %q is ready; %s says why", a.tenant.Name, commandLine("describe", a.tenant, ""))
	}
	youngest := slices.MaxFunc(ready, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return client.ObjectKeyFromObject(&youngest), nil
}

// serves tells whether a pod is the server's and ready. A Job's that moves the directory has the server's labels.
func serves(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil || slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "Job" }) {
		return false
	}
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
