package testenv

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers"
)

// BaseDomain of operators made by StartOperator.
const BaseDomain = "scim.test"

// Options are those of an operator in tests: filters are valid unless they contain "invalid", attributes likewise.
func Options(authority string) controllers.Options {
	refuse := func(text string) error {
		if strings.Contains(text, "invalid") {
			return fmt.Errorf("%q is not valid", text)
		}
		return nil
	}
	return controllers.Options{
		ServerImage:    "scimserver:test",
		BaseDomain:     BaseDomain,
		EntraAuthority: authority,
		Concurrency:    2,
		MaxUpgrades:    10,
		LeaseNamespace: OperatorNamespace, HostReservation: 24 * time.Hour, RecheckHosts: 100 * time.Millisecond,
		// Often, so that no test waits long for it.
		RecheckGatewayAPI: 100 * time.Millisecond, RecheckOperators: 100 * time.Millisecond, RecheckSecrets: time.Second, RecheckCRDs: time.Second,
		// Hardly ever: a test that gives the cluster another DNS must not change the tenants of others.
		RecheckClusterPorts: time.Hour,
		CheckFilter:         func(_ v1alpha1.Schema, filter string) error { return refuse(filter) },
		CheckAttribute: func(_ v1alpha1.Schema, path, value string) error {
			if err := refuse(path); err != nil {
				return err
			}
			return refuse(value)
		},
		HTTP:   http.DefaultClient,
		Random: rand.Reader,
		Clock:  clock.RealClock{},
	}
}

// Operator is a running manager.
type Operator struct {
	// Requests counts what it asked of the API server.
	Requests *Requests
	// Elected is closed when it leads, at once where nothing is elected.
	Elected <-chan struct{}
	// Cache is what it believes.
	Cache client.Reader

	cancel context.CancelFunc
	ended  chan error
}

// OwnOperatorLabel on a tenant hides it from every operator that serves all namespaces: its test runs one for its namespace.
const OwnOperatorLabel = "testenv/own-operator"

// StartOperator runs the operator as the ServiceAccount of config/rbac until Stop.
func (c *Cluster) StartOperator(ctx context.Context, options controllers.Options, log logr.Logger, change ...func(*manager.Options)) (*Operator, error) {
	ctx, cancel := context.WithCancel(ctx)
	operator := &Operator{Requests: &Requests{}, cancel: cancel, ended: make(chan error, 1)}
	scheme, err := controllers.NewScheme()
	if err != nil {
		return operator, err
	}
	cacheOptions, err := controllers.CacheOptions(options.LeaseNamespace)
	if err != nil {
		return operator, err
	}
	cacheOptions.DefaultNamespaces = options.Namespaces
	if len(options.Namespaces) == 0 {
		others, err := labels.Parse("!" + OwnOperatorLabel)
		if err != nil {
			return operator, fmt.Errorf("leave tenants to other operators: %w", err)
		}
		cacheOptions.ByObject[&v1alpha1.ProvisioningTenant{}] = cache.ByObject{Label: others}
	}
	restConfig := c.AsServiceAccount(OperatorNamespace, OperatorAccount)
	restConfig.Wrap(operator.Requests.wrap)
	managerOptions := manager.Options{
		Scheme: scheme, Cache: cacheOptions, Logger: log,
		Metrics: metricsserver.Options{BindAddress: "0"},
		// Several operators live in one test process.
		Controller: config.Controller{SkipNameValidation: new(true)},
	}
	for _, f := range change {
		f(&managerOptions)
	}
	mgr, err := ctrl.NewManager(restConfig, managerOptions)
	if err != nil {
		return operator, fmt.Errorf("make the operator: %w", err)
	}
	operator.Elected, operator.Cache = mgr.Elected(), mgr.GetCache()
	if err := controllers.Setup(ctx, mgr, options); err != nil {
		return operator, err
	}
	go func() { operator.ended <- mgr.Start(ctx) }()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		return operator, fmt.Errorf("the operator's cache did not fill: %w", ctx.Err())
	}
	return operator, nil
}

// Stop ends the operator and waits for it.
func (o *Operator) Stop() error {
	o.cancel()
	return <-o.ended
}

// Requests remembers requests for namespaced objects.
type Requests struct {
	mu   sync.Mutex
	seen []Request
}

// Request is one request of the operator.
type Request struct {
	Method, Path string
}

// IsWrite tells whether the request can change anything.
func (r Request) IsWrite() bool { return r.Method != http.MethodGet }

// In returns the requests for objects of a namespace, events left out. The watches and lists of caches are for all
// namespaces and so never among them: a GET here is a read past the cache.
func (r *Requests) In(namespace string) []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []Request
	for _, request := range r.seen {
		if strings.Contains(request.Path, "/namespaces/"+namespace+"/") && !strings.Contains(request.Path, "/events") {
			found = append(found, request)
		}
	}
	return found
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (r *Requests) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		r.mu.Lock()
		r.seen = append(r.seen, Request{request.Method, request.URL.Path})
		r.mu.Unlock()
		return next.RoundTrip(request)
	})
}
