package clustertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
)

func onGateway(parents ...v1alpha1.GatewayReference) func(*v1alpha1.ProvisioningTenant) {
	return func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.Type = v1alpha1.ExposureGateway
		p.Spec.Exposure.Gateway = &v1alpha1.GatewayExposure{ParentRefs: parents}
	}
}

// httpRoutes is where the definition of HTTPRoute is.
func httpRoutes(t *testing.T) envtest.CRDInstallOptions {
	t.Helper()
	return gatewayKinds(t, "httproutes")
}

// gateways makes Gateways of one controller in namespace edge.
func (w *world) gateways(names ...string) {
	w.Helper()
	w.eventually("install Gateways", func() string {
		// Another test may install them at the same moment.
		if _, err := envtest.InstallCRDs(cluster.Config, gatewayKinds(w.T, "gateways", "gatewayclasses")); err != nil {
			return err.Error()
		}
		return ""
	})
	create(w, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "edge"}})
	create(w, &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "example"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: "example.com/gateway"}})
	for _, name := range names {
		create(w, &gatewayv1.Gateway{
			ObjectMeta: metav1.ObjectMeta{Namespace: "edge", Name: name},
			Spec: gatewayv1.GatewaySpec{
				GatewayClassName: "example", Listeners: []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType}},
			},
		})
	}
}

// answer says of the tenant's HTTPRoute what the Gateway's controller would.
func (w *world) answer(accepted, resolved metav1.ConditionStatus) {
	w.Helper()
	w.answerBy("example.com/gateway", accepted, resolved)
}

func (w *world) answerBy(controller gatewayv1.GatewayController, accepted, resolved metav1.ConditionStatus) {
	w.Helper()
	w.eventually("answer for the HTTPRoute", func() string {
		route := get(w, &gatewayv1.HTTPRoute{}, "contoso-scim")
		condition := func(conditionType gatewayv1.RouteConditionType, status metav1.ConditionStatus) metav1.Condition {
			return metav1.Condition{
				Type: string(conditionType), Status: status, Reason: "Because", Message: "of a reason.",
				ObservedGeneration: route.Generation, LastTransitionTime: metav1.Now(),
			}
		}
		route.Status.Parents = []gatewayv1.RouteParentStatus{{
			ParentRef:      gatewayv1.ParentReference{Name: "public", Namespace: ptr.To(gatewayv1.Namespace("edge"))},
			ControllerName: controller,
			Conditions:     []metav1.Condition{condition(gatewayv1.RouteConditionAccepted, accepted), condition(gatewayv1.RouteConditionResolvedRefs, resolved)},
		}}
		if err := w.Status().Update(w.Context(), route); err != nil {
			return err.Error()
		}
		return ""
	})
}

