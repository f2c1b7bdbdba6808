package postgres_test

import (
	"cmp"
	"context"
	"io"
	"maps"
	"net"
	neturl "net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

// proxy stands between a store and the database, and can lose what one says to the other.
type proxy struct {
	listener   net.Listener
	target     string
	deafClient atomic.Bool // what the database says is lost
	deafServer atomic.Bool // what the store says is lost
	// begin changes the first message of a connection; nil changes nothing.
	begin func(parameters map[string]string)
	// said is told what the store says; nil is told nothing.
	said func(message pgproto3.FrontendMessage)
	// at is where it listens; "" for a free port of IPv4.
	at string

	mu    sync.Mutex
	conns []net.Conn
	wg    sync.WaitGroup
}

// newTap returns a connection URL that leads through a proxy that tells what the store says.
func newTap(t *testing.T, address string, said func(message pgproto3.FrontendMessage)) string {
	t.Helper()
	p := &proxy{said: said}
	return p.start(t, address)
}

// newProxy returns a proxy and the connection URL that leads through it.
func newProxy(t *testing.T, address string) (*proxy, string) {
	t.Helper()
	p := &proxy{}
	return p, p.start(t, address)
}

// newLossyProxy returns a connection URL that leads through a proxy that loses most parameters of a connection, as poolers do.
func newLossyProxy(t *testing.T, address string) string {
	t.Helper()
	p := &proxy{begin: func(parameters map[string]string) {
		maps.DeleteFunc(parameters, func(name, _ string) bool {
			return !slices.Contains([]string{"user", "database", "application_name"}, name)
		})
	}}
	return p.start(t, address)
}

func (p *proxy) start(t *testing.T, address string) (url string) {
	t.Helper()
	through := must(neturl.Parse(address))(t)
	p.listener, p.target = must(net.Listen("tcp", cmp.Or(p.at, "127.0.0.1:0")))(t), through.Host
	through.Host = p.listener.Addr().String()
	p.wg.Go(func() {
		for {
			client, err := p.listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", p.target)
			if err != nil {
				client.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, client, server)
			p.mu.Unlock()
			p.wg.Go(func() {
				if p.begin == nil || p.introduce(server, client) == nil {
					tapped := p.tap(client)
					defer tapped.Close() // also where the server ends first, and the client is not read to its end
					p.carry(server, tapped, &p.deafServer)
				}
			})
			p.wg.Go(func() { p.carry(client, server, &p.deafClient) })
		}
	})
	t.Cleanup(func() {
		p.listener.Close()
		p.cut()
		p.wg.Wait()
	})
	return through.String()
}

// introduce carries the first message of a connection.
func (p *proxy) introduce(server, client net.Conn) error {
	message, err := pgproto3.NewBackend(client, client).ReceiveStartupMessage()
	if err != nil {
		return err
	}
	if startup, ok := message.(*pgproto3.StartupMessage); ok {
		p.begin(startup.Parameters)
	}
	encoded, err := message.Encode(nil)
	if err != nil {
		return err
	}
	_, err = server.Write(encoded)
	return err
}

// tap tells what is read from a client.
func (p *proxy) tap(client io.Reader) io.ReadCloser {
	if p.said == nil {
		return io.NopCloser(client)
	}
	heard, hears := io.Pipe()
	p.wg.Go(func() {
		backend := pgproto3.NewBackend(heard, io.Discard)
		var message pgproto3.FrontendMessage
		var err error
		for begun := false; !begun && err == nil; { // it may ask for TLS first
			message, err = backend.ReceiveStartupMessage()
			_, begun = message.(*pgproto3.StartupMessage)
		}
		_ = backend.SetAuthType(pgproto3.AuthTypeSASLContinue) // with which any password can be read
		for err == nil {
			if message, err = backend.Receive(); err == nil {
				p.said(message)
			}
		}
		_, _ = io.Copy(io.Discard, heard)
	})
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(client, hears), hears}
}

func (p *proxy) carry(to io.WriteCloser, from io.Reader, deaf *atomic.Bool) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if deaf.Load() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// cut ends every connection and carries the next ones faithfully.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
	p.deafClient.Store(false)
	p.deafServer.Store(false)
}

func TestTheOutcomeOfACommitWhoseAnswerWasLostIsFoundOut(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		lose func(p *proxy, lose bool)
		runs int
	}{
		"the answer is lost": {func(p *proxy, lose bool) { p.deafClient.Store(lose) }, 1},
		"the commit is lost": {func(p *proxy, lose bool) { p.deafServer.Store(lose) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			address := testenv.Schema(t)
			direct := open(t, address)
			p, through := newProxy(t, address)
			s := open(t, through)
			group := newGroup(t, direct)
			must(0, arrive(s, group, 1))(t) // has every statement prepared
			runs := 0
			done := make(chan error, 1)
			losing := make(chan struct{})
			go func() {
				done <- arriveWith(s, group, 2, func() {
					if runs++; runs == 1 {
						c.lose(p, true)
						close(losing)
					}
				})
			}()
			<-losing
			if c.runs == 1 { // the database has committed
				for n := 0; n < 2 && !t.Failed(); {
					n = len(must(direct.Log(ctx, 0, 10))(t))
				}
			}
			p.cut()
			must(0, <-done)(t)
			if runs != c.runs {
				t.Errorf("the update ran %d times, want %d", runs, c.runs)
			}
			checkArrived(t, s, group, map[int]bool{1: true, 2: true}, nil)
		})
	}
}
