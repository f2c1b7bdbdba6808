package conditions

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var (
	then = metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	now  = metav1.NewTime(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
)

// bug class 11: Ready that is True too early, stale, or never False.
func TestReadyFollowsFromWhatWasFound(t *testing.T) {
	good := []metav1.Condition{True("Accepted", "Accepted", "m"), True("Applied", "Applied", "m"), True("InEffect", "InEffect", "m")}
	for name, test := range map[string]struct {
		found Found
		want  string
	}{
		"all is well": {Found{Conditions: good}, "Ready=True/Ready"},
		"one is False": {
			Found{Conditions: []metav1.Condition{good[0], False("Applied", "WaitingForServer", "m"), good[2]}},
			"Ready=False/WaitingForServer Reconciling=True/WaitingForServer",
		},
		"one is Unknown": {
			Found{Conditions: []metav1.Condition{good[0], Unknown("Applied", "Progressing", "m"), good[2]}},
			"Ready=False/Progressing Reconciling=True/Progressing",
		},
		"the weightiest is told": {
			Found{Conditions: []metav1.Condition{False("Accepted", "First", "m"), False("Applied", "Second", "m"), good[2]}},
			"Ready=False/First Reconciling=True/First",
		},
		"one was not looked at, ever": {
			Found{Conditions: good[:1]},
			"Ready=False/Progressing Reconciling=True/Progressing",
		},
		"a person is needed": {
			Found{Conditions: []metav1.Condition{good[0], False("Applied", "NameConflict", "m"), good[2]}, Stalled: &Problem{"Applied", "NameConflict", "m"}},
			"Ready=False/NameConflict Stalled=True/NameConflict",
		},
		"a person is needed, which counts for more than what only waits": {
			Found{Conditions: []metav1.Condition{False("Accepted", "Progressing", "m"), False("Applied", "NameConflict", "m"), good[2]}, Stalled: &Problem{"Applied", "NameConflict", "m"}},
			"Ready=False/NameConflict Stalled=True/NameConflict",
		},
		"a person is needed for what clients do not notice": {
			Found{Conditions: []metav1.Condition{good[0], good[1], False("InEffect", "Refused", "m")}, Stalled: &Problem{"InEffect", "Refused", "m"}},
			"Ready=True/Ready Stalled=True/Refused",
		},
		"clients are not served, and a person is needed for something else": {
			Found{Conditions: []metav1.Condition{good[0], False("Applied", "WaitingForServer", "m"), False("InEffect", "Refused", "m")}, Stalled: &Problem{"InEffect", "Refused", "m"}},
			"Ready=False/WaitingForServer Stalled=True/Refused",
		},
		"what clients do not notice is under way": {
			Found{Conditions: []metav1.Condition{good[0], good[1], False("InEffect", "Progressing", "m")}},
			"Ready=True/Ready Reconciling=True/Progressing",
		},
		"the operator failed though all looks well": {
			Found{Conditions: good, Failed: &Problem{Reason: "Error", Message: "m"}},
			"Ready=False/Error Reconciling=True/Error",
		},
		"the operator failed after it had applied this generation": {
			Found{Conditions: good, Failed: &Problem{Reason: "Error", Message: "m"}, Applied: true},
			"Ready=True/Ready Reconciling=True/Error",
		},
		"it failed, and clients are not served": {
			Found{Conditions: []metav1.Condition{good[0], False("Applied", "WaitingForServer", "m"), good[2]}, Failed: &Problem{Reason: "Error", Message: "m"}, Applied: true},
			"Ready=False/WaitingForServer Reconciling=True/WaitingForServer",
		},
		"the first finding counts": {
			Found{Conditions: append([]metav1.Condition{False("Accepted", "First", "m")}, good...)},
			"Ready=False/First Reconciling=True/First",
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.found.Types = []string{"Accepted", "Applied", "InEffect"}
			test.found.Required, test.found.Beside = test.found.Types[:2], test.found.Types[2:]
			test.found.ReadyReason, test.found.ReadyMessage = "Ready", "m"
			var got []string
			for _, conditionType := range []string{"Ready", "Reconciling", "Stalled"} {
				if c := meta.FindStatusCondition(Summarise(nil, test.found, 3, now), conditionType); c != nil {
					got = append(got, c.Type+"="+string(c.Status)+"/"+c.Reason)
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %v, want %s", got, test.want)
			}
		})
	}
}

// bug class 12: a status that changes on every pass.
func TestTimesChangeOnlyWithTheStatus(t *testing.T) {
	found := Found{Conditions: []metav1.Condition{True("Accepted", "Accepted", "m")}, Types: []string{"Accepted"}, Required: []string{"Accepted"}, ReadyReason: "Ready", ReadyMessage: "m"}
	before := Summarise(nil, found, 1, then)
	for _, c := range Summarise(before, found, 2, now) {
		if !c.LastTransitionTime.Equal(&then) || c.ObservedGeneration != 2 {
			t.Errorf("condition %s has time %v and generation %d, want %v and 2", c.Type, c.LastTransitionTime, c.ObservedGeneration, then)
		}
	}
	found.Conditions[0] = False("Accepted", "HostTaken", "m")
	for _, c := range Summarise(before, found, 2, now) {
		if !c.LastTransitionTime.Equal(&now) {
			t.Errorf("condition %s changed and still has time %v", c.Type, c.LastTransitionTime)
		}
	}
	if !before[0].LastTransitionTime.Equal(&then) || before[0].Status != metav1.ConditionTrue {
		t.Error("the conditions from before were changed in place")
	}
}

// bug class 11: Ready of a spec that was never applied.
func TestWhatHoldsForTheSpecBeforeDoesNotMakeThisOneReady(t *testing.T) {
	found := Found{Conditions: []metav1.Condition{True("Accepted", "Accepted", "m")}, Types: []string{"Accepted"}, Required: []string{"Accepted"}, ReadyReason: "Ready", ReadyMessage: "m"}
	before := Summarise(nil, found, 1, then)
	found.Conditions = nil
	after := Summarise(before, found, 2, now)
	if c := meta.FindStatusCondition(after, "Ready"); c.Status != metav1.ConditionFalse || c.Reason != "Progressing" {
		t.Errorf("got %+v, want Ready to be False until somebody has looked", c)
	}
}

func TestWhatWasNotLookedAtThisTimeStaysAsItWas(t *testing.T) {
	found := Found{Conditions: []metav1.Condition{True("Accepted", "Accepted", "m")}, Types: []string{"Accepted"}, Required: []string{"Accepted"}}
	before := Summarise(nil, found, 1, then)
	found.Conditions, found.Failed = nil, &Problem{Reason: "Error", Message: "m"}
	c := meta.FindStatusCondition(Summarise(before, found, 2, now), "Accepted")
	if c.Status != metav1.ConditionTrue || c.ObservedGeneration != 1 {
		t.Errorf("got %+v, want what was known of generation 1", c)
	}
}

func TestAConditionOfAStatusIsUnknownBeforeItWasLookedAt(t *testing.T) {
	t.Parallel()
	status := []metav1.Condition{True("Accepted", "Accepted", "m"), False("Applied", "Rejected", "m")}
	if got := Of(status, "Applied"); got != status[1] {
		t.Errorf("got %+v", got)
	}
	if got, want := Of(status, "InEffect"), Unknown("InEffect", "Progressing", "Not looked at yet."); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAMessageIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "abcd": "abcd", "abcde": "abcd…", "abcé": "abc…", "äö": "äö", "äöå": "äö…"} {
		if got := Shorten(text, 4); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