// bug class 16: an optional kind is missing. Here it comes after the tenant, and goes before it.
func TestATenantIsExposedByAGatewayAsSoonAsTheClusterKnowsHTTPRoutes(t *testing.T) {
	race.Meets(t) // a cache starts while the operator runs
	t.Parallel()
	w := newWorld(t)
	w.gateways("public", "private")
	tenant := create(w, w.tenant(onGateway(v1alpha1.GatewayReference{Name: "public", Namespace: "edge"})))
	w.until(tenant, "Exposed=False/GatewayAPIMissing", "Stalled=True/GatewayAPIMissing", "ServerAvailable=True/Available")

	definition := httpRoutes(t)
	install := func() {
		t.Helper()
		if _, err := envtest.InstallCRDs(cluster.Config, definition); err != nil {
			t.Fatal(err)
		}
	}
	install()
	w.until(tenant, "Exposed=False/WaitingForGateway")
	w.answer(metav1.ConditionFalse, metav1.ConditionTrue)
	w.until(tenant, "Exposed=False/RouteRejected")
	w.answer(metav1.ConditionTrue, metav1.ConditionFalse)
	w.until(tenant, "Exposed=False/RouteRejected")
	if tenant.Status.TenantURL != "" {
		t.Errorf("the tenant publishes %s, which leads nowhere", tenant.Status.TenantURL)
	}
	// A controller that is gone had taken it.
	w.answerBy("example.com/gone", metav1.ConditionTrue, metav1.ConditionTrue)
	w.until(tenant, "Exposed=False/WaitingForGateway")
	w.answer(metav1.ConditionTrue, metav1.ConditionTrue)
	w.until(tenant, "Exposed=True/RouteAccepted", ready)
	w.survives(schema.GroupVersion(gatewayv1.GroupVersion).WithKind("HTTPRoute"), "contoso-scim")
	w.answer(metav1.ConditionTrue, metav1.ConditionTrue)
	w.until(tenant, "Exposed=True/RouteAccepted", ready)
	if want := "https://" + w.namespace + ".example.com/scim/v2"; tenant.Status.TenantURL != want {
		t.Errorf("status.tenantURL is %q, want %q", tenant.Status.TenantURL, want)
	}
	w.settled()
	before := operator.Requests.In(w.namespace)
	w.settled()
	if after := operator.Requests.In(w.namespace); len(after) != len(before) {
		t.Errorf("a settled tenant costs %v", after[len(before):])
	}

	// Somebody changes the HTTPRoute, and it is mended.
	route := get(w, &gatewayv1.HTTPRoute{}, "contoso-scim")
	patch := client.MergeFrom(route.DeepCopy())
	route.Spec.Hostnames = []gatewayv1.Hostname{"elsewhere.example.com"}
	if err := w.Patch(t.Context(), route, patch, client.FieldOwner("stranger")); err != nil {
		t.Fatal(err)
	}
	w.eventually("the host comes back", func() string {
		if got := get(w, &gatewayv1.HTTPRoute{}, "contoso-scim").Spec.Hostnames; len(got) != 1 || string(got[0]) != w.namespace+".example.com" {
			return "not yet"
		}
		return ""
	})
	w.answer(metav1.ConditionTrue, metav1.ConditionTrue)
	w.until(tenant, ready)

	// Another Gateway beside it, then none, then the first alone. The route that works stays as long as no other does.
	public := v1alpha1.GatewayReference{Name: "public", Namespace: "edge"}
	url := tenant.Status.TenantURL
	parents := func(name string, want ...gatewayv1.ObjectName) {
		t.Helper()
		w.eventually("the Gateways of HTTPRoute "+name, func() string {
			var got []gatewayv1.ObjectName
			for _, parent := range get(w, &gatewayv1.HTTPRoute{}, name).Spec.ParentRefs {
				got = append(got, parent.Name)
			}
			if !slices.Equal(got, want) {
				return fmt.Sprintf("they are %s, want %s", got, want)
			}
			return ""
		})
	}
	published := func(want string) {
		t.Helper()
		if tenant.Status.TenantURL != want {
			t.Errorf("status.tenantURL is %q, want %q: Exposed says %s", tenant.Status.TenantURL, want, message(tenant, "Exposed"))
		}
	}
	edit(w, tenant, onGateway(public, v1alpha1.GatewayReference{Name: "private", Namespace: "edge"}))
	w.until(tenant, "ExposureInEffect=False/WaitingForGateway", "Exposed=True/RouteKept", ready)
	published(url)
	parents("contoso-scim-2", "public", "private")
	parents("contoso-scim", "public")
	edit(w, tenant, onGateway())
	w.until(tenant, "ExposureInEffect=False/GatewayMissing", "Exposed=True/RouteKept", ready)
	published(url)
	parents("contoso-scim", "public")
	edit(w, tenant, onGateway(public))
	w.until(tenant, ready, "ExposureInEffect=True/InEffect")
	gone(w, &gatewayv1.HTTPRoute{}, "contoso-scim-2")
	parents("contoso-scim", "public")

	// Another host, which the Gateway does not take.
	edit(w, tenant, withHost("other."+w.namespace+".example.com"))
	w.until(tenant, "ExposureInEffect=False/WaitingForGateway", "Exposed=True/RouteKept", ready)
	get(w, &gatewayv1.HTTPRoute{}, "contoso-scim-2")
	published(url)
	edit(w, tenant, withHost(w.namespace+".example.com"))
	w.until(tenant, ready, "ExposureInEffect=True/InEffect")
	gone(w, &gatewayv1.HTTPRoute{}, "contoso-scim-2")

	// To an Ingress and back.
	onIngress := func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.Type, p.Spec.Exposure.Gateway = v1alpha1.ExposureIngress, nil
	}
	edit(w, tenant, onIngress)
	w.until(tenant, "Exposed=True/IngressReady", ready)
	gone(w, &gatewayv1.HTTPRoute{}, "contoso-scim")
	edit(w, tenant, onGateway(public))
	w.until(tenant, "ExposureInEffect=False/WaitingForGateway", "Exposed=True/RouteKept", ready)
	get(w, &networkingv1.Ingress{}, "contoso-scim")
	published(url)
	w.answer(metav1.ConditionFalse, metav1.ConditionTrue)
	w.until(tenant, "ExposureInEffect=False/RouteRejected", "Exposed=True/RouteKept", ready)
	published(url)
	w.answer(metav1.ConditionTrue, metav1.ConditionTrue)
	w.until(tenant, ready, "ExposureInEffect=True/InEffect")
	gone(w, &networkingv1.Ingress{}, "contoso-scim")
	published(url)

	// The Gateway API goes, and comes back.
	for range 2 {
		if err := envtest.UninstallCRDs(cluster.Config, definition); err != nil {
			t.Fatal(err)
		}
		w.until(tenant, "Exposed=False/GatewayAPIMissing")
		published("")
		install()
		w.until(tenant, "Exposed=False/WaitingForGateway")
		published("")
		w.answer(metav1.ConditionTrue, metav1.ConditionTrue)
		w.until(tenant, ready)
	}

	// A Gateway is asked for while the cluster knows none.
	edit(w, tenant, onIngress)
	w.until(tenant, ready)
	if err := envtest.UninstallCRDs(cluster.Config, definition); err != nil {
		t.Fatal(err)
	}
	edit(w, tenant, onGateway(public))
	w.until(tenant, "ExposureInEffect=False/GatewayAPIMissing", "Exposed=True/RouteKept", ready)
	published(url)
	get(w, &networkingv1.Ingress{}, "contoso-scim")
	install()
	w.answer(metav1.ConditionTrue, metav1.ConditionTrue)
	w.until(tenant, "Exposed=True/RouteAccepted", ready)
	w.movesToAListenerSet(tenant)
}

