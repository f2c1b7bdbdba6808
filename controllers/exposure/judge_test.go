package exposure

import (
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	public := func(state Gateway) []Parent {
		return []Parent{{reference("Gateway", "edge", "public"), state}}
	}
	inSet := func(state Gateway) []Parent {
		return []Parent{{reference("ListenerSet", "edge", "public"), state}}
	}
	atPort := func(port int32) []Parent {
		at := reference("Gateway", "edge", "public")
		at.Port = port
		return []Parent{{at, Gateway{}}}
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
		parents []Parent
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
			parents: public(Gateway{Controller: b}), entries: []gatewayv1.RouteParentStatus{said(a, yes, yes), said(b, no, yes)}, want: "False/RouteRejected",
		},
		"the Gateway's own takes it, and one that was taken away had refused": {
			parents: public(Gateway{Controller: b}), entries: []gatewayv1.RouteParentStatus{said(a, no, yes), said(b, yes, yes)},
			want: "True/RouteAccepted", message: "Every Gateway routes a.test to the server.",
		},
		"the Gateway's own has not answered": {
			parents: public(Gateway{Controller: b}), entries: []gatewayv1.RouteParentStatus{said(a, yes, yes)}, want: "False/WaitingForGateway",
		},
		"there is no such Gateway": {
			parents: public(Gateway{Missing: true}), entries: []gatewayv1.RouteParentStatus{said(a, yes, yes)}, want: "False/WaitingForGateway",
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
			parents: inSet(Gateway{}), entries: []gatewayv1.RouteParentStatus{said(a, yes, yes, ofKind("gateway.networking.k8s.io", "ListenerSet"))},
			want: "True/RouteAccepted",
		},
		"a Gateway of the ListenerSet's name takes it": {
			parents: inSet(Gateway{}), entries: []gatewayv1.RouteParentStatus{said(a, yes, yes)}, want: "False/WaitingForGateway",
			message: "ListenerSet edge/public yet. If this lasts, check that the ListenerSet and its Gateway exist and the controller runs.",
		},
		"the ListenerSet refuses": {
			parents: inSet(Gateway{}), entries: []gatewayv1.RouteParentStatus{said(a, no, yes, ofKind("gateway.networking.k8s.io", "ListenerSet"))},
			want: "False/RouteRejected", message: "ListenerSet edge/public does not take the HTTPRoute. a.example/ctl: NotAllowedByListeners: no.",
		},
		"the Gateway does not let the ListenerSet on": {
			parents: inSet(Gateway{Refused: "NotAllowed: No."}), want: "False/WaitingForGateway",
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
				test.parents = public(Gateway{})
			}
			route := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Generation: 2}}
			route.Status.Parents = test.entries
			s := State{Host: "a.test"}
			got := s.JudgeHTTPRoute(route, test.parents, 0)
			if string(got.Status)+"/"+got.Reason != test.want || !strings.Contains(got.Message, test.message) {
				t.Errorf("got %s/%s: %s\nwant %s: … %s", got.Status, got.Reason, got.Message, test.want, test.message)
			}
			if now := s.JudgeHTTPRoute(route, test.parents, 2); now != got {
				t.Errorf("the version that was written is judged %+v", now)
			}
			if disagree := strings.Contains(test.message, "otherwise"); strings.Contains(got.Message, "otherwise") != disagree {
				t.Errorf("got %s", got.Message)
			}
			if later := s.JudgeHTTPRoute(route, test.parents, 3); later.Reason != v1alpha1.ReasonWaitingForGateway {
				t.Errorf("a version that the cache has not seen yet is judged %s", later.Reason)
			}
		})
	}
}

func reference(kind v1alpha1.GatewayKind, namespace, name string) v1alpha1.GatewayReference {
	return v1alpha1.GatewayReference{Group: v1alpha1.GatewayAPI, Kind: kind, Namespace: namespace, Name: name}
}

