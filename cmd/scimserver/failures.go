package main

import (
	"context"
	"time"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/internal/outage"
)

// failed are the requests that failed and are to be told in the provisioning log; a directory.Directory has them.
type failed interface {
	LogFailures(ctx context.Context) (requests int64, err error)
	WriteFailures(ctx context.Context) (requests int64, err error)
}

// failureLog keeps the provisioning log of failed requests going. While the storage is away it says so once, and once more when
// it is back.
type failureLog struct {
	failed

	log    logr.Logger
	told   func(error) bool // see chore
	outage outage.Outage
}

// step waits for failed requests and writes them; it is to be called again and again.
func (f *failureLog) step(ctx context.Context) {
	requests, err := f.LogFailures(ctx)
	switch {
	case ctx.Err() != nil: // end has the last word
	case err != nil && f.told != nil && f.told(err):
	case err != nil && f.outage.Failed(time.Time{}):
		f.log.Error(err, "failed requests are not in the provisioning log yet; trying again", "every", failureInterval.String())
	case err == nil && requests > 0 && f.outage.Succeeded(time.Time{}):
		f.log.Info("failed requests are written to the provisioning log again; none was lost, but many that came at once may be one entry",
			"waited", requests)
	}
}

// end writes what failed last, while the server was told to end.
func (f *failureLog) end(ctx context.Context) {
	if requests, err := f.WriteFailures(ctx); err != nil {
		f.log.Error(err, "the last failed requests are missing in the provisioning log", "lost", requests)
	}
}