// movesToAListenerSet follows a tenant from a Gateway to the ListenerSet of the document, which the cluster knows nothing of at first.
func (w *world) movesToAListenerSet(tenant *v1alpha1.ProvisioningTenant) {
	w.Helper()
	recipes := w.recipes("exposure.md")
	set := recipes[slices.IndexFunc(recipes, func(recipe *unstructured.Unstructured) bool { return recipe.GetKind() == "ListenerSet" })]
	edit(w, tenant, onGateway(v1alpha1.GatewayReference{Kind: v1alpha1.KindListenerSet, Name: set.GetName(), SectionName: "tenant", Port: 443}))
	w.until(tenant, "ExposureInEffect=False/GatewayAPIMissing", "Exposed=True/RouteKept", ready)
	if got, want := message(tenant, "ExposureInEffect"), "The cluster knows no ListenerSet: install a Gateway API that has it, "+
		"or name a Gateway in spec.exposure.gateway.parentRefs."; got != want {
		w.Errorf("got %q, want %q", got, want)
	}
	definition := gatewayKinds(w.T, "listenersets")
	if _, err := envtest.InstallCRDs(cluster.Config, definition); err != nil {
		w.Fatal(err)
	}
	defer func() {
		if err := envtest.UninstallCRDs(cluster.Config, definition); err != nil {
			w.Error(err)
		}
	}()
	if err := client.WithFieldValidation(w.Client, "Strict").Create(w.Context(), set); err != nil {
		w.Fatal(err)
	}
	w.until(tenant, "ExposureInEffect=False/WaitingForGateway", "Exposed=True/RouteKept", ready)

	route := get(w, &gatewayv1.HTTPRoute{}, "contoso-scim-2")
	parent := gatewayv1.ParentReference{
		Group: ptr.To(gatewayv1.Group("gateway.networking.k8s.io")), Kind: ptr.To(gatewayv1.Kind("ListenerSet")), Namespace: new(gatewayv1.Namespace(w.namespace)),
		Name: gatewayv1.ObjectName(set.GetName()), SectionName: ptr.To(gatewayv1.SectionName("tenant")), Port: ptr.To(gatewayv1.PortNumber(443)),
	}
	if diff := cmp.Diff([]gatewayv1.ParentReference{parent}, route.Spec.ParentRefs); diff != "" {
		w.Errorf("the HTTPRoute is on - and not on +\n%s", diff)
	}
	taken := func(controller gatewayv1.GatewayController) {
		w.Helper()
		route.Status.Parents = []gatewayv1.RouteParentStatus{{ParentRef: parent, ControllerName: controller}}
		for _, conditionType := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
			route.Status.Parents[0].Conditions = append(route.Status.Parents[0].Conditions, metav1.Condition{
				Type: string(conditionType), Status: metav1.ConditionTrue, Reason: "Because", ObservedGeneration: route.Generation, LastTransitionTime: metav1.Now(),
			})
		}
		if err := w.Status().Update(w.Context(), route); err != nil {
			w.Fatal(err)
		}
	}
	// The class of the Gateway that the ListenerSet adds to names another controller than the first.
	taken("example.com/gone")
	w.settled()
	w.until(tenant, "ExposureInEffect=False/WaitingForGateway", "Exposed=True/RouteKept")
	taken("example.com/gateway")
	w.until(tenant, "Exposed=True/RouteAccepted", "ExposureInEffect=True/InEffect", ready)
	gone(w, &gatewayv1.HTTPRoute{}, "contoso-scim")
}

