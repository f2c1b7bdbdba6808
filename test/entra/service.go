package entra

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/job"
	"github.com/tenantry/tenantry/test/entra/quarantine"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// Options are what a service needs of its surroundings. The zero value of a field takes the default that it names.
type Options struct {
	// HTTP sends the requests; its Timeout is the service's. Default: 30 seconds, no proxy from the environment.
	HTTP *http.Client
	// Clock is the time that decides about back-off, quarantine and purging; default [time.Now].
	Clock func() time.Time
	// State to go on from; default [NewState].
	State *State
	// Progress is told after every object, from one goroutine at a time; default is silence.
	Progress func(Progress)
}

// Progress is how far a phase of a cycle is.
type Progress struct {
	Phase       string
	Done, Total int
}

// Service runs one provisioning job. Its methods must not be called at the same time.
type Service struct {
	job    job.Job
	client *wire.Client
	clock  func() time.Time
	tell   func(Progress)

	// mu guards state during a cycle, in which many requests are under way.
	mu    sync.Mutex
	state *State
	// deletionsAllowed for the next cycle, whatever the threshold.
	deletionsAllowed bool
}

// New returns a service for a job, or an error that says what is wrong with the job's configuration.
func New(j job.Job, o Options) (*Service, error) {
	s := &Service{clock: o.Clock, state: o.State, tell: o.Progress}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.state == nil {
		s.state = NewState()
	}
	if s.tell == nil {
		s.tell = func(Progress) {}
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	}
	s.client = &wire.Client{HTTP: o.HTTP, Meter: &wire.Meter{}}
	if err := s.Configure(j); err != nil {
		return nil, err
	}
	return s, nil
}

// Configure replaces the job's configuration, as an administrator does between cycles: another scope, a new token,
// more mappings. The links stay.
func (s *Service) Configure(j job.Job) error {
	j, err := j.Complete()
	if err != nil {
		return err
	}
	s.job = j
	s.client.Base, s.client.Token, s.client.Pace = j.TenantURL, j.SecretToken, wire.NewPace(j.RequestsPerSecond)
	return nil
}

// State is what the service remembers. It belongs to the service until the running cycle is over.
func (s *Service) State() *State { return s.state }

// TestConnection does what the button does: a look-up of a user that cannot be there, and of a group where groups are
// mapped. Both must be answered 200 with an empty list.
func (s *Service) TestConnection(ctx context.Context) error {
	probe := func(resource string, mappings []job.Mapping) error {
		for _, m := range mappings {
			if m.Matching != 1 {
				continue
			}
			found, err := s.client.Find(ctx, resource, wire.Equal(m.Target, randomGUID()))
			if err != nil {
				return fmt.Errorf("testing the connection: %w", err)
			}
			if found != nil {
				return fmt.Errorf("testing the connection: %s finds a random name in /%s", wire.MultipleEntries, resource)
			}
		}
		return nil
	}
	if err := probe(wire.Users, s.job.UserMappings); err != nil {
		return err
	}
	return probe(wire.Groups, s.job.GroupMappings)
}

func randomGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Restart forgets every link, the escrow and the quarantine, so that the next cycle is an initial one in which
// everything is matched again.
func (s *Service) Restart() { s.state.forget() }

// AllowDeletions lets a job go on that was stopped by its accidental-deletion threshold: the next cycle carries the
// deletions out.
func (s *Service) AllowDeletions() {
	if s.state.Quarantine.Reason == quarantine.AccidentalDeletions {
		s.state.Quarantine = quarantine.State{}
	}
	s.deletionsAllowed = true
}

// RunCycle runs one cycle, initial or incremental, and returns what it did. Failures of single objects stand in the
// report; the error is for a context that ended.
//
// In quarantine before the next try is due, nothing is sent and the report says NotDue.
func (s *Service) RunCycle(ctx context.Context, c *company.Company) (*Report, error) {
	kind := Incremental
	if s.state.Cycles == 0 {
		kind = Initial
	}
	r := s.begin(ctx, c, kind)
	defer r.stop()
	s.state.Quarantine = s.state.Quarantine.At(r.now)
	if !s.state.Quarantine.MayRun(r.now) {
		r.report.NotDue = true
		return r.finish(), nil
	}

	users, groups := r.planUsers(), r.planGroups()
	r.report.InScope = r.inScope()
	if limit := s.job.AccidentalDeletionThreshold; limit > 0 && !s.deletionsAllowed && r.deletions(users, groups) > limit {
		r.fail(quarantine.AccidentalDeletions)
	} else {
		r.each("users", len(users), func(ctx context.Context, i int) { r.user(ctx, users[i]) })
		r.managers()
		r.each("groups", len(groups), func(ctx context.Context, i int) { r.group(ctx, groups[i]) })
		r.memberships()
	}
	if err := ctx.Err(); err != nil {
		return r.finish(), err
	}
	if r.fatal == "" {
		r.settle()
		s.deletionsAllowed = false
		s.state.Cycles++
		s.state.Watermark = r.now
	}
	s.state.Quarantine = s.state.Quarantine.After(r.outcome(), r.now)
	return r.finish(), nil
}
