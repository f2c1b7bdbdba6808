package kubernetes

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	// maxMessage is how long a problem's message may be, in characters.
	maxMessage = 1024
	// renewInterval is how often a problem that lasts is written again.
	renewInterval = v1alpha1.StorageProblemLifetime / 3
	// renewedBy is after how long another server's problem counts as one of a server that is gone.
	renewedBy = 2 * renewInterval
)

// ReportProblem writes status.storage.problem: what keeps this server from its storage, as a reason of condition StorageReady and a message
// without secrets; the empty reason says that nothing does. It is to be called every few seconds.
//
// Of several servers with a problem one writes, and again every half a minute. It takes away what it has written, and no other's. Nothing
// is sent while nothing changes, before the operator has made status.storage, or where the tenant is gone. It returns the API server's error,
// or one after 10 s without an answer; the next call tries again.
func (s *Source) ReportProblem(ctx context.Context, reason, message string) error {
	return s.report(ctx, &s.problems, reason, message)
}

// ReportConnectionProblem writes status.storage.connectionProblem: what keeps the Job that tries a connection, or the next one of a server that
// goes on, from the database, as a reason of condition StorageInEffect. All else is as with ReportProblem. There may be another problem at
// the same time.
func (s *Source) ReportConnectionProblem(ctx context.Context, reason, message string) error {
	return s.report(ctx, &s.connection, reason, message)
}

func (s *Source) report(ctx context.Context, p *problems, reason, message string) error {
	if s.Gone() {
		return nil
	}
	var err error
	if reason == "" {
		err = s.endProblem(ctx, p)
	} else {
		err = s.writeProblem(ctx, p, reason, message)
	}
	if err != nil {
		return fmt.Errorf("report the problem of the storage of tenant %s/%s: %w", s.options.Namespace, s.options.Tenant, err)
	}
	return nil
}

// problems is what is known of a problem in status.storage.
type problems struct {
	// field is its name there.
	field string
	// observed is how a watch last saw it, nil while none has.
	observed atomic.Pointer[observedProblem]

	mu sync.Mutex
	// own is what this server last wrote and has not taken away, nil if there is nothing.
	own *v1alpha1.StorageProblem
	// ended is what the watch had seen when this server took its problem away. The watch may be behind.
	ended *observedProblem
}

// path is where it stands, as a JSON pointer (RFC 6901).
func (p *problems) path() string { return "/status/storage/" + p.field }

type observedProblem struct {
	*v1alpha1.StorageProblem
	// placed tells whether the operator has made the place for it: status.storage.
	placed bool
}

func (s *Source) observeProblems(tenant *v1alpha1.ProvisioningTenant) {
	var problem, connection observedProblem
	if storage := tenant.Status.Storage; storage != nil {
		problem, connection = observedProblem{storage.Problem, true}, observedProblem{storage.ConnectionProblem, true}
	}
	s.problems.observed.Store(&problem)
	s.connection.observed.Store(&connection)
}

// others tells whether another server has written a problem a moment ago.
func (p *problems) others(pod string, now time.Time) bool {
	seen := p.observed.Load()
	return seen != nil && seen.StorageProblem != nil && seen.Pod != pod && now.Sub(seen.ObservedTime.Time) < renewedBy
}

func (s *Source) writeProblem(ctx context.Context, p *problems, reason, message string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, seen := s.options.Now(), p.observed.Load()
	if seen != nil && !seen.placed {
		return nil // the next call knows more
	}
	if p.others(s.options.Pod, now) {
		p.own = nil
		return nil
	}
	// A message may have a time or a port in it, so another one alone waits.
	if p.own != nil && p.own.Reason == reason && now.Sub(p.own.ObservedTime.Time) < renewInterval {
		return nil
	}
	next := &v1alpha1.StorageProblem{
		Reason: reason, Message: bounded(message), Pod: s.options.Pod, ObservedTime: metav1.NewTime(now.UTC().Truncate(time.Second)),
	}
	_, err := s.patchStatus(ctx, operation{"add", p.path(), next})
	switch {
	case err == nil:
		p.own = next
	case seen == nil && apierrors.IsInvalid(err):
		return nil // the place may be missing, as the watch is about to tell
	}
	return err
}

// endProblem takes away what this server wrote, also in a life before.
func (s *Source) endProblem(ctx context.Context, p *problems) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.observed.Load()
	earlier := seen != nil && seen != p.ended && seen.StorageProblem != nil && seen.Pod == s.options.Pod
	if p.own == nil && !earlier {
		return nil
	}
	// The API server looks whose it is, because the watch may be behind.
	_, err := s.patchStatus(ctx, operation{"test", p.path() + "/pod", s.options.Pod}, operation{Op: "remove", Path: p.path()})
	if err != nil && !apierrors.IsInvalid(err) { // which says that it is another's, or gone
		return err
	}
	p.own, p.ended = nil, seen
	return nil
}

// bounded cuts a message to the length that it may have.
func bounded(message string) string {
	runes := []rune(strings.ToValidUTF8(message, "?"))
	if len(runes) <= maxMessage {
		return string(runes)
	}
	return string(runes[:maxMessage-1]) + "…"
}
