package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/config/crd"
	"github.com/tenantry/tenantry/config/rbac"
	"github.com/tenantry/tenantry/controllers"
)

// checkInterval is how often check looks at the lease; a leader renews it every two seconds.
const checkInterval = time.Second

// check is `operator check`, which `helm test` runs as the operator's ServiceAccount.
func check(ctx context.Context, args []string) error {
	var namespaces []string
	flags := flag.NewFlagSet("operator check", flag.ContinueOnError)
	flags.Func("watch-namespaces", "`namespaces` whose tenants the operator serves, separated by commas; all where left out", parseNamespaces(&namespaces))
	leaseNamespace := flags.String("lease-namespace", "", "`namespace` of the lease; required")
	secureMetrics := flags.Bool("metrics-secure", false, "the operator serves its metrics to those alone whom the API server lets get them")
	timeout := flags.Duration("timeout", time.Minute, "how `long` to wait for an operator that leads")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; see check --help", flags.Arg(0))
	case *leaseNamespace == "":
		return errors.New("name the namespace of the lease with --lease-namespace")
	}
	scheme, err := controllers.NewScheme()
	if err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	config.QPS = -1 // a question for each right
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	known, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if err := errors.Join(checkRights(ctx, c, namespaces, *leaseNamespace, *secureMetrics),
		checkCRDs(ctx, crd.NewFollower(known))); err != nil {
		return err
	}
	return checkCluster(ctx, c, namespaces, *leaseNamespace, checkInterval)
}

// checkRights tells whether the operator has all rights that its manifests grant.
func checkRights(ctx context.Context, c client.Client, namespaces []string, leaseNamespace string, secureMetrics bool) error {
	type place struct{ manifest, namespace string }
	places := []place{{rbac.Election, leaseNamespace}, {rbac.Hosts, leaseNamespace}}
	for _, namespace := range namespaces {
		places = append(places, place{rbac.Tenants, namespace})
	}
	if secureMetrics {
		places = append(places, place{rbac.Metrics, metav1.NamespaceAll})
	}
	var lacking []error
	for _, at := range places {
		missing, err := rbac.Missing(ctx, c, at.manifest, at.namespace)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			where := "on the cluster"
			if at.namespace != metav1.NamespaceAll {
				where = "in namespace " + at.namespace
			}
			lacking = append(lacking, fmt.Errorf("the operator lacks rights %s, which config/rbac/%s grants: %s",
				where, at.manifest, strings.Join(missing, ", ")))
		}
	}
	return errors.Join(lacking...)
}

// checkCRDs tells whether the CRDs of the cluster have all fields of this operator.
func checkCRDs(ctx context.Context, follower *crd.Follower) error {
	outdated, err := follower.Outdated(ctx)
	for _, o := range outdated {
		err = errors.Join(err, o)
	}
	return err
}

// checkCluster tells whether the operator may read what it follows, and whether one leads. It changes nothing.
func checkCluster(ctx context.Context, c client.Reader, namespaces []string, leaseNamespace string, every time.Duration) error {
	for _, namespace := range namespaces {
		for _, list := range []client.ObjectList{&v1alpha1.ProvisioningTenantList{}, &v1alpha1.UserDefaultsList{}} {
			if err := c.List(ctx, list, client.InNamespace(namespace), client.Limit(1)); err != nil {
				return fmt.Errorf("read what the operator follows in namespace %q: %w", namespace, err)
			}
		}
	}
	if err := awaitRenewal(ctx, c, client.ObjectKey{Namespace: leaseNamespace, Name: v1alpha1.LeaderLease}, every); err != nil {
		return fmt.Errorf("wait until an operator renews the lease %s in namespace %q: %w", v1alpha1.LeaderLease, leaseNamespace, err)
	}
	return nil
}

// awaitRenewal sees the lease change, which needs no clock that agrees with the leader's.
func awaitRenewal(ctx context.Context, c client.Reader, key client.ObjectKey, every time.Duration) error {
	var seen *metav1.MicroTime
	return wait.PollUntilContextCancel(ctx, every, true, func(ctx context.Context) (bool, error) {
		var lease coordinationv1.Lease
		if err := c.Get(ctx, key, &lease); err != nil {
			return false, client.IgnoreNotFound(err)
		}
		if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
			return false, nil
		}
		renewed := seen != nil && !seen.Equal(lease.Spec.RenewTime)
		seen = lease.Spec.RenewTime
		return renewed, nil
	})
}
