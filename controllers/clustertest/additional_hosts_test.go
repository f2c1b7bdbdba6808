package clustertest

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
)

// at gives a tenant a host, and others besides.
func at(host string, additional ...string) func(*v1alpha1.ProvisioningTenant) {
	return func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.Host = host
		withAdditional(additional...)(p)
	}
}

func withAdditional(hosts ...string) func(*v1alpha1.ProvisioningTenant) {
	return func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.AdditionalHosts = nil
		for _, host := range hosts {
			p.Spec.Exposure.AdditionalHosts = append(p.Spec.Exposure.AdditionalHosts, v1alpha1.HostName(host))
		}
	}
}

// routes waits until the tenant's Ingress has these hosts, each with the paths of the first, and returns it.
func (w *world) routes(hosts ...string) *networkingv1.Ingress {
	w.Helper()
	slices.Sort(hosts)
	var ingress *networkingv1.Ingress
	w.eventually("the hosts of the Ingress", func() string {
		ingress = get(w, &networkingv1.Ingress{}, "contoso-scim")
		var got []string
		for _, rule := range ingress.Spec.Rules {
			got = append(got, rule.Host)
			if rule.HTTP == nil || len(rule.HTTP.Paths) != len(ingress.Spec.Rules[0].HTTP.Paths) {
				return rule.Host + " has other paths"
			}
		}
		if !slices.Equal(got, hosts) {
			return fmt.Sprintf("they are %s, want %s", got, hosts)
		}
		return ""
	})
	return ingress
}

// urls waits until the tenant publishes the Tenant URL of a host, and the additional URLs of others.
func (w *world) urls(tenant *v1alpha1.ProvisioningTenant, host string, additional ...string) {
	w.Helper()
	url := func(host string) string { return "https://" + host + "/scim/v2" }
	var want []string
	for _, host := range additional {
		want = append(want, url(host))
	}
	w.eventually("the URLs of the tenant", func() string {
		now := get(w, &v1alpha1.ProvisioningTenant{}, tenant.Name)
		if now.Status.TenantURL != url(host) || !slices.Equal(now.Status.AdditionalURLs, want) {
			return fmt.Sprintf("they are %s and %s, want %s and %s", now.Status.TenantURL, now.Status.AdditionalURLs, url(host), want)
		}
		return ""
	})
}

// holds fails the test where the tenant does not hold a host since that time.
func (w *world) holds(tenant *v1alpha1.ProvisioningTenant, host string, since *metav1.MicroTime) {
	w.Helper()
	lease := w.lease(host)
	if *lease.Spec.HolderIdentity != w.namespace+"/"+tenant.Name+"/"+string(tenant.UID) || lease.Spec.RenewTime != nil || !lease.Spec.AcquireTime.Equal(since) {
		w.Errorf("the Lease of %s says %+v", host, lease.Spec)
	}
}

// neverWithout begins to watch a tenant and its Ingress. What it returns fails the test where any version of them, up to the present one, was without
// the host.
func (w *world) neverWithout(tenant *v1alpha1.ProvisioningTenant, ingress *networkingv1.Ingress, host string) (check func()) {
	w.Helper()
	watcher, err := client.NewWithWatch(cluster.Config, client.Options{Scheme: w.Scheme()})
	if err != nil {
		w.Fatal(err)
	}
	begin := func(list client.ObjectList, from client.Object) apiwatch.Interface {
		w.Helper()
		watched, err := watcher.Watch(w.Context(), list, client.InNamespace(w.namespace), client.MatchingFields{"metadata.name": from.GetName()},
			&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: from.GetResourceVersion()}})
		if err != nil {
			w.Fatal(err)
		}
		w.Cleanup(watched.Stop)
		return watched
	}
	ingresses, tenants := begin(&networkingv1.IngressList{}, ingress), begin(&v1alpha1.ProvisioningTenantList{}, tenant)
	until := func(events apiwatch.Interface, version string, lacks func(object client.Object) bool) {
		w.Helper()
		for event := range events.ResultChan() {
			object, ok := event.Object.(client.Object)
			if !ok || event.Type != apiwatch.Modified || lacks(object) {
				w.Fatalf("%s: %+v is without host %s", event.Type, event.Object, host)
			}
			if object.GetResourceVersion() == version {
				return
			}
		}
		w.Fatal("the watch ended")
	}
	return func() {
		w.Helper()
		until(ingresses, get(w, &networkingv1.Ingress{}, ingress.Name).ResourceVersion, func(object client.Object) bool {
			now, ok := object.(*networkingv1.Ingress)
			return !ok || !slices.ContainsFunc(now.Spec.Rules, func(rule networkingv1.IngressRule) bool { return rule.Host == host })
		})
		until(tenants, get(w, &v1alpha1.ProvisioningTenant{}, tenant.Name).ResourceVersion, func(object client.Object) bool {
			now, ok := object.(*v1alpha1.ProvisioningTenant)
			return !ok || !slices.Contains(append(now.Status.AdditionalURLs, now.Status.TenantURL), "https://"+host+"/scim/v2")
		})
	}
}

