package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// The operator's rights in its own namespace stand in config/rbac/hosts.yaml, those for the rest of a host here.
//
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get

// claimHost gives the tenant a host that it asks for, or returns why it cannot have it. It may have one that no rule allows any more, and is told so.
func (r *ProvisioningTenantReconciler) claimHost(ctx context.Context, s *scope, host string) (has bool, problem *Stalled, err error) {
	patterns, err := r.allowedHosts(ctx, client.ObjectKeyFromObject(s.tenant))
	if err != nil {
		return false, nil, err
	}
	lease, err := r.hostLease(ctx, r, host)
	if err != nil {
		return false, nil, err
	}
	record := readLease(lease)
	decided, err := r.decide(ctx, s, host, record)
	switch allowed := matchesHost(patterns, host); {
	case err != nil:
		return false, nil, err
	case !allowed:
		has = decided.verdict == hostKept
		problem, err = r.notAllowed(ctx, s, host, patterns, has)
		return has, problem, err
	case decided.verdict == hostFree, decided.verdict == hostKept && record.byOthers:
		if decided, err = r.takeHost(ctx, s, host, lease, decided); err != nil {
			return false, nil, err
		}
	}
	if decided.verdict != hostAnothers {
		return true, nil, nil
	}
	s.outcome.at(decided.until, r.Options.Clock.Now())
	wayOut, err := r.wayOut(ctx, s, host, patterns)
	if err != nil {
		return false, nil, err
	}
	return false, &Stalled{
		Condition: v1alpha1.ConditionAccepted, Reason: v1alpha1.ReasonHostTaken,
		Message: r.taken(host, s.tenant.Namespace, decided) + " " + wayOut,
	}, nil
}

// hostLease returns the Lease of a host as the reader has it, or nil.
func (r *ProvisioningTenantReconciler) hostLease(ctx context.Context, from client.Reader, host string) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{}
	err := from.Get(ctx, client.ObjectKey{Namespace: r.Options.LeaseNamespace, Name: leaseName(host)}, lease)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get the Lease of host %s: %w", host, err)
	}
	return lease, nil
}

// decide judges the tenant's claim by the Lease and by the others that claim the host.
func (r *ProvisioningTenantReconciler) decide(ctx context.Context, s *scope, host string, record hostRecord) (decision, error) {
	me := claimant{holder: holderOf(s.tenant), created: s.tenant.CreationTimestamp.Time}
	if record.held() && record.holder == me.holder {
		return decision{verdict: hostKept}, nil
	}
	gone := false
	if record.held() {
		var err error
		if gone, err = r.gone(ctx, record.holder); err != nil {
			return decision{}, err
		}
	}
	rivals, err := r.rivalsFor(ctx, s.tenant, host)
	if err != nil {
		return decision{}, err
	}
	if len(rivals) > 0 || record.byOthers {
		if me.routed, err = r.routed(ctx, s.tenant, host); err != nil {
			return decision{}, err
		}
	}
	return judge(me, record, gone, rivals, r.Options.Clock.Now()), nil
}

// rivalsFor are the other tenants that claim the host and are allowed to.
func (r *ProvisioningTenantReconciler) rivalsFor(ctx context.Context, tenant *v1alpha1.ProvisioningTenant, host string) ([]claimant, error) {
	var claims v1alpha1.ProvisioningTenantList
	if err := r.List(ctx, &claims, client.MatchingFields{hostIndex: host}); err != nil {
		return nil, fmt.Errorf("list the tenants that claim host %s: %w", host, err)
	}
	var rivals []claimant
	for i := range claims.Items {
		other := &claims.Items[i]
		if other.UID == tenant.UID || other.DeletionTimestamp != nil {
			continue
		}
		patterns, err := r.allowedHosts(ctx, client.ObjectKeyFromObject(other))
		if err != nil {
			return nil, err
		}
		if !matchesHost(patterns, host) {
			continue
		}
		rival := claimant{holder: holderOf(other), created: other.CreationTimestamp.Time}
		if rival.routed, err = r.routed(ctx, other, host); err != nil {
			return nil, err
		}
		rivals = append(rivals, rival)
	}
	return rivals, nil
}

