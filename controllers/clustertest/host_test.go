package clustertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/test/race"
	"github.com/tenantry/tenantry/test/testenv"
)

// bug class 14: two tenants, one name.
func TestOfTwoTenantsWithOneHostTheSecondIsToldWithAProposalAndNothingIsMadeForIt(t *testing.T) {
	race.Meets(t) // two tenants wait for one another
	t.Parallel()
	first, second := newWorld(t), newWorld(t)
	host := first.namespace + ".shared.example.com"
	holder := create(first, first.tenant(withHost(host)))
	first.until(holder, ready)
	other := create(second, second.tenant(withHost(host)))
	second.until(other, "Accepted=False/HostTaken", "Exposed=False/HostTaken", "Stalled=True/HostTaken", "Ready=False/HostTaken",
		"CredentialsReady=Unknown/WaitingForHost", "StorageReady=Unknown/WaitingForHost", "ServerAvailable=Unknown/WaitingForHost",
		"RolledOut=Unknown/WaitingForHost", "ExposureInEffect=Unknown/WaitingForHost", "StorageInEffect=Unknown/WaitingForHost",
		"SchemaInEffect=Unknown/WaitingForHost", "UserDefaultsInEffect=Unknown/WaitingForHost", "RequestsObeyed=Unknown/WaitingForHost")
	want := "Host " + host + " belongs to a tenant of another namespace, and is free 24h after that lets go of it. " +
		"Choose another in spec.exposure.host, such as contoso-" + second.namespace + ".shared.example.com."
	if got := message(other, "Accepted"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, list := range append(childLists(), &corev1.PersistentVolumeClaimList{}) {
		if err := second.List(t.Context(), list, client.InNamespace(second.namespace)); err != nil {
			t.Fatal(err)
		}
		each(second, list, func(object client.Object) {
			if object.GetLabels()[v1alpha1.TenantLabel] != "" {
				t.Errorf("%T %s was made for a tenant that has no host", object, object.GetName())
			}
		})
	}
	if lease := first.lease(host); *lease.Spec.HolderIdentity != first.namespace+"/contoso/"+string(holder.UID) {
		t.Errorf("the Lease names %s", *lease.Spec.HolderIdentity)
	}

	// A person's mistake is none of the operator's.
	for line := range strings.SplitSeq(logs.String(), "\n") {
		if strings.Contains(line, "level=ERROR") && strings.Contains(line, second.namespace) {
			t.Errorf("the operator logs %s", line)
		}
	}

	// As proposed.
	edit(second, other, withHost("contoso-"+second.namespace+".shared.example.com"))
	second.until(other, ready)
	first.until(holder, ready)
}

func TestAHostThatWasLetGoIsReservedForItsNamespace(t *testing.T) {
	race.Meets(t) // a tenant is looked at when a reservation ends
	t.Parallel()
	first, second := newWorld(t), newWorld(t)
	host := first.namespace + ".reserved.example.com"
	// The one that waits is older than those that come after it in the holder's namespace.
	holder := create(first, first.tenant(withHost(host)))
	first.until(holder, ready)
	waiting := create(second, second.tenant(withHost(host)))
	second.until(waiting, "Ready=False/HostTaken")
	reserved := func() {
		t.Helper()
		second.eventually("the tenant is told until when the host is reserved", func() string {
			lease := first.lease(host)
			if lease.Spec.RenewTime == nil {
				return "it is held"
			}
			until := lease.Spec.RenewTime.Add(24 * time.Hour).UTC().Format(time.RFC3339)
			second.until(waiting, "Ready=False/HostTaken")
			if got := message(waiting, "Accepted"); !strings.HasPrefix(got, "Host "+host+" is reserved until "+until+" for another namespace, whose tenant had it. ") {
				return got
			}
			return ""
		})
	}
	// Deleted, and applied again.
	if err := first.Delete(t.Context(), holder); err != nil {
		t.Fatal(err)
	}
	reserved()
	// People of another namespace make a route for it.
	forged := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: second.namespace, Name: "forged", Labels: map[string]string{v1alpha1.TenantLabel: "contoso"},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(waiting, v1alpha1.SchemeGroupVersion.WithKind("ProvisioningTenant"))},
		},
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: host}}},
	}
	create(second, forged)
	gone(second, &networkingv1.Ingress{}, "forged")
	reserved()
	again := create(first, first.tenant(withHost(host)))
	first.eventually("the same tenant takes it up", func() string {
		if got := *first.lease(host).Spec.HolderIdentity; got != first.namespace+"/contoso/"+string(again.UID) {
			return "it is " + got + "'s"
		}
		return ""
	})
	// Another of the namespace takes it up: a rename.
	edit(first, again, withHost(first.namespace+".example.com"))
	reserved()
	renamed := create(first, first.tenant(named("renamed"), withHost(host)))
	first.until(renamed, ready)
	// No longer exposed.
	edit(first, renamed, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure = v1alpha1.Exposure{Type: v1alpha1.ExposureNone} })
	first.until(renamed, ready)
	reserved()
	// The platform team says that it is free.
	if err := first.Client.Delete(t.Context(), first.lease(host)); err != nil {
		t.Fatal(err)
	}
	second.until(waiting, ready)
	if got := *first.lease(host).Spec.HolderIdentity; got != second.namespace+"/contoso/"+string(waiting.UID) {
		t.Errorf("the Lease names %s", got)
	}
}

