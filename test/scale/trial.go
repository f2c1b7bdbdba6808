//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/testenv"
)

// perNamespace keeps a namespace far below what Kubernetes supports in one.
const perNamespace = 500

// trial grows the number of tenants and measures at each.
type trial struct {
	clock              clock.PassiveClock
	cluster            *testenv.Cluster
	binary, kubeconfig string
	idle               time.Duration
	table              *table

	made int
}

func (t *trial) run(ctx context.Context, counts []int) error {
	operator, err := startOperator(ctx, t.binary, t.kubeconfig)
	if err != nil {
		return err
	}
	for _, count := range counts {
		if operator, err = t.measure(ctx, operator, count); err != nil {
			return err
		}
	}
	operator.stop()
	return nil
}

// measure grows to count tenants, and returns the operator that runs then.
func (t *trial) measure(ctx context.Context, operator *operator, count int) (*operator, error) {
	at := func(figure string) string { return fmt.Sprintf("%s, %d tenants", figure, count) }
	before, err := operator.settled(ctx, 0)
	if err != nil {
		return operator, err
	}
	used, err := operator.usage()
	if err != nil {
		return operator, err
	}
	fresh, begin := count-t.made, t.clock.Now()
	for t.made < count {
		if _, err := t.create(ctx); err != nil {
			return operator, err
		}
	}
	if err := t.untilReady(ctx, count); err != nil {
		return operator, err
	}
	after, err := operator.settled(ctx, float64(count))
	if err != nil {
		return operator, err
	}
	took := t.clock.Since(begin)
	now, err := operator.usage()
	if err != nil {
		return operator, err
	}
	perTenant := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(fresh) }
	t.table.add(at("writes per new tenant"), (after.patches-before.patches)/float64(fresh), "", 10)
	t.table.add(at("reads past the cache per new tenant"), (after.reads-before.reads)/float64(fresh), "", 0)
	t.table.add(at("reconciles per new tenant"), (after.reconciles-before.reconciles)/float64(fresh), "", 0)
	t.table.add(at("operator CPU per new tenant"), perTenant(now.cpu-used.cpu), "ms", 12)
	t.table.add(at("created and ready, per second"), float64(fresh)/took.Seconds(), "/s", 0)
	t.table.add(at("memory"), now.memory, "MiB", 200)

	if err := t.rest(ctx, operator, at); err != nil {
		return operator, err
	}
	if err := t.change(ctx, at); err != nil {
		return operator, err
	}
	operator.stop()
	return t.restart(ctx, count, at)
}

