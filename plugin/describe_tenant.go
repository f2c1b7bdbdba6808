package plugin

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// describedTenant is a tenant with its UserDefaults.
type describedTenant struct {
	tenant   *v1alpha1.ProvisioningTenant
	defaults []v1alpha1.UserDefaults
	// wanted is the Tenant URL that it is to have, "" where that is not known.
	wanted string
}

func lookAtTenant(ctx context.Context, c client.Client, namespace, name string) (described, error) {
	tenant, err := getTenant(ctx, c, namespace, name)
	if err != nil {
		return nil, err
	}
	var defaults v1alpha1.UserDefaultsList
	if err := c.List(ctx, &defaults, client.InNamespace(namespace), client.MatchingFields{"spec.tenantRef.name": name}); err != nil {
		return nil, explain(err)
	}
	found := &describedTenant{tenant: tenant, defaults: defaults.Items}
	if tenant.Status.TenantURL == "" {
		found.wanted = wantedURL(ctx, c, tenant)
	}
	return found, nil
}

func (d *describedTenant) diagnosis() any { return diagnose(d.tenant, d.defaults) }

func (d *describedTenant) outcome() error { return readiness(d.tenant.Status.Conditions) }

func (d *describedTenant) write(out io.Writer, now time.Time) error {
	tenant := d.tenant
	facts := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fact := func(name, format string, args ...any) { fmt.Fprintf(facts, name+"\t"+format+"\n", args...) }
	fact("Name:", "%s", tenant.Name)
	fact("Namespace:", "%s", tenant.Namespace)
	fact("Display name:", "%s", orNothing(tenant.Spec.DisplayName))
	if class := describeClass(tenant); class != "" {
		fact("Class:", "%s", class)
	}
	for i, line := range d.describeURL() {
		name := ""
		if i == 0 {
			name = "Tenant URL:"
		}
		fact(name, "%s", line)
	}
	for _, additional := range tenant.Status.AdditionalURLs {
		fact("", "also %s", additional)
	}
	if tenant.Status.TokenURL != "" {
		fact("Token URL:", "%s", tenant.Status.TokenURL)
	}
	fact("Secret Token:", "%s", describeToken(tenant.Status.Credentials, now))
	if twoTokens(tenant) {
		fact("", "the one before is valid for %s yet", duration.HumanDuration(tenant.Status.Credentials.PreviousExpiresAt.Sub(now)))
	}
	if c := tenant.Status.Credentials; c != nil && !c.ExpiresAt.IsZero() {
		fact("", "it is rotated by itself, and ends in %s", duration.HumanDuration(c.ExpiresAt.Sub(now)))
	}
	if has := tenant.Status.Directory; has != nil {
		fact("Directory:", "%s (%d active), %s, %s%s", counted(has.Users, "user"), has.ActiveUsers, counted(has.Groups, "group"),
			counted(has.Memberships, "membership"), asOf(has, now))
	}
	if a := tenant.Status.Activity; a != nil && !a.LastRequestTime.IsZero() {
		fact("Last request:", "at most %s ago", lastRequest(tenant, now))
	}
	if a := tenant.Status.Activity; a != nil && a.LastCycle != nil {
		c := a.LastCycle
		fact("Last cycle:", "%s: %s, %s, %s, %s", counted(c.Requests, "request"), counted(c.Creates, "create"), counted(c.Updates, "update"),
			counted(c.Deletes, "delete"), counted(c.Failures, "failure"))
	}
	var names []string
	for i := range d.defaults {
		names = append(names, d.defaults[i].Name)
	}
	fact("User defaults:", "%s", orNothing(strings.Join(names, ", ")))
	if err := facts.Flush(); err != nil {
		return err
	}
	found := diagnose(tenant, d.defaults).Findings
	if err := writeConditions(out, tenant.Status.Conditions, found, now); err != nil {
		return err
	}
	writeFindings(out, found)
	return nil
}

// classInEffect is the class whose values a tenant has, "" for none.
func classInEffect(tenant *v1alpha1.ProvisioningTenant) string {
	if tenant.Status.Class == nil {
		return ""
	}
	return tenant.Status.Class.Name
}

// describeClass is the class whose values a tenant has, beside one that it asks for; "" where no class has a say and none was asked for.
func describeClass(tenant *v1alpha1.ProvisioningTenant) string {
	asked, class := tenant.Spec.ClassName, classInEffect(tenant)
	switch {
	case class == "" && asked == "" && tenant.Status.Class == nil:
		return ""
	case class == "" && tenant.Status.Class != nil:
		return "none yet: it has what it had before there was a class"
	case class == "":
		return asked + ", of which it has nothing yet"
	case asked != "" && asked != class:
		return class + ", and it asks for " + asked
	default:
		return class
	}
}

