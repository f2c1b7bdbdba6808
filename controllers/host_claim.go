package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// The operator's rights in its own namespace stand in config/rbac/hosts.yaml, those for the rest of a host here.
//
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get

// claimHost gives the tenant a host that it asks for, or returns why it cannot have it. It may have one that no rule allows any more, and is told so.
func (r *ProvisioningTenantReconciler) claimHost(ctx context.Context, s *scope, host string) (has bool, refused *problem.Stalled, err error) {
	patterns, err := r.allowedHosts(ctx, client.ObjectKeyFromObject(s.tenant))
	if err != nil {
		return false, nil, err
	}
	lease, err := r.hostLease(ctx, r, host)
	if err != nil {
		return false, nil, err
	}
	claim, record := hosts.Claim{
		Tenant: s.tenant, Host: host, Patterns: patterns,
		BaseDomain: r.Options.BaseDomain, Reservation: r.Options.HostReservation, Recheck: cmp.Or(r.Options.RecheckHosts, recheckHosts),
	}, hosts.ReadLease(lease)
	decided, err := r.judgeClaim(ctx, s, host, record)
	if err == nil && claim.Takes(record, decided) {
		decided, err = r.takeHost(ctx, s, host, lease, decided)
	}
	if err != nil {
		return false, nil, err
	}
	instead, err := r.firstFree(ctx, s.tenant, claim.Alternatives(decided))
	if err != nil {
		return false, nil, err
	}
	answer := claim.Answer(decided, instead)
	s.outcome.at(answer.Free, r.Options.Clock.Now())
	return answer.Has, answer.Problem, nil
}

// firstFree returns the first of the hosts that nobody has and no other tenant claims, "" for none.
func (r *ProvisioningTenantReconciler) firstFree(ctx context.Context, tenant *v1alpha1.ProvisioningTenant, among []string) (string, error) {
	for _, host := range among {
		lease, err := r.hostLease(ctx, r, host)
		if err != nil {
			return "", err
		}
		rivals, err := r.rivalsFor(ctx, tenant, host)
		if err != nil {
			return "", err
		}
		if lease == nil && len(rivals) == 0 {
			return host, nil
		}
	}
	return "", nil
}

// hostLease returns the Lease of a host as the reader has it, or nil.
func (r *ProvisioningTenantReconciler) hostLease(ctx context.Context, from client.Reader, host string) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{}
	err := from.Get(ctx, client.ObjectKey{Namespace: r.Options.LeaseNamespace, Name: hosts.LeaseName(host)}, lease)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get the Lease of host %s: %w", host, err)
	}
	return lease, nil
}

// judgeClaim judges the tenant's claim by the Lease and by the others that claim the host. These are not looked for where the Lease names the tenant.
func (r *ProvisioningTenantReconciler) judgeClaim(ctx context.Context, s *scope, host string, record hosts.Record) (hosts.Decision, error) {
	me := hosts.ClaimantOf(s.tenant)
	var rivals []hosts.Claimant
	gone := false
	if !record.Held() || record.Holder != me.Holder {
		var err error
		if gone, err = r.holderGone(ctx, record, me.Holder); err != nil {
			return hosts.Decision{}, err
		}
		if rivals, err = r.rivalsFor(ctx, s.tenant, host); err != nil {
			return hosts.Decision{}, err
		}
		if record.NeedsRoute(rivals) {
			if me.Routed, err = r.routed(ctx, s.tenant, host); err != nil {
				return hosts.Decision{}, err
			}
		}
	}
	return hosts.Judge(me, record, gone, rivals, r.Options.Clock.Now()), nil
}

// rivalsFor are the other tenants that claim the host and are allowed to.
func (r *ProvisioningTenantReconciler) rivalsFor(ctx context.Context, tenant *v1alpha1.ProvisioningTenant, host string) ([]hosts.Claimant, error) {
	claims, err := r.mayClaim(ctx, host)
	if err != nil {
		return nil, err
	}
	var rivals []hosts.Claimant
	for i := range claims {
		if claims[i].UID == tenant.UID || claims[i].DeletionTimestamp != nil {
			continue
		}
		other, err := r.withClass(ctx, &claims[i])
		if err != nil {
			return nil, err
		}
		if other == nil || !slices.Contains(hosts.All(other, r.Options.BaseDomain), host) {
			continue
		}
		patterns, err := r.allowedHosts(ctx, client.ObjectKeyFromObject(other))
		if err != nil {
			return nil, err
		}
		if !hosts.Allowed(patterns, host) {
			continue
		}
		rival := hosts.ClaimantOf(other)
		if rival.Routed, err = r.routed(ctx, other, host); err != nil {
			return nil, err
		}
		rivals = append(rivals, rival)
	}
	return rivals, nil
}

