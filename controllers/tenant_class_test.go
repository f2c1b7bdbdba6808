package controllers

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	fakediscovery "k8s.io/client-go/discovery/fake"
	clienttesting "k8s.io/client-go/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// classCache is a cache of classes.
type classCache struct {
	cache.Cache
	classes []v1alpha1.ProvisioningTenantClass
}

func (c classCache) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.ProvisioningTenantClassList).Items = c.classes //nolint:forcetypeassert // no other is asked for
	return nil
}

// classesNamed are classes with one spec, in YAML.
func classesNamed(t *testing.T, spec string, names ...string) *tenantClasses {
	t.Helper()
	var all []v1alpha1.ProvisioningTenantClass
	for _, name := range names {
		class := v1alpha1.ProvisioningTenantClass{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), Generation: 1}}
		if err := yaml.UnmarshalStrict([]byte(spec), &class.Spec); err != nil {
			t.Fatal(err)
		}
		all = append(all, class)
	}
	known := &tenantClasses{}
	known.looked.Store(true)
	known.running.Store(&runningCache{classCache{classes: all}, func() {}})
	return known
}

// looks has an operator that has just started look at a tenant so many times, and the cluster do its part.
func (s *simulated) looks(known *tenantClasses, times int, tenant ctrl.Request) {
	s.Helper()
	for range times {
		r := s.operator()
		r.Classes = known
		_, _ = r.Reconcile(s.Context(), tenant)
		s.pretend()
	}
}

func ofStandard(p *v1alpha1.ProvisioningTenant) { p.Spec.ClassName = "standard" }

const onlyItsOwn = `bounds: {exposure: {hosts: [{patterns: ["{name}.example.com"]}], ingress: {annotationPrefixes: []}}}`

// asksForMore goes beyond onlyItsOwn.
func asksForMore(p *v1alpha1.ProvisioningTenant) {
	p.Spec.Exposure.Host = "other.example.com"
	p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{Annotations: map[string]string{"example.com/more": "x"}}
}

// hasMore tells whether it got that.
func (s *simulated) hasMore() bool {
	s.Helper()
	var ingresses networkingv1.IngressList
	s.must(s.List(s.Context(), &ingresses))
	return slices.ContainsFunc(ingresses.Items, func(i networkingv1.Ingress) bool {
		return i.Spec.Rules[0].Host == "other.example.com" || i.Annotations["example.com/more"] != ""
	})
}

func TestATenantOfWhichItIsLostWhatWasDecidedGetsNoMoreByThat(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso(ofStandard))
	known := classesNamed(t, onlyItsOwn, "standard")
	s.looks(known, 8, theTenant)
	before, _ := s.server()
	s.edit(asksForMore)
	s.looks(known, 4, theTenant)
	s.must(s.WithWatch.Delete(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso-scim"}}))
	s.looks(known, 6, theTenant)
	after, _ := s.server()
	told := meta.FindStatusCondition(s.tenant().Status.Conditions, v1alpha1.ConditionClassInEffect)
	if s.hasMore() || !equality.Semantic.DeepEqual(before.Spec, after.Spec) || told == nil || told.Reason != v1alpha1.ReasonOutOfBounds || s.tenant().Status.TenantURL == "" {
		t.Errorf("it is told %+v, and has the server %+v, before %+v", told, after.Spec, before.Spec)
	}
	// Within the bounds it is looked after again.
	s.edit(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure = v1alpha1.Exposure{Host: "contoso.example.com"} })
	s.looks(known, 4, theTenant)
	if !meta.IsStatusConditionTrue(s.tenant().Status.Conditions, v1alpha1.ConditionClassInEffect) {
		t.Errorf("within the bounds it is told %+v", s.tenant().Status.Conditions)
	}
}

func TestARefusedTenantIsNobodysRivalForAHost(t *testing.T) {
	t.Parallel()
	other := contoso(ofStandard, func(p *v1alpha1.ProvisioningTenant) {
		p.Namespace, p.Name, p.UID, p.CreationTimestamp = "aaa", "other", "uid-other", metav1.Unix(1, 0)
	})
	s := simulate(t, other, contoso(ofStandard, func(p *v1alpha1.ProvisioningTenant) { p.CreationTimestamp = metav1.Unix(2, 0) }))
	known := classesNamed(t, onlyItsOwn, "standard")
	s.looks(known, 3, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(other)})
	s.looks(known, 8, theTenant)
	if told := meta.FindStatusCondition(s.tenant().Status.Conditions, v1alpha1.ConditionAccepted); told == nil || told.Status != metav1.ConditionTrue {
		t.Errorf("the one that may have the host is told %+v", told)
	}
}

