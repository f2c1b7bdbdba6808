package scan

import (
	"context"

	"github.com/tenantry/tenantry/scimserver/share"
)

// Turns bounds the statements that readers and people have under way at a time outside of scans. Each is brief, but there may be as many
// as requests, and whoever provisions would wait for a connection behind all of them. A nil Turns bounds nothing.
type Turns struct{ pool *share.Pool }

// NewTurns returns so many turns, of which one client has half at a time.
func NewTurns(n int) *Turns {
	return &Turns{share.NewPool(share.Division{
		Size: int64(n) + 1, Provisioners: share.Share{Each: 1, Together: 1}, // who take none
		Readers: share.Share{Each: int64(max(1, n/2)), Together: int64(n)},
	})}
}

// Take waits for a turn of the client that the context names (share.NewContext), and returns what ends it. Provisioning clients and the
// server's own work need none, and neither do scans, whose Gate has connections of its own. The error is ctx's.
func (t *Turns) Take(ctx context.Context) (share.Held, error) {
	if t == nil {
		return share.Held{}, nil
	}
	client, named := share.FromContext(ctx)
	if !named || client.Class == share.Provisioner || ctx.Value(scanning{}) != nil {
		return share.Held{}, nil
	}
	return t.pool.Take(ctx, class(client), 1)
}

// Waiting is how many statements wait for their turns.
func (t *Turns) Waiting() int { return t.pool.Waiting() }

// scanning is the key of a value that the context of a scan has.
type scanning struct{}