// mayClaim are the tenants that claim the host, or may do so by their class.
func (r *ProvisioningTenantReconciler) mayClaim(ctx context.Context, host string) ([]v1alpha1.ProvisioningTenant, error) {
	var claims, unclaimed v1alpha1.ProvisioningTenantList
	if err := r.List(ctx, &claims, client.MatchingFields{hostIndex: host}); err != nil {
		return nil, fmt.Errorf("list the tenants that claim host %s: %w", host, err)
	}
	name, _, _ := strings.Cut(host, ".")
	if err := r.List(ctx, &unclaimed, client.MatchingFields{hostIndex: unnamed(name)}); err != nil {
		return nil, fmt.Errorf("list the tenants named %s: %w", name, err)
	}
	for _, tenant := range unclaimed.Items {
		if !slices.ContainsFunc(claims.Items, func(other v1alpha1.ProvisioningTenant) bool { return other.UID == tenant.UID }) {
			claims.Items = append(claims.Items, tenant)
		}
	}
	return claims.Items, nil
}

// routed tells whether the tenant has a route for the host, or publishes a URL of it that the platform routes.
func (r *ProvisioningTenantReconciler) routed(ctx context.Context, tenant *v1alpha1.ProvisioningTenant, host string) (bool, error) {
	if hosts.Publishes(tenant, host) {
		return true, nil
	}
	routes, err := r.routesOf(ctx, tenant)
	return slices.ContainsFunc(routes, func(route exposure.Route) bool { return slices.Contains(route.Hosts, host) }), err
}

// lost returns what tells whether a route takes requests from another tenant, by any of its hosts.
func (r *ProvisioningTenantReconciler) lost(ctx context.Context, s *scope) func(*exposure.Route) (bool, error) {
	return func(found *exposure.Route) (bool, error) {
		me := hosts.HolderOf(s.tenant)
		for _, host := range found.Hosts {
			if s.exposure.Hosts.Has(host) {
				continue // whatever the cache has of its Lease
			}
			lease, err := r.hostLease(ctx, r, host)
			if err != nil {
				return false, err
			}
			record := hosts.ReadLease(lease)
			if gone, err := r.holderGone(ctx, record, me); err != nil || record.Lost(me, found.Published, gone) {
				return err == nil, err
			}
		}
		return false, nil
	}
}

// holderGone tells whether another tenant has the host by its Lease and exists no more.
func (r *ProvisioningTenantReconciler) holderGone(ctx context.Context, record hosts.Record, tenant hosts.Holder) (bool, error) {
	if !record.HeldByAnother(tenant) {
		return false, nil
	}
	return r.gone(ctx, record.Holder)
}

// gone tells whether a tenant exists no more. The cache may be behind, and it knows the operator's own namespaces only.
func (r *ProvisioningTenantReconciler) gone(ctx context.Context, tenant hosts.Holder) (bool, error) {
	if !r.Options.serves(tenant.Namespace) {
		return false, nil
	}
	cached := &v1alpha1.ProvisioningTenant{}
	if err := r.Get(ctx, tenant.NamespacedName, cached); err == nil && cached.UID == tenant.UID {
		return false, nil
	}
	live := &metav1.PartialObjectMetadata{}
	live.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("ProvisioningTenant"))
	err := r.Live.Get(ctx, tenant.NamespacedName, live)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("see whether tenant %s exists: %w", tenant.NamespacedName, err)
	}
	return live.UID != tenant.UID, nil
}

// takeHost writes the Lease of a host that was free for the tenant when the cache was asked. Only one writer succeeds; any other
// finds what that one wrote.
func (r *ProvisioningTenantReconciler) takeHost(
	ctx context.Context, s *scope, host string, cached *coordinationv1.Lease, decided hosts.Decision,
) (hosts.Decision, error) {
	me, now := hosts.HolderOf(s.tenant), r.Options.Clock.Now()
	if err := s.owner.Alive(ctx); err != nil {
		return decided, err
	}
	if cached != nil {
		lease := cached.DeepCopy()
		hosts.Hold(lease, host, me, now)
		return decided, r.updateLease(ctx, lease)
	}
	err := r.Create(ctx, hosts.NewLease(r.Options.LeaseNamespace, host, me, now), client.FieldOwner(apply.FieldManager))
	if err == nil {
		return decided, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return decided, fmt.Errorf("create the Lease of host %s: %w", host, err)
	}
	// Another was faster, or somebody took the label off by which the cache selects.
	lease, err := r.hostLease(ctx, r.Live, host)
	if err != nil {
		return decided, err
	}
	if lease == nil { // and is gone again: nobody has the host yet
		return decided, apierrors.NewConflict(coordinationv1.Resource("leases"), hosts.LeaseName(host), errors.New("it was deleted meanwhile"))
	}
	if decided, err = r.judgeClaim(ctx, s, host, hosts.ReadLease(lease)); err != nil {
		return decided, err
	}
	if hosts.HoldFound(lease, host, decided, me, now) {
		err = r.updateLease(ctx, lease)
	}
	return decided, err
}

