package controllers

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/credentials"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// A token that has leaked lets somebody in until the request to end it was obeyed. So a request that waits is told from the first look that
// fails, and the next look is near however many failed before.

const (
	// The first retry comes soon; the last ones leave a troubled API server alone.
	firstRetry = 200 * time.Millisecond
	lastRetry  = 5 * time.Minute
	// requestRetry bounds the pause before the next look while a request waits.
	requestRetry = 15 * time.Second
)

// backoff is when to try again after an error.
func backoff() workqueue.TypedRateLimiter[ctrl.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](firstRetry, lastRetry)
}

// retries is when to try again after an error: as backoff says, and sooner while a request waits.
func (r *ProvisioningTenantReconciler) retries() workqueue.TypedRateLimiter[ctrl.Request] {
	return urgent{backoff(), func(tenant ctrl.Request) bool {
		ctx := context.Background() // the cache answers
		found := &v1alpha1.ProvisioningTenant{}
		if err := r.Get(ctx, tenant.NamespacedName, found); err != nil {
			return false // it is gone
		}
		waits, err := r.requestWaits(ctx, newScope(r, found, &memory{}))
		return waits || err != nil
	}}
}

// urgent are retries of which none is far for what is urgent.
type urgent struct {
	workqueue.TypedRateLimiter[ctrl.Request]
	is func(ctrl.Request) bool
}

// When implements workqueue.TypedRateLimiter.
func (u urgent) When(request ctrl.Request) time.Duration {
	pause := u.TypedRateLimiter.When(request)
	if pause > requestRetry && u.is(request) {
		return requestRetry
	}
	return pause
}

// requestWaits tells whether annotations ask for what the Secrets in the cache do not tell was done.
func (r *ProvisioningTenantReconciler) requestWaits(ctx context.Context, s *scope) (bool, error) {
	handed, err := credentials.HandedOut(s.tenant, func(name string) (*metav1.PartialObjectMetadata, error) { return r.cachedSecret(ctx, s, name) })
	if err != nil {
		return false, err
	}
	verifier, err := r.cachedSecret(ctx, s, desired.VerifierName(s.tenant.Name))
	return credentials.Waiting(s.tenant, handed, verifier, r.Options.Clock.Now()), err
}

// unobeyed says why a request is not obeyed yet.
func unobeyed(err error) metav1.Condition {
	const condition = v1alpha1.ConditionRequestsObeyed
	const elsewhere = "What annotations ask for waits, as condition CredentialsReady says."
	if stalled, ok := errors.AsType[*problem.Stalled](err); ok {
		return conditions.False(condition, stalled.Reason, elsewhere)
	}
	if waiting, ok := errors.AsType[*problem.Waiting](err); ok {
		return conditions.False(condition, waiting.Reason, elsewhere)
	}
	return conditions.False(condition, v1alpha1.ReasonError, "What annotations ask for waits. "+problem.Failure(err))
}

// tellOfWaiting says of a request that it waits, where the look failed so early that nothing else of the status is known.
func (r *ProvisioningTenantReconciler) tellOfWaiting(ctx context.Context, s *scope, because error) error {
	if requested, err := r.requestWaits(ctx, s); err != nil || !requested {
		return err
	}
	return r.tellOnly(ctx, s.tenant, s.tenant.DeepCopy(), s.tenant.Status.ObservedGeneration, []metav1.Condition{unobeyed(because)})
}
