package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/exposure"
)

func reference(kind v1alpha1.GatewayKind, namespace, name string) v1alpha1.GatewayReference {
	return v1alpha1.GatewayReference{Group: v1alpha1.GatewayAPI, Kind: kind, Namespace: namespace, Name: name}
}

func TestTheControllerOfAGatewayIsThatOfItsClass(t *testing.T) {
	gateway := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "edge", Name: "public"}, Spec: gatewayv1.GatewaySpec{GatewayClassName: "example"}}
	class := &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "example"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: "example.com/ctl"}}
	scheme := runtime.NewScheme()
	if err := gatewayv1.Install(scheme); err != nil {
		t.Fatal(err)
	}
	set := func(change func(*gatewayv1.ListenerSet)) *gatewayv1.ListenerSet {
		set := &gatewayv1.ListenerSet{ObjectMeta: metav1.ObjectMeta{Namespace: "edge", Name: "public", Generation: 2}}
		set.Spec.ParentRef.Name = "public"
		change(set)
		return set
	}
	own := set(func(*gatewayv1.ListenerSet) {})
	elsewhere := func(set *gatewayv1.ListenerSet) {
		set.Namespace, set.Spec.ParentRef.Namespace = "customers", new(gatewayv1.Namespace("edge"))
	}
	refused := func(generation int64) *gatewayv1.ListenerSet {
		return set(func(set *gatewayv1.ListenerSet) {
			set.Status.Conditions = []metav1.Condition{{Type: "Accepted", Status: metav1.ConditionFalse, Reason: "NotAllowed", Message: "No.", ObservedGeneration: generation}}
		})
	}
	forbidden := apierrors.NewForbidden(gatewayv1.Resource("gateways"), "public", errors.New("no"))
	inSet := reference("ListenerSet", "edge", "public")
	for name, test := range map[string]struct {
		of      v1alpha1.GatewayReference
		objects []client.Object
		err     error
		want    exposure.Gateway
		fails   bool
	}{
		"it is known by its ListenerSet": {of: inSet, objects: []client.Object{own, gateway, class}, want: exposure.Gateway{Controller: "example.com/ctl"}},
		"it is known by a ListenerSet of another namespace": {
			of: reference("ListenerSet", "customers", "public"), objects: []client.Object{set(elsewhere), gateway, class},
			want: exposure.Gateway{Controller: "example.com/ctl"},
		},
		"it does not let the ListenerSet on": {
			of: inSet, objects: []client.Object{refused(2), gateway, class}, want: exposure.Gateway{Controller: "example.com/ctl", Refused: "NotAllowed: No."},
		},
		"it did not let the ListenerSet of before on": {
			of: inSet, objects: []client.Object{refused(1), gateway, class}, want: exposure.Gateway{Controller: "example.com/ctl"},
		},
		"there is no ListenerSet":             {of: inSet, objects: []client.Object{gateway, class}, want: exposure.Gateway{Missing: true}},
		"the ListenerSet has no Gateway":      {of: inSet, objects: []client.Object{own, class}, want: exposure.Gateway{Missing: true}},
		"there is no class for a ListenerSet": {of: inSet, objects: []client.Object{own, gateway}},
		"no right to read the ListenerSet":    {of: inSet, err: forbidden},
		"the cluster knows no ListenerSets":   {of: inSet, err: &meta.NoKindMatchError{}, want: exposure.Gateway{Unknown: true}},
		"no ListenerSet as etcd failed":       {of: inSet, err: apierrors.NewInternalError(errors.New("etcd")), fails: true},
		"it is known":                         {objects: []client.Object{gateway, class}, want: exposure.Gateway{Controller: "example.com/ctl"}},
		"there is no Gateway":                 {objects: []client.Object{class}, want: exposure.Gateway{Missing: true}},
		"there is no class":                   {objects: []client.Object{gateway}},
		"no right to read it":                 {err: forbidden},
		"no Gateway API":                      {err: &meta.NoKindMatchError{}},
		"the API server failed":               {err: apierrors.NewInternalError(errors.New("etcd")), fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			live := fake.NewClientBuilder().WithScheme(scheme).WithObjects(test.objects...).WithInterceptorFuncs(interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
					asked++
					if test.err != nil {
						return test.err
					}
					return c.Get(ctx, key, object, opts...)
				},
			}).Build()
			now := clocktesting.NewFakePassiveClock(time.Unix(1000, 0))
			classes := &gatewayClasses{live, newRecent[v1alpha1.GatewayReference, exposure.Gateway](now, time.Minute)}
			if test.of.Name == "" {
				test.of = reference("Gateway", "edge", "public")
			}
			if test.fails {
				test.want = exposure.Gateway{}
			}
			for port := range int32(2) {
				one := test.of // whichever of its listeners
				one.Port = port
				got, err := classes.of(t.Context(), one)
				if got != test.want || (err != nil) != test.fails {
					t.Errorf("got %+v, %v, want %+v", got, err, test.want)
				}
			}
			once := asked
			now.SetTime(now.Now().Add(time.Minute))
			if _, _ = classes.of(t.Context(), test.of); asked == once || !test.fails && once > 3 {
				t.Errorf("asked %d times in a minute and %d after it", once, asked-once)
			}
		})
	}
}

func TestATenantWithAnHTTPRouteIsNotJudgedBeforeTheseWereLookedFor(t *testing.T) {
	t.Parallel()
	tenant := func(exposure v1alpha1.ExposureType, reason string) *v1alpha1.ProvisioningTenant {
		p := &v1alpha1.ProvisioningTenant{Spec: v1alpha1.ProvisioningTenantSpec{Exposure: v1alpha1.Exposure{Type: exposure}}}
		p.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionExposed, Reason: reason}}
		return p
	}
	for name, test := range map[string]struct {
		tenant *v1alpha1.ProvisioningTenant
		before bool
	}{
		"by a Gateway":  {tenant(v1alpha1.ExposureGateway, v1alpha1.ReasonRouteAccepted), false},
		"by an Ingress": {tenant(v1alpha1.ExposureIngress, v1alpha1.ReasonIngressReady), true},
		"by an Ingress, and its HTTPRoute is kept": {tenant(v1alpha1.ExposureIngress, v1alpha1.ReasonRouteKept), false},
		"not at all": {tenant(v1alpha1.ExposureNone, v1alpha1.ReasonNotExposed), true},
	} {
		g := &gatewayAPI{}
		if got := g.mayJudge(test.tenant); got != test.before {
			t.Errorf("%s: %v before HTTPRoutes were looked for, want %v", name, got, test.before)
		}
		g.looked.Store(true)
		if !g.mayJudge(test.tenant) || !(*gatewayAPI)(nil).mayJudge(test.tenant) {
			t.Errorf("%s: the tenant is not judged afterwards", name)
		}
	}
}