func TestALeaseThatSomebodySpoiledIsMendedAndLetsNobodyIn(t *testing.T) {
	t.Parallel()
	for _, exposure := range []v1alpha1.ExposureType{v1alpha1.ExposureIngress, v1alpha1.ExposureNone} {
		t.Run(string(exposure), func(t *testing.T) {
			t.Parallel()
			survivesSpoiledLeases(t, exposure)
		})
	}
}

func survivesSpoiledLeases(t *testing.T, exposure v1alpha1.ExposureType) {
	t.Helper()
	first, second := newWorld(t), newWorld(t)
	host := second.namespace + ".spoiled.example.com"
	waiting := create(first, first.tenant(withHost(first.namespace+".example.com")))
	first.until(waiting, ready)
	holder := create(second, second.tenant(withHost(host), func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Type = exposure }))
	second.until(holder, ready)
	edit(first, waiting, withHost(host)) // it is the older one
	first.until(waiting, "ExposureInEffect=False/HostTaken", ready)
	route := func() (uid types.UID) {
		if exposure == v1alpha1.ExposureIngress {
			uid = get(second, &networkingv1.Ingress{}, "contoso-scim").UID
		}
		return uid
	}
	before := route()
	identity := *second.lease(host).Spec.HolderIdentity
	past := first.namespace + "/contoso/11111111-1111-1111-1111-111111111111" // who waits, before it was made again
	for name, spoil := range map[string]func(*coordinationv1.Lease) error{
		"deleted": func(lease *coordinationv1.Lease) error { return second.Client.Delete(t.Context(), lease) },
		"without a holder": func(lease *coordinationv1.Lease) error {
			lease.Spec.HolderIdentity = nil
			return second.Client.Update(t.Context(), lease)
		},
		"with a holder that is none": func(lease *coordinationv1.Lease) error {
			*lease.Spec.HolderIdentity = "somebody"
			return second.Client.Update(t.Context(), lease)
		},
		"without labels": func(lease *coordinationv1.Lease) error {
			lease.Labels = nil
			return second.Client.Update(t.Context(), lease)
		},
		"restored as it was": func(lease *coordinationv1.Lease) error {
			for i := range lease.ManagedFields {
				lease.ManagedFields[i].Manager = "velero-server"
			}
			return second.Client.Update(t.Context(), lease)
		},
		"restored, with a holder that is gone": func(lease *coordinationv1.Lease) error {
			*lease.Spec.HolderIdentity = past
			return second.Client.Update(t.Context(), lease)
		},
		"restored, with a reservation": func(lease *coordinationv1.Lease) error {
			*lease.Spec.HolderIdentity = past
			lease.Spec.RenewTime, lease.Spec.LeaseDurationSeconds = &metav1.MicroTime{Time: time.Now().Add(-24 * time.Hour)}, new(int32(864000))
			return second.Client.Update(t.Context(), lease)
		},
		"restored, with a reservation for the tenant that waits": func(lease *coordinationv1.Lease) error {
			*lease.Spec.HolderIdentity = first.namespace + "/contoso/" + string(waiting.UID)
			lease.Spec.RenewTime, lease.Spec.LeaseDurationSeconds = &metav1.MicroTime{Time: time.Now().Add(-24 * time.Hour)}, new(int32(864000))
			return second.Client.Update(t.Context(), lease)
		},
	} {
		second.eventually("spoil the Lease: "+name, func() string {
			if err := spoil(second.lease(host)); err != nil {
				return err.Error()
			}
			return ""
		})
		second.eventually("the Lease is mended: "+name, func() string {
			lease := &coordinationv1.Lease{}
			if err := second.Get(t.Context(), client.ObjectKey{Namespace: testenv.OperatorNamespace, Name: "host." + host}, lease); err != nil {
				return err.Error()
			}
			if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity != identity || lease.Spec.RenewTime != nil || len(lease.Labels) == 0 {
				return fmt.Sprintf("it is %+v", lease)
			}
			if slices.ContainsFunc(lease.ManagedFields, func(entry metav1.ManagedFieldsEntry) bool {
				return entry.Manager != "tenantry-operator" && strings.Contains(entry.FieldsV1.String(), `"f:spec"`)
			}) {
				return fmt.Sprintf("what it says is another's: %+v", lease.ManagedFields)
			}
			return ""
		})
		first.settled()
		first.until(waiting, "ExposureInEffect=False/HostTaken", ready)
		second.until(holder, ready)
	}
	if route() != before {
		t.Error("the holder's route was made anew")
	}
}