func TestARefusedTenantThatNobodyTouchesCostsNoWrite(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso(ofStandard, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Server.Template.Spec.NodeSelector = map[string]string{"a": "b"}
		p.Spec.Server.Template.Spec.Tolerations = []corev1.Toleration{{Operator: "Exists"}}
		p.Spec.Server.Template.Spec.Affinity = &corev1.Affinity{}
	}))
	known := classesNamed(t, "bounds: {server: {scheduling: Refused}}", "standard")
	s.looks(known, 3, theTenant)
	before := s.writes
	s.looks(known, 50, theTenant)
	if s.writes > before {
		t.Errorf("%d writes in 50 looks", s.writes-before)
	}
}

func TestTheHostByTheOperatorsDomainIsHeldToTheBoundOfTheClass(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso(ofStandard, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Host = "" }))
	for range 4 {
		r := s.operator()
		r.Classes, r.Options.BaseDomain = classesNamed(t, `bounds: {exposure: {hosts: [{patterns: ["*.{namespace}.example.com"]}]}}`, "standard"), "example.com"
		_, _ = r.Reconcile(t.Context(), theTenant)
		s.pretend()
	}
	if told := meta.FindStatusCondition(s.tenant().Status.Conditions, v1alpha1.ConditionAccepted); told == nil || told.Reason != v1alpha1.ReasonOutOfBounds {
		t.Errorf("it is told %+v", told)
	}
}

func TestTenantsOfAllClassesShareThePlacesOfAnUpgrade(t *testing.T) {
	t.Parallel()
	other := contoso(func(p *v1alpha1.ProvisioningTenant) {
		p.Name, p.UID, p.Spec.ClassName, p.Spec.Exposure.Host = "fabrikam", "uid-fabrikam", "gold", "fabrikam.example.com"
	})
	s := simulate(t, contoso(ofStandard), other)
	known := classesNamed(t, "{}", "standard", "gold")
	tenants := []ctrl.Request{theTenant, {NamespacedName: client.ObjectKeyFromObject(other)}}
	// deployed returns a tenant's Deployment, at a generation if that is given, because the fake API server counts none.
	deployed := func(tenant ctrl.Request, generation int64) *appsv1.Deployment {
		d := &appsv1.Deployment{}
		s.must(s.WithWatch.Get(t.Context(), client.ObjectKey{Namespace: "customers", Name: tenant.Name + "-scim"}, d))
		if generation > 0 {
			d.Generation = generation
			s.must(s.WithWatch.Update(t.Context(), d))
		}
		return d
	}
	for _, tenant := range tenants {
		s.looks(known, 6, tenant)
		d := deployed(tenant, 1)
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}
		s.must(s.Status().Update(t.Context(), d))
		s.looks(known, 2, tenant)
	}
	s.image = "scimserver:broken"
	r := s.operator()
	r.Classes = known
	broken := 0
	for range 3 {
		for _, tenant := range tenants {
			_, _ = r.Reconcile(t.Context(), tenant)
			if d := deployed(tenant, 0); d.Spec.Template.Spec.Containers[0].Image == s.image && d.Generation == 1 {
				deployed(tenant, 2)
				broken++
			}
		}
	}
	if broken != 1 {
		t.Errorf("one server may restart at a time, and %d have the image that does not start", broken)
	}
}

// namespacedManager is that of an operator with rights in single namespaces.
type namespacedManager struct {
	ctrl.Manager
	client.Reader
}

func (m namespacedManager) GetAPIReader() client.Reader { return m }

func (m namespacedManager) List(_ context.Context, _ client.ObjectList, options ...client.ListOption) error {
	if (&client.ListOptions{}).ApplyOptions(options).Namespace == "" {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "httproutes"}, "", errors.New("no"))
	}
	return nil
}

func TestAnOperatorOfSingleNamespacesFindsTheKindsThatItMayListThere(t *testing.T) {
	t.Parallel()
	known := &fakediscovery.FakeDiscovery{Fake: &clienttesting.Fake{Resources: []*metav1.APIResourceList{{
		GroupVersion: gatewayv1.GroupVersion.String(), APIResources: []metav1.APIResource{{Kind: "HTTPRoute"}},
	}}}}
	for name, namespaces := range map[string]map[string]cache.Config{"": nil, "customers": {"customers": {}}} {
		routes := &optionalKind{
			mgr: namespacedManager{}, list: &gatewayv1.HTTPRouteList{}, log: logr.Discard(), cache: cache.Options{DefaultNamespaces: namespaces},
			kind: schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1", Kind: "HTTPRoute"},
		}
		if there, err := routes.there(t.Context(), known); err != nil || there != (name != "") {
			t.Errorf("in namespace %q: %v, %v", name, there, err)
		}
	}
}
