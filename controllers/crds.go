package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/tenantry/tenantry/config/crd"
)

// recheckCRDs is how often the API server is asked whether it has the CRDs of this operator.
const recheckCRDs = time.Minute

// crds tells, in the log and the metrics, of CRDs in the cluster that are older than the operator: the API server drops fields that people, the
// operator and the tenants' servers write, and nobody gets an error.
type crds struct {
	mgr     ctrl.Manager
	every   time.Duration
	metrics *metrics
	log     logr.Logger

	told []string
}

// NeedLeaderElection is true, so that one of several replicas tells it.
func (c *crds) NeedLeaderElection() bool { return true }

// Start looks until the context ends.
func (c *crds) Start(ctx context.Context) error {
	known, err := discovery.NewDiscoveryClientForConfigAndClient(c.mgr.GetConfig(), c.mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("ask which CRDs the API server has: %w", err)
	}
	follower := crd.NewFollower(known)
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		outdated, err := follower.Outdated(ctx)
		if ctx.Err() == nil {
			c.tell(outdated, err)
		}
	}, c.every)
	return nil
}

// tell says what has changed since the last look.
func (c *crds) tell(outdated []crd.Outdated, err error) {
	var now []string
	if err != nil {
		now = []string{err.Error()}
	}
	for _, o := range outdated {
		now = append(now, o.Error())
	}
	if slices.Equal(now, c.told) {
		return
	}
	switch {
	case err != nil:
		c.log.Error(err, "Cannot find out whether the CRDs of the cluster are those of this operator")
	case len(now) == 0:
		c.log.Info("The CRDs of the cluster have all fields of this operator")
	}
	for _, o := range outdated {
		c.log.Error(o, "A CRD of the cluster is older than this operator", "crd", o.Name)
	}
	c.told = now
	if err == nil {
		c.metrics.outdated(outdated)
	}
}