// operator starts one more, beside that of all tests.
func (w *world) operator(options controllers.Options) *testenv.Operator {
	w.Helper()
	started, err := cluster.StartOperator(w.Context(), options, logTo(logs))
	if err != nil {
		w.Fatal(err)
	}
	return started
}

// An operator that was away while a tenant was deleted, or its namespace, and one that is killed between Lease and route.
func TestAnOperatorThatWasAwayReservesTheHostsOfTenantsThatAreGoneUntilTheTimeIsOver(t *testing.T) {
	t.Parallel()
	first, second := newWorld(t), newWorld(t)
	host := first.namespace + ".away.example.com"
	own := func(p *v1alpha1.ProvisioningTenant) { p.Labels = map[string]string{testenv.OwnOperatorLabel: ""} }
	options := testenv.Options(entra.URL)
	options.HostReservation = 3 * time.Second
	options.Namespaces = map[string]cache.Config{first.namespace: {}, second.namespace: {}}
	run := func() *testenv.Operator { return first.operator(options) }
	stop := func(running *testenv.Operator) {
		t.Helper()
		if err := running.Stop(); err != nil {
			t.Error(err)
		}
	}
	holder := create(first, first.tenant(withHost(host), own))
	running := run()
	first.until(holder, ready)
	waiting := create(second, second.tenant(withHost(host), own))
	second.until(waiting, "Ready=False/HostTaken")
	stop(running)
	if err := first.Delete(t.Context(), holder); err != nil {
		t.Fatal(err)
	}
	running = run()
	second.eventually("the host is reserved", func() string {
		if first.lease(host).Spec.RenewTime == nil {
			return "it is held"
		}
		return ""
	})
	stop(running)
	running = run() // and knows of the reservation
	second.until(waiting, ready)
	if got := first.lease(host); !strings.HasPrefix(*got.Spec.HolderIdentity, second.namespace+"/") || got.Spec.RenewTime != nil {
		t.Errorf("the Lease is %+v", got.Spec)
	}
	// Nobody wants it any more: the Lease goes.
	if err := second.Delete(t.Context(), waiting); err != nil {
		t.Fatal(err)
	}
	second.eventually("the Lease goes", func() string {
		err := second.Get(t.Context(), client.ObjectKey{Namespace: testenv.OperatorNamespace, Name: "host." + host}, &coordinationv1.Lease{})
		if !apierrors.IsNotFound(err) {
			return fmt.Sprintf("it is still there (%v)", err)
		}
		return ""
	})
	stop(running)
}

func TestANamespaceClaimsTheHostsThatRulesAllowAndKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rule := func(text string) hosts.Rule {
		t.Helper()
		rule, err := hosts.ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		return rule
	}
	options := testenv.Options(entra.URL)
	options.Namespaces = map[string]cache.Config{w.namespace: {}}
	options.HostRules = []hosts.Rule{
		rule(`{namespaceSelector: {matchLabels: {team: a}}, hosts: ["*.a.example.com"]}`), rule(`hosts: ["*.{namespace}.example.com"]`),
	}
	run := func() *testenv.Operator { return w.operator(options) }
	host := w.namespace + ".a.example.com"
	tenant := create(w, w.tenant(withHost(host), func(p *v1alpha1.ProvisioningTenant) { p.Labels = map[string]string{testenv.OwnOperatorLabel: ""} }))
	running := run()
	w.until(tenant, "Accepted=False/HostNotAllowed", "Exposed=False/HostNotAllowed", "Ready=False/HostNotAllowed", "ServerAvailable=Unknown/WaitingForHost")
	want := "The platform does not let tenants of namespace " + w.namespace + " have host " + host + ": allowed is *." + w.namespace +
		".example.com. Choose another in spec.exposure.host."
	if got := message(tenant, "Accepted"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	edit(w, namespace, func(n *corev1.Namespace) { n.Labels["team"] = "a" })
	w.until(tenant, ready)

	// A rule that is tightened takes nothing from who has it.
	if err := running.Stop(); err != nil {
		t.Error(err)
	}
	options.HostRules = options.HostRules[1:]
	running = run()
	w.until(tenant, "ExposureInEffect=False/HostNotAllowed", "Exposed=True/IngressReady", ready)
	if !strings.HasSuffix(message(tenant, "ExposureInEffect"), " The tenant keeps the host that it has; once it lets go of it, it cannot have it again.") {
		t.Errorf("got %q", message(tenant, "ExposureInEffect"))
	}
	if want := "https://" + host + "/scim/v2"; tenant.Status.TenantURL != want {
		t.Errorf("status.tenantURL is %q, want %q", tenant.Status.TenantURL, want)
	}
	if got := get(w, &networkingv1.Ingress{}, "contoso-scim").Spec.Rules[0].Host; got != host {
		t.Errorf("the Ingress has host %s", got)
	}
	edit(w, tenant, withHost("contoso."+w.namespace+".example.com"))
	w.until(tenant, ready)
	edit(w, tenant, withHost(host))
	w.until(tenant, "ExposureInEffect=False/HostNotAllowed", "Exposed=True/IngressReady", ready)
	if want := "https://contoso." + w.namespace + ".example.com/scim/v2"; tenant.Status.TenantURL != want {
		t.Errorf("status.tenantURL is %q, want %q", tenant.Status.TenantURL, want)
	}
	if err := running.Stop(); err != nil {
		t.Error(err)
	}
}