// routed tells whether the tenant has a route for the host. That of a tenant which the platform routes to itself is not in the cluster, so
// its published URL stands for it: like a route, it gets nobody a host that another has one for.
func (r *ProvisioningTenantReconciler) routed(ctx context.Context, tenant *v1alpha1.ProvisioningTenant, host string) (bool, error) {
	if url := desired.TenantURL(tenant, host); tenant.Spec.Exposure.Type == v1alpha1.ExposureNone &&
		(tenant.Status.TenantURL == url || slices.Contains(tenant.Status.AdditionalURLs, url)) {
		return true, nil
	}
	routes, err := r.routesOf(ctx, tenant)
	return slices.ContainsFunc(routes, func(route route) bool { return slices.Contains(route.hosts, host) }), err
}

// gone tells whether a tenant exists no more. The cache may be behind, and it knows the operator's own namespaces only.
func (r *ProvisioningTenantReconciler) gone(ctx context.Context, tenant holder) (bool, error) {
	if !r.Options.serves(tenant.Namespace) {
		return false, nil
	}
	cached := &v1alpha1.ProvisioningTenant{}
	if err := r.Get(ctx, tenant.NamespacedName, cached); err == nil && cached.UID == tenant.uid {
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
	return live.UID != tenant.uid, nil
}

// takeHost writes the Lease of a host that was free for the tenant when the cache was asked. Only one writer succeeds; any other
// finds what that one wrote.
func (r *ProvisioningTenantReconciler) takeHost(
	ctx context.Context, s *scope, host string, cached *coordinationv1.Lease, decided decision,
) (decision, error) {
	me, now := holderOf(s.tenant), r.Options.Clock.Now()
	if err := s.owner.Alive(ctx); err != nil {
		return decided, err
	}
	if cached != nil {
		lease := cached.DeepCopy()
		hold(lease, host, me, now)
		return decided, r.updateLease(ctx, lease)
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: r.Options.LeaseNamespace, Name: leaseName(host)}}
	hold(lease, host, me, now)
	err := r.Create(ctx, lease, client.FieldOwner(apply.FieldManager))
	if err == nil {
		return decided, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return decided, fmt.Errorf("create the Lease of host %s: %w", host, err)
	}
	// Another was faster, or somebody took the label off by which the cache selects.
	if lease, err = r.hostLease(ctx, r.Live, host); err != nil {
		return decided, err
	}
	if lease == nil { // and is gone again: nobody has the host yet
		return decided, apierrors.NewConflict(coordinationv1.Resource("leases"), leaseName(host), errors.New("it was deleted meanwhile"))
	}
	if decided, err = r.decide(ctx, s, host, readLease(lease)); err != nil {
		return decided, err
	}
	marked := lease.Labels[v1alpha1.LeaseLabel] == v1alpha1.LeaseOfHost
	mark(lease, host)
	if decided.verdict == hostFree {
		hold(lease, host, me, now)
	}
	if decided.verdict == hostFree || !marked {
		err = r.updateLease(ctx, lease)
	}
	return decided, err
}

func (r *ProvisioningTenantReconciler) updateLease(ctx context.Context, lease *coordinationv1.Lease) error {
	if err := r.Update(ctx, lease, client.FieldOwner(apply.FieldManager)); err != nil { // at the version that was read
		return fmt.Errorf("update the Lease of host %s: %w", readLease(lease).host, err)
	}
	return nil
}

