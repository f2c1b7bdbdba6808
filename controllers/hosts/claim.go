package hosts

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// Claim is a tenant's claim to a host, and the terms of the platform.
type Claim struct {
	Tenant *v1alpha1.ProvisioningTenant
	Host   string
	// Patterns of the hosts that the tenant may claim.
	Patterns []string
	// BaseDomain gives a host to a tenant that names none, "" for no tenant.
	BaseDomain string
	// Reservation is how long a host that was let go stays reserved for its namespace; 0 for not at all.
	Reservation time.Duration
	// Recheck is when to ask again whether a rule allows the host: nothing tells of the labels of a namespace.
	Recheck time.Duration
}

// Answer is what comes of a claim.
type Answer struct {
	// Has tells whether the tenant has the host. It may have one that no rule allows any more, and is told so.
	Has bool
	// Problem says why the tenant cannot have the host, or could not have it again; nil for none.
	Problem *problem.Stalled
	// Free is when a host is free that is reserved; zero where that is not known.
	Free time.Time
}

func (c Claim) allowed() bool { return Allowed(c.Patterns, c.Host) }

// Takes tells whether the Lease is to be written for the tenant.
func (c Claim) Takes(record Record, decided Decision) bool {
	return c.allowed() && (decided.Verdict == Free || decided.Verdict == Kept && record.byOthers)
}

// Answer says what came of the claim. instead is the first of the Alternatives that is free, "" for none.
func (c Claim) Answer(decided Decision, instead string) Answer {
	switch {
	case !c.allowed():
		return Answer{Has: decided.Verdict == Kept, Problem: &problem.Stalled{
			Condition: v1alpha1.ConditionAccepted, Reason: v1alpha1.ReasonHostNotAllowed, Message: c.notAllowed(decided, instead), Recheck: c.Recheck,
		}}
	case decided.Verdict == Taken:
		return Answer{Free: decided.until, Problem: &problem.Stalled{
			Condition: v1alpha1.ConditionAccepted, Reason: v1alpha1.ReasonHostTaken, Message: c.taken(decided) + " " + c.wayOut(instead),
		}}
	default:
		return Answer{Has: true}
	}
}

// Alternatives are hosts that the tenant may claim in the place of the one that it cannot have, the best first. There are none for an additional
// host, which can be left out.
func (c Claim) Alternatives(decided Decision) []string {
	has := decided.Verdict == Kept || c.allowed() && decided.Verdict == Free
	if has || c.Host != Main(c.Tenant, c.BaseDomain) {
		return nil
	}
	var hosts []string
	_, domain, _ := strings.Cut(c.Host, ".")
	for _, domain := range slices.Compact([]string{domain, c.BaseDomain}) {
		for _, between := range []string{"-", "."} {
			host := c.Tenant.Name + between + c.Tenant.Namespace + "." + domain
			if domain != "" && isHost(host) && Allowed(c.Patterns, host) {
				hosts = append(hosts, host)
			}
		}
	}
	return hosts
}

// notAllowed says that no rule lets the tenant have the host. A tenant that has it keeps it.
func (c Claim) notAllowed(decided Decision, instead string) string {
	const mostPatterns = 10
	message := fmt.Sprintf("The platform does not let tenants of namespace %s have host %s", c.Tenant.Namespace, c.Host)
	switch {
	case len(c.Patterns) == 0:
		message += ", nor any other: ask the platform team for a rule."
	case len(c.Patterns) > mostPatterns:
		message += ": allowed are " + strings.Join(c.Patterns[:mostPatterns], ", ") + " and others."
	default:
		message += ": allowed is " + strings.Join(c.Patterns, ", ") + "."
	}
	switch {
	case decided.Verdict == Kept:
		message += " The tenant keeps the host that it has; once it lets go of it, it cannot have it again."
	case len(c.Patterns) > 0:
		message += " " + c.wayOut(instead)
	}
	return message
}

// taken says whose the host is and when it is free, without a name of another namespace.
func (c Claim) taken(decided Decision) string {
	whose, ours := "a tenant of another namespace", decided.by.Namespace == c.Tenant.Namespace
	if ours {
		whose = "tenant " + decided.by.Name + " of this namespace"
	}
	switch {
	case decided.contested:
		return fmt.Sprintf("Host %s has a route of this tenant and one of %s, and no Lease says whose it is: "+
			"the platform team must decide, by deleting the route that is wrong.", c.Host, whose)
	case decided.claimed:
		return fmt.Sprintf("Host %s goes to %s, which is older or has a route for it.", c.Host, whose)
	case decided.reserved && decided.until.IsZero():
		return fmt.Sprintf("Host %s is reserved for another namespace, whose tenant had it.", c.Host)
	case decided.reserved:
		return fmt.Sprintf("Host %s is reserved until %s for another namespace, whose tenant had it.", c.Host, decided.until.UTC().Format(time.RFC3339))
	case ours, c.Reservation == 0:
		return fmt.Sprintf("Host %s belongs to %s until that lets go of it.", c.Host, whose)
	default:
		return fmt.Sprintf("Host %s belongs to %s, and is free %s after that lets go of it.", c.Host, whose, problem.Duration(c.Reservation))
	}
}

// wayOut says what a person can do who asked for a host that the tenant cannot have.
func (c Claim) wayOut(instead string) string {
	switch {
	case c.Host != Main(c.Tenant, c.BaseDomain):
		return "Take it out of spec.exposure.additionalHosts."
	case instead == "":
		return "Choose another in spec.exposure.host."
	default:
		return "Choose another in spec.exposure.host, such as " + instead + "."
	}
}

// isHost tells whether text is a DNS name.
func isHost(text string) bool {
	return len(validation.IsDNS1123Subdomain(text)) == 0 &&
		!slices.ContainsFunc(strings.Split(text, "."), func(label string) bool { return len(label) > validation.DNS1123LabelMaxLength })
}
