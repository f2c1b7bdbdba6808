package clustertest

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers"
	"github.com/tenantry/tenantry/controllers/internal/testenv"
)

// fleet is some tenants in a world where nothing becomes available by itself, and an operator of their own.
type fleet struct {
	*world
	operator *testenv.Operator
	log      io.Writer
}

func newFleet(t *testing.T, tenants int) *fleet {
	f := &fleet{world: newWorld(t, testenv.HoldLabel), log: logs}
	for i := range tenants {
		f.add(fmt.Sprintf("tenant-%d", i))
	}
	t.Cleanup(f.stop)
	return f
}

// add creates another tenant.
func (f *fleet) add(name string) *v1alpha1.ProvisioningTenant {
	f.Helper()
	return create(f.world, f.tenant(named(name), withHost(name+"."+f.namespace+".example.com"), func(p *v1alpha1.ProvisioningTenant) {
		p.Labels = map[string]string{testenv.OwnOperatorLabel: ""}
		p.Spec.Entra = nil
	}))
}

// run replaces the fleet's operator by one that brings the image and upgrades two servers at a time.
func (f *fleet) run(image string, change ...func(*controllers.Options)) {
	f.Helper()
	f.stop()
	options := testenv.Options(entra.URL)
	options.ServerImage, options.MaxUpgrades, options.RecheckUpgrades = image, 2, time.Second
	options.Namespaces = map[string]cache.Config{f.namespace: {}}
	for _, set := range change {
		set(&options)
	}
	var err error
	f.operator, err = cluster.StartOperator(f.Context(), options, logTo(f.log))
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fleet) stop() {
	f.Helper()
	if f.operator != nil {
		if err := f.operator.Stop(); err != nil {
			f.Error(err)
		}
	}
	f.operator = nil
}

// with are the tenants whose Deployment has the image.
func (f *fleet) with(image string) []string {
	f.Helper()
	var deployments appsv1.DeploymentList
	if err := f.List(f.Context(), &deployments, client.InNamespace(f.namespace)); err != nil {
		f.Fatal(err)
	}
	var found []string
	for _, d := range deployments.Items {
		if d.Spec.Template.Spec.Containers[0].Image == image {
			found = append(found, strings.TrimSuffix(d.Name, "-scim"))
		}
	}
	slices.Sort(found)
	return found
}

// waiting are the tenants that are told that their upgrade waits, and are ready all the same.
func (f *fleet) waiting() []string {
	f.Helper()
	var tenants v1alpha1.ProvisioningTenantList
	if err := f.List(f.Context(), &tenants, client.InNamespace(f.namespace)); err != nil {
		f.Fatal(err)
	}
	var found []string
	for _, tenant := range tenants.Items {
		if lacking(tenant.Status.Conditions, tenant.Generation, []string{"ServerAvailable=True/UpgradePending", ready}) == "" {
			found = append(found, tenant.Name)
		}
	}
	return found
}

// untilUpgraded waits until so many tenants have the image and so many others wait for it.
func (f *fleet) untilUpgraded(image string, upgraded, waiting int) {
	f.Helper()
	f.eventually(fmt.Sprintf("%d tenants have %s and %d wait", upgraded, image, waiting), func() string {
		if have, waits := f.with(image), f.waiting(); len(have) != upgraded || len(waits) != waiting {
			return fmt.Sprintf("%s have it, %s wait", have, waits)
		}
		return ""
	})
}

// becomeAvailable does what the cluster would for these tenants' servers, volumes and routes.
func (f *fleet) becomeAvailable(tenants ...string) {
	f.Helper()
	for _, tenant := range tenants {
		for _, object := range []client.Object{
			get(f.world, &corev1.PersistentVolumeClaim{}, tenant+"-data"), get(f.world, &appsv1.Deployment{}, tenant+"-scim"), get(f.world, &networkingv1.Ingress{}, tenant+"-scim"),
		} {
			if err := testenv.Pretend(f.Context(), f, object); err != nil {
				f.Fatal(err)
			}
		}
	}
}

func TestAnUpgradeTakesSomeTenantsAtATimeAndStopsWhereTheyDoNotBecomeAvailable(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 6)
	f.run("scimserver:v1")
	f.untilUpgraded("scimserver:v1", 6, 0) // new tenants wait for nobody
	f.becomeAvailable(f.with("scimserver:v1")...)
	for _, name := range f.with("scimserver:v1") {
		f.until(f.named(name), ready)
	}

	f.run("scimserver:v2")
	f.untilUpgraded("scimserver:v2", 2, 4)
	failing := f.with("scimserver:v2")

	// Whoever changes a tenant expects a restart.
	changed := f.named(f.waiting()[0])
	edit(f.world, changed, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.PriorityClassName = "important" })
	f.untilUpgraded("scimserver:v2", 3, 3)

	// A restarted operator finds the places taken by what the cluster has.
	f.run("scimserver:v2")
	looks := reconciles(logs.String(), f.namespace)
	f.eventually("every tenant is looked at twice", func() string {
		if reconciles(logs.String(), f.namespace) < looks+12 {
			return "not yet"
		}
		return ""
	})
	f.untilUpgraded("scimserver:v2", 3, 3)

	// One that becomes available makes room as soon as fewer than two are left.
	f.becomeAvailable(changed.Name, failing[0])
	f.untilUpgraded("scimserver:v2", 4, 2)

	// Back to the image before: all that have the new one, and are not available with it, may go at once.
	f.run("scimserver:v1")
	f.eventually("nobody is left with the image that does not work", func() string {
		f.becomeAvailable(f.with("scimserver:v1")...)
		if left := f.with("scimserver:v2"); len(left) > 0 {
			return fmt.Sprint(left)
		}
		return ""
	})
	f.untilUpgraded("scimserver:v1", 6, 0)
}

// named is the tenant of that name as it is now.
func (f *fleet) named(name string) *v1alpha1.ProvisioningTenant {
	f.Helper()
	return get(f.world, &v1alpha1.ProvisioningTenant{}, name)
}
