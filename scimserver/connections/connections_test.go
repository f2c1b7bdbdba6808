package connections_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tenantry/tenantry/scimserver/connections"
	"github.com/tenantry/tenantry/test/race"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// port is a server that lets in requests for /work, which it answers when they are told to go on, and nobody else.
type port struct {
	*testing.T
	*connections.Bound
	address string
	began   chan struct{}
	goOn    chan struct{}
}

func listen(t *testing.T, waiting, idle int) *port {
	t.Helper()
	p := &port{T: t, Bound: connections.New(waiting, idle), began: make(chan struct{}), goOn: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/work" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		connections.Work(r.Context())
		defer connections.Rest(r.Context())
		p.began <- struct{}{}
		<-p.goOn
	})}
	p.Configure(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = listener.Addr().String()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return p
}

// peer is the other end of a connection.
type peer struct {
	*testing.T
	net.Conn
	reader *bufio.Reader
}

// send opens a connection and sends a text.
func (p *port) send(text string) *peer {
	p.Helper()
	conn, err := (&net.Dialer{}).DialContext(p.Context(), "tcp", p.address)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		p.Fatal(err)
	}
	c := &peer{p.T, conn, bufio.NewReader(conn)}
	c.send(text)
	return c
}

func (c *peer) send(text string) {
	c.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.Fatal(err)
	}
}

func (c *peer) wantAnswer(status int) {
	c.Helper()
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		c.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != status {
		c.Errorf("status %d, want %d", response.StatusCode, status)
	}
}

func (c *peer) wantClosed() {
	c.Helper()
	if _, err := c.reader.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.Errorf("the connection gave %v, want its end", err)
	}
}

// wait waits until the server knows of so many connections.
func (p *port) wait(waiting, idle int) {
	p.Helper()
	for p.Waiting() != waiting || p.Idle() != idle {
		if p.Context().Err() != nil {
			p.Fatalf("%d connections are waiting and %d are idle, want %d and %d", p.Waiting(), p.Idle(), waiting, idle)
		}
		runtime.Gosched()
	}
}

const (
	half  = "GET / HTTP/1.1\r\nHost: x\r\nX-Long: a"
	whole = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	work  = "GET /work HTTP/1.1\r\nHost: x\r\n\r\n"
)

func TestWhoHoldsConnectionsLosesThemToWhoCome(t *testing.T) {
	race.Meets(t)
	for name, text := range map[string]string{
		"nothing":           "",
		"half a header":     half,
		"a refused body":    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
		"a chunked body":    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n",
		"a refused request": whole + half,
	} {
		t.Run(name, func(t *testing.T) {
			p := listen(t, 3, 100)
			idle := p.send(whole)
			idle.wantAnswer(http.StatusUnauthorized)
			p.wait(0, 1)
			busy := p.send(work)
			<-p.began
			p.wait(0, 1)
			var held []*peer
			for n := range 3 {
				held = append(held, p.send(text))
				if text == whole+half {
					held[n].wantAnswer(http.StatusUnauthorized)
					p.wait(0, 2+n)
				} else {
					p.wait(n+1, 1)
				}
			}
			if text != whole+half { // on a connection that counts as idle
				for n := range 3 {
					next := p.send(whole)
					held[n].wantClosed()
					next.wantAnswer(http.StatusUnauthorized)
					held = append(held, p.send(half))
				}
			}
			p.goOn <- struct{}{}
			busy.wantAnswer(http.StatusOK) // it was let in
			idle.send(whole)
			idle.wantAnswer(http.StatusUnauthorized)
		})
	}
}

func TestTheFirstByteOfARequestMakesNobodyWaitAnew(t *testing.T) {
	race.Meets(t)
	p := listen(t, 2, 100)
	first := p.send("")
	p.wait(1, 0)
	second := p.send("")
	p.wait(2, 0)
	first.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
	first.wantAnswer(http.StatusUnauthorized) // and its body may still come
	_ = p.send(half)
	first.wantClosed()
	second.send(whole)
	second.wantAnswer(http.StatusUnauthorized)
}

func TestARequestThatWasAnsweredAndIsNotWholeIsWaiting(t *testing.T) {
	race.Meets(t)
	p := listen(t, 2, 100)
	first := p.send("POST /work HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
	<-p.began
	p.wait(0, 0)
	p.goOn <- struct{}{}
	p.wait(1, 0)
	p.send(half)
	p.wait(2, 0)
	p.send(half)
	first.wantClosed()
}

func TestAHandlerOfAServerThatIsNotBoundNeedsNoConnection(t *testing.T) {
	connections.Work(t.Context())
	connections.Rest(t.Context())
}

func TestWhoeverHangsUpIsForgotten(t *testing.T) {
	race.Meets(t)
	p := listen(t, 20, 20)
	var peers []*peer
	for n := range 200 {
		text := []string{"", half, whole, whole + half, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", n)}[n%5]
		peers = append(peers, p.send(text))
		if p.Waiting() > 20 {
			t.Fatalf("%d are waiting", p.Waiting())
		}
	}
	for _, c := range peers {
		_ = c.Close()
	}
	p.wait(0, 0)
}
