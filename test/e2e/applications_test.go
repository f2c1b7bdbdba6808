package e2e

import (
	crand "crypto/rand"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

var applicationsFor = flag.Duration("applications-for", 0, "for how long applications follow a directory; two rounds where it is 0")

// Bad day: applications that follow a directory, and the server, are killed while clients write. In the end each has what the directory
// has. Then the directory is restored from an older copy below them.
func TestApplicationsFollowADirectoryWithoutLosingAChange(t *testing.T) { eachEngine(t, follow) }

func follow(t *testing.T, c *tenant) {
	t.Helper()
	c.binary = released
	c.listen = freeAddress(t)
	reader := c.admitReader()
	p := c.start()
	w := newWriters(t, p)
	w.fill(1100)
	applications := newApplications(t, p.url, reader)

	w.start(p)
	for _, a := range applications {
		a.start()
	}
	for _, a := range applications {
		a.await("read everything", 1)
	}
	began := time.Now()
	for round := 0; round < 2 || time.Since(began) < *applicationsFor; round++ {
		w.await(100)
		p.kill()
		w.stop()
		p = c.start()
		w.start(p)
		for _, a := range applications {
			w.await(30)
			a.kill()
			w.await(30)
			a.start()
		}
	}
	w.stop()
	wanted := readDirectory(p)
	for _, a := range applications {
		a.catchUp()
		a.compare(wanted)
		if n := strings.Count(a.log.String(), "read everything"); n != 1 {
			t.Errorf("%s read everything %d times, want once:\n%s", a.name, n, a.log)
		}
	}

	copied := p.mustAdminister("/export")
	for _, a := range applications {
		a.start()
	}
	w.start(p)
	w.await(200)
	w.stop()
	p.kill()
	c.restore(copied)
	p = c.start()
	w = newWriters(t, p)
	w.find()
	w.start(p)
	w.await(50)
	for _, a := range applications {
		a.await("read everything", 2)
	}
	w.stop()
	wanted = readDirectory(p)
	for _, a := range applications {
		a.kill()
		a.catchUp()
		a.compare(wanted)
	}
}

// freeAddress returns an address that stays free while no server listens there: its port is none that connections get by themselves.
func freeAddress(t *testing.T) string {
	t.Helper()
	for {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000))
		if listener, err := net.Listen("tcp", address); err == nil {
			_ = listener.Close()
			return address
		}
	}
}

// admitReader gives the tenant a reader, and returns its token.
func (c *tenant) admitReader() string {
	c.t.Helper()
	secret, err := token.New(crand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	c.rewrite(func(manifest string) string {
		return strings.Replace(manifest, "spec:\n  displayName", "spec:\n  authentication: {readers: [{name: portal}]}\n  displayName", 1) +
			fmt.Sprintf(readerSecret, "portal", secret)
	})
	return secret
}

// restore puts an export in the place of the directory. The server must not be running.
func (c *tenant) restore(export []byte) {
	c.t.Helper()
	c.data = c.t.TempDir()
	if c.schema != "" {
		if err := os.WriteFile(c.flags[1], []byte(testenv.Schema(c.t)), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	if _, complaint, err := scimserver(c.t, export, append([]string{"import", "--data", c.data}, c.flags...)...); err != nil {
		c.t.Fatalf("import: %v\n%s", err, complaint)
	}
}

func (p *process) mustAdminister(path string) []byte {
	p.t.Helper()
	status, answer := p.administer(path)
	if status != http.StatusOK {
		p.t.Fatalf("%s = %d\n%s", path, status, answer)
	}
	return []byte(answer)
}
