package token

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// mostEnded is how many credentials that somebody asked to end are remembered, as the API has it.
const mostEnded = 64

// aFingerprint is what a fingerprint looks like.
var aFingerprint = regexp.MustCompile(fmt.Sprintf("^[0-9a-f]{%d}$", fingerprintLength))

// Ended reads EndedAnnotation. A list that nobody can read is none. Entries that tell of no credential or of no time are passed over: people may edit
// the annotation, and the status would be refused with them.
func Ended(annotations map[string]string) []v1alpha1.EndedCredential {
	var ended []v1alpha1.EndedCredential
	if json.Unmarshal([]byte(annotations[v1alpha1.EndedAnnotation]), &ended) != nil {
		return nil
	}
	return slices.DeleteFunc(ended, func(e v1alpha1.EndedCredential) bool {
		return e.EndedAt.IsZero() || !aFingerprint.MatchString(e.Fingerprint)
	})
}

// AnnotateEnded returns the value of EndedAnnotation.
func AnnotateEnded(ended []v1alpha1.EndedCredential) (string, error) {
	text, err := json.Marshal(ended)
	if err != nil {
		return "", fmt.Errorf("encode the annotation about credentials that ended: %w", err)
	}
	return string(text), nil
}

// End is the end of the verifier's credential at that moment.
func (v Verifier) End(at time.Time) v1alpha1.EndedCredential {
	return v1alpha1.EndedCredential{Fingerprint: v.Fingerprint(), EndedAt: metav1.NewTime(at.UTC().Truncate(time.Second))}
}

// EndedAt is when a credential with this fingerprint was ended; the zero time where it was not.
func EndedAt(ended []v1alpha1.EndedCredential, fingerprint string) time.Time {
	at := slices.IndexFunc(ended, func(e v1alpha1.EndedCredential) bool { return e.Fingerprint == fingerprint })
	if at < 0 {
		return time.Time{}
	}
	return ended[at].EndedAt.UTC()
}

// JoinEnded returns what is in one of the lists, each credential once with its first end: the last 64, the newest last.
func JoinEnded(lists ...[]v1alpha1.EndedCredential) []v1alpha1.EndedCredential {
	joined := slices.Concat(lists...)
	slices.SortStableFunc(joined, func(a, b v1alpha1.EndedCredential) int {
		return cmp.Or(a.EndedAt.Compare(b.EndedAt.Time), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	known := map[string]bool{}
	joined = slices.DeleteFunc(joined, func(e v1alpha1.EndedCredential) bool {
		again := known[e.Fingerprint]
		known[e.Fingerprint] = true
		return again
	})
	return joined[max(0, len(joined)-mostEnded):]
}