func TestATenantWithoutAGatewayIsToldToNameOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Type = v1alpha1.ExposureGateway }))
	w.until(tenant, "Accepted=False/GatewayMissing", "Exposed=False/GatewayMissing")
}

func TestAnIssuerIsToldByAnnotationsOfTheIngressToMakeTheCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{TLS: &v1alpha1.IngressTLS{IssuerRef: &v1alpha1.IssuerReference{Name: "letsencrypt", Kind: "ClusterIssuer"}}}
	}))
	w.until(tenant, "Exposed=False/TLSSecretMissing")
	ingress := get(w, &networkingv1.Ingress{}, "contoso-scim")
	if got := ingress.Annotations["cert-manager.io/cluster-issuer"]; got != "letsencrypt" {
		t.Errorf("the annotations are %v", ingress.Annotations)
	}
	if tls := ingress.Spec.TLS; len(tls) != 1 || tls[0].SecretName != "contoso-tls" || len(tls[0].Hosts) != 1 || tls[0].Hosts[0] != w.namespace+".example.com" {
		t.Errorf("the TLS section is %+v", ingress.Spec.TLS)
	}
	// Another issuer, then none.
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{TLS: &v1alpha1.IngressTLS{SecretName: "own", IssuerRef: &v1alpha1.IssuerReference{Name: "corporate", Kind: "AWSPCAClusterIssuer", Group: "awspca.cert-manager.io"}}}
	})
	w.annotations(map[string]string{"cert-manager.io/issuer": "corporate", "cert-manager.io/issuer-kind": "AWSPCAClusterIssuer", "cert-manager.io/issuer-group": "awspca.cert-manager.io"})
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Ingress = nil })
	w.annotations(nil)
	w.until(tenant, ready)
}

// annotations waits until the Ingress has these annotations and no others.
func (w *world) annotations(want map[string]string) {
	w.Helper()
	w.eventually("the annotations of the Ingress", func() string {
		got := get(w, &networkingv1.Ingress{}, "contoso-scim").Annotations
		maps.DeleteFunc(got, func(key, _ string) bool { return strings.HasPrefix(key, v1alpha1.GroupName) }) // the operator's own
		for key, value := range want {
			if got[key] != value {
				return "not yet"
			}
		}
		if len(got) != len(want) {
			return "not yet"
		}
		return ""
	})
}

func TestExposuresThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for message, change := range map[string]func(*v1alpha1.Exposure){
		"gateway may be specified only when type is Gateway": func(e *v1alpha1.Exposure) { e.Gateway = &v1alpha1.GatewayExposure{} },
		"ingress may be specified only when type is Ingress": func(e *v1alpha1.Exposure) {
			e.Type, e.Ingress = v1alpha1.ExposureGateway, &v1alpha1.IngressExposure{}
		},
		"secretName or issuerRef must be specified": func(e *v1alpha1.Exposure) { e.Ingress = &v1alpha1.IngressExposure{TLS: &v1alpha1.IngressTLS{}} },
	} {
		err := w.Create(t.Context(), w.tenant(func(p *v1alpha1.ProvisioningTenant) { change(&p.Spec.Exposure) }))
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), message) {
			t.Errorf("got %v, want %q", err, message)
		}
	}
}
