// Package kubernetes takes a server's settings from the Kubernetes API by watch, and keeps the last known good ones on
// the tenant's volume for the time when the API is away. It reads no object but the tenant's own.
package kubernetes

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/tenantry/tenantry/scimserver/settings"
)

const (
	// startBound is how long a server waits for the API before it starts with the last known good settings.
	startBound = 2 * time.Second
	// settle is how long changes are gathered before they are published as one.
	settle = 20 * time.Millisecond
	// LastKnownGoodFile is the name of the file in the data folder that keeps the last known good settings. It holds
	// hashes of tokens, never tokens.
	LastKnownGoodFile = "last-known-good.json"
)

// Options of a Source.
type Options struct {
	// Config reaches the API server; rest.InClusterConfig in a pod.
	Config *rest.Config
	// Namespace and Tenant name the ProvisioningTenant to serve.
	Namespace, Tenant string
	// TenantUID keeps settings from being used that an earlier tenant of that name left on its volume. Optional.
	TenantUID types.UID
	// DataDir is the existing folder that keeps the last known good settings.
	DataDir string
	// Log gets what is loaded and what is wrong; never a token.
	Log logr.Logger
	// Pod is the name of this process's pod, for the problems in status.storage.
	Pod string
	// Now is the time.
	Now func() time.Time
}

// Source is a settings.Source over the Kubernetes API. What it once knew it goes on with: a tenant that is deleted, or made again, a
// verifier Secret that vanishes or cannot be read, and an API server that is away all leave the latest snapshot in
// force. (The pod of a deleted tenant goes with it.) Only UserDefaults that are deleted, or no longer named by the
// tenant's status, end.
type Source struct {
	options  Options
	clients  clients
	latest   settings.Latest
	reporter reporter
	// problems are those of the storage, and connection those of a connection that is to be made.
	problems, connection problems

	gone atomic.Bool
	away atomic.Bool
	// startBound is the constant, except in tests.
	startBound time.Duration
}

var _ settings.Source = (*Source)(nil)

// New returns a Source, or an error where the configuration cannot make a client. Nothing is asked or read before Run.
func New(options Options) (*Source, error) {
	clients, err := newClients(options.Config, options.Log.WithValues("namespace", options.Namespace, "tenant", options.Tenant))
	if err != nil {
		return nil, err
	}
	return &Source{
		options: options, clients: clients, startBound: startBound,
		problems: problems{field: "problem"}, connection: problems{field: "connectionProblem"},
	}, nil
}

// APIServer returns the API server's URL, without a slash at the end, and what reaches it as this server.
func (s *Source) APIServer() (url string, transport http.RoundTripper) {
	return strings.TrimSuffix(s.clients.core.Get().AbsPath("/").URL().String(), "/"), s.clients.transport
}

// Run implements settings.Source. It goes on, with the pauses of client-go's reflector, for as long as the API does
// not answer, and never returns an error.
func (s *Source) Run(ctx context.Context) error {
	// The follower says what client-go would, once and with what to do.
	ctx, stop := context.WithCancel(klog.NewContext(ctx, logr.Discard()))
	f := newFollower(s)
	defer f.watches.Wait()
	defer stop()

	f.start(ctx)
	bound := time.NewTimer(s.startBound)
	defer bound.Stop()
	var settled <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-f.events:
			if f.take(ctx, e) && settled == nil {
				settled = time.After(settle)
			}
		case <-settled:
			settled = nil
			f.publish()
		case <-bound.C:
			f.fallBack()
		}
	}
}

// Away tells whether the API server cannot be asked, which the log says.
func (s *Source) Away() bool { return s.away.Load() }

// Current implements settings.Source.
func (s *Source) Current() *settings.Snapshot { return s.latest.Current() }

// Changed implements settings.Source.
func (s *Source) Changed() <-chan struct{} { return s.latest.Changed() }
