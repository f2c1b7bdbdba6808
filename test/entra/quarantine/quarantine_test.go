package quarantine

import (
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func TestWhichOutcomeLeadsToQuarantine(t *testing.T) {
	for name, tt := range map[string]struct {
		outcome Outcome
		want    Reason
	}{
		"all well":                             {Outcome{Objects: 100}, ""},
		"everything fails, but of few":         {Outcome{Objects: 4_999, Failures: 4_999}, ""},
		"40 % of 12,500":                       {Outcome{Objects: 12_500, Failures: 5_000}, ""},
		"one more than 40 %":                   {Outcome{Objects: 12_500, Failures: 5_001}, TooManyFailures},
		"5,000 of 5,000":                       {Outcome{Objects: 5_000, Failures: 5_000}, TooManyFailures},
		"40,000 of a million":                  {Outcome{Objects: 1_000_000, Failures: 40_000}, ""},
		"one more than 40,000":                 {Outcome{Objects: 1_000_000, Failures: 40_001}, TooManyFailures},
		"60,000 references":                    {Outcome{Objects: 100, ReferenceFailures: 60_000}, ""},
		"one more than 60,000":                 {Outcome{Objects: 100, ReferenceFailures: 60_001}, TooManyReferenceFailures},
		"a reason that waits for no count":     {Outcome{AtOnce: InvalidCredentials}, InvalidCredentials},
		"that reason goes before the counting": {Outcome{AtOnce: EndpointNotFound, Failures: 50_000}, EndpointNotFound},
	} {
		if got := (State{}).After(tt.outcome, start); got.Reason != tt.want || got.Quarantined() != (tt.want != "") {
			t.Errorf("%s: got %q, want %q", name, got.Reason, tt.want)
		}
	}
}

func TestTheTriesComeAfter6And12And24HoursAndThenDaily(t *testing.T) {
	bad := Outcome{AtOnce: EndpointUnreachable}
	s, now := State{}.After(bad, start), start
	for i, pause := range []time.Duration{6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
		if s.MayRun(now.Add(pause - time.Second)) {
			t.Errorf("try %d may run before its time", i+1)
		}
		now = now.Add(pause)
		if !s.MayRun(now) {
			t.Errorf("try %d may not run after %v", i+1, pause)
		}
		s = s.After(bad, now)
	}
	if !s.Since.Equal(start) {
		t.Errorf("the quarantine began anew at %v", s.Since)
	}
}

func TestAGoodCycleEndsTheQuarantine(t *testing.T) {
	s := State{}.After(Outcome{AtOnce: EndpointUnreachable}, start)
	if s = s.After(Outcome{Objects: 1}, start.Add(6*time.Hour)); s != (State{}) {
		t.Fatalf("got %+v", s)
	}
}

func TestAJobIsDisabledAfter28Days(t *testing.T) {
	s := State{}.After(Outcome{AtOnce: InvalidCredentials}, start)
	almost := start.Add(GivenUpAfter - time.Second)
	if s.At(almost).Disabled || !s.MayRun(almost) {
		t.Error("disabled too early")
	}
	end := start.Add(GivenUpAfter)
	if !s.At(end).Disabled || s.MayRun(end) || s.At(end).MayRun(end.Add(1000*time.Hour)) {
		t.Error("not disabled")
	}
	if (State{}).At(end).Disabled {
		t.Error("a healthy job was disabled")
	}
}
