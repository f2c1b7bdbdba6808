package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/internal/outage"
	"github.com/tenantry/tenantry/internal/panicked"
	"github.com/tenantry/tenantry/scimserver/admin"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/opening"
)

// checkTimeout is how long the storage may take to answer before that is the problem with it.
const checkTimeout = 5 * time.Second

// endTimeout is how long a server that ends waits for the API server to take away what it reported.
const endTimeout = 2 * time.Second

// openToServe opens the directory. In a cluster, where a process that ends again and again hides why, a failure is no error: the directory is
// then unopened, and has to be run. With manifests a person is at the terminal.
func (o *options) openToServe(ctx context.Context, log logr.Logger) (directory store.Store, unopened *opening.Store, err error) {
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	directory, err = o.open(ctx)
	if err == nil || o.manifests != "" || ctx.Err() != nil {
		return directory, nil, err
	}
	if errors.Is(err, store.ErrHeld) {
		log.Info("another process has the directory open, such as the server's last pod; waiting for it to end")
	} else {
		log.Error(err, "the directory cannot be opened; trying again", "in", openInterval.String())
	}
	unopened = opening.New(o.open, err, time.Now)
	return unopened, unopened, nil
}

// storageReport tells the tenant's status what keeps the server from its storage. It belongs to one goroutine.
type storageReport struct {
	store interface {
		Check(ctx context.Context) error
	}
	source interface {
		ReportProblem(ctx context.Context, reason, message string) error
		ReportConnectionProblem(ctx context.Context, reason, message string) error
	}
	// database tells whether the storage is a PostgreSQL.
	database bool
	log      logr.Logger
	// told tells whether another line of the log says that the API server is away; nil for never.
	told func() bool

	checked   chan error // has the answer of a check that took too long
	unsettled outage.Outage
}

// step checks the storage and reports what it finds. It returns whether the directory can be read.
func (r *storageReport) step(ctx context.Context) (readable bool) {
	err := r.check(ctx)
	if ctx.Err() != nil || errors.Is(err, store.ErrHandover) {
		return false
	}
	var reason, message string
	if err != nil {
		reason, message = r.explain(err)
	}
	failed := r.source.ReportProblem(ctx, reason, message)
	if err == nil && failed == nil {
		failed = r.reportConnection(ctx)
	}
	switch {
	case ctx.Err() != nil:
	case failed != nil && r.told != nil && r.told():
	case failed != nil && r.unsettled.Failed(time.Time{}):
		r.log.Error(failed, "condition StorageReady may not say how the storage is; trying again", "in", reportInterval.String())
	case failed == nil && r.unsettled.Succeeded(time.Time{}):
		r.log.Info("condition StorageReady says again how the storage is")
	}
	return err == nil || errors.Is(err, store.ErrUnwritable)
}

// reportConnection reports what keeps a server from new connections to its database, while it goes on with those that it has.
func (r *storageReport) reportConnection(ctx context.Context) error {
	named, ok := r.store.(interface{ URLProblem() error })
	if !ok {
		return nil
	}
	var reason, message string
	if err := named.URLProblem(); err != nil {
		reason, message = r.explain(err)
	}
	return r.source.ReportConnectionProblem(ctx, reason, message)
}

// end takes away what was reported: what keeps a server that ends from its storage keeps nobody from anything. r may be nil.
func (r *storageReport) end(ctx context.Context) {
	if r == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	_ = r.source.ReportConnectionProblem(ctx, "", "")
	_ = r.source.ReportProblem(ctx, "", "") // or the operator does when it is too old
}

var errSlow = fmt.Errorf("%w: it does not answer within %s", store.ErrUnavailable, checkTimeout)

// check asks the storage how it is. A disk may keep its answer for ever, whatever the context says, so one that is late is waited for at the
// next step.
func (r *storageReport) check(ctx context.Context) error {
	if r.checked == nil {
		checked := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			checked <- panicked.Guard(func() error { return r.store.Check(ctx) })
		}()
		r.checked = checked
	}
	patience := time.NewTimer(checkTimeout + time.Second)
	defer patience.Stop()
	select {
	case err := <-r.checked:
		r.checked = nil
		if errors.Is(err, context.DeadlineExceeded) {
			return errSlow
		}
		return err
	case <-patience.C:
		return errSlow
	}
}

// explain returns the reason of condition StorageReady, "" where that is not concerned, and what to say.
func (r *storageReport) explain(err error) (reason, message string) {
	if errors.Is(err, errSlow) {
		reason, _ = admin.Explain(context.DeadlineExceeded, r.database)
		return reason, err.Error()
	}
	return admin.Explain(err, r.database)
}
