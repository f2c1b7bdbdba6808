package exposure

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	networkingv1beta1 "k8s.io/api/networking/v1beta1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// Gateway is what is known of a Gateway, or of a ListenerSet and its Gateway.
type Gateway struct {
	// Controller that the Gateway's class names; empty where that is not known.
	Controller string
	// Missing tells that there is no such Gateway or ListenerSet, and Unknown that the cluster has no ListenerSets at all.
	Missing, Unknown bool
	// Refused says why the ListenerSet is not accepted; empty where it is, or its controller has not said.
	Refused string
}

// RefusalOf says why a ListenerSet is not accepted; empty where it is, or its controller has not said.
func RefusalOf(set *gatewayv1.ListenerSet) string {
	accepted := meta.FindStatusCondition(set.Status.Conditions, string(gatewayv1.ListenerSetConditionAccepted))
	if accepted != nil && accepted.Status == metav1.ConditionFalse && accepted.ObservedGeneration == set.Generation {
		return accepted.Reason + ": " + accepted.Message
	}
	return ""
}

// Parent is a Gateway or ListenerSet that a route is on.
type Parent struct {
	v1alpha1.GatewayReference
	Gateway
}

// ifThisLasts says what to do about a parent of which nobody speaks.
func (p *Parent) ifThisLasts() string {
	switch {
	case p.Refused != "":
		return "The ListenerSet is not accepted: " + p.Refused
	case p.Kind == v1alpha1.KindListenerSet:
		return "If this lasts, check that the ListenerSet and its Gateway exist and the controller runs."
	default:
		return "If this lasts, check that the Gateway exists and its controller runs."
	}
}

// NeedsHTTPRoutes tells whether a tenant can only be judged by one who knows which HTTPRoutes there are: it is to have one, or one of before is kept.
func NeedsHTTPRoutes(tenant *v1alpha1.ProvisioningTenant) bool {
	exposed := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionExposed)
	return tenant.Spec.Exposure.Type == v1alpha1.ExposureGateway || exposed != nil && exposed.Reason == v1alpha1.ReasonRouteKept
}

// NoHTTPRoutes says that the cluster has no Gateway API.
func NoHTTPRoutes() *problem.Stalled {
	return &problem.Stalled{
		Condition: v1alpha1.ConditionExposed, Reason: v1alpha1.ReasonGatewayAPIMissing,
		Message: "The cluster knows no HTTPRoute: install the Gateway API, or choose another spec.exposure.type.",
	}
}

// NoListenerSets says that the Gateway API of the cluster has none of this kind. recheck is when to look again.
func NoListenerSets(kind v1alpha1.GatewayKind, recheck time.Duration) *problem.Stalled {
	return &problem.Stalled{
		Condition: v1alpha1.ConditionExposed, Reason: v1alpha1.ReasonGatewayAPIMissing, Recheck: recheck,
		Message: fmt.Sprintf("The cluster knows no %s: install a Gateway API that has it, "+
			"or name a Gateway in spec.exposure.gateway.parentRefs.", kind),
	}
}

// JudgeUnrouted judges that the operator makes no route. service is the one that the platform routes to.
func JudgeUnrouted(service string) metav1.Condition {
	return conditions.True(v1alpha1.ConditionExposed, v1alpha1.ReasonNotExposed, fmt.Sprintf("The platform routes to Service %s itself.", service))
}

