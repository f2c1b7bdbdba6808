package controllers

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/rollout"
)

func TestARouteElsewhereIsAnotherObject(t *testing.T) {
	at := func(name, place string, works bool) route {
		return route{Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name}}, kind: kindIngress, place: place, works: works}
	}
	defaulted := func(r route, class string) route {
		r.class = class
		return r
	}
	published := func(r route) route {
		r.published = true
		return r
	}
	for name, test := range map[string]struct {
		routes []route
		want   string
	}{
		"the first":                                          {nil, "x"},
		"as before":                                          {[]route{at("x", "traefik", false)}, "x"},
		"as before, under the second name":                   {[]route{at("x-2", "traefik", true)}, "x-2"},
		"another class":                                      {[]route{at("x", "nginx", true)}, "x-2"},
		"and back":                                           {[]route{at("x-2", "nginx", true)}, "x"},
		"before the change came through":                     {[]route{at("x", "nginx", true), at("x-2", "alb", false)}, "x-2"},
		"the same the other way round":                       {[]route{at("x-2", "nginx", true), at("x", "alb", false)}, "x"},
		"back before the change came through":                {[]route{at("x", "traefik", true), at("x-2", "alb", false)}, "x"},
		"the default class by its name":                      {[]route{defaulted(at("x", "", true), "traefik")}, "x"},
		"another default class":                              {[]route{defaulted(at("x", "", true), "nginx")}, "x-2"},
		"both work, and the second was not published yet":    {[]route{published(at("x", "nginx", true)), at("x-2", "alb", true)}, "x-2"},
		"both work, and the first was not published yet":     {[]route{published(at("x-2", "nginx", true)), at("x", "alb", true)}, "x"},
		"both work for one URL":                              {[]route{published(at("x-2", "nginx", true)), published(at("x", "alb", true))}, "x-2"},
		"what was published works no more, and another does": {[]route{published(at("x", "nginx", false)), at("x-2", "alb", true)}, "x"},
		"somebody wrote another place":                       {[]route{{Object: at("x", "", true).Object, kind: kindIngress, place: "elsewhere", moved: true}}, "x"},
		"both are there, as the class became the default":    {[]route{at("x-2", "traefik", false), defaulted(at("x", "traefik", true), "traefik")}, "x"},
		"another kind has the name":                          {[]route{{Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, kind: kindHTTPRoute}}, "x"},
	} {
		if got := routeName(kindIngress, "x", desired.Tenant{IngressClass: "traefik"}, test.routes); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestAnHTTPRouteStaysTheSameObjectAsLongAsItServesTheHost(t *testing.T) {
	const on = "edge/public# "
	tenant := func(host string, additional ...string) desired.Tenant {
		return desired.Tenant{Host: host, AdditionalHosts: additional, Gateways: []v1alpha1.GatewayReference{reference("Gateway", "edge", "public")}}
	}
	for name, test := range map[string]struct {
		place string
		now   desired.Tenant
		want  string
	}{
		"the same host":                {on + "a.test", tenant("a.test"), "x"},
		"another host":                 {on + "a.test", tenant("b.test"), "x-2"},
		"a host more":                  {on + "a.test", tenant("a.test", "b.test"), "x"},
		"a host less":                  {on + "a.test,b.test", tenant("a.test"), "x"},
		"the two change places":        {on + "a.test,b.test", tenant("b.test", "a.test"), "x"},
		"the one before goes":          {on + "a.test,b.test", tenant("b.test"), "x"},
		"another, and the one besides": {on + "a.test", tenant("b.test", "a.test"), "x-2"},
		"a part of a host's name":      {on + "a.test,b.testing", tenant("b.test"), "x-2"},
		"another Gateway":              {"edge/private# a.test", tenant("a.test"), "x-2"},
		"one Gateway more":             {on + "edge/private# a.test", tenant("a.test"), "x-2"},
		"another listener":             {"edge/public#tls a.test", tenant("a.test"), "x-2"},
		"a ListenerSet of that name":   {"ListenerSet/edge/public# a.test", tenant("a.test"), "x-2"},
		"a port":                       {"edge/public#:443 a.test", tenant("a.test"), "x-2"},
	} {
		there := route{Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, kind: kindHTTPRoute, place: test.place, works: true}
		if got := routeName(kindHTTPRoute, "x", test.now, []route{there}); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestNothingIsRememberedOfATenantThatIsGone(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso())
	r := s.operator()
	look := func() (remembered int) {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(contoso())}); err != nil {
			t.Fatal(err)
		}
		r.memories.Range(func(any, any) bool { remembered++; return true })
		return remembered
	}
	if look() == 0 {
		t.Fatal("nothing is remembered of a tenant that is there")
	}
	r.Upgrades = rollout.NewLimiter(1, "v2")
	server := func(name string) *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: name},
			Status:     appsv1.DeploymentStatus{UpdatedReplicas: 1, AvailableReplicas: 1},
		}
	}
	if another := server("fabrikam-scim"); !r.Upgrades.TryAcquire(server("contoso-scim"), nil) || r.Upgrades.TryAcquire(another, nil) {
		t.Fatal("one place must serve one")
	}
	s.must(s.WithWatch.Delete(t.Context(), s.tenant()))
	if got := look(); got > 0 {
		t.Errorf("%d things are remembered", got)
	}
	if !r.Upgrades.TryAcquire(server("fabrikam-scim"), nil) {
		t.Error("the tenant still takes a place of an upgrade")
	}
}

func TestATenantThatLostItsLeaseHandsOutTheURLOfTheRouteThatIsKept(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication.Readers = []v1alpha1.Reader{{Name: "payroll"}}
	}))
	s.settle()
	var lease coordinationv1.Lease
	s.must(s.Get(t.Context(), client.ObjectKey{Namespace: "tenantry-system", Name: hosts.LeaseName("contoso.example.com")}, &lease))
	hosts.Hold(&lease, "contoso.example.com", hosts.Holder{NamespacedName: client.ObjectKey{Namespace: "elsewhere", Name: "fabrikam"}, UID: "uid-fabrikam"}, s.now.Now())
	hosts.Reserve(&lease, 24*time.Hour, s.now.Now())
	s.must(s.WithWatch.Update(t.Context(), &lease, client.FieldOwner(apply.FieldManager)))
	s.settle()
	if c := meta.FindStatusCondition(s.tenant().Status.Conditions, v1alpha1.ConditionExposed); c == nil || c.Reason != v1alpha1.ReasonHostTaken {
		t.Fatalf("the tenant did not notice: %+v", c)
	}
	const want = "https://contoso.example.com/scim/v2"
	for of, got := range map[string]string{
		"the status":      s.tenant().Status.TenantURL,
		"the credentials": string(s.secret("contoso-credentials").Data[v1alpha1.CredentialsTenantURLKey]),
		"the reader":      string(s.secret("contoso-reader.payroll").Data[v1alpha1.ReaderURIKey]),
	} {
		if got != want {
			t.Errorf("of %s it is %q, want %q", of, got, want)
		}
	}
}
