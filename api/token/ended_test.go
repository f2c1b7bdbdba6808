package token

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestWhatEndedIsJoinedOnceEachTheNewestLastAndBounded(t *testing.T) {
	t.Parallel()
	at := func(minute int) metav1.Time {
		return metav1.NewTime(time.Date(2026, 11, 23, 12, minute, 0, 0, time.UTC))
	}
	a, b, c := v1alpha1.EndedCredential{Fingerprint: "a", EndedAt: at(2)}, v1alpha1.EndedCredential{Fingerprint: "b", EndedAt: at(1)},
		v1alpha1.EndedCredential{Fingerprint: "c", EndedAt: at(1)}
	again := v1alpha1.EndedCredential{Fingerprint: "a", EndedAt: at(3)}
	for name, test := range map[string]struct{ left, right, want []v1alpha1.EndedCredential }{
		"nothing":       {},
		"one list":      {left: []v1alpha1.EndedCredential{a, c, b}, want: []v1alpha1.EndedCredential{b, c, a}},
		"two":           {left: []v1alpha1.EndedCredential{a}, right: []v1alpha1.EndedCredential{b, a}, want: []v1alpha1.EndedCredential{b, a}},
		"an end again":  {left: []v1alpha1.EndedCredential{again}, right: []v1alpha1.EndedCredential{a}, want: []v1alpha1.EndedCredential{a}},
		"the other way": {left: []v1alpha1.EndedCredential{a}, right: []v1alpha1.EndedCredential{again}, want: []v1alpha1.EndedCredential{a}},
	} {
		left := slices.Clone(test.left)
		if got := JoinEnded(test.left, test.right); !slices.Equal(got, test.want) {
			t.Errorf("%s: %+v", name, got)
		}
		if !slices.Equal(left, test.left) {
			t.Errorf("%s: the list was changed", name)
		}
	}
	var many []v1alpha1.EndedCredential
	for minute := range 70 {
		many = append(many, v1alpha1.EndedCredential{Fingerprint: fmt.Sprint(minute), EndedAt: at(minute)})
	}
	if got := JoinEnded(many, many[:1]); len(got) != 64 || got[63].Fingerprint != "69" || got[0].Fingerprint != "6" {
		t.Errorf("%d are remembered, from %+v", len(got), got[0])
	}
}

func TestWhatEndedIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 14, 0, 0, 5, time.FixedZone("", 7200))
	one := NewVerifier(Prefix+"x", RoleProvisioner, now).End(now)
	text, err := AnnotateEnded([]v1alpha1.EndedCredential{one})
	if err != nil {
		t.Fatal(err)
	}
	got := Ended(map[string]string{v1alpha1.EndedAnnotation: text})
	if at := EndedAt(got, one.Fingerprint); len(got) != 1 || !at.Equal(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("%s is read as %+v", text, got)
	}
	if !EndedAt(got, "other").IsZero() || Ended(map[string]string{v1alpha1.EndedAnnotation: "{"}) != nil || Ended(nil) != nil {
		t.Error("what is not there is read")
	}
}

// The status takes none of these, and a status that is refused tells nothing of the tenant any more.
func TestWhatIsNoEndOfACredentialIsPassedOver(t *testing.T) {
	t.Parallel()
	const good = `{"fingerprint":"97b310b3d249","endedAt":"2026-11-23T12:00:00Z"}`
	for name, entry := range map[string]string{
		"without a time":        `{"fingerprint":"0123456789ab"}`,
		"of no time":            `{"fingerprint":"0123456789ab","endedAt":null}`,
		"without a fingerprint": `{"endedAt":"2026-11-23T12:00:00Z"}`,
		"of another text":       `{"fingerprint":"0123456789AB","endedAt":"2026-11-23T12:00:00Z"}`,
		"of a whole hash":       `{"fingerprint":"` + strings.Repeat("0123456789abcdef", 5) + `","endedAt":"2026-11-23T12:00:00Z"}`,
	} {
		got := Ended(map[string]string{v1alpha1.EndedAnnotation: "[" + entry + "," + good + "]"})
		if len(got) != 1 || got[0].Fingerprint != "97b310b3d249" {
			t.Errorf("an end %s: %+v", name, got)
		}
	}
}
