package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/share"
	"github.com/tenantry/tenantry/scimserver/store"
)

const (
	// DefaultChanges is how many changes are answered where the client does not say how many.
	DefaultChanges = 100
	// MaxChanges is the greatest number that a client can ask for.
	MaxChanges = 1000
	// MaxWait is for how long a client can ask the server to wait for a change: less than proxies wait for an answer, and less than the
	// server's WriteTimeout.
	MaxWait = 30 * time.Second

	// changesPoll is how often a request that waits looks for what another replica may have written.
	changesPoll = time.Second
	// changesGather is how long it waits for more after a first change, so that somebody who follows a directory that changes all the time
	// asks a few times a second and not once for each change.
	changesGather = 200 * time.Millisecond
)

// Waiting divides the requests that wait for a change. Each has a place among those that are worked on, too.
func Waiting() share.Division {
	return share.Division{
		Size:         64,
		Provisioners: share.Share{Each: 4, Together: 16},
		Readers:      share.Share{Each: 4, Together: 48},
	}
}

// waits are the times of requests that wait for a change.
type waits struct{ second, poll, gather time.Duration }

func defaultWaits() waits { return waits{time.Second, changesPoll, changesGather} }

// Drain has requests that wait for a change answered at once, those that come later too: the server is about to end.
func (s *Server) Drain() { s.drain.Do(func() { close(s.draining) }) }

// changes answers with what became of users and groups behind a position in the provisioning log.
func (s *Server) changes(r *request) error {
	asked, err := parseChanges(r.http.URL.RawQuery)
	if err != nil {
		return err
	}
	after := asked.after
	if asked.latest {
		if after, err = s.directory.Position(r.context()); err != nil {
			return err
		}
	}
	found, err := s.await(r, after, asked)
	if gone, ok := errors.AsType[*directory.GoneError](err); ok {
		return &Error{
			Status: http.StatusGone,
			Detail: gone.Error() + ": read all users and groups again, and go on from the " + positionHeader + " of the first answer to that",
		}
	}
	if err != nil {
		return err
	}
	body, err := encodeChanges(found)
	if err != nil {
		return err
	}
	header := r.out.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	r.out.WriteHeader(http.StatusOK)
	_, _ = r.out.Write(body) // nothing can be done about a client that has gone away
	return nil
}

// changesQuery is what a client asks of the feed.
type changesQuery struct {
	after   directory.Position
	latest  bool
	seconds int
	count   int
}

// parseChanges reads the parameters of the feed. A client that follows it would not notice that one was passed over, so anything else is refused.
func parseChanges(raw string) (asked changesQuery, err error) {
	asked.count = DefaultChanges
	parameters, err := url.ParseQuery(raw)
	if err != nil {
		return asked, invalidValue("the query cannot be read: a percent sign is written %25, a semicolon %3B")
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		text, ok, must := parameters.Get(name), true, ""
		switch name {
		case "after":
			must = "latest, or a position that the server gave: a position of an answer of this endpoint, or an " + positionHeader + " of a list"
			if asked.latest = text == "latest"; !asked.latest {
				asked.after, err = directory.ParsePosition(text)
				ok = err == nil
			}
		case "wait":
			most := int(MaxWait / time.Second)
			must = fmt.Sprintf("a number of seconds from 0 to %d", most)
			asked.seconds, ok = between(text, 0, most)
		case "count":
			must = fmt.Sprintf("a number from 1 to %d", MaxChanges)
			asked.count, ok = between(text, 1, MaxChanges)
		default:
			return asked, invalidValue("there is an unknown parameter: this endpoint has after, wait and count")
		}
		if len(parameters[name]) > 1 {
			must, ok = "given once", false
		}
		if !ok {
			return asked, invalidValue(name + " must be " + must)
		}
	}
	if !parameters.Has("after") {
		return asked, invalidValue("after is missing: begin with after=latest, or with the " + positionHeader + " of a list")
	}
	return asked, nil
}

func between(text string, least, most int) (n int, ok bool) {
	n, ok = integer(text)
	return n, ok && n >= least && n <= most
}

