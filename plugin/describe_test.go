package plugin

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// classed is contoso with what class standard says.
func classed() *v1alpha1.ProvisioningTenant {
	tenant := contoso()
	tenant.Status.Class = &v1alpha1.ClassStatus{Name: "standard"}
	tenant.Status.Conditions = append(tenant.Status.Conditions,
		condition("ClassInEffect", "True", "InEffect", "The tenant has what its spec and class standard say."))
	return tenant
}

const tooLarge = "spec.storage.sqlite.size is 20Gi, and class standard allows at most 10Gi (spec.bounds.storage.sqlite.maxSize of the class)."

// outOfBounds is contoso, which asks for more than its class allows, and goes on.
func outOfBounds() *v1alpha1.ProvisioningTenant {
	tenant := classed()
	tenant.Status.Conditions[3] = condition("ClassInEffect", "False", "OutOfBounds", tooLarge+" The tenant goes on with what it had.")
	return tenant
}

// heldBack is a new tenant that the default class does not accept, so nothing is made for it.
func heldBack() *v1alpha1.ProvisioningTenant {
	tenant := fabrikam()
	message := tooLarge + " Nothing is made for the tenant before."
	tenant.Status.ObservedGeneration = tenant.Generation
	tenant.Status.Conditions = []metav1.Condition{
		condition("EntraTenantVerified", "True", "Verified", ""), condition("Accepted", "False", "OutOfBounds", message),
	}
	for _, unknown := range []string{"CredentialsReady", "StorageReady", "ServerAvailable", "Exposed", "RolledOut", "RequestsObeyed"} {
		tenant.Status.Conditions = append(tenant.Status.Conditions,
			condition(unknown, "Unknown", "OutOfBounds", "Nothing is made for the tenant before its class accepts it."))
	}
	tenant.Status.Conditions = append(tenant.Status.Conditions,
		condition("Ready", "False", "OutOfBounds", message), condition("Stalled", "True", "OutOfBounds", message))
	return tenant
}

// locked is a new tenant whose database does not let its server in.
func locked() *v1alpha1.ProvisioningTenant {
	tenant := contoso()
	tenant.Status.TenantURL, tenant.Status.Directory, tenant.Status.Activity = "", nil, nil
	rolling := "The server is being rolled out."
	refused := `The database answered: password authentication failed for user "scim" (SQLSTATE 28P01).`
	tenant.Status.Conditions = []metav1.Condition{
		condition("Accepted", "True", "Accepted", "The spec makes sense."), condition("StorageReady", "False", "DatabaseRefused", refused),
		condition("ServerAvailable", "False", "Progressing", rolling), condition("RolledOut", "False", "Progressing", rolling),
		condition("Exposed", "False", "WaitingForIngressController", "No controller has taken Ingress contoso-scim of class nginx."),
		condition("Ready", "False", "DatabaseRefused", refused),
	}
	return tenant
}

// withRefusedDefaults is fabrikam once its host is free, and its UserDefaults are all that is wrong.
func withRefusedDefaults() *v1alpha1.ProvisioningTenant {
	tenant := contoso()
	tenant.Status.Conditions = append(tenant.Status.Conditions,
		condition("UserDefaultsInEffect", "False", "UserDefaultsRefused", `sales: Role "seller" is not in the catalog of tenant fabrikam.`))
	return tenant
}

// finance are UserDefaults of contoso that are in effect.
func finance() *v1alpha1.UserDefaults {
	return &v1alpha1.UserDefaults{
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "finance", Generation: 3},
		Spec: v1alpha1.UserDefaultsSpec{
			TenantRef: v1alpha1.TenantReference{Name: "contoso"}, Priority: 100, Apply: v1alpha1.ApplyAlways,
			ConfigurationFilter: "finance", Filter: `department eq "Finance"`,
		},
		Status: v1alpha1.UserDefaultsStatus{ObservedGeneration: 3, MatchedUsers: 12, AppliedUsers: 10, Conditions: []metav1.Condition{
			condition("Accepted", "True", "Accepted", "The tenant can use these defaults."),
			condition("Applied", "True", "Applied", "The tenant's server works with these defaults."),
			condition("Ready", "True", "Ready", "The tenant's server works with these defaults."),
		}},
	}
}

