package entra

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/tenantry/tenantry/test/entra/quarantine"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// State is what the service remembers of a job between cycles. It can be written as JSON and read again, so that a
// later process goes on with incremental cycles.
type State struct {
	// Cycles counts the completed cycles; 0 means that the next is the initial one.
	Cycles int `json:"cycles"`
	// Watermark is when the last completed cycle began.
	Watermark time.Time `json:"watermark,omitzero"`
	// Users and Groups link objectIds to what they are at the server.
	Users  map[string]*Link `json:"users"`
	Groups map[string]*Link `json:"groups"`
	// Escrow holds what failed and waits for another try, by objectId, with "#manager" or "#members" appended where
	// only references failed.
	Escrow map[string]Escrow `json:"escrow,omitempty"`
	// Abandoned are ids at the server that this job once linked and does not manage any more: after a restart, or when
	// a user was unassigned and then deleted.
	Abandoned  map[string]bool  `json:"abandoned,omitempty"`
	Quarantine quarantine.State `json:"quarantine,omitzero"`
}

// Link is the anchor of one object: the server's id, and what was last exported.
type Link struct {
	ID       string         `json:"id"`
	Exported map[string]any `json:"exported"`
	// Manager is the objectId of the manager last exported, or "?" after a failure, which may or may not have set it.
	Manager string `json:"manager,omitempty"`
	// Members are the objectIds exported as members; false is one of whom a failure left unknown whether the server has
	// it.
	Members map[string]bool `json:"members,omitempty"`
	// Released: the user went out of scope. The service does not manage it until it is back, and will not delete it.
	Released bool `json:"released,omitempty"`
}

const unknown = "?"

// Escrow is a failed operation that waits.
type Escrow struct {
	Code     wire.Code `json:"code"`
	Attempts int       `json:"attempts"`
	// Count is how many operations failed: more than one where several members of a group did.
	Count int       `json:"count"`
	Next  time.Time `json:"next"`
}

// cycleInterval is the fixed pace of incremental cycles, and the unit of the back-off.
const cycleInterval = 40 * time.Minute

// escrowed puts off the next attempt: the first retry is in the next cycle whenever that is, later ones ever further
// apart, up to a day.
func escrowed(before Escrow, code wire.Code, count int, now time.Time) Escrow {
	e := Escrow{Code: code, Attempts: before.Attempts + 1, Count: count, Next: now}
	if e.Attempts > 1 {
		e.Next = now.Add(min(24*time.Hour, cycleInterval<<min(e.Attempts-1, 10)))
	}
	return e
}

// NewState is the state of a job that has never run.
func NewState() *State {
	s := &State{}
	s.fill()
	return s
}

// ReadState reads what [State.Write] wrote.
func ReadState(r io.Reader) (*State, error) {
	s := &State{}
	if err := json.NewDecoder(r).Decode(s); err != nil {
		return nil, fmt.Errorf("reading the job's state: %w", err)
	}
	s.fill()
	return s, nil
}

// Write writes the state as JSON. It holds no token, but it does hold the exported values.
func (s *State) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(s)
}

func (s *State) fill() {
	for _, m := range []*map[string]*Link{&s.Users, &s.Groups} {
		if *m == nil {
			*m = map[string]*Link{}
		}
	}
	for _, links := range []map[string]*Link{s.Users, s.Groups} {
		for _, l := range links {
			l.fill()
		}
	}
	if s.Escrow == nil {
		s.Escrow = map[string]Escrow{}
	}
	if s.Abandoned == nil {
		s.Abandoned = map[string]bool{}
	}
}

func (l *Link) fill() {
	if l.Exported == nil {
		l.Exported = map[string]any{}
	}
	if l.Members == nil {
		l.Members = map[string]bool{}
	}
}

// forget drops all links, as a full restart does.
func (s *State) forget() {
	for _, links := range []map[string]*Link{s.Users, s.Groups} {
		for _, l := range links {
			s.Abandoned[l.ID] = true
		}
		clear(links)
	}
	clear(s.Escrow)
	s.Cycles, s.Watermark, s.Quarantine = 0, time.Time{}, quarantine.State{}
}
