// Package quarantine decides when Entra stops calling a server, how often it tries again, and when it gives up. It is a
// pure state machine; times are passed in.
//
// The rules are those of Microsoft's "Application provisioning in quarantine status".
package quarantine

import "time"

// Reason is why a job is in quarantine.
type Reason string

const (
	// InvalidCredentials: the token is missing, wrong or expired. At once.
	InvalidCredentials Reason = "InvalidCredentials"
	// EndpointNotFound: a look-up was answered 404. At once.
	EndpointNotFound Reason = "EndpointNotFound"
	// EndpointUnreachable: a whole cycle got no answer. At once.
	EndpointUnreachable Reason = "EndpointUnreachable"
	// TooManyFailures: above 40 % of the objects once there are 5,000 failures, or above 40,000 in any case.
	TooManyFailures Reason = "TooManyFailures"
	// TooManyReferenceFailures: above 60,000 managers or memberships.
	TooManyReferenceFailures Reason = "TooManyReferenceFailures"
	// AccidentalDeletions: more deletions in one cycle than the administrator allows.
	AccidentalDeletions Reason = "AccidentalDeletions"
)

// The thresholds and times of the rules.
const (
	RatioApplies         = 5_000
	RatioPercent         = 40
	FailuresMax          = 40_000
	ReferenceFailuresMax = 60_000
	GivenUpAfter         = 28 * 24 * time.Hour
)

var retryAfter = []time.Duration{6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// Outcome is what a cycle found.
type Outcome struct {
	// At once is the reason that needs no counting, if there is one.
	AtOnce Reason
	// Objects that the cycle tried, how many of them failed, and how many references failed.
	Objects, Failures, ReferenceFailures int
}

// State is where a job stands. The zero value is a healthy job.
type State struct {
	Reason Reason `json:"reason,omitempty"`
	// Since is when the quarantine began, NextTry when the next cycle is due.
	Since   time.Time `json:"since,omitzero"`
	NextTry time.Time `json:"nextTry,omitzero"`
	// Tries counts the cycles in quarantine, the one that led to it included.
	Tries int `json:"tries,omitempty"`
	// Disabled: 28 days have passed in quarantine. Only an administrator's restart gets a job out of this.
	Disabled bool `json:"disabled,omitempty"`
}

// Quarantined tells whether the job is in quarantine.
func (s State) Quarantined() bool { return s.Reason != "" }

// MayRun tells whether a cycle is due at a time.
func (s State) MayRun(now time.Time) bool {
	if !s.Quarantined() {
		return true
	}
	return !s.Disabled && now.Sub(s.Since) < GivenUpAfter && !now.Before(s.NextTry)
}

// At is the state at a time, with nothing having happened but its passing: a job is disabled after 28 days.
func (s State) At(now time.Time) State {
	if s.Quarantined() && now.Sub(s.Since) >= GivenUpAfter {
		s.Disabled = true
	}
	return s
}

// After is the state after a cycle that ended at a time. A cycle without a reason ends the quarantine.
func (s State) After(o Outcome, now time.Time) State {
	reason := o.reason()
	if reason == "" {
		return State{}
	}
	if !s.Quarantined() {
		s = State{Since: now}
	}
	s.Reason = reason
	s.NextTry = now.Add(retryAfter[min(s.Tries, len(retryAfter)-1)])
	s.Tries++
	return s.At(now)
}

func (o Outcome) reason() Reason {
	switch {
	case o.AtOnce != "":
		return o.AtOnce
	case o.Failures > FailuresMax,
		o.Failures >= RatioApplies && o.Failures*100 > o.Objects*RatioPercent:
		return TooManyFailures
	case o.ReferenceFailures > ReferenceFailuresMax:
		return TooManyReferenceFailures
	}
	return ""
}
