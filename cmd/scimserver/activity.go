package main

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/cycle"
	"github.com/tenantry/tenantry/scimserver/store"
)

// activityInterval is how long what is told of clients stays the same, or a busy tenant would write its status without end.
const activityInterval = time.Minute

// clients are seen by a protocol.Server.
type clients interface {
	LastRequest() time.Time
	TakeActivity() cycle.State
	GiveBackActivity(taken cycle.State)
}

// activityKeeper keeps what clients did for all replicas; a directory.Directory does.
type activityKeeper interface {
	KeepActivity(ctx context.Context, news cycle.State) (cycle.State, error)
}

// activityReport is status.activity as it is told. It belongs to one goroutine.
type activityReport struct {
	clients

	keeper  activityKeeper
	looked  time.Time // when it was last made
	changed time.Time // when it last became another
	told    v1alpha1.ActivityStatus
}

// status returns what is to be told now. It looks once in an interval, and at once where a client comes after a rest.
func (a *activityReport) status(ctx context.Context, now time.Time) (v1alpha1.ActivityStatus, error) {
	awoken := a.LastRequest().After(a.looked) && now.Sub(a.changed) >= activityInterval
	if !awoken && now.Sub(a.looked) < activityInterval {
		return a.told, nil
	}
	kept, err := a.keep(ctx)
	if err != nil && !errors.Is(err, store.ErrUnwritable) { // that a full disk keeps nothing is told by StorageReady, and that clients fail here
		return v1alpha1.ActivityStatus{}, err
	}
	a.looked = now
	if next := activityStatus(kept, a.LastRequest(), now); !equality.Semantic.DeepEqual(next, a.told) {
		a.told, a.changed = next, now
	}
	return a.told, nil
}

// keep keeps the news. It is also to be called at the end.
func (a *activityReport) keep(ctx context.Context) (cycle.State, error) {
	news := a.TakeActivity()
	kept, err := a.keeper.KeepActivity(ctx, news)
	if err != nil {
		a.GiveBackActivity(news)
	}
	return kept, err
}

func activityStatus(kept cycle.State, lastRequest, now time.Time) v1alpha1.ActivityStatus {
	status := v1alpha1.ActivityStatus{
		LastRequestTime:          moment(lastRequest.Truncate(time.Minute)),
		CredentialsRejectedSince: moment(kept.RejectedSince(now)),
	}
	if kept.Requests > 0 {
		status.LastCycle = &v1alpha1.CycleStatus{
			StartTime: moment(kept.Began), Requests: kept.Requests,
			Creates: kept.Creates, Updates: kept.Updates, Deletes: kept.Deletes, Failures: kept.Failures,
		}
		if kept.Over(now) {
			status.LastCycle.EndTime = moment(kept.Last)
		}
	}
	return status
}

// moment is a time as a status has it, nil for none.
func moment(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	out := metav1.NewTime(t.UTC().Truncate(time.Second))
	return &out
}
