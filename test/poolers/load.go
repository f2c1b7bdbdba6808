//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// tally is what clients that created users were told.
type tally struct {
	mu      sync.Mutex
	created map[string]bool // names of the users that were acknowledged
	unsure  map[string]bool // of those of which it is not known whether they were created
	refused int             // answers 503
	because map[string]int  // what they said, and how often
	outage  time.Duration   // the longest time from a 503 until the next 201
	slowest time.Duration   // of the answers 201
	faults  map[string]int  // answers that must not be, and how often
	since   time.Time       // of the first 503 after the last 201
}

// load are clients that create users, each its next when its last is answered, until they are stopped.
type load struct {
	*tally
	cancel context.CancelFunc
	group  sync.WaitGroup
}

// pace is how long a client waits after an answer, so that the database and what is beside it have the time of two cores too.
const pace = 2 * time.Millisecond

// most is how many users one client creates at most.
const most = 20_000

// load starts so many clients.
func (t *tenant) load(ctx context.Context, clients int) *load {
	l := &load{tally: newTally()}
	ctx, l.cancel = context.WithCancel(ctx)
	for c := range clients {
		l.group.Go(func() {
			for n := 0; n < most && ctx.Err() == nil; n++ {
				// A client that has begun waits for its answer.
				t.create(context.WithoutCancel(ctx), fmt.Sprintf("%s-%d-%d", t.name, c, n), l.tally)
				pause(ctx, pace)
			}
		})
	}
	return l
}

// stop has the clients create no more, and waits for the answers that are due.
func (l *load) stop() *tally {
	l.cancel()
	l.group.Wait()
	return l.tally
}

// more waits, up to a minute, until so many more users are acknowledged.
func (l *load) more(ctx context.Context, count int) error {
	enough := l.count() + count
	if err := await(ctx, time.Minute, func() bool { return l.count() >= enough }); err != nil {
		return fmt.Errorf("%d of %d creates %w", l.count()-enough+count, count, err)
	}
	return nil
}

func newTally() *tally {
	return &tally{created: map[string]bool{}, unsure: map[string]bool{}, because: map[string]int{}, faults: map[string]int{}}
}

func (t *tally) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.created)
}

// create creates one user and notes the answer.
func (t *tenant) create(ctx context.Context, name string, notes *tally) {
	begun := time.Now()
	status, answer, header, err := t.send(ctx, http.MethodPost, t.url+"/Users", userNamed(name))
	notes.mu.Lock()
	defer notes.mu.Unlock()
	switch {
	case err != nil:
		notes.unsure[name] = true
		notes.faults["no answer"]++
	case status == http.StatusCreated:
		notes.created[name] = true
		notes.slowest = max(notes.slowest, time.Since(begun))
		if !notes.since.IsZero() {
			notes.outage, notes.since = max(notes.outage, time.Since(notes.since)), time.Time{}
		}
	case status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
		notes.refused++
		notes.because[detail(answer)]++
		if notes.since.IsZero() {
			notes.since = time.Now()
		}
		if strings.Contains(string(answer), "not known") {
			notes.unsure[name] = true
		}
	default:
		notes.faults[fmt.Sprintf("%d %s", status, detail(answer))]++
	}
}

func userNamed(name string) []byte {
	return fmt.Appendf(nil, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"active":true}`, name)
}

// detail is the text of an error.
func detail(answer []byte) string {
	var of struct{ Detail string }
	_ = json.Unmarshal(answer, &of)
	return of.Detail
}

// compare reads the whole directory. Lost are users who were acknowledged and are not there; foreign are users of whom the clients know nothing.
func (t *tenant) compare(ctx context.Context, notes *tally) (lost, foreign int, err error) {
	there := map[string]bool{}
	for total := 1; len(there) < total; {
		var page struct {
			TotalResults int
			Resources    []struct{ UserName string }
		}
		address := fmt.Sprintf("%s/Users?attributes=userName&count=1000&startIndex=%d", t.url, len(there)+1)
		status, answer, _, err := t.send(ctx, http.MethodGet, address, nil)
		if err != nil || status != http.StatusOK {
			return 0, 0, fmt.Errorf("list the users: %d %s %w", status, detail(answer), err)
		}
		if err := json.Unmarshal(answer, &page); err != nil {
			return 0, 0, err
		}
		if total = page.TotalResults; len(page.Resources) == 0 {
			break
		}
		for _, u := range page.Resources {
			there[u.UserName] = true
		}
	}
	for name := range notes.created {
		if !there[name] {
			lost++
		}
	}
	for name := range there {
		if !notes.created[name] && !notes.unsure[name] {
			foreign++
		}
	}
	return lost, foreign, nil
}

// heard notes what clients were told.
func (s *seen) heard(notes *tally) {
	s.tally = notes
	for what, times := range notes.faults {
		s.wrong("%d × %s", times, what)
	}
}

// unrefused notes answers 503 where none should be, with what the server logged of them.
func (t *tenant) unrefused(notes *tally, saw *seen) {
	for answer := range notes.because {
		saw.wrong("503 %s: %s", answer, t.logged(answer))
	}
}

// logged is what the server's log has of the request that an answer names.
func (t *tenant) logged(answer string) string {
	_, request, _ := strings.Cut(answer, "(request ")
	request = strings.TrimSuffix(request, ")")
	for line := range strings.Lines(t.process.said.String()) {
		if request != "" && strings.Contains(line, request) {
			return strings.TrimSpace(line)
		}
	}
	return "nothing logged"
}

// account notes what clients were told and whether the directory has it.
func (t *tenant) account(ctx context.Context, notes *tally, saw *seen) error {
	saw.heard(notes)
	lost, foreign, err := t.compare(ctx, notes)
	if err != nil {
		return err
	}
	saw.lost = lost
	saw.must(lost == 0 || saw.mayLose, "%d acknowledged users are lost", lost)
	saw.must(foreign == 0, "%d users whom the clients did not create, or were told so", foreign)
	return nil
}
