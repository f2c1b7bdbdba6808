package protocol

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/cycle"
)

// activity remembers when a client was last seen, and what the provisioning client asked since that was last taken.
type activity struct {
	unixNano atomic.Int64

	mu   sync.Mutex
	news cycle.State
}

func (a *activity) seen(at time.Time) { a.unixNano.Store(at.UnixNano()) }

func (a *activity) last() time.Time {
	if n := a.unixNano.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// answered counts a request of a client that may provision: readers and persons are no part of a cycle.
func (a *activity) answered(at time.Time, role token.Role, request cycle.Counts, failed bool) {
	if role != token.RoleProvisioner || request.Requests == 0 {
		return
	}
	if failed {
		request = cycle.Counts{Requests: request.Requests, Failures: request.Requests}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.news.Asked(at, request)
}

// refused remembers a credential that is not good.
func (a *activity) refused(at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.news.Refused(at)
}

// rejected counts a credential that is not good and was one of this tenant's, or could be. A credential that a scanner makes up is neither.
func (s *Server) rejected(err error) {
	if refusal, ok := errors.AsType[*auth.Refusal](err); ok && refusal.Known {
		s.metrics.rejected.Inc()
		s.activity.refused(s.now())
	}
}

// LastRequest is when a client last sent an authenticated request; the zero time if none did since the start.
func (s *Server) LastRequest() time.Time { return s.activity.last() }

// TakeActivity returns what the provisioning client asked since it was last taken.
func (s *Server) TakeActivity() cycle.State {
	s.activity.mu.Lock()
	defer s.activity.mu.Unlock()
	news := s.activity.news
	s.activity.news = cycle.State{}
	return news
}

// GiveBackActivity takes back what TakeActivity returned and could not be kept.
func (s *Server) GiveBackActivity(taken cycle.State) {
	s.activity.mu.Lock()
	defer s.activity.mu.Unlock()
	taken.Add(s.activity.news)
	s.activity.news = taken
}
