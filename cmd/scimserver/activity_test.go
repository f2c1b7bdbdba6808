package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/cycle"
	"github.com/tenantry/tenantry/scimserver/store"
)

// fakeClients are clients and what is kept of them.
type fakeClients struct {
	last       time.Time
	news, kept cycle.State
	away       error
	looks      int
}

func (f *fakeClients) LastRequest() time.Time { return f.last }

func (f *fakeClients) TakeActivity() (taken cycle.State) {
	taken, f.news = f.news, cycle.State{}
	return taken
}

func (f *fakeClients) GiveBackActivity(taken cycle.State) { f.news.Add(taken) }

func (f *fakeClients) KeepActivity(_ context.Context, news cycle.State) (cycle.State, error) {
	f.looks++
	if f.away != nil {
		whole := f.kept
		whole.Add(news)
		return whole, f.away
	}
	f.kept.Add(news)
	return f.kept, nil
}

func TestTheActivityChangesAtMostOnceAMinuteAndStaysWhereNobodyAsks(t *testing.T) {
	dawn := time.Date(2026, 11, 26, 6, 0, 30, 0, time.UTC)
	at := func(seconds int) time.Time { return dawn.Add(time.Duration(seconds) * time.Second) }
	clients := &fakeClients{}
	report := &activityReport{clients: clients, keeper: clients}
	asked := func(seconds int, counts cycle.Counts) {
		clients.last = at(seconds)
		clients.news.Asked(at(seconds), counts)
	}
	running := func(minute, start int, requests, creates, failures int64) v1alpha1.ActivityStatus {
		return v1alpha1.ActivityStatus{
			LastRequestTime: moment(dawn.Truncate(time.Minute).Add(time.Duration(minute) * time.Minute)),
			LastCycle:       &v1alpha1.CycleStatus{StartTime: moment(at(start)), Requests: requests, Creates: creates, Failures: failures},
		}
	}
	over := func(end int, status v1alpha1.ActivityStatus) v1alpha1.ActivityStatus {
		status.LastCycle.EndTime = moment(at(end))
		return status
	}
	lookup, create := cycle.Counts{Requests: 1}, cycle.Counts{Requests: 1, Creates: 1}
	for _, step := range []struct {
		name string
		now  int
		do   func()
		want v1alpha1.ActivityStatus
	}{
		{"nobody asked yet", 0, func() {}, v1alpha1.ActivityStatus{}},
		{"the first request", 5, func() { asked(3, lookup) }, running(0, 3, 1, 0, 0)},
		{"more soon after", 10, func() { asked(6, create); asked(7, create) }, running(0, 3, 1, 0, 0)},
		{"more within a minute", 60, func() { asked(58, create) }, running(0, 3, 1, 0, 0)},
		{"a minute later", 65, func() {}, running(1, 3, 4, 3, 0)},
		{"a failure", 125, func() { asked(70, cycle.Counts{Requests: 1, Failures: 1}) }, running(1, 3, 5, 3, 1)},
		{"quiet for not quite five minutes", 369, func() {}, running(1, 3, 5, 3, 1)},
		{"quiet for five minutes", 430, func() {}, over(70, running(1, 3, 5, 3, 1))},
		{"quiet for an hour", 4000, func() {}, over(70, running(1, 3, 5, 3, 1))},
		{"the next cycle, told soon", 4012, func() { asked(4010, lookup) }, running(67, 4010, 1, 0, 0)},
		{"a rejected credential soon after", 4100, func() { clients.news.Refused(at(4090)) }, running(67, 4010, 1, 0, 0)},
	} {
		step.do()
		got, err := report.status(t.Context(), at(step.now))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: want -, got +\n%s", step.name, diff)
		}
	}

	looks := clients.looks
	for second := 7000; second < 7600; second += 5 {
		got, err := report.status(t.Context(), at(second))
		if err != nil || got.CredentialsRejectedSince == nil || !got.CredentialsRejectedSince.Equal(moment(at(4090))) {
			t.Fatalf("45 minutes later it is %+v, want credentials rejected since %v (%v)", got, at(4090), err)
		}
	}
	if n := clients.looks - looks; n != 10 {
		t.Errorf("in ten minutes without a request it looked %d times, want 10", n)
	}
}

func TestWhatCannotBeKeptIsNotLost(t *testing.T) {
	now := time.Date(2026, 11, 26, 6, 0, 0, 0, time.UTC)
	clients := &fakeClients{last: now, away: errors.New("the storage is away")}
	clients.news.Asked(now, cycle.Counts{Requests: 1})
	report := &activityReport{clients: clients, keeper: clients}
	if _, err := report.status(t.Context(), now); !errors.Is(err, clients.away) {
		t.Errorf("error %v, want %v", err, clients.away)
	}
	clients.away = nil
	if got, err := report.status(t.Context(), now); err != nil || got.LastCycle == nil || got.LastCycle.Requests != 1 {
		t.Errorf("got %+v, want the request (%v)", got, err)
	}
}

// On a full disk every change fails, and that is what the status is to tell.
func TestWhatAStorageThatTakesNoChangesCannotKeepIsTold(t *testing.T) {
	now := time.Date(2026, 11, 26, 6, 0, 0, 0, time.UTC)
	clients := &fakeClients{last: now, away: fmt.Errorf("keep it: %w", store.ErrUnwritable)}
	report := &activityReport{clients: clients, keeper: clients}
	for minute := range 3 {
		clients.last = now.Add(time.Duration(minute) * time.Minute)
		clients.news.Asked(clients.last, cycle.Counts{Requests: 1, Failures: 1})
		got, err := report.status(t.Context(), clients.last)
		if want := int64(minute + 1); err != nil || got.LastCycle == nil || got.LastCycle.Requests != want || got.LastCycle.Failures != want {
			t.Errorf("minute %d: got %+v, want %d requests that failed (%v)", minute, got.LastCycle, want, err)
		}
	}
	clients.away = nil
	if got, err := report.status(t.Context(), now.Add(4*time.Minute)); err != nil || got.LastCycle.Failures != 3 || clients.kept.Failures != 3 {
		t.Errorf("once there is room %+v is told and %+v kept, want 3 requests that failed (%v)", got.LastCycle, clients.kept, err)
	}
}
