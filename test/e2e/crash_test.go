package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ledger is what the server has acknowledged.
type ledger struct {
	mu      sync.Mutex
	titles  map[string]string // user id → last acknowledged title
	members map[string]bool   // acknowledged members of the group
	unsure  map[string]bool   // users whose last request got no answer
	left    int               // acknowledgements until the server is killed
	enough  chan struct{}     // closed when there are none left
}

// Bad day: kill -9 while clients write. What was acknowledged is there afterwards, in whole.
func TestKillNineLosesNoAcknowledgedChange(t *testing.T) { eachEngine(t, killNine) }

func killNine(t *testing.T, c *tenant) {
	t.Helper()
	p := c.start()
	group := p.mustSend("POST", "/Groups", `{"displayName":"All"}`, 201)["id"].(string)
	l := &ledger{titles: map[string]string{}, members: map[string]bool{}, unsure: map[string]bool{}}
	const rounds, writers = 6, 8
	for round := range rounds {
		var wg sync.WaitGroup
		// The moment is random on purpose: each round cuts the writers off somewhere else.
		l.left, l.enough = 40+rand.IntN(60), make(chan struct{})
		for w := range writers {
			wg.Go(func() { l.write(p, group, fmt.Sprintf("r%d-w%d", round, w)) })
		}
		gone := make(chan struct{})
		go func() { wg.Wait(); close(gone) }()
		select {
		case <-l.enough:
		case <-gone:
			t.Fatalf("the writers were refused:\n%s", p.log)
		}
		p.kill()
		<-gone
		p = c.start()
		l.check(t, p, group)
	}
	if len(l.titles) < rounds*writers {
		t.Fatalf("only %d users were acknowledged; the test proves too little", len(l.titles))
	}
}

// write creates users, renames their title and adds them to the group until the server is gone.
func (l *ledger) write(p *process, group, name string) {
	for i := 0; ; i++ {
		status, data, err := p.send("POST", "/Users", fmt.Sprintf(`{"userName":"%s-%d@contoso.test","title":"new"}`, name, i))
		if err != nil || status != http.StatusCreated {
			return
		}
		id := idOf(data)
		l.note(func() { l.titles[id] = "new" })
		for step, body := range []string{
			`{"op":"Replace","path":"title","value":"changed"}`,
			`{"op":"Add","path":"members","value":[{"value":"` + id + `"}]}`,
		} {
			path := "/Users/" + id
			if step == 1 {
				path = "/Groups/" + group
			}
			status, _, err := p.send("PATCH", path, `{"Operations":[`+body+`]}`)
			if err != nil || status != http.StatusNoContent {
				l.note(func() { l.unsure[id] = true })
				return
			}
			l.note(func() {
				if step == 0 {
					l.titles[id] = "changed"
				} else {
					l.members[id] = true
				}
			})
		}
	}
}

func (l *ledger) note(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	if l.left--; l.left == 0 {
		close(l.enough)
	}
}

func idOf(data []byte) string {
	_, rest, _ := strings.Cut(string(data), `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

func (l *ledger) check(t *testing.T, p *process, group string) {
	t.Helper()
	for id, title := range l.titles {
		user := p.mustSend("GET", "/Users/"+id, "", 200)
		if user["title"] != title && !l.unsure[id] {
			t.Errorf("user %s has title %v, acknowledged was %q", id, user["title"], title)
		}
		if user["userName"] == nil || user["locale"] != "sv-SE" {
			t.Errorf("user %s is half written: %v", id, user)
		}
	}
	have := map[string]bool{}
	list, _ := p.mustSend("GET", "/Groups/"+group, "", 200)["members"].([]any)
	for _, m := range list {
		have[m.(map[string]any)["value"].(string)] = true
	}
	for id := range l.members {
		if !have[id] {
			t.Errorf("member %s was acknowledged and is gone", id)
		}
	}
}

func TestATermSignalLetsRequestsFinishAndKeepsTheData(t *testing.T) {
	c := newTenant(t)
	p := c.start()
	id := p.mustSend("POST", "/Users", `{"userName":"anna@contoso.test"}`, 201)["id"].(string)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, p.log)
	}
	p = c.start()
	p.mustSend("GET", "/Users/"+id, "", 200)
}

func TestSettingsChangeWithoutARestart(t *testing.T) {
	c := newTenant(t)
	p := c.start()
	path := filepath.Join(c.manifests, "contoso.yaml")
	original, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	becomes := func(want string) {
		t.Helper()
		deadline := time.Now().Add(30 * time.Second)
		for {
			n++
			user := p.mustSend("POST", "/Users", fmt.Sprintf(`{"userName":"u%d"}`, n), 201)
			if user["locale"] == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("locale = %v, want %q\n%s", user["locale"], want, p.log)
			}
		}
	}
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	becomes("sv-SE")
	write(strings.Replace(string(original), "sv-SE", "fi-FI", 1))
	becomes("fi-FI")
	// A broken edit keeps the last good settings.
	write(strings.Replace(string(original), "companies: [Contoso AB]\n  roles", "companies: [Unknown]\n  roles", 1))
	becomes("fi-FI")
	write(string(original))
	becomes("sv-SE")
	if strings.Contains(p.log.String(), c.token) {
		t.Error("the log contains the token")
	}
}
