package controllers

import (
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// outcome sorts the errors of one reconcile.
type outcome struct {
	stalled []*problem.Stalled
	waiting []*problem.Waiting
	failed  []error
	// gone tells that the tenant was deleted meanwhile.
	gone bool
	// outdated is the conflict with an object that was to be written over; nil for none. Mostly the cache was behind.
	outdated error
	// after is when something changes by itself; 0 for never.
	after time.Duration
}

// longestWait bounds how wrong a timer can be whose clock was set meanwhile.
const longestWait = time.Hour

// at asks for another reconcile at that moment, if it is one.
func (o *outcome) at(moment, now time.Time) {
	if moment.IsZero() {
		return
	}
	if after := min(max(moment.Sub(now), time.Second), longestWait); o.after == 0 || after < o.after {
		o.after = after
	}
}

func (o *outcome) add(err error) {
	var stalled *problem.Stalled
	var waiting *problem.Waiting
	switch {
	case err == nil:
	case errors.Is(err, apply.ErrOwnerGone):
		o.gone = true
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		o.outdated = err
	case errors.As(err, &stalled):
		o.stalled = append(o.stalled, stalled)
	case errors.As(err, &waiting):
		o.waiting = append(o.waiting, waiting)
	default:
		o.failed = append(o.failed, err)
	}
}

// onlyOutdated tells whether nothing went wrong but that the cache was behind. It will have caught up in a moment.
func (o *outcome) onlyOutdated() bool { return o.outdated != nil && len(o.failed) == 0 }

// outdatedLooks is how many looks one after the other may find the cache behind, problem.RecheckStale apart, before that explains no conflict any more.
const outdatedLooks = 20

// forgives tells whether nobody needs to hear of the look, because it was only outdated. It counts such looks, and one too many is a failure.
func (o *outcome) forgives(before *int) bool {
	if !o.onlyOutdated() {
		*before = 0
		return false
	}
	if *before++; *before < outdatedLooks {
		return true
	}
	o.failed = append(o.failed, o.outdated)
	return false
}

// result tells controller-runtime when to come again. A person's mistake is no error of a reconcile: controller-runtime would log
// it as one each time, and count it, terminal or not. The status tells it, and so does an event.
func (o *outcome) result() (ctrl.Result, error) {
	if len(o.failed) > 0 {
		return ctrl.Result{}, errors.Join(o.failed...)
	}
	var after time.Duration
	sooner := func(d time.Duration) {
		if d > 0 && (after == 0 || d < after) {
			after = d
		}
	}
	for _, e := range o.waiting {
		sooner(e.After)
	}
	for _, e := range o.stalled {
		sooner(e.Recheck)
	}
	if after > 0 {
		after = wait.Jitter(after, 0.2)
	}
	if sooner(o.after); after > 0 {
		return ctrl.Result{RequeueAfter: after}, nil
	}
	return ctrl.Result{}, nil
}