// heldHost is the host that the tenant has though it asks for another one now: the one that it publishes, or the last that it took; ""
// where it has none.
func (r *ProvisioningTenantReconciler) heldHost(ctx context.Context, tenant *v1alpha1.ProvisioningTenant) (string, error) {
	leases, err := r.leasesOf(ctx, client.ObjectKeyFromObject(tenant))
	if err != nil {
		return "", err
	}
	var last hostRecord
	for i := range leases {
		record := readLease(&leases[i])
		if !record.held() || record.holder != holderOf(tenant) {
			continue
		}
		if desired.TenantURL(tenant, record.host) == tenant.Status.TenantURL {
			return record.host, nil
		}
		if last.host == "" || record.since.After(last.since) {
			last = record
		}
	}
	return last.host, nil
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
func (r *ProvisioningTenantReconciler) letGo(ctx context.Context, present holder, uses func(host string) bool) (next time.Time, err error) {
	leases, err := r.leasesOf(ctx, present.NamespacedName)
	if err != nil || len(leases) == 0 {
		return time.Time{}, err
	}
	now := r.Options.Clock.Now()
	for i := range leases {
		lease := &leases[i]
		record := readLease(lease)
		switch {
		case record.held() && record.holder == present && uses(record.host):
			continue
		case record.held() && record.holder != present:
			gone, err := r.gone(ctx, record.holder)
			if err != nil {
				return next, err
			}
			if !gone {
				continue
			}
		case !record.held() && now.Before(record.until):
			if next.IsZero() || record.until.Before(next) {
				next = record.until
			}
			continue
		}
		if record.held() && r.Options.HostReservation > 0 {
			reserve(lease, r.Options.HostReservation, now)
			err = r.updateLease(ctx, lease)
			log.FromContext(ctx).Info("A host was let go", "host", record.host, "reservedFor", record.holder.Namespace)
		} else {
			err = r.Delete(ctx, lease, client.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion})
		}
		// Somebody else was faster, and the event of that comes.
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			return next, fmt.Errorf("let go of host %s: %w", record.host, err)
		}
	}
	return next, nil
}

// tenantGone lets go of the hosts of a tenant that exists no more, and deletes the routes that it left behind for hosts of others.
func (r *ProvisioningTenantReconciler) tenantGone(ctx context.Context, tenant client.ObjectKey) (ctrl.Result, error) {
	s := newScope(r, &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: tenant.Name}}, &memory{})
	routes, err := r.ownRoutes(ctx, s)
	if err != nil {
		return ctrl.Result{}, err
	}
	s.routes = routes
	if err := r.pruneRoutes(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	next, err := r.letGo(ctx, holder{NamespacedName: tenant}, func(string) bool { return false })
	if err != nil || next.IsZero() {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: max(next.Sub(r.Options.Clock.Now()), time.Second)}, nil
}

// claimants are whom a Lease is about: the tenant that it names, all that claim its host, and those with a route for it.
func (r *ProvisioningTenantReconciler) claimants(ctx context.Context, object client.Object) []ctrl.Request {
	lease, ok := object.(*coordinationv1.Lease)
	if !ok {
		return nil
	}
	record := readLease(lease)
	requests := r.claimantsOf(ctx, record.host, "")
	routes, err := r.listRoutes(ctx, client.MatchingFields{routeIndex: record.host})
	if err != nil {
		log.FromContext(ctx).Error(err, "Cannot list the routes for a host")
	}
	for _, found := range routes {
		requests = append(requests, controllingTenant(ctx, found)...)
	}
	if by := record.holder; by != (holder{}) && r.Options.serves(by.Namespace) {
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
	for _, host := range claimedHosts(tenant, r.Options.BaseDomain) {
		requests = append(requests, r.claimantsOf(ctx, host, tenant.Namespace+"/"+tenant.Name)...)
	}
	return requests
}

// claimantsOf are the tenants that claim a host, but for one.
func (r *ProvisioningTenantReconciler) claimantsOf(ctx context.Context, host, but string) []ctrl.Request {
	if host == "" {
		return nil
	}
	var claims v1alpha1.ProvisioningTenantList
	if err := r.List(ctx, &claims, client.MatchingFields{hostIndex: host}); err != nil {
		log.FromContext(ctx).Error(err, "Cannot list the tenants that claim a host")
		return nil
	}
	var requests []ctrl.Request
	for i := range claims.Items {
		if key := client.ObjectKeyFromObject(&claims.Items[i]); key.String() != but {
			requests = append(requests, ctrl.Request{NamespacedName: key})
		}
	}
	return requests
}
