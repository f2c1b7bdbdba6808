// Package share divides what a server has a limited amount of, places or bytes, among its clients: each holds at most its
// share, each class of clients at most what is set aside for the class, and a reserve is left that only provisioning clients
// can take. A client that asks for all it can get takes nothing that another was promised.
package share

import "context"

// Class is a kind of client. The zero value is Stranger, so a client that nobody has named gets the least.
type Class int

const (
	// Stranger is the class of everybody without a valid credential: together they are one client.
	Stranger Class = iota
	// Person is the class of people who ask with tokens of their own.
	Person
	// Reader is the class of credentials that read the directory.
	Reader
	// Provisioner is the class of credentials that change the directory. It is served first.
	Provisioner

	classes int = iota
)

// String returns the class as it stands in labels of metrics.
func (c Class) String() string {
	return [...]string{Stranger: "stranger", Person: "user", Reader: "reader", Provisioner: "provisioner"}[c]
}

// Client is one client among which a pool is divided.
type Client struct {
	Class Class
	// ID tells the clients of a class apart.
	ID string
}

// Share is what a class of clients can hold of a pool, in the pool's unit.
type Share struct {
	// Each is what one client of the class can hold.
	Each int64
	// Together is what all clients of the class can hold.
	Together int64
}

// Division is how a pool is divided. A class that is given nothing has 0: its clients get nothing.
type Division struct {
	// Size is how much there is, in places or bytes.
	Size int64
	// Provisioners may use what the other classes leave, as far as this allows.
	Provisioners Share
	Readers      Share
	People       Share
	// Strangers are one client, so Each is Together.
	Strangers int64
}

// Reserve returns how much no client but a provisioning one can hold.
func (d Division) Reserve() int64 {
	return d.Size - d.Readers.Together - d.People.Together - d.Strangers
}

func (d Division) shares() [classes]Share {
	return [classes]Share{
		Stranger: {d.Strangers, d.Strangers}, Person: d.People, Reader: d.Readers, Provisioner: d.Provisioners,
	}
}

type contextKey struct{}

// NewContext returns a context that names the client for which work is done, for a pool that is deep below the request.
func NewContext(ctx context.Context, client Client) context.Context {
	return context.WithValue(ctx, contextKey{}, client)
}

// FromContext returns the client that NewContext named. Work of the server itself has none, and ok is false.
func FromContext(ctx context.Context) (client Client, ok bool) {
	client, ok = ctx.Value(contextKey{}).(Client)
	return client, ok
}
