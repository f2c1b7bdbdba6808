// Package testenv gives the operator's tests a real kube-apiserver with etcd, a kubelet that only pretends, and a manager
// that has no more rights than config/rbac gives it, under the policy of config/admission.
package testenv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/tenantry/tenantry/controllers"
)

const (
	// startTimeout is generous: a busy machine with two cores needs far more than the default of 20 s.
	startTimeout = 120 * time.Second
	// serviceRange holds more than the 250 Services of the default.
	serviceRange = "10.0.0.0/16"
	assets       = "KUBEBUILDER_ASSETS"
)

// Cluster is a running control plane.
type Cluster struct {
	// Config is that of an administrator.
	Config *rest.Config
	// Client is an administrator's and reads past every cache.
	Client client.WithWatch

	environment *envtest.Environment
	controllers *controllerManager
}

// Settings say what differs from the control plane of most tests. The zero value is that one.
type Settings struct {
	// ServiceRanges are those of the addresses of Services, one of each family; "" for one of IPv4.
	ServiceRanges string
	// Advertised is the address that the API server says it has, which must be of the family of the first range; "" for one that it finds.
	Advertised string
	// Controllers of kube-controller-manager that run. With the first of them Deployments have pods, which the fake kubelet has run.
	Controllers []string
}

// Start starts a control plane with the CRDs, the rights and the policy of config/ and a fake kubelet, which lives as long as ctx.
// Stop must be called even after an error.
func Start(ctx context.Context) (*Cluster, error) { return StartWith(ctx, Settings{}) }

// StartWith is Start for a control plane that differs.
func StartWith(ctx context.Context, settings Settings) (*Cluster, error) {
	cluster := &Cluster{}
	if os.Getenv(assets) == "" {
		return cluster, fmt.Errorf("set %s to a directory with kube-apiserver and etcd; `make test` does", assets)
	}
	root, err := repositoryRoot()
	if err != nil {
		return cluster, err
	}
	cluster.environment = &envtest.Environment{
		CRDDirectoryPaths:        []string{filepath.Join(root, "config", "crd", "bases")},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  startTimeout,
	}
	flags := cluster.environment.ControlPlane.GetAPIServer().Configure()
	flags.Set("service-cluster-ip-range", cmp.Or(settings.ServiceRanges, serviceRange))
	if settings.Advertised != "" {
		flags.Set("advertise-address", settings.Advertised)
	}
	if cluster.Config, err = cluster.environment.Start(); err != nil {
		return cluster, fmt.Errorf("start the control plane: %w", err)
	}
	// No throttling in the client: the tests are the only ones there.
	cluster.Config.QPS = -1
	scheme, err := controllers.NewScheme()
	if err != nil {
		return cluster, err
	}
	if cluster.Client, err = client.NewWithWatch(cluster.Config, client.Options{Scheme: scheme}); err != nil {
		return cluster, fmt.Errorf("make a client: %w", err)
	}
	if err := cluster.applyRights(ctx, root); err != nil {
		return cluster, err
	}
	if err := cluster.applyPolicy(ctx, root); err != nil {
		return cluster, err
	}
	if err := cluster.startControllers(ctx, settings.Controllers); err != nil {
		return cluster, err
	}
	return cluster, cluster.startKubelet(ctx, scheme, len(settings.Controllers) > 0)
}

// Stop ends the control plane.
func (c *Cluster) Stop() error {
	if c.environment == nil {
		return nil
	}
	return errors.Join(c.controllers.stop(), c.environment.Stop())
}

// repositoryRoot is the nearest directory upwards with a go.mod.
func repositoryRoot() (string, error) {
	directory, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(directory, "go.mod")); err == nil {
			return directory, nil
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			return "", errors.New("find the repository: no go.mod here or above")
		}
		directory = parent
	}
}