func (r *ProvisioningTenantReconciler) updateLease(ctx context.Context, lease *coordinationv1.Lease) error {
	if err := r.Update(ctx, lease, client.FieldOwner(apply.FieldManager)); err != nil { // at the version that was read
		return fmt.Errorf("update the Lease of host %s: %w", hosts.ReadLease(lease).Host, err)
	}
	return nil
}

// heldHost is the host that the tenant has though it asks for another one now, "" where it has none.
func (r *ProvisioningTenantReconciler) heldHost(ctx context.Context, tenant *v1alpha1.ProvisioningTenant) (string, error) {
	leases, err := r.leasesOf(ctx, client.ObjectKeyFromObject(tenant))
	if err != nil {
		return "", err
	}
	records := make([]hosts.Record, len(leases))
	for i := range leases {
		records[i] = hosts.ReadLease(&leases[i])
	}
	return hosts.HeldBy(tenant, records), nil
}

func (r *ProvisioningTenantReconciler) leasesOf(ctx context.Context, tenant client.ObjectKey) ([]coordinationv1.Lease, error) {
	var leases coordinationv1.LeaseList
	err := r.List(ctx, &leases, client.InNamespace(r.Options.LeaseNamespace), client.MatchingFields{holderIndex: tenant.String()})
	if err != nil {
		return nil, fmt.Errorf("list the Leases of hosts: %w", err)
	}
	return leases.Items, nil
}

// letGo lets go of the hosts that tenants of this name have had and do not use any more, and deletes the Leases that have run out. present is
// the tenant that has the name now, without a UID where there is none. It returns when the next Lease runs out, zero for never.
func (r *ProvisioningTenantReconciler) letGo(ctx context.Context, present hosts.Holder, uses func(host string) bool) (next time.Time, err error) {
	leases, err := r.leasesOf(ctx, present.NamespacedName)
	if err != nil || len(leases) == 0 {
		return time.Time{}, err
	}
	now := r.Options.Clock.Now()
	for i := range leases {
		lease := &leases[i]
		record := hosts.ReadLease(lease)
		gone, err := r.holderGone(ctx, record, present)
		if err != nil {
			return next, err
		}
		switch record.Fate(present, uses(record.Host), gone, r.Options.HostReservation, now) {
		case hosts.Stays:
			if until := record.Until; !until.IsZero() && (next.IsZero() || until.Before(next)) {
				next = until
			}
		case hosts.Reserved:
			hosts.Reserve(lease, r.Options.HostReservation, now)
			if err = r.updateLease(ctx, lease); err == nil {
				log.FromContext(ctx).Info("A host was let go", "host", record.Host, "reservedFor", record.Holder.Namespace)
			}
		case hosts.Deleted:
			err = r.Delete(ctx, lease, client.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion})
		}
		// Somebody else was faster, and the event of that comes.
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			return next, fmt.Errorf("let go of host %s: %w", record.Host, err)
		}
	}
	return next, nil
}

// claimants are whom a Lease is about: the tenant that it names, all that claim its host, and those with a route for it.
func (r *ProvisioningTenantReconciler) claimants(ctx context.Context, object client.Object) []ctrl.Request {
	lease, ok := object.(*coordinationv1.Lease)
	if !ok {
		return nil
	}
	record := hosts.ReadLease(lease)
	requests := r.claimantsOf(ctx, record.Host, "")
	routes, err := r.listRoutes(ctx, client.MatchingFields{routeIndex: record.Host})
	if err != nil {
		log.FromContext(ctx).Error(err, "Cannot list the routes for a host")
	}
	for _, found := range routes {
		requests = append(requests, controllingTenant(ctx, found)...)
	}
	if by := record.Holder; by != (hosts.Holder{}) && r.Options.serves(by.Namespace) {
		requests = append(requests, ctrl.Request{NamespacedName: by.NamespacedName})
	}
	return requests
}

// rivals are the other tenants that claim a host of this one. controller-runtime asks for the tenant as it was and as it is, so the
// rivals for a host that was given up hear of it too.
func (r *ProvisioningTenantReconciler) rivals(ctx context.Context, object client.Object) []ctrl.Request {
	tenant, ok := object.(*v1alpha1.ProvisioningTenant)
	if !ok {
		return nil
	}
	var requests []ctrl.Request
	for _, host := range hosts.All(tenant, r.Options.BaseDomain) {
		requests = append(requests, r.claimantsOf(ctx, host, tenant.Namespace+"/"+tenant.Name)...)
	}
	return requests
}

// claimantsOf are the tenants that claim a host, but for one.
func (r *ProvisioningTenantReconciler) claimantsOf(ctx context.Context, host, but string) []ctrl.Request {
	if host == "" {
		return nil
	}
	claims, err := r.mayClaim(ctx, host)
	if err != nil {
		log.FromContext(ctx).Error(err, "Cannot list the tenants that claim a host")
		return nil
	}
	var requests []ctrl.Request
	for i := range claims {
		if key := client.ObjectKeyFromObject(&claims[i]); key.String() != but {
			requests = append(requests, ctrl.Request{NamespacedName: key})
		}
	}
	return requests
}
