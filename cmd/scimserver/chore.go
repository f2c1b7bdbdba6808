package main

import (
	"context"
	"time"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/internal/outage"
)

// chore is work that is done again and again, by one goroutine. The log tells when it begins to fail and when that is over.
type chore struct {
	// what is not done, as a line of the log has it.
	what  string
	every time.Duration
	log   logr.Logger
	// told tells whether another line of the log speaks of a failure already; nil for never.
	told func(error) bool

	outage outage.Outage
}

// ended takes how the work ended, and returns that.
func (c *chore) ended(ctx context.Context, err error) error {
	switch {
	case err == nil:
		if c.outage.Succeeded(time.Time{}) {
			c.log.Info("done again", "what", c.what)
		}
	case ctx.Err() != nil, c.told != nil && c.told(err):
	case c.outage.Failed(time.Time{}):
		c.log.Error(err, "not done: "+c.what+"; trying again", "every", c.every.String())
	}
	return err
}