// An operator that serves single namespaces has the same rights as a Role in each.
func TestARoleInANamespaceIsEnoughToReadItsLabels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	meta := metav1.ObjectMeta{Namespace: w.namespace, Name: "operator"}
	create(w, &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get"}}}})
	create(w, &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.namespace, Name: meta.Name}},
	})
	role, err := client.New(cluster.AsServiceAccount(w.namespace, meta.Name), client.Options{Scheme: w.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	w.eventually("the namespace can be read", func() string {
		if err := role.Get(t.Context(), client.ObjectKey{Name: w.namespace}, &corev1.Namespace{}); err != nil {
			return err.Error()
		}
		return ""
	})
	if err := role.Get(t.Context(), client.ObjectKey{Name: "default"}, &corev1.Namespace{}); !apierrors.IsForbidden(err) {
		t.Errorf("another namespace can be read: %v", err)
	}
}

// lease is that of a host.
func (w *world) lease(host string) *coordinationv1.Lease {
	w.Helper()
	lease := &coordinationv1.Lease{}
	w.eventually("get the Lease of "+host, func() string {
		if err := w.Get(w.Context(), client.ObjectKey{Namespace: testenv.OperatorNamespace, Name: "host." + host}, lease); err != nil {
			return err.Error()
		}
		return ""
	})
	return lease
}

// pretend does what the cluster would for an object.
func (w *world) pretend(object client.Object, name string) {
	w.Helper()
	w.eventually("pretend for "+name, func() string {
		if err := testenv.Pretend(w.Context(), w.Client, get(w, object, name)); err != nil {
			return err.Error()
		}
		return ""
	})
}

func TestNoTenantTakesAHostThatAnotherPublishesHoweverOldItIs(t *testing.T) {
	t.Parallel()
	first, second := newWorld(t), newWorld(t)
	host, own := second.namespace+".kept.example.com", first.namespace+".own.example.com"
	older := create(first, first.tenant(withHost(own)))
	first.until(older, ready)
	younger := create(second, second.tenant(withHost(host)))
	second.until(younger, ready)
	ingress := get(second, &networkingv1.Ingress{}, "contoso-scim")

	// An edit that asks for it is refused, and what was published before stays.
	edit(first, older, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Host = host })
	first.until(older, "ExposureInEffect=False/HostTaken", "Exposed=True/IngressReady", "Stalled=True/HostTaken", ready)
	if want := "https://" + own + "/scim/v2"; older.Status.TenantURL != want {
		t.Errorf("the tenant whose edit was refused publishes %q, want %q as before", older.Status.TenantURL, want)
	}
	if got := get(first, &networkingv1.Ingress{}, "contoso-scim").Spec.Rules[0].Host; got != own {
		t.Errorf("the Ingress of the tenant whose edit was refused has host %s, want %s as before", got, own)
	}
	second.until(younger, ready)
	if now := get(second, &networkingv1.Ingress{}, "contoso-scim"); now.UID != ingress.UID || now.Spec.Rules[0].Host != host {
		t.Errorf("the route of the holder was touched: %+v", now)
	}
	if want := "https://" + host + "/scim/v2"; younger.Status.TenantURL != want {
		t.Errorf("the holder publishes %q, want %q", younger.Status.TenantURL, want)
	}
}
