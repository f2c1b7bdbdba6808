package entra

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/job"
	"github.com/tenantry/tenantry/test/entra/quarantine"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// patience is how many requests may go without any answer before a cycle gives the server up.
const patience = 10

// run is one cycle under way.
type run struct {
	*Service
	ctx    context.Context
	stop   context.CancelFunc
	now    time.Time
	began  time.Time
	source source
	scope  job.InScope
	// dialect is the job's, but always Legacy on demand.
	dialect wire.Dialect
	// owners leads from ids at the server back to objectIds.
	owners map[string]string
	report *Report
	// unsettled are the keys of the escrow that this cycle failed at or left waiting.
	unsettled map[string]bool
	// fatal is the reason to give the whole cycle up, once there is one.
	fatal quarantine.Reason
}

// source is the company by objectId.
type source struct {
	company *company.Company
	users   map[string]*company.User
	groups  map[string]*company.Group
}

func (s *Service) begin(ctx context.Context, c *company.Company, kind Kind) *run {
	r := &run{
		Service: s, now: s.clock(), began: time.Now(), scope: s.job.Scope.Of(c), dialect: s.job.Dialect,
		source: source{c, map[string]*company.User{}, map[string]*company.Group{}}, owners: map[string]string{},
		unsettled: map[string]bool{}, report: &Report{Kind: kind, Succeeded: map[string]int{}, Failed: map[wire.Code]int{}},
	}
	r.ctx, r.stop = context.WithCancel(ctx)
	r.report.Began = r.now
	s.client.Meter = &wire.Meter{}
	for _, u := range c.Users {
		r.source.users[u.ObjectID] = u
	}
	for _, g := range c.Groups {
		r.source.groups[g.ObjectID] = g
	}
	for _, links := range []map[string]*Link{s.state.Users, s.state.Groups} {
		for id, l := range links {
			r.owners[l.ID] = id
		}
	}
	return r
}

func (r *run) finish() *Report {
	r.report.Elapsed = time.Since(r.began)
	r.report.Measures = r.client.Meter.Measures()
	r.report.Quarantine = r.state.Quarantine
	for _, e := range r.state.Escrow {
		r.report.Escrowed += e.Count
	}
	return r.report
}

func (r *run) outcome() quarantine.Outcome {
	o := quarantine.Outcome{AtOnce: r.fatal, Objects: len(r.source.users) + len(r.source.groups)}
	if sent, answered := r.client.Meter.Requests(); o.AtOnce == "" && sent > 0 && answered == 0 {
		o.AtOnce = quarantine.EndpointUnreachable
	}
	for key, e := range r.state.Escrow {
		if strings.Contains(key, "#") {
			o.ReferenceFailures += e.Count
		} else {
			o.Failures += e.Count
		}
	}
	return o
}

// each calls do for 0…n-1 from as many goroutines as the job has concurrent requests, until the cycle is given up.
func (r *run) each(phase string, n int, do func(context.Context, int)) {
	work := make(chan int)
	var workers sync.WaitGroup
	for range min(n, r.job.Concurrency) {
		workers.Go(func() {
			for i := range work {
				do(r.ctx, i)
			}
		})
	}
	for i := range n {
		select {
		case work <- i:
			r.tell(Progress{phase, i + 1, n})
		case <-r.ctx.Done():
		}
		if r.ctx.Err() != nil {
			break
		}
	}
	close(work)
	workers.Wait()
}

// fail gives the cycle up.
func (r *run) fail(reason quarantine.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fatal == "" {
		r.fatal = reason
		r.stop()
	}
}

// done records how an operation ended: in the log, and in escrow or out of it. key is the objectId, or that of its
// references.
func (r *run) done(key string, count int, e Entry, err error) {
	if r.ctx.Err() != nil && err != nil {
		return // given up: nothing is known about this object
	}
	var failure *wire.Error
	if errors.As(err, &failure) && failure.Endpoint {
		reason := quarantine.EndpointNotFound
		if failure.Code == wire.InvalidCredentials {
			reason = quarantine.InvalidCredentials
		}
		defer r.fail(reason)
	} else if sent, answered := r.client.Meter.Requests(); answered == 0 && sent >= patience {
		defer r.fail(quarantine.EndpointUnreachable)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Status = Success
	if err != nil {
		e.Status, e.Code, e.Reason = Failure, wire.ServiceIncompatible, err.Error()
		if failure != nil {
			e.Code = failure.Code
		}
		r.unsettled[key] = true
		r.state.Escrow[key] = escrowed(r.state.Escrow[key], e.Code, count, r.now)
	} else {
		delete(r.state.Escrow, key)
	}
	r.report.add(e)
}

// waits tells whether an operation is in escrow and its next try not due.
func (r *run) waits(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.state.Escrow[key]
	waiting := ok && r.now.Before(e.Next)
	r.unsettled[key] = r.unsettled[key] || waiting
	return waiting
}

// settle takes out of escrow what a whole cycle found no need for any more: an object that has gone out of scope since,
// a manager changed back.
func (r *run) settle() {
	maps.DeleteFunc(r.state.Escrow, func(key string, _ Escrow) bool { return !r.unsettled[key] })
}

// link connects an object to its id at the server. An id that another object of the company is linked to stays with
// that one.
func (r *run) link(links map[string]*Link, resource, objectID, id string) (*Link, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if owner, taken := r.owners[id]; taken && owner != objectID {
		return nil, &wire.Error{Code: wire.DuplicateSourceEntries, Method: "GET", Resource: resource, Status: 200,
			Detail: "what was found is already linked to " + owner}
	}
	l := links[objectID]
	if l == nil {
		l = &Link{}
		links[objectID] = l
	}
	if l.ID != id {
		*l = Link{ID: id}
		l.fill()
	}
	l.Released = false
	r.owners[id] = objectID
	delete(r.state.Abandoned, id)
	return l, nil
}

// unlink forgets an object, which was deleted at the server or is left there to itself.
func (r *run) unlink(links map[string]*Link, objectID string, deleted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := links[objectID].ID
	delete(links, objectID)
	delete(r.owners, id)
	if !deleted {
		r.state.Abandoned[id] = true
	}
}
