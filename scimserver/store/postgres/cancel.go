package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// canceling asks the database to end a statement that nobody waits for any more, and gives its connection up if that does not help in time.
//
// It waits for the answer to its request whatever becomes of the statement, so that the request reaches no later one.
type canceling struct {
	connection *pgconn.PgConn
	asked      chan struct{}
}

// delivery is how long a request may take from the process that accepts it to the one that it is about. The next statement waits for that.
const delivery = 100 * time.Millisecond

// HandleCancel implements ctxwatch.Handler.
func (c *canceling) HandleCancel(ctx context.Context) {
	c.asked = make(chan struct{})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.connection.Conn().SetDeadline(deadline)
	}
	go func() {
		defer close(c.asked)
		defer cancel()
		if c.connection.CancelRequest(ctx) == nil {
			<-time.After(delivery)
		}
	}()
}

// HandleUnwatchAfterCancel implements ctxwatch.Handler.
func (c *canceling) HandleUnwatchAfterCancel() {
	<-c.asked
	_ = c.connection.Conn().SetDeadline(time.Time{})
}
