package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// notAllowed says that no rule lets the tenant have the host. A tenant that has it keeps it.
func (r *ProvisioningTenantReconciler) notAllowed(ctx context.Context, s *scope, host string, patterns []string, kept bool) (*Stalled, error) {
	const mostPatterns = 10
	message := fmt.Sprintf("The platform does not let tenants of namespace %s have host %s", s.tenant.Namespace, host)
	switch {
	case len(patterns) == 0:
		message += ", nor any other: ask the platform team for a rule."
	case len(patterns) > mostPatterns:
		message += ": allowed are " + strings.Join(patterns[:mostPatterns], ", ") + " and others."
	default:
		message += ": allowed is " + strings.Join(patterns, ", ") + "."
	}
	if kept {
		message += " The tenant keeps the host that it has; once it lets go of it, it cannot have it again."
	} else if len(patterns) > 0 {
		wayOut, err := r.wayOut(ctx, s, host, patterns)
		if err != nil {
			return nil, err
		}
		message += " " + wayOut
	}
	return &Stalled{
		Condition: v1alpha1.ConditionAccepted, Reason: v1alpha1.ReasonHostNotAllowed,
		Message: message, Recheck: cmp.Or(r.Options.RecheckHosts, recheckHosts), // nothing tells of the labels of a namespace
	}, nil
}

// taken says whose the host is and when it is free, without a name of another namespace.
func (r *ProvisioningTenantReconciler) taken(host, namespace string, decided decision) string {
	whose := "a tenant of another namespace"
	if decided.by.Namespace == namespace {
		whose = "tenant " + decided.by.Name + " of this namespace"
	}
	reservation := r.Options.HostReservation
	switch {
	case decided.contested:
		return fmt.Sprintf("Host %s has a route of this tenant and one of %s, and no Lease says whose it is: "+
			"the platform team must decide, by deleting the route that is wrong.", host, whose)
	case decided.claimed:
		return fmt.Sprintf("Host %s goes to %s, which is older or has a route for it.", host, whose)
	case decided.reserved && decided.until.IsZero():
		return fmt.Sprintf("Host %s is reserved for another namespace, whose tenant had it.", host)
	case decided.reserved:
		return fmt.Sprintf("Host %s is reserved until %s for another namespace, whose tenant had it.", host, decided.until.UTC().Format(time.RFC3339))
	case decided.by.Namespace == namespace, reservation == 0:
		return fmt.Sprintf("Host %s belongs to %s until that lets go of it.", host, whose)
	default:
		return fmt.Sprintf("Host %s belongs to %s, and is free %s after that lets go of it.", host, whose, inWords(reservation))
	}
}

// wayOut says what a person can do who asked for a host that the tenant cannot have.
func (r *ProvisioningTenantReconciler) wayOut(ctx context.Context, s *scope, host string, patterns []string) (string, error) {
	if host != claimedHost(s.tenant, r.Options.BaseDomain) {
		return "Take it out of spec.exposure.additionalHosts.", nil
	}
	free, err := r.proposal(ctx, s, host, patterns)
	if err != nil || free == "" {
		return "Choose another in spec.exposure.host.", err
	}
	return "Choose another in spec.exposure.host, such as " + free + ".", nil
}

// proposal is a host that the tenant could have in the place of one that it cannot have, or "" where none is found.
func (r *ProvisioningTenantReconciler) proposal(ctx context.Context, s *scope, instead string, patterns []string) (string, error) {
	_, domain, _ := strings.Cut(instead, ".")
	for _, domain := range slices.Compact([]string{domain, r.Options.BaseDomain}) {
		for _, between := range []string{"-", "."} {
			host := s.tenant.Name + between + s.tenant.Namespace + "." + domain
			if domain == "" || !isHost(host) || !matchesHost(patterns, host) {
				continue
			}
			lease, err := r.hostLease(ctx, r, host)
			if err != nil {
				return "", err
			}
			rivals, err := r.rivalsFor(ctx, s.tenant, host)
			if err != nil {
				return "", err
			}
			if lease == nil && len(rivals) == 0 {
				return host, nil
			}
		}
	}
	return "", nil
}

// isHost tells whether text is a DNS name.
func isHost(text string) bool {
	return len(validation.IsDNS1123Subdomain(text)) == 0 &&
		!slices.ContainsFunc(strings.Split(text, "."), func(label string) bool { return len(label) > validation.DNS1123LabelMaxLength })
}

// inWords is a duration without the units of which there are none behind the last that counts: 24h, and not 24h0m0s.
func inWords(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}
