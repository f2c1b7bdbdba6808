package postgres_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net"
	neturl "net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

// stub is a pooler: it lends each of its sessions to one client until a transaction has ended. Clients need no password.
type stub struct {
	t        *testing.T
	listener net.Listener
	sessions chan *pgconn.HijackedConn
	address  string // of the sessions
	// refuses tells whether a parameter is refused; others are ignored.
	refuses func(name string) bool
	// disguised has a client see the process of the only session.
	disguised bool
	// statements has a session lent for one statement.
	statements atomic.Bool
	// cancels is called with each request to cancel a statement, instead of handing it on; nil hands it on.
	cancels func(net.Conn)
	// entrance and answers have every connection, and every statement, fail with these words, unless they are empty.
	entrance, answers atomic.Value

	mu      sync.Mutex
	clients map[uint32]*stubClient
	refused []string
	wg      sync.WaitGroup
}

// stubClient is a client of a stub.
type stubClient struct {
	conn    net.Conn
	backend *pgproto3.Backend

	mu      sync.Mutex
	session *pgconn.HijackedConn // the one that is lent
	open    int                  // answers that are still to come
	partial bool                 // there is more to come before the next answer
}

// start opens so many sessions, and returns the URL by which clients reach a schema through the stub.
func (p *stub) start(t *testing.T, sessions int, parameters string) {
	t.Helper()
	p.t, p.clients = t, map[uint32]*stubClient{}
	p.sessions = make(chan *pgconn.HijackedConn, sessions)
	p.address = testenv.Direct(t, must(testenv.URL())(t)) + parameters
	for range sessions {
		p.sessions <- p.session()
	}
	p.listener = must(net.Listen("tcp", "127.0.0.1:0"))(t)
	p.wg.Go(func() {
		for {
			conn, err := p.listener.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(&stubClient{conn: conn, backend: pgproto3.NewBackend(conn, conn)}) })
		}
	})
	t.Cleanup(func() {
		p.listener.Close()
		p.mu.Lock()
		for _, c := range p.clients {
			c.conn.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
		close(p.sessions)
		for s := range p.sessions {
			s.Conn.Close()
		}
	})
}

// lead has the sessions be others, which lead elsewhere, as where a pooler is told of another host. Its clients stay.
func (p *stub) lead(address string) {
	p.t.Helper()
	for range cap(p.sessions) {
		(<-p.sessions).Conn.Close()
	}
	p.address = testenv.Direct(p.t, address)
	for range cap(p.sessions) {
		p.sessions <- p.session()
	}
}

// through is a connection URL by way of the stub.
func (p *stub) through(t *testing.T, address string) string {
	t.Helper()
	parsed := must(neturl.Parse(address))(t)
	parsed.Host = p.listener.Addr().String()
	return parsed.String()
}

func (p *stub) session() *pgconn.HijackedConn {
	conn, err := pgconn.Connect(context.Background(), p.address)
	if err != nil {
		p.t.Error(err)
		return nil
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		p.t.Error(err)
	}
	return hijacked
}

func (p *stub) serve(c *stubClient) {
	defer c.conn.Close()
	first, err := c.backend.ReceiveStartupMessage()
	if err != nil {
		return
	}
	switch first := first.(type) {
	case *pgproto3.CancelRequest:
		if p.cancels != nil {
			p.cancels(c.conn)
			return
		}
		p.cancel(first.ProcessID)
		return
	case *pgproto3.StartupMessage:
		for name := range first.Parameters {
			if name != "user" && name != "database" && p.refuses != nil && p.refuses(name) {
				p.mu.Lock()
				p.refused = append(p.refused, name)
				p.mu.Unlock()
				c.fail("unsupported startup parameter: " + name)
				return
			}
		}
	}
	if words, _ := p.entrance.Load().(string); words != "" {
		c.fail(words)
		return
	}
	process := p.greet(c)
	defer func() {
		p.mu.Lock()
		delete(p.clients, process)
		p.mu.Unlock()
	}()
	for {
		message, err := c.backend.Receive()
		if _, ended := message.(*pgproto3.Terminate); err != nil || ended {
			c.mu.Lock()
			if c.session != nil { // in the middle of a transaction
				c.session.Conn.Close()
			}
			c.mu.Unlock()
			return
		}
		if words, _ := p.answers.Load().(string); words != "" {
			c.fail(words)
			return
		}
		p.send(c, message)
	}
}

func (c *stubClient) fail(message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "08P01", Message: message})
	_ = c.backend.Flush()
	c.conn.Close()
}

// greet ends the beginning of a connection.
func (p *stub) greet(c *stubClient) (process uint32) {
	s := <-p.sessions
	process, key := s.PID, s.SecretKey
	c.backend.Send(&pgproto3.AuthenticationOk{})
	for name, value := range s.ParameterStatuses {
		c.backend.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	p.sessions <- s
	if !p.disguised {
		key = make([]byte, 4)
		_, _ = rand.Read(key)
		process = binary.BigEndian.Uint32(key) | 1<<31 // which is no process
	}
	c.backend.Send(&pgproto3.BackendKeyData{ProcessID: process, SecretKey: key})
	c.backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	_ = c.backend.Flush()
	p.mu.Lock()
	p.clients[process] = c
	p.mu.Unlock()
	return process
}

// send hands a message to the session of a client, which is lent one where it has none.
func (p *stub) send(c *stubClient, message pgproto3.FrontendMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		s := <-p.sessions
		c.session = s
		p.wg.Go(func() { p.answer(c, s) })
	}
	c.session.Frontend.Send(message)
	c.partial = true
	switch message.(type) {
	case *pgproto3.Query, *pgproto3.Sync:
		c.open++
		c.partial = false
	}
	_ = c.session.Frontend.Flush()
}

// answer hands what a session says to the client that it is lent to, until that has to give it back.
func (p *stub) answer(c *stubClient, s *pgconn.HijackedConn) {
	for {
		message, err := s.Frontend.Receive()
		if err != nil {
			p.sessions <- p.session()
			return
		}
		ready, ok := message.(*pgproto3.ReadyForQuery)
		if ok && p.statements.Load() && ready.TxStatus != 'I' {
			c.fail("transaction blocks not allowed in statement pooling mode")
			s.Conn.Close()
			p.sessions <- p.session()
			return
		}
		c.mu.Lock()
		c.backend.Send(message)
		if !ok {
			c.mu.Unlock()
			continue
		}
		c.open--
		back := ready.TxStatus == 'I' && c.open == 0 && !c.partial
		if back {
			c.session = nil
			p.sessions <- s
		}
		_ = c.backend.Flush()
		c.mu.Unlock()
		if back {
			return
		}
	}
}

// cancel ends what the session does that is lent to a client.
func (p *stub) cancel(process uint32) {
	p.mu.Lock()
	c := p.clients[process]
	p.mu.Unlock()
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return
	}
	conn, err := net.Dial("tcp", c.session.Conn.RemoteAddr().String())
	if err != nil {
		return
	}
	defer conn.Close()
	request, err := (&pgproto3.CancelRequest{ProcessID: c.session.PID, SecretKey: c.session.SecretKey}).Encode(nil)
	if err == nil {
		_, _ = conn.Write(request)
		_, _ = conn.Read(make([]byte, 1))
	}
}
