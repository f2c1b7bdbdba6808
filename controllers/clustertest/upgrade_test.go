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
	"github.com/tenantry/tenantry/test/race"
	"github.com/tenantry/tenantry/test/testenv"
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
		p.Spec.IdentityProvider = nil
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
	return f.having(func(server corev1.Container) bool { return server.Image == image })
}

// having are the tenants whose Deployment has such a container.
func (f *fleet) having(so func(corev1.Container) bool) []string {
	f.Helper()
	var deployments appsv1.DeploymentList
	if err := f.List(f.Context(), &deployments, client.InNamespace(f.namespace)); err != nil {
		f.Fatal(err)
	}
	var found []string
	for _, d := range deployments.Items {
		if so(d.Spec.Template.Spec.Containers[0]) {
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
		if lacking(tenant.Status.Conditions, tenant.Generation, []string{"ServerAvailable=True/UpgradePending", "RolledOut=False/UpgradePending", "Reconciling=True/UpgradePending", ready}) == "" {
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
	race.Meets(t) // tenants share a number of places
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
	edit(f.world, changed, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Template.Spec.PriorityClassName = "important" })
	f.untilUpgraded("scimserver:v2", 3, 3)

	// A restarted operator finds the places taken by what the cluster has.
	f.run("scimserver:v2")
	looks := logs.reconciles(f.namespace)
	f.eventually("every tenant is looked at twice", func() string {
		if logs.reconciles(f.namespace) < looks+12 {
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

// breaks has these tenants' servers fail, whatever they run.
func (f *fleet) breaks(tenants ...string) {
	f.Helper()
	for _, tenant := range tenants {
		f.eventually("break "+tenant, func() string {
			d := get(f.world, &appsv1.Deployment{}, tenant+"-scim")
			d.Status.AvailableReplicas, d.Status.ReadyReplicas, d.Status.ObservedGeneration = 0, 0, d.Generation
			if err := f.Status().Update(f.Context(), d); err != nil {
				return err.Error()
			}
			return ""
		})
	}
}

// Servers that are broken anyway, more of them than may be upgraded at a time, neither hold an upgrade up nor let one go on that
// breaks the others: not with a pinned image, where another flag is the upgrade, and not where the operator restarts in the middle.
func TestBrokenServersHoldUpNoUpgradeAndABadOneStopsAllTheSame(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 7)
	const image = "scimserver:v1"
	f.run(image)
	f.untilUpgraded(image, 7, 0)
	broken, well := f.with(image)[:3], f.with(image)[3:]
	f.becomeAvailable(f.with(image)...)
	for _, name := range f.with(image) {
		f.until(f.named(name), ready)
	}
	for _, name := range broken {
		edit(f.world, f.named(name), func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Template.Spec.PriorityClassName = "important" })
		f.until(f.named(name), "Reconciling=True/Progressing")
	}
	f.breaks(broken...)
	for _, name := range broken {
		f.until(f.named(name), "Ready=False/ServerUnavailable")
	}

	const flag = "--entra-authority=https://other.test"
	other := func(o *controllers.Options) { o.EntraAuthority = "https://other.test" }
	done := func() []string {
		return f.having(func(server corev1.Container) bool { return slices.Contains(server.Args, flag) })
	}
	untilDone := func(want, waiting int) {
		t.Helper()
		f.eventually(fmt.Sprintf("%d servers have the flag and %d wait", want, waiting), func() string {
			if have, waits := done(), f.waiting(); len(have) != want || len(waits) != waiting {
				return fmt.Sprintf("%s have it, %s wait", have, waits)
			}
			return ""
		})
	}
	lookedAtTwice := func() {
		t.Helper()
		looks := logs.reconciles(f.namespace)
		f.eventually("every tenant is looked at twice", func() string {
			if logs.reconciles(f.namespace) < looks+14 {
				return "not yet"
			}
			return ""
		})
	}
	upgraded := func() (found []string) {
		for _, name := range well {
			if slices.Contains(done(), name) {
				found = append(found, name)
			}
		}
		return found
	}
	f.run(image, other)
	f.eventually("two that were well are upgraded, and the others that were wait", func() string {
		if got := upgraded(); len(got) != 2 || len(f.waiting()) != 2 {
			return fmt.Sprint(got, f.waiting())
		}
		return ""
	})
	f.run(image, other) // in the middle
	lookedAtTwice()
	if got := upgraded(); len(got) != 2 {
		t.Fatalf("%v were upgraded, although the first two are not available with it", got)
	}
	f.becomeAvailable(upgraded()...)
	f.eventually("the other two are upgraded", func() string { return strings.Join(f.waiting(), " ") })
	f.becomeAvailable(well...)
	untilDone(7, 0) // the broken ones too, none of which is available with it

	// And again with another image.
	f.run("scimserver:v2")
	f.eventually("all get the next image as soon as those that are well do", func() string {
		f.becomeAvailable(slices.DeleteFunc(f.with("scimserver:v2"), func(name string) bool { return slices.Contains(broken, name) })...)
		if have := f.with("scimserver:v2"); len(have) != 7 {
			return fmt.Sprint(have)
		}
		return ""
	})
}

// named is the tenant of that name as it is now.
func (f *fleet) named(name string) *v1alpha1.ProvisioningTenant {
	f.Helper()
	return get(f.world, &v1alpha1.ProvisioningTenant{}, name)
}