// rest waits and counts what a settled operator writes.
func (t *trial) rest(ctx context.Context, operator *operator, at func(string) string) error {
	before, err := operator.settled(ctx, 0)
	if err != nil {
		return err
	}
	select {
	case <-time.After(t.idle):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := operator.counted(ctx)
	if err != nil {
		return err
	}
	t.table.add(at(fmt.Sprintf("writes in %s at rest", t.idle)), after.patches-before.patches, "", none)
	return nil
}

// change edits one tenant and waits until its status speaks of the change; the median of some.
func (t *trial) change(ctx context.Context, at func(string) string) error {
	var all []float64
	for i := range 9 {
		key := name(i * t.made / 9)
		var tenant v1alpha1.ProvisioningTenant
		if err := t.cluster.Client.Get(ctx, key, &tenant); err != nil {
			return fmt.Errorf("read a tenant: %w", err)
		}
		patch := client.MergeFrom(tenant.DeepCopy())
		tenant.Spec.Authentication.OAuth = &v1alpha1.OAuth{} // changes Secrets and the Ingress
		begin := t.clock.Now()
		if err := t.cluster.Client.Patch(ctx, &tenant, patch); err != nil {
			return fmt.Errorf("change a tenant: %w", err)
		}
		if err := t.until(ctx, key, func(now *v1alpha1.ProvisioningTenant) bool {
			return now.Status.ObservedGeneration == tenant.Generation && now.Status.TokenURL != ""
		}); err != nil {
			return err
		}
		all = append(all, t.clock.Since(begin).Seconds())
		patch = client.MergeFrom(tenant.DeepCopy())
		tenant.Spec.Authentication.OAuth = nil
		if err := t.cluster.Client.Patch(ctx, &tenant, patch); err != nil {
			return fmt.Errorf("change a tenant back: %w", err)
		}
	}
	t.table.add(at("from a change of the spec to the status, median of 9"), median(all), "s", 2)
	t.table.add(at("from a change of the spec to the status, slowest of 9"), largest(all), "s", 0)
	return nil
}

// restart starts another operator and creates a tenant at once.
func (t *trial) restart(ctx context.Context, count int, at func(string) string) (*operator, error) {
	operator, err := startOperator(ctx, t.binary, t.kubeconfig)
	if err != nil {
		return nil, err
	}
	begin := t.clock.Now()
	key, err := t.create(ctx)
	if err != nil {
		return operator, err
	}
	if err := t.until(ctx, key, isReady); err != nil {
		return operator, err
	}
	served := t.clock.Since(begin)
	settled, err := operator.settled(ctx, float64(count))
	if err != nil {
		return operator, err
	}
	used, err := operator.usage()
	if err != nil {
		return operator, err
	}
	t.table.add(at("a new tenant is ready after a restart within"), served.Seconds(), "s", 2)
	t.table.add(at("operator CPU per tenant on a restart"), used.cpu.Seconds()*1000/float64(count), "ms", 2)
	// The new tenant's writes are all that there should be, beside those that put back the changes before.
	t.table.add(at("writes on a restart, with one new tenant"), settled.patches, "", 0)
	return operator, nil
}

func name(i int) client.ObjectKey {
	return client.ObjectKey{Namespace: fmt.Sprintf("scale-%d", i/perNamespace), Name: fmt.Sprintf("tenant-%d", i)}
}

func (t *trial) create(ctx context.Context) (client.ObjectKey, error) {
	key := name(t.made)
	if t.made%perNamespace == 0 {
		if err := t.cluster.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key.Namespace}}); err != nil {
			return key, fmt.Errorf("create a namespace: %w", err)
		}
	}
	t.made++
	err := t.cluster.Client.Create(ctx, &v1alpha1.ProvisioningTenant{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Spec: v1alpha1.ProvisioningTenantSpec{
			Storage: v1alpha1.Storage{SQLite: v1alpha1.SQLiteStorage{Size: resource.MustParse("1Gi")}},
		},
	})
	if err != nil {
		return key, fmt.Errorf("create a tenant: %w", err)
	}
	return key, nil
}

func isReady(tenant *v1alpha1.ProvisioningTenant) bool {
	return meta.IsStatusConditionTrue(tenant.Status.Conditions, v1alpha1.ConditionReady)
}

// untilReady waits until so many tenants are ready.
func (t *trial) untilReady(ctx context.Context, count int) error {
	err := wait.PollUntilContextTimeout(ctx, 25*poll, patience, true, func(ctx context.Context) (bool, error) {
		var tenants v1alpha1.ProvisioningTenantList
		if err := t.cluster.Client.List(ctx, &tenants); err != nil {
			return false, err
		}
		ready := 0
		for i := range tenants.Items {
			if isReady(&tenants.Items[i]) {
				ready++
			}
		}
		return ready >= count, nil
	})
	if err != nil {
		return fmt.Errorf("wait until %d tenants are ready: %w", count, err)
	}
	return nil
}

func (t *trial) until(ctx context.Context, key client.ObjectKey, so func(*v1alpha1.ProvisioningTenant) bool) error {
	err := wait.PollUntilContextTimeout(ctx, poll, patience, true, func(ctx context.Context) (bool, error) {
		var tenant v1alpha1.ProvisioningTenant
		err := t.cluster.Client.Get(ctx, key, &tenant)
		return err == nil && so(&tenant), client.IgnoreNotFound(err)
	})
	if err != nil {
		return fmt.Errorf("wait for tenant %s: %w", key, err)
	}
	return nil
}
