package controllers

import (
	"strings"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

func TestEventsTellTransitionsOnlyAndWarnOfWhatIsNoPartOfAGoodStart(t *testing.T) {
	t.Parallel()
	notReady := func(reason string) metav1.Condition { return conditions.False(v1alpha1.ConditionReady, reason, "m") }
	reworded := conditions.False(v1alpha1.ConditionReady, v1alpha1.ReasonProgressing, "other words")
	isReady := conditions.True(v1alpha1.ConditionReady, v1alpha1.ReasonReady, "m")
	bound := conditions.True(v1alpha1.ConditionStorageReady, v1alpha1.ReasonBound, "m")
	stalled := func(reason string) metav1.Condition { return conditions.True(v1alpha1.ConditionStalled, reason, "m") }
	unknown := conditions.Unknown(v1alpha1.ConditionReady, v1alpha1.ReasonProgressing, "m")
	progressing := notReady(v1alpha1.ReasonProgressing)
	for name, test := range map[string]struct {
		before, after []metav1.Condition
		want          string
	}{
		"nothing changed":           {[]metav1.Condition{isReady}, []metav1.Condition{isReady}, ""},
		"only the words changed":    {[]metav1.Condition{progressing}, []metav1.Condition{reworded}, ""},
		"it became ready":           {[]metav1.Condition{progressing}, []metav1.Condition{isReady}, "Normal Ready"},
		"it is new":                 {nil, []metav1.Condition{progressing}, "Normal Progressing"},
		"it restarts":               {[]metav1.Condition{isReady}, []metav1.Condition{progressing}, "Normal Progressing"},
		"it moves":                  {[]metav1.Condition{isReady}, []metav1.Condition{notReady(v1alpha1.ReasonMoving)}, "Normal Moving"},
		"a detail is nobody's news": {nil, []metav1.Condition{bound}, ""},
		"its volume comes":          {[]metav1.Condition{unknown}, []metav1.Condition{notReady(v1alpha1.ReasonClaimPending)}, "Normal ClaimPending"},
		"its volume went":           {[]metav1.Condition{isReady}, []metav1.Condition{notReady(v1alpha1.ReasonClaimPending)}, "Warning ClaimPending"},
		"its route comes":           {[]metav1.Condition{progressing}, []metav1.Condition{notReady(v1alpha1.ReasonWaitingForIngressController)}, "Normal WaitingForIngressController"},
		"its Gateway comes":         {[]metav1.Condition{progressing}, []metav1.Condition{notReady(v1alpha1.ReasonWaitingForGateway)}, "Normal WaitingForGateway"},
		"its route went":            {[]metav1.Condition{isReady}, []metav1.Condition{notReady(v1alpha1.ReasonWaitingForIngressController)}, "Warning WaitingForIngressController"},
		"its server comes":          {nil, []metav1.Condition{notReady(v1alpha1.ReasonWaitingForServer)}, "Normal WaitingForServer"},
		"its server went":           {[]metav1.Condition{isReady}, []metav1.Condition{notReady(v1alpha1.ReasonServerUnavailable)}, "Warning ServerUnavailable"},
		"a person must act": {
			[]metav1.Condition{progressing}, []metav1.Condition{notReady(v1alpha1.ReasonNameConflict), stalled(v1alpha1.ReasonNameConflict)}, "Warning NameConflict",
		},
		"a person must act, and clients are served": {
			[]metav1.Condition{isReady}, []metav1.Condition{isReady, stalled(v1alpha1.ReasonMoveFailed)}, "Warning MoveFailed",
		},
	} {
		var got []string
		for _, transition := range transitions(test.before, test.after) {
			got = append(got, transition.eventType()+" "+transition.Reason)
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%s: got %v, want %q", name, got, test.want)
		}
	}
}

// The API server refuses a longer note, and with it the event, mostly where another's words say what is wrong.
func TestTheNoteOfAnEventIsCutToWhatTheAPIServerTakes(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]string{
		"short":              "it is well",
		"as long as may be":  strings.Repeat("a", 1024-len("Ready: ")),
		"one too many":       strings.Repeat("a", 1025-len("Ready: ")),
		"long":               strings.Repeat("denied the request: ", 1000),
		"of long characters": strings.Repeat("日本語", 500),
		"of longer ones":     "a" + strings.Repeat("😀", 500),
		"not UTF-8":          strings.Repeat("\xff", 2000),
	} {
		got := note(conditions.False(v1alpha1.ConditionReady, v1alpha1.ReasonRejected, message))
		whole := "Ready: " + message
		switch {
		case len(got) > 1024 || !utf8.ValidString(got):
			t.Errorf("%s: %d bytes, valid: %v", name, len(got), utf8.ValidString(got))
		case utf8.ValidString(whole) && len(whole) <= 1024 && got != whole:
			t.Errorf("%s: got %q", name, got)
		case utf8.ValidString(whole) && len(whole) > 1024 && (len(got) < 1016 || !strings.HasSuffix(got, "…")):
			t.Errorf("%s: got %d bytes that end in %q", name, len(got), got[len(got)-5:])
		}
	}
}
