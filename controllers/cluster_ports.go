package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/tenantry/tenantry/controllers/desired"
)

// recheckClusterPorts is how often it is looked at which ports the cluster's own services listen.
const recheckClusterPorts = time.Minute

// clusterPorts follows the ports at which the Kubernetes API and the cluster's DNS really listen. A NetworkPolicy is about the ports behind a
// Service, and those are 6443 and 53 on many clusters, and 8443, 16443 or 5353 on others.
type clusterPorts struct {
	live client.Reader
	// given are ports that need no look, as the operator's flags have them; empty to look.
	given desired.ClusterPorts
	every time.Duration
	// tenants, as the cache has them, go to changed once the ports are others.
	tenants client.Reader
	changed chan<- event.GenericEvent
	log     logr.Logger

	known atomic.Pointer[desired.ClusterPorts]
	// looking is held while somebody looks. Reconciles wait for that once, when nothing is known.
	looking sync.Mutex
	// deaf is true once it was told that the operator may not look.
	deaf bool
}

// NeedLeaderElection is true: only who reconciles needs to know.
func (c *clusterPorts) NeedLeaderElection() bool { return true }

// Start looks until the context ends.
func (c *clusterPorts) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		changed, err := c.look(ctx)
		if err == nil && changed {
			err = lookAgain(ctx, c.tenants, c.changed, everyTenant)
		}
		if err != nil && ctx.Err() == nil {
			c.log.Error(err, "Cannot follow the ports of the Kubernetes API and of DNS; NetworkPolicies stay as they are")
		}
	}, c.every)
	return nil
}

// now returns the ports as they were seen last. It looks where nobody has: a policy without them would cut off servers that run.
func (c *clusterPorts) now(ctx context.Context) (desired.ClusterPorts, error) {
	if c == nil {
		return desired.ClusterPorts{}, nil
	}
	if known := c.known.Load(); known != nil {
		return *known, nil
	}
	c.looking.Lock()
	defer c.looking.Unlock()
	if c.known.Load() == nil {
		if _, err := c.find(ctx); err != nil {
			return desired.ClusterPorts{}, err
		}
	}
	return *c.known.Load(), nil
}

// look tells whether ports are others than those that were known.
func (c *clusterPorts) look(ctx context.Context) (changed bool, err error) {
	c.looking.Lock()
	defer c.looking.Unlock()
	return c.find(ctx)
}

func (c *clusterPorts) find(ctx context.Context) (changed bool, err error) {
	found := c.given
	if len(found.API) == 0 {
		if found.API, err = c.behind(ctx, "https", "default/kubernetes"); err != nil {
			return false, err
		}
	}
	if len(found.DNS) == 0 {
		// The second is OpenShift's.
		if found.DNS, err = c.behind(ctx, "dns", "kube-system/kube-dns", "openshift-dns/dns-default"); err != nil {
			return false, err
		}
	}
	before := c.known.Load()
	changed = before != nil && !before.Equal(found)
	if changed || before == nil {
		c.log.Info("Tenants' NetworkPolicies let servers out to these ports", "api", found.API, "dns", found.DNS)
	}
	c.known.Store(&found)
	return changed, nil
}

// behind returns the ports of that name, or with that name and more, behind the Services, each once and sorted; none where the operator may not
// list them, which a Role in some namespaces does not let it.
func (c *clusterPorts) behind(ctx context.Context, name string, services ...string) ([]int32, error) {
	var ports []int32
	for _, service := range services {
		namespace, service, _ := strings.Cut(service, "/")
		var list discoveryv1.EndpointSliceList
		err := c.live.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service},
			&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}})
		if apierrors.IsForbidden(err) {
			if !c.deaf {
				c.log.Info("The operator may not list EndpointSlices in this namespace: NetworkPolicies have the usual ports, or those of "+
					"--api-server-ports and --dns-ports", "namespace", namespace)
			}
			c.deaf = true
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list the endpoints of Service %s/%s: %w", namespace, service, err)
		}
		for _, endpoints := range list.Items {
			for _, port := range endpoints.Ports {
				if number := ptr.Deref(port.Port, 0); number > 0 && strings.HasPrefix(ptr.Deref(port.Name, ""), name) {
					ports = append(ports, number)
				}
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports), nil
}
