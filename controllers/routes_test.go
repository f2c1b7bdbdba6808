package controllers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
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
)

// said is an entry of a route's status, of generation 2.
func said(controller string, accepted, resolved metav1.ConditionStatus, change ...func(*gatewayv1.RouteParentStatus)) gatewayv1.RouteParentStatus {
	entry := gatewayv1.RouteParentStatus{
		ParentRef:      gatewayv1.ParentReference{Name: "public", Namespace: new(gatewayv1.Namespace("edge"))},
		ControllerName: gatewayv1.GatewayController(controller),
		Conditions: []metav1.Condition{
			{Type: "Accepted", Status: accepted, Reason: "NotAllowedByListeners", Message: "no.", ObservedGeneration: 2},
			{Type: "ResolvedRefs", Status: resolved, Reason: "BackendNotFound", Message: "none.", ObservedGeneration: 2},
		},
	}
	for _, f := range change {
		f(&entry)
	}
	return entry
}

func TestAnHTTPRouteIsJudgedByWhatEachControllerSaysOfIt(t *testing.T) {
	const yes, no, unknown = metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	const a, b = "a.example/ctl", "b.example/ctl"
	public := func(state gatewayState) []parent {
		return []parent{{reference("Gateway", "edge", "public"), state}}
	}
	inSet := func(state gatewayState) []parent {
		return []parent{{reference("ListenerSet", "edge", "public"), state}}
	}
	atPort := func(port int32) []parent {
		at := reference("Gateway", "edge", "public")
		at.Port = port
		return []parent{{at, gatewayState{}}}
	}
	ofKind := func(group, kind string) func(*gatewayv1.RouteParentStatus) {
		return func(entry *gatewayv1.RouteParentStatus) {
			entry.ParentRef.Group, entry.ParentRef.Kind = new(gatewayv1.Group(group)), new(gatewayv1.Kind(kind))
		}
	}
	ofPort := func(port gatewayv1.PortNumber) func(*gatewayv1.RouteParentStatus) {
		return func(entry *gatewayv1.RouteParentStatus) { entry.ParentRef.Port = &port }
	}
	before := func(entry *gatewayv1.RouteParentStatus) {
		for i := range entry.Conditions {
			entry.Conditions[i].ObservedGeneration = 1
		}
	}
	of := func(name, section string) func(*gatewayv1.RouteParentStatus) {
		return func(entry *gatewayv1.RouteParentStatus) {
			entry.ParentRef.Name = gatewayv1.ObjectName(name)
			if section != "" {
				entry.ParentRef.SectionName = new(gatewayv1.SectionName(section))
			}
		}
	}
	for name, test := range map[string]struct {
		parents []parent
		entries []gatewayv1.RouteParentStatus
		want    string
		message string
	}{
		"nobody has answered":         {want: "False/WaitingForGateway"},
		"one takes it":                {entries: []gatewayv1.RouteParentStatus{said(a, yes, yes)}, want: "True/RouteAccepted"},
		"of the generation before":    {entries: []gatewayv1.RouteParentStatus{said(a, yes, yes, before)}, want: "False/WaitingForGateway"},
		"it does not know yet":        {entries: []gatewayv1.RouteParentStatus{said(a, yes, unknown)}, want: "False/WaitingForGateway"},
		"one half is missing":         {entries: []gatewayv1.RouteParentStatus{said(a, yes, yes, func(e *gatewayv1.RouteParentStatus) { e.Conditions = e.Conditions[:1] })}, want: "False/WaitingForGateway"},
		"it refuses":                  {entries: []gatewayv1.RouteParentStatus{said(a, no, yes)}, want: "False/RouteRejected", message: "a.example/ctl: NotAllowedByListeners: no."},
		"it finds no Service":         {entries: []gatewayv1.RouteParentStatus{said(a, yes, no)}, want: "False/RouteRejected", message: "a.example/ctl: BackendNotFound: none."},
		"another Gateway takes it":    {entries: []gatewayv1.RouteParentStatus{said(a, yes, yes, of("private", ""))}, want: "False/WaitingForGateway"},
		"another listener takes it":   {entries: []gatewayv1.RouteParentStatus{said(a, yes, yes, of("public", "http"))}, want: "False/WaitingForGateway"},
		"each has taken another half": {entries: []gatewayv1.RouteParentStatus{said(a, yes, no), said(b, no, yes)}, want: "False/RouteRejected", message: "b.example/ctl: NotAllowedByListeners: no."},
		"they disagree": {
			entries: []gatewayv1.RouteParentStatus{said(a, no, yes), said(b, yes, yes)}, want: "True/RouteAccepted",
			message: "Of Gateway edge/public another controller says otherwise. a.example/ctl: NotAllowedByListeners: no.",
		},
		"the Gateway's own refuses, and one that was taken away had taken it": {
			parents: public(gatewayState{controller: b}), entries: []gatewayv1.RouteParentStatus{said(a, yes, yes), said(b, no, yes)}, want: "False/RouteRejected",
		},
		"the Gateway's own takes it, and one that was taken away had refused": {
			parents: public(gatewayState{controller: b}), entries: []gatewayv1.RouteParentStatus{said(a, no, yes), said(b, yes, yes)},
			want: "True/RouteAccepted", message: "Every Gateway routes a.test to the server.",
		},
		"the Gateway's own has not answered": {
			parents: public(gatewayState{controller: b}), entries: []gatewayv1.RouteParentStatus{said(a, yes, yes)}, want: "False/WaitingForGateway",
		},
		"there is no such Gateway": {
			parents: public(gatewayState{missing: true}), entries: []gatewayv1.RouteParentStatus{said(a, yes, yes)}, want: "False/WaitingForGateway",
			message: "Gateway edge/public yet. If this lasts, check that the Gateway exists and its controller runs.",
		},
		"the Gateway takes it by group and kind": {
			entries: []gatewayv1.RouteParentStatus{said(a, yes, yes, ofKind("gateway.networking.k8s.io", "Gateway"))}, want: "True/RouteAccepted",
		},
		"a ListenerSet of the Gateway's name takes it": {
			entries: []gatewayv1.RouteParentStatus{said(a, yes, yes, ofKind("gateway.networking.k8s.io", "ListenerSet"))}, want: "False/WaitingForGateway",
		},
		"a kind of another group takes it": {
			entries: []gatewayv1.RouteParentStatus{said(a, yes, yes, ofKind("example.com", "Gateway"))}, want: "False/WaitingForGateway",
		},
		"the ListenerSet takes it": {
			parents: inSet(gatewayState{}), entries: []gatewayv1.RouteParentStatus{said(a, yes, yes, ofKind("gateway.networking.k8s.io", "ListenerSet"))},
			want: "True/RouteAccepted",
		},
		"a Gateway of the ListenerSet's name takes it": {
			parents: inSet(gatewayState{}), entries: []gatewayv1.RouteParentStatus{said(a, yes, yes)}, want: "False/WaitingForGateway",
			message: "ListenerSet edge/public yet. If this lasts, check that the ListenerSet and its Gateway exist and the controller runs.",
		},
		"the ListenerSet refuses": {
			parents: inSet(gatewayState{}), entries: []gatewayv1.RouteParentStatus{said(a, no, yes, ofKind("gateway.networking.k8s.io", "ListenerSet"))},
			want: "False/RouteRejected", message: "ListenerSet edge/public does not take the HTTPRoute. a.example/ctl: NotAllowedByListeners: no.",
		},
		"the Gateway does not let the ListenerSet on": {
			parents: inSet(gatewayState{refused: "NotAllowed: No."}), want: "False/WaitingForGateway",
			message: "The ListenerSet is not accepted: NotAllowed: No.",
		},
		"the port takes it":     {parents: atPort(443), entries: []gatewayv1.RouteParentStatus{said(a, yes, yes, ofPort(443))}, want: "True/RouteAccepted"},
		"another port takes it": {parents: atPort(443), entries: []gatewayv1.RouteParentStatus{said(a, yes, yes, ofPort(8443))}, want: "False/WaitingForGateway"},
		"a port that was not asked for takes it": {
			entries: []gatewayv1.RouteParentStatus{said(a, yes, yes, ofPort(443))}, want: "False/WaitingForGateway",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.parents == nil {
				test.parents = public(gatewayState{})
			}
			route := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Generation: 2}}
			route.Status.Parents = test.entries
			got := routeAccepted(route, test.parents, "a.test", 0)
			if string(got.Status)+"/"+got.Reason != test.want || !strings.Contains(got.Message, test.message) {
				t.Errorf("got %s/%s: %s\nwant %s: … %s", got.Status, got.Reason, got.Message, test.want, test.message)
			}
			if later := routeAccepted(route, test.parents, "a.test", 3); later.Reason != v1alpha1.ReasonWaitingForGateway {
				t.Errorf("a version that the cache has not seen yet is judged %s", later.Reason)
			}
		})
	}
}

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
		want    gatewayState
		fails   bool
	}{
		"it is known by its ListenerSet": {of: inSet, objects: []client.Object{own, gateway, class}, want: gatewayState{controller: "example.com/ctl"}},
		"it is known by a ListenerSet of another namespace": {
			of: reference("ListenerSet", "customers", "public"), objects: []client.Object{set(elsewhere), gateway, class},
			want: gatewayState{controller: "example.com/ctl"},
		},
		"it does not let the ListenerSet on": {
			of: inSet, objects: []client.Object{refused(2), gateway, class}, want: gatewayState{controller: "example.com/ctl", refused: "NotAllowed: No."},
		},
		"it did not let the ListenerSet of before on": {
			of: inSet, objects: []client.Object{refused(1), gateway, class}, want: gatewayState{controller: "example.com/ctl"},
		},
		"there is no ListenerSet":             {of: inSet, objects: []client.Object{gateway, class}, want: gatewayState{missing: true}},
		"the ListenerSet has no Gateway":      {of: inSet, objects: []client.Object{own, class}, want: gatewayState{missing: true}},
		"there is no class for a ListenerSet": {of: inSet, objects: []client.Object{own, gateway}},
		"no right to read the ListenerSet":    {of: inSet, err: forbidden},
		"the cluster knows no ListenerSets":   {of: inSet, err: &meta.NoKindMatchError{}, want: gatewayState{unknown: true}},
		"no ListenerSet as etcd failed":       {of: inSet, err: apierrors.NewInternalError(errors.New("etcd")), fails: true},
		"it is known":                         {objects: []client.Object{gateway, class}, want: gatewayState{controller: "example.com/ctl"}},
		"there is no Gateway":                 {objects: []client.Object{class}, want: gatewayState{missing: true}},
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
			classes := &gatewayClasses{live, newRecent[v1alpha1.GatewayReference, gatewayState](now, time.Minute)}
			if test.of.Name == "" {
				test.of = reference("Gateway", "edge", "public")
			}
			if test.fails {
				test.want = gatewayState{}
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

func TestRoutesAreFoundByEachOfTheirHosts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		route client.Object
		want  []string
	}{
		"an Ingress":                {&networkingv1.Ingress{Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: "a.test"}, {Host: "b.test"}}}}, []string{"a.test", "b.test"}},
		"an HTTPRoute":              {&gatewayv1.HTTPRoute{Spec: gatewayv1.HTTPRouteSpec{Hostnames: []gatewayv1.Hostname{"a.test", "b.test"}}}, []string{"a.test", "b.test"}},
		"an Ingress without rules":  {&networkingv1.Ingress{}, nil},
		"an HTTPRoute without host": {&gatewayv1.HTTPRoute{}, nil},
	} {
		if got := indexRoute(test.route); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