// patches are those of tenant contoso in the section of docs/exposure.md, with the hosts of this test.
func (w *world) patches(section, former, next string) (patches []client.Patch) {
	w.Helper()
	text, err := os.ReadFile("../../docs/exposure.md")
	if err != nil {
		w.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\n## "+section+"\n")
	commands, _, _ := strings.Cut(after, "\n## ")
	commands = strings.NewReplacer("contoso.scim.example.com", former, "scim.contoso.example", next).Replace(commands)
	for _, command := range regexp.MustCompile(`(?m)^ +kubectl patch provisioningtenant contoso --type=merge -p '(.*)'$`).FindAllStringSubmatch(commands, -1) {
		patches = append(patches, client.RawPatch(types.MergePatchType, []byte(command[1])))
	}
	return patches
}

func TestATenantsHostIsRenamedWithoutAGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	former, next := w.namespace+".example.com", "scim."+w.namespace+".example.com" // the former is the default
	patches := w.patches("Rename a tenant's host without a gap", former, next)
	if len(patches) != 3 {
		t.Fatalf("the document has %d commands, want 3", len(patches))
	}
	patch := func(number int) {
		t.Helper()
		if err := client.WithFieldValidation(w.Client, "Strict").Patch(t.Context(), w.tenant(), patches[number]); err != nil {
			t.Fatal(err)
		}
	}
	withTLS := func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{TLS: &v1alpha1.IngressTLS{SecretName: "tls"}}
	}
	create(w, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "tls"},
		Type:       corev1.SecretTypeTLS, StringData: map[string]string{"tls.crt": "a certificate", "tls.key": "a key"},
	})
	tenant := create(w, w.tenant(withTLS, withHost(former)))
	w.until(tenant, ready)
	w.urls(tenant, former)
	before := w.routes(former)

	// No look at the tenant in between finds an Ingress without the host, or the tenant without the URL that clients have.
	watched := w.neverWithout(tenant, before, former)
	patch(0)
	both := w.routes(former, next)
	w.until(tenant, ready, "ExposureInEffect=True/InEffect")
	w.urls(tenant, former, next)
	held, taken := w.lease(former).Spec.AcquireTime, w.lease(next).Spec.AcquireTime
	w.settled()

	patch(1)
	w.until(tenant, ready, "ExposureInEffect=True/InEffect")
	w.urls(tenant, next, former)
	w.settled()
	if now := w.routes(former, next); now.UID != before.UID || now.Generation != both.Generation {
		t.Errorf("the Ingress was written: generation %d, want %d", now.Generation, both.Generation)
	}
	for _, tls := range both.Spec.TLS {
		if hosts := []string{former, next}; !slices.Equal(tls.Hosts, slices.Sorted(slices.Values(hosts))) || len(both.Spec.TLS) != 1 {
			t.Errorf("the TLS section has %s", tls.Hosts)
		}
	}
	w.holds(tenant, former, held)
	w.holds(tenant, next, taken)
	watched()

	patch(2)
	w.routes(next)
	w.until(tenant, ready)
	w.urls(tenant, next)
	w.eventually("the former host is let go", func() string {
		if w.lease(former).Spec.RenewTime == nil {
			return "it is held"
		}
		return ""
	})
}

func TestAnAdditionalHostThatATenantCannotHaveTakesNothingFromIt(t *testing.T) {
	race.Meets(t) // two tenants wait for one another
	t.Parallel()
	first, second := newWorld(t), newWorld(t)
	host, free := first.namespace+".shared.example.com", "free."+second.namespace+".example.com"
	own := second.namespace + ".example.com"
	holder := create(first, first.tenant(withAdditional(host)))
	first.until(holder, ready)
	first.urls(holder, first.namespace+".example.com", host)

	other := create(second, second.tenant(at(own, host, free)))
	second.until(other, ready, "Accepted=True/Accepted", "ExposureInEffect=False/HostTaken")
	want := "Host " + host + " belongs to a tenant of another namespace, and is free 24h after that lets go of it. Take it out of spec.exposure.additionalHosts."
	if got := message(other, "ExposureInEffect"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	second.routes(own, free)
	second.urls(other, own, free)

	// As its own host it gets it no more than before, and keeps what it has.
	edit(second, other, at(host, own, free))
	second.until(other, ready, "ExposureInEffect=False/HostTaken")
	if got := message(other, "ExposureInEffect"); !strings.Contains(got, "Choose another in spec.exposure.host, such as contoso-"+second.namespace+".shared.example.com.") {
		t.Errorf("got %q", got)
	}
	second.routes(own, free)
	second.urls(other, own, free)

	// The platform team hands the host over.
	lease := first.lease(host)
	identity := second.namespace + "/contoso/" + string(other.UID)
	lease.Spec.HolderIdentity = &identity
	if err := first.Update(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	second.until(other, ready, "ExposureInEffect=True/InEffect")
	second.routes(own, free, host)
	second.urls(other, host, own, free)
	first.until(holder, ready, "ExposureInEffect=False/HostTaken")
	first.routes(first.namespace + ".example.com")
	first.urls(holder, first.namespace+".example.com")
}

func TestATenantWithoutARouteHasItsAdditionalHostsToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host, further := "scim."+w.namespace+".example.com", "former."+w.namespace+".example.com"
	notRouted := func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Type = v1alpha1.ExposureNone }
	tenant := create(w, w.tenant(notRouted, at(host, further)))
	w.until(tenant, ready)
	w.urls(tenant, host, further)
	taken := w.lease(further).Spec.AcquireTime
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.DisplayName = "Contoso" })
	w.until(tenant, ready)
	w.settled()
	w.holds(tenant, further, taken)
}