// refusedFinance are those once a role was misspelt, and the generation before goes on.
func refusedFinance() *v1alpha1.UserDefaults {
	defaults := finance()
	defaults.Generation, defaults.Status.ObservedGeneration = 4, 4
	role := `Role "aprover" is not in the catalog of tenant contoso. The version of generation 3 goes on being applied.`
	defaults.Status.Conditions = []metav1.Condition{
		condition("Accepted", "False", "UnknownRole", role),
		condition("Applied", "False", "UnknownRole", "Defaults that are not accepted are not applied. The version of generation 3 goes on being applied."),
		condition("Ready", "False", "UnknownRole", role), condition("Stalled", "True", "UnknownRole", role),
	}
	return defaults
}

func counting(tenant *v1alpha1.ProvisioningTenant, count v1alpha1.DefaultsCount) *v1alpha1.ProvisioningTenant {
	count.Name = "finance"
	tenant.Status.Directory.Defaults = []v1alpha1.DefaultsCount{{Name: "all"}, count}
	return tenant
}

// standard is a default class.
func standard() *v1alpha1.ProvisioningTenantClass {
	return &v1alpha1.ProvisioningTenantClass{ObjectMeta: metav1.ObjectMeta{
		Name: "standard", CreationTimestamp: ago(time.Hour), Annotations: map[string]string{v1alpha1.DefaultClassAnnotation: "true"},
	}}
}

func TestDescriptionsAreThoseInTheGoldenFiles(t *testing.T) {
	t.Parallel()
	orphan := finance()
	orphan.Status = v1alpha1.UserDefaultsStatus{ObservedGeneration: -1}
	orphan.Spec.ConfigurationFilter, orphan.Spec.Filter = "", ""
	selective := standard()
	selective.Annotations, selective.Spec.NamespaceSelector = nil, &metav1.LabelSelector{MatchLabels: map[string]string{"stage": "production"}}
	another := classed()
	another.Spec.ClassName = "strict"
	for name, d := range map[string]described{
		"class":                &describedTenant{tenant: classed()},
		"class-asked":          &describedTenant{tenant: another},
		"outofbounds":          &describedTenant{tenant: outOfBounds()},
		"held":                 &describedTenant{tenant: heldBack()},
		"published":            &describedTenant{tenant: full()},
		"database":             &describedTenant{tenant: locked(), wanted: "https://contoso.scim.example.com/scim/v2"},
		"refused-defaults":     &describedTenant{tenant: withRefusedDefaults(), defaults: []v1alpha1.UserDefaults{sales()}},
		"userdefaults":         &describedDefaults{finance(), counting(contoso(), v1alpha1.DefaultsCount{Generation: 3})},
		"userdefaults-refused": &describedDefaults{refusedFinance(), counting(full(), v1alpha1.DefaultsCount{Generation: 3, RefusedGeneration: 4})},
		"userdefaults-pending": &describedDefaults{finance(), counting(contoso(), v1alpha1.DefaultsCount{PendingGeneration: 3})},
		"userdefaults-orphan":  &describedDefaults{orphan, nil},
		"class-kind":           &describedClass{class: standard(), tenants: []v1alpha1.ProvisioningTenant{*classed(), *outOfBounds(), *heldBack()}},
		"class-kind-well":      &describedClass{class: selective, tenants: []v1alpha1.ProvisioningTenant{*classed()}, namespace: "customers"},
		"class-kind-unused":    &describedClass{class: standard(), newer: "strict"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := d.write(printing{&out}, now); err != nil {
				t.Fatal(err)
			}
			golden(t, "describe-"+name, out.String())
		})
	}
}