// await reads changes. Where there are none it waits for one, and where there are few for more.
func (s *Server) await(r *request, after directory.Position, asked changesQuery) (directory.Changes, error) {
	committed := s.directory.Committed() // taken before reading, so that nothing falls in between
	found, err := s.directory.Changes(r.context(), after, asked.count, WholeAnswer)
	if err != nil || found.More || asked.seconds == 0 || r.http.Method == http.MethodHead {
		return found, err
	}
	place, ok := s.limits.waiting.TryTake(r.client, 1)
	if !ok {
		return found, busy("as many requests wait for a change as there can be of this client, or of all clients like it")
	}
	defer place.Release()
	began := s.now()
	defer func() { r.out.waited += s.now().Sub(began) }()
	// The request has been read; what is still read of the connection tells when the client has gone. A writer without a connection, as in
	// tests, has no deadlines.
	_ = http.NewResponseController(r.out).SetReadDeadline(time.Time{})
	over := time.NewTimer(time.Duration(asked.seconds) * s.waits.second)
	defer over.Stop()
	look := time.NewTicker(s.waits.poll)
	defer look.Stop()
	for {
		gather := true
		if len(found.Entries) == 0 {
			select {
			case <-committed:
			case <-look.C:
				gather = false
			case <-over.C:
				return found, nil
			case <-s.draining:
				return found, nil
			case <-r.context().Done():
				return found, nil
			}
		}
		if gather {
			s.gather(r)
		}
		committed = s.directory.Committed()
		next, err := s.directory.Changes(r.context(), found.End, asked.count-len(found.Entries), WholeAnswer)
		if err != nil {
			return found, err
		}
		next.Entries = append(found.Entries, next.Entries...)
		if found = next; len(found.Entries) > 0 || found.More {
			return found, s.stillServed(r)
		}
	}
}

// stillServed returns the answer to a client that has lost its access while its request waited, nil for one that has it still.
func (s *Server) stillServed(r *request) error {
	current := s.settings()
	switch current {
	case r.settings:
		return nil
	case nil:
		return s.noSettings()
	}
	identity, err := s.auth.Authenticate(r.http, current)
	if err != nil {
		return unauthenticated(r.out, current.Tenant.Name, err, r.log)
	}
	if err := heldBack(current, identity.Role); err != nil {
		return err
	}
	return authorize(r.out, current.Tenant.Name, identity, reads(s.changes))
}

// gather lets a moment go by.
func (s *Server) gather(r *request) {
	moment := time.NewTimer(s.waits.gather)
	defer moment.Stop()
	select {
	case <-moment.C:
	case <-s.draining:
	case <-r.context().Done():
	}
}

// change is one entry of the feed.
type change struct {
	Type       string    `json:"type"`
	ID         string    `json:"id"`
	Operation  string    `json:"operation"`
	Time       time.Time `json:"time"`
	Attributes []string  `json:"attributes,omitempty"`
	// Members of a group that came and went. It is missing where none did, and where more did than an entry names.
	Members []memberChange `json:"members,omitempty"`
}

type memberChange struct {
	ID        string `json:"id"`
	Operation string `json:"operation"`
}

func newChange(e *store.Entry) change {
	c := change{Type: e.Kind.String(), ID: e.ResourceID, Time: e.Time.UTC()}
	switch e.Operation {
	case directory.OperationCreate, directory.OperationDelete:
		c.Operation = e.Operation
	default:
		c.Operation, c.Attributes = "update", e.Attributes
	}
	for _, m := range e.Members {
		operation := "remove"
		if m.Added {
			operation = "add"
		}
		c.Members = append(c.Members, memberChange{uuid.UUID(m.ID).String(), operation})
	}
	return c
}

// encodeChanges makes the answer, with one change a line. It ends early where it would be larger than WholeAnswer.
func encodeChanges(found directory.Changes) ([]byte, error) {
	made := []byte(`{"changes":[`)
	for i := range found.Entries {
		encoded, err := json.Marshal(newChange(&found.Entries[i]))
		if err != nil {
			return nil, fmt.Errorf("encode a change: %w", err)
		}
		if i > 0 {
			if len(made)+len(encoded) > WholeAnswer {
				found.End, found.More = directory.PositionOf(&found.Entries[i-1]), true
				break
			}
			made = append(made, ',')
		}
		made = append(append(made, '\n'), encoded...)
	}
	if len(found.Entries) > 0 {
		made = append(made, '\n')
	}
	return fmt.Appendf(made, "],\"position\":%q,\"more\":%t}\n", found.End, found.More), nil
}