// describeURL is the Tenant URL and a line for each thing that it lacks. Before it is published that is the URL that it will be, where that is known.
func (d *describedTenant) describeURL() []string {
	lines, lacks := []string{cmp.Or(d.tenant.Status.TenantURL, d.wanted, nothing)}, missing(d.tenant)
	for i, lack := range lacks {
		state := fmt.Sprintf("%s is %s: %s", lack.Type, lack.Status, lack.Reason)
		switch {
		case d.tenant.Status.TenantURL != "":
			lines = append(lines, "but "+state)
		case i == 0:
			lines = append(lines, fmt.Sprintf("once %s (%s)", lack.needs, state))
		default:
			lines = append(lines, fmt.Sprintf("and %s (%s)", lack.needs, state))
		}
	}
	return lines
}

// wantedURL is the Tenant URL that a tenant is to have: by its spec, or else by the route that the operator made for it, because the base domain is
// the operator's or the class's to know. It is "" where neither says, and where routes may not be read.
func wantedURL(ctx context.Context, c client.Reader, tenant *v1alpha1.ProvisioningTenant) string {
	exposure := tenant.Spec.Exposure
	if exposure.Type == v1alpha1.ExposureNone {
		return v1alpha1.ServiceURL(tenant.Namespace, tenant.Name)
	}
	host := exposure.Host
	for _, route := range []struct {
		apiVersion, kind string
		host             func(spec map[string]any) string
	}{{"networking.k8s.io/v1", "Ingress", ingressHost}, {"gateway.networking.k8s.io/v1", "HTTPRoute", httpRouteHost}} {
		if host != "" {
			break
		}
		found := &unstructured.UnstructuredList{}
		found.SetGroupVersionKind(kind(route.apiVersion, route.kind+"List"))
		if c.List(ctx, found, client.InNamespace(tenant.Namespace), client.MatchingLabels{v1alpha1.TenantLabel: tenant.Name}) != nil {
			continue // the kind is not installed, or may not be read
		}
		for i := range found.Items {
			spec, _, _ := unstructured.NestedMap(found.Items[i].Object, "spec")
			host = cmp.Or(host, route.host(spec))
		}
	}
	if host == "" {
		return ""
	}
	return "https://" + host + v1alpha1.BasePath
}

// ingressHost is the first host of an Ingress.
func ingressHost(spec map[string]any) string {
	rules, _, _ := unstructured.NestedSlice(spec, "rules")
	for _, rule := range rules {
		if rule, is := rule.(map[string]any); is {
			host, _ := rule["host"].(string)
			return host
		}
	}
	return ""
}

// httpRouteHost is the first host of an HTTPRoute.
func httpRouteHost(spec map[string]any) string {
	hosts, _, _ := unstructured.NestedStringSlice(spec, "hostnames")
	if len(hosts) == 0 {
		return ""
	}
	return hosts[0]
}

// lack is a condition that is not True, and what must be for it.
type lack struct {
	metav1.Condition

	needs string
}

// missing is what holds a Tenant URL back, by the conditions that it is published with. Of those for one reason it has the first.
func missing(tenant *v1alpha1.ProvisioningTenant) []lack {
	var lacks []lack
	for _, needed := range []struct{ condition, what string }{
		{v1alpha1.ConditionAccepted, "the spec is accepted"},
		{v1alpha1.ConditionCredentialsReady, "the Secret Token is issued"},
		{v1alpha1.ConditionStorageReady, "the directory can be used"},
		{v1alpha1.ConditionServerAvailable, "the server answers"},
		{v1alpha1.ConditionExposed, "the host leads to the server"},
	} {
		c := meta.FindStatusCondition(tenant.Status.Conditions, needed.condition)
		if c == nil || c.Status == metav1.ConditionTrue || slices.ContainsFunc(lacks, func(l lack) bool { return l.Reason == c.Reason }) {
			continue
		}
		lacks = append(lacks, lack{*c, needed.what})
	}
	return lacks
}

// asOf says when the server told what the directory has.
func asOf(d *v1alpha1.DirectoryStatus, now time.Time) string {
	if d.ObservedTime.IsZero() {
		return ""
	}
	return fmt.Sprintf(", as the server told %s ago; it tells what changes within a minute", age(d.ObservedTime, now))
}

// counted is a number of things that have a regular plural.
func counted(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

func describeToken(credentials *v1alpha1.CredentialsStatus, now time.Time) string {
	if credentials == nil || credentials.Fingerprint == "" {
		return nothing
	}
	text := "fingerprint " + credentials.Fingerprint
	if !credentials.IssuedAt.IsZero() {
		text += ", issued " + age(credentials.IssuedAt, now) + " ago"
	}
	if credentials.SecretName == "" {
		return text + ", its Secret was deleted, as one may after copying"
	}
	return text + ", in Secret " + credentials.SecretName
}