// full is contoso once its volume is.
func full() *v1alpha1.ProvisioningTenant {
	tenant := contoso()
	tenant.Status.Conditions[2] = condition("Ready", "False", "VolumeFull", "No space is left.")
	tenant.Status.Conditions = append(tenant.Status.Conditions, condition("StorageReady", "False", "VolumeFull", "No space is left."))
	return tenant
}

// Where the database keeps the server out, somebody has to do something.
func TestNobodyIsToldToWaitForAServerThatAnotherConditionKeepsDown(t *testing.T) {
	t.Parallel()
	for _, f := range diagnose(locked(), nil).Findings {
		if strings.Contains(f.Action, "Nothing needs to be done") {
			t.Errorf("%s: %s", f.Condition, f.Action)
		}
	}
	alone := locked()
	alone.Status.Conditions[1] = condition("StorageReady", "True", "Configured", "")
	if found := diagnose(alone, nil).Findings; !slices.ContainsFunc(found, func(f Finding) bool {
		return f.Condition == "RolledOut" && f.Action == "Nothing needs to be done."
	}) {
		t.Errorf("a server that is being rolled out with nothing in its way: %+v", found)
	}
}

func TestATenantFollowsTheClassThatItNamesOrHasTheValuesOf(t *testing.T) {
	t.Parallel()
	names, alone, before, older := contoso(), contoso(), outOfBounds(), heldBack()
	names.Spec.ClassName = "standard"
	before.Status.Class.Name = "" // it ran before there was a class
	older.Status.Conditions[1].Message = "Class old-standard takes no tenants of namespace partners."
	moved := classed()
	moved.Spec.ClassName = "strict"
	for name, c := range map[string]struct {
		tenant *v1alpha1.ProvisioningTenant
		want   bool
	}{
		"it names the class": {names, true}, "it has its values": {classed(), true}, "it names none": {alone, false},
		"the class refuses it": {heldBack(), true}, "it ran before and is refused": {before, true},
		"another class refuses it": {older, false}, "it names another now": {moved, false},
	} {
		if got := follows(c.tenant, "standard"); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestTheNewestDefaultClassIsTheOneThatCounts(t *testing.T) {
	t.Parallel()
	class := func(name string, age time.Duration, value string) v1alpha1.ProvisioningTenantClass {
		c := *standard()
		c.Name, c.CreationTimestamp, c.Annotations = name, ago(age), map[string]string{v1alpha1.DefaultClassAnnotation: value}
		return c
	}
	for name, c := range map[string]struct {
		classes []v1alpha1.ProvisioningTenantClass
		want    string
	}{
		"none":       {[]v1alpha1.ProvisioningTenantClass{class("a", 1, "false")}, ""},
		"the newer":  {[]v1alpha1.ProvisioningTenantClass{class("a", 2*time.Hour, "true"), class("b", time.Hour, "true"), class("c", 0, "no")}, "b"},
		"of one age": {[]v1alpha1.ProvisioningTenantClass{class("b", time.Hour, "true"), class("a", time.Hour, "true")}, "a"},
	} {
		if got := defaultClass(c.classes); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestDescribeIsAskedAboutOneThingByItsKindAndName(t *testing.T) {
	t.Parallel()
	far := outOfBounds()
	far.Namespace, far.Name = "partners", "far"
	k := newCluster(t, classed(), far, finance(), standard())
	for args, c := range map[string]struct {
		code int
		want []string
	}{
		"describe tenant/contoso": {ExitFine, []string{"Class:          standard", "User defaults:  finance"}},
		"describe provisioningtenant.provisioning.tenantry.dev/contoso": {ExitFine, []string{"Name:           contoso"}},
		"describe userdefaults/finance --exit-code":                     {ExitFine, []string{"contoso, which is ready"}},
		"describe udef/finance -o json":                                 {ExitFine, []string{`"matchedUsers": 12`, `"findings": []`}},
		"describe userdefaults/none":                                    {ExitWrong, []string{`there is no UserDefaults "none" in namespace "customers"`}},
		"describe class/standard":                                       {ExitFine, []string{"2, 2 ready, 1 refused", "1 tenant is refused: OutOfBounds", "partners/far"}},
		"describe class/standard --exit-code":                           {ExitWrong, nil},
		"describe ptenantclass/standard -o yaml":                        {ExitFine, []string{"default: true", "reason: OutOfBounds"}},
		"describe class/none --exit-code":                               {ExitUnknown, []string{`there is no ProvisioningTenantClass "none"; there is standard`}},
	} {
		code, out, errOut := k.run(Options{}, strings.Fields(args)...)
		if code != c.code {
			t.Errorf("%s: exit %d, want %d", args, code, c.code)
		}
		for _, want := range c.want {
			if !strings.Contains(out+errOut, want) {
				t.Errorf("%s lacks %q:\n%s%s", args, want, out, errOut)
			}
		}
	}
}

func TestDescribeCompletesTenantsAndBehindAKindThoseOfTheKind(t *testing.T) {
	t.Parallel()
	k := newCluster(t, classed(), finance(), standard())
	for word, want := range map[string]string{
		"con": "contoso\n:4\n", "class/": "class/standard\n:4\n", "udef/f": "udef/finance\n:4\n", "tenant/": "tenant/contoso\n:4\n", "pod/": ":4\n",
	} {
		var out, errOut bytes.Buffer
		args := []string{"__complete", "describe", "--kubeconfig", k.kubeconfig, word}
		if code := Run(t.Context(), args, options(&out, &errOut)); code != ExitFine || out.String() != want {
			t.Errorf("%s: exit %d\n%s%s", word, code, &out, &errOut)
		}
	}
}

// The base domain is the operator's or the class's to know, so a tenant of five lines has its host in its route alone.
func TestTheTenantURLToComeIsThatOfTheSpecOrOfTheRoute(t *testing.T) {
	t.Parallel()
	route := func(apiVersion, kind, tenant string, spec map[string]any) client.Object {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": apiVersion, "kind": kind, "spec": spec,
			"metadata": map[string]any{"namespace": "customers", "name": tenant + "-" + kind, "labels": map[string]any{v1alpha1.TenantLabel: tenant}},
		}}
	}
	ingress := func(tenant string) client.Object {
		return route("networking.k8s.io/v1", "Ingress", tenant, map[string]any{"rules": []any{
			map[string]any{"host": tenant + ".apps.example.com"}, map[string]any{"host": "other.example.com"},
		}})
	}
	httpRoute := route("gateway.networking.k8s.io/v1", "HTTPRoute", "contoso", map[string]any{"hostnames": []any{"contoso.gateway.example.com"}})
	bare := route("networking.k8s.io/v1", "Ingress", "contoso", nil)
	for name, c := range map[string]struct {
		exposure v1alpha1.Exposure
		routes   []client.Object
		want     string
	}{
		"by the spec":          {v1alpha1.Exposure{Host: "contoso.example.com"}, []client.Object{ingress("contoso")}, "https://contoso.example.com/scim/v2"},
		"by the Service":       {v1alpha1.Exposure{Type: v1alpha1.ExposureNone}, nil, "http://contoso-scim.customers.svc/scim/v2"},
		"by its Ingress":       {v1alpha1.Exposure{}, []client.Object{ingress("fabrikam"), ingress("contoso")}, "https://contoso.apps.example.com/scim/v2"},
		"by its HTTPRoute":     {v1alpha1.Exposure{Type: v1alpha1.ExposureGateway}, []client.Object{httpRoute}, "https://contoso.gateway.example.com/scim/v2"},
		"by no route of its":   {v1alpha1.Exposure{}, []client.Object{ingress("fabrikam")}, ""},
		"by a route of nobody": {v1alpha1.Exposure{}, []client.Object{bare}, ""},
	} {
		tenant := contoso()
		tenant.Spec.Exposure = c.exposure
		if got := wantedURL(t.Context(), fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(c.routes...).Build(), tenant); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := wantedURL(t.Context(), fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithInterceptorFuncs(interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return errors.New("forbidden")
		},
	}).Build(), contoso()); got != "" {
		t.Errorf("without the right to read routes: %q", got)
	}
}