// JudgeHTTPRoute judges the HTTPRoute: every parent must have taken it, in this generation, and found the Service. written is
// its generation if this reconcile wrote it.
func (s *State) JudgeHTTPRoute(route *gatewayv1.HTTPRoute, parents []Parent, written int64) metav1.Condition {
	said := []string{fmt.Sprintf("Every Gateway routes %s to the server.", s.Host)}
	for _, on := range parents {
		name := fmt.Sprintf("%s %s/%s", on.Kind, on.Namespace, on.Name)
		waiting := conditions.False(v1alpha1.ConditionExposed, v1alpha1.ReasonWaitingForGateway,
			fmt.Sprintf("No controller has answered for the HTTPRoute on %s yet. %s", name, on.ifThisLasts()))
		if on.Missing || route.Generation < written {
			return waiting
		}
		var taken bool
		var refused []string
		for i := range route.Status.Parents {
			entry := &route.Status.Parents[i]
			if !speaksOf(entry.ParentRef, on.GatewayReference, route.Namespace) || on.Controller != "" && string(entry.ControllerName) != on.Controller {
				continue
			}
			takes, why := judgeEntry(entry, route.Generation)
			taken = taken || takes
			if why != "" {
				refused = append(refused, fmt.Sprintf("%s: %s", entry.ControllerName, why))
			}
		}
		switch {
		case !taken && len(refused) == 0:
			return waiting
		case !taken:
			return conditions.False(v1alpha1.ConditionExposed, v1alpha1.ReasonRouteRejected,
				fmt.Sprintf("%s does not take the HTTPRoute. %s", name, strings.Join(refused, " ")))
		case len(refused) > 0:
			said = append(said, fmt.Sprintf("Of %s another controller says otherwise.", name))
			said = append(said, refused...)
		}
	}
	return conditions.True(v1alpha1.ConditionExposed, v1alpha1.ReasonRouteAccepted, strings.Join(said, " "))
}

// judgeEntry tells whether one controller has taken this generation of a route and found its Service, or why not. It does neither while the
// controller has not said.
func judgeEntry(entry *gatewayv1.RouteParentStatus, generation int64) (takes bool, refused string) {
	takes = true
	for _, conditionType := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
		switch condition := meta.FindStatusCondition(entry.Conditions, string(conditionType)); {
		case condition == nil || condition.ObservedGeneration < generation || condition.Status == metav1.ConditionUnknown:
			takes = false
		case condition.Status == metav1.ConditionFalse:
			return false, condition.Reason + ": " + condition.Message
		}
	}
	return takes, ""
}

// speaksOf tells whether an entry of a route's status is about that Gateway.
func speaksOf(parent gatewayv1.ParentReference, gateway v1alpha1.GatewayReference, namespace string) bool {
	return gateway == v1alpha1.GatewayReference{
		Group:       v1alpha1.GatewayGroup(ptr.Deref(parent.Group, gatewayv1.GroupName)),
		Kind:        v1alpha1.GatewayKind(ptr.Deref(parent.Kind, gatewayv1.Kind(v1alpha1.KindGateway))),
		Namespace:   string(ptr.Deref(parent.Namespace, gatewayv1.Namespace(namespace))),
		Name:        string(parent.Name),
		SectionName: string(ptr.Deref(parent.SectionName, "")),
		Port:        ptr.Deref(parent.Port, 0),
	}
}

// JudgeIngress judges the Ingress; a zero one was not seen yet. written is its generation if this reconcile wrote it, class the one that it should
// have, empty for the default, and instead the default one where somebody else gave the Ingress its own.
func (s *State) JudgeIngress(ingress *networkingv1.Ingress, written int64, class, instead string) metav1.Condition {
	if ingress.Generation < written {
		ingress = &networkingv1.Ingress{} // as it was before
	}
	if len(ingress.Status.LoadBalancer.Ingress) > 0 {
		return conditions.True(v1alpha1.ConditionExposed, v1alpha1.ReasonIngressReady,
			fmt.Sprintf("An ingress controller routes %s to the server.", s.Host))
	}
	if s.Tenant.Spec.Exposure.IngressReadiness() == v1alpha1.ReadinessAssumed && ingress.Name != "" {
		return conditions.True(v1alpha1.ConditionExposed, v1alpha1.ReasonIngressAssumed, s.assumed(ingress))
	}
	return conditions.False(v1alpha1.ConditionExposed, v1alpha1.ReasonWaitingForIngressController, untaken(ingress, s.RouteName, class, instead))
}

// assumed says of an Ingress that nobody has confirmed it, and how to.
func (s *State) assumed(ingress *networkingv1.Ingress) string {
	class := "no class"
	if name := cmp.Or(ptr.Deref(ingress.Spec.IngressClassName, ""), ingress.Annotations[networkingv1beta1.AnnotationIngressClass]); name != "" {
		class = "class " + name
	}
	return fmt.Sprintf("Ingress %s of %s is for %s, and spec.exposure.ingress.readiness is Assumed: nobody has confirmed that a controller routes it. "+
		"To try it: kubectl tenantry check %s -n %s.", ingress.Name, class, s.Host, s.Tenant.Name, s.Tenant.Namespace)
}