func TestAListenerSetIsRefusedByWhatIsSaidOfItAsItIsNow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		conditions []metav1.Condition
		want       string
	}{
		"nothing is said":      {nil, ""},
		"accepted":             {[]metav1.Condition{{Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Accepted", Message: "Yes.", ObservedGeneration: 2}}, ""},
		"refused":              {[]metav1.Condition{{Type: "Accepted", Status: metav1.ConditionFalse, Reason: "NotAllowed", Message: "No.", ObservedGeneration: 2}}, "NotAllowed: No."},
		"refused as it was":    {[]metav1.Condition{{Type: "Accepted", Status: metav1.ConditionFalse, Reason: "NotAllowed", Message: "No.", ObservedGeneration: 1}}, ""},
		"another is not there": {[]metav1.Condition{{Type: "Programmed", Status: metav1.ConditionFalse, Reason: "Pending", Message: "No.", ObservedGeneration: 2}}, ""},
	} {
		set := &gatewayv1.ListenerSet{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
		set.Status.Conditions = test.conditions
		if got := RefusalOf(set); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestATenantWithAnHTTPRouteOrThatOfBeforeIsJudgedByTheHTTPRoutes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		exposure v1alpha1.ExposureType
		reason   string
		want     bool
	}{
		"by a Gateway":                             {v1alpha1.ExposureGateway, v1alpha1.ReasonRouteAccepted, true},
		"by a Gateway, and not looked at yet":      {v1alpha1.ExposureGateway, "", true},
		"by an Ingress":                            {v1alpha1.ExposureIngress, v1alpha1.ReasonIngressReady, false},
		"by an Ingress, and not looked at yet":     {v1alpha1.ExposureIngress, "", false},
		"by an Ingress, and its HTTPRoute is kept": {v1alpha1.ExposureIngress, v1alpha1.ReasonRouteKept, true},
		"not at all":                               {v1alpha1.ExposureNone, v1alpha1.ReasonNotExposed, false},
	} {
		tenant := &v1alpha1.ProvisioningTenant{Spec: v1alpha1.ProvisioningTenantSpec{Exposure: v1alpha1.Exposure{Type: test.exposure}}}
		if test.reason != "" {
			tenant.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionExposed, Reason: test.reason}}
		}
		if got := NeedsHTTPRoutes(tenant); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestAnIngressWorksOnceAControllerHasGivenItAnAddress(t *testing.T) {
	t.Parallel()
	admitted := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
	admitted.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
	silent := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "x", Generation: 2}}
	for name, test := range map[string]struct {
		readiness v1alpha1.IngressReadiness
		ingress   *networkingv1.Ingress
		written   int64
		want      string
	}{
		"admitted":                  {"", admitted, 0, "True/IngressReady"},
		"admitted as it is written": {"", admitted, 2, "True/IngressReady"},
		"admitted before a write":   {"", admitted, 3, "False/WaitingForIngressController"},
		"not admitted":              {"", silent, 0, "False/WaitingForIngressController"},
		"not seen":                  {"", &networkingv1.Ingress{}, 0, "False/WaitingForIngressController"},
		"not admitted, and a status is asked for": {v1alpha1.ReadinessLoadBalancerStatus, silent, 0, "False/WaitingForIngressController"},
		"assumed":                            {v1alpha1.ReadinessAssumed, silent, 0, "True/IngressAssumed"},
		"assumed as it is written":           {v1alpha1.ReadinessAssumed, silent, 2, "True/IngressAssumed"},
		"assumed before a write":             {v1alpha1.ReadinessAssumed, silent, 3, "False/WaitingForIngressController"},
		"assumed, and not seen":              {v1alpha1.ReadinessAssumed, &networkingv1.Ingress{}, 0, "False/WaitingForIngressController"},
		"assumed, and admitted all the same": {v1alpha1.ReadinessAssumed, admitted, 0, "True/IngressReady"},
	} {
		s := State{Tenant: tenantWith(ready(test.readiness)), Host: "a.test", RouteName: "x"}
		if got := s.JudgeIngress(test.ingress, test.written, "", ""); string(got.Status)+"/"+got.Reason != test.want {
			t.Errorf("%s: got %+v, want %s", name, got, test.want)
		}
	}
}

func TestTheMessageNamesTheClassOfAnIngressThatNobodyHasTaken(t *testing.T) {
	of := func(class *string, annotation string) *networkingv1.Ingress {
		ingress := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "x", Generation: 2}, Spec: networkingv1.IngressSpec{IngressClassName: class}}
		if annotation != "" {
			ingress.Annotations = map[string]string{"kubernetes.io/ingress.class": annotation}
		}
		return ingress
	}
	const silent = " If that controller writes no status, set spec.exposure.ingress.readiness to Assumed."
	const named = " It has class nginx: if this lasts, check spec.exposure.ingress and the controller of that class." + silent
	for name, test := range map[string]struct {
		ingress         *networkingv1.Ingress
		wanted, instead string
		message         string
	}{
		"not seen yet":                 {&networkingv1.Ingress{}, "", "", ""},
		"not seen yet, and named":      {&networkingv1.Ingress{}, "nginx", "", named},
		"of another class before":      {nil, "nginx", "", named},
		"named":                        {of(new("nginx"), ""), "nginx", "", named},
		"named, and changed by others": {of(new("nginx"), ""), "traefik", "", named},
		"named by an annotation":       {of(nil, "nginx"), "", "", named},
		"no class": {of(nil, ""), "", "", " It has no class, because spec.exposure.ingress.className names none and the cluster had no default: " +
			"set className, or make an IngressClass the default."},
		"by default": {of(new("other"), ""), "", "", " It has class other, as spec.exposure.ingress.className names none: " +
			"if this lasts, check the controller of that class, or set className." + silent},
		"by somebody else": {of(new("other"), ""), "", "traefik", " It has class other, which somebody else gave it, and the default is traefik: " +
			"set spec.exposure.ingress.className, or delete the Ingress, and it is made anew."},
	} {
		s, written := State{Tenant: tenantWith(v1alpha1.Exposure{}), RouteName: "x"}, int64(0)
		if test.ingress == nil {
			test.ingress, written = of(new("traefik"), ""), 3
		}
		if got, want := s.JudgeIngress(test.ingress, written, test.wanted, test.instead).Message, "No ingress controller has taken Ingress x yet."+test.message; got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
}

func TestTheMessageSaysOfAnAssumedIngressThatNobodyHasConfirmedIt(t *testing.T) {
	t.Parallel()
	for class, change := range map[string]func(*networkingv1.Ingress){
		"no class":    func(*networkingv1.Ingress) {},
		"class nginx": func(ingress *networkingv1.Ingress) { ingress.Spec.IngressClassName = new("nginx") },
		"class f5": func(ingress *networkingv1.Ingress) {
			ingress.Annotations = map[string]string{"kubernetes.io/ingress.class": "f5"}
		},
	} {
		ingress := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "x"}}
		change(ingress)
		s := State{Tenant: tenantWith(ready(v1alpha1.ReadinessAssumed)), Host: "a.test", RouteName: "x"}
		want := "Ingress x of " + class + " is for a.test, and spec.exposure.ingress.readiness is Assumed: nobody has confirmed that a controller routes it. " +
			"To try it: kubectl tenantry check contoso -n customers."
		if got := s.JudgeIngress(ingress, 0, "", "").Message; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
