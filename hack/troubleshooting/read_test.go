package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const conditions = `package v1alpha1

// Condition types of both kinds. More about them.
const (
	// ConditionReady sums up: the resource
	// does what its spec says.
	ConditionReady = "Ready"
)

// ConditionApplied tells whether the server follows.
const ConditionApplied = "Applied"

// Reasons that say that all is well.
const (
	// ReasonReady: everything is as the spec says.
	ReasonReady = "Ready"
)

// Reasons that ask a person to act.
const (
	// ReasonHostTaken: an older tenant has the host. Choose another
	// host. Or delete it.
	ReasonHostTaken = "HostTaken"
	// ReasonInvalidFilter: spec.filter is no SCIM 2.0 filter. Correct it.
	ReasonInvalidFilter = "InvalidFilter"
)
`

func TestTheFirstSentenceIsTheMeaningAndTheRestWhatToDo(t *testing.T) {
	t.Parallel()
	got, err := read([]byte(conditions))
	if err != nil {
		t.Fatal(err)
	}
	want := reference{
		Conditions: []group{
			{"Condition types of both kinds", []entry{{"ConditionReady", "Ready", "Sums up: the resource does what its spec says.", ""}}},
			{"Condition type of UserDefaults", []entry{{"ConditionApplied", "Applied", "Tells whether the server follows.", ""}}},
		},
		Reasons: []group{
			{"Reasons that say that all is well", []entry{{"ReasonReady", "Ready", "Everything is as the spec says.", ""}}},
			{"Reasons that ask a person to act", []entry{
				{"ReasonHostTaken", "HostTaken", "An older tenant has the host.", "Choose another host. Or delete it."},
				{"ReasonInvalidFilter", "InvalidFilter", "spec.filter is no SCIM 2.0 filter.", "Correct it."},
			}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCommentsThatWouldHelpNobodyAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"no action":   {" Correct it.", "", "ReasonInvalidFilter says what is wrong and not what to do: add a second sentence"},
		"no comment":  {"	// ReasonInvalidFilter: spec.filter is no SCIM 2.0 filter. Correct it.\n", "", "ReasonInvalidFilter needs a comment"},
		"twice":       {`"InvalidFilter"`, `"Ready"`, "reason Ready is there twice"},
		"no string":   {`"InvalidFilter"`, `ConditionReady`, "a string for its value"},
		"no Go":       {"const (", "const", "expected"},
		"none at all": {conditions, "package v1alpha1\n", "no conditions or no reasons"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read([]byte(strings.Replace(conditions, c.old, c.new, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
