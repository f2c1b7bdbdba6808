package problem

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestFailuresAreToldInWordsThatStayTheSame(t *testing.T) {
	first := Failure(apierrors.NewInternalError(errors.New("dial tcp 10.0.0.1:443 at 12:00:01")))
	second := Failure(apierrors.NewInternalError(errors.New("dial tcp 10.0.0.1:443 at 12:00:02")))
	if first != second || !strings.Contains(first, "InternalError") {
		t.Errorf("got %q and %q", first, second)
	}
}

// kube-apiserver ends some messages with a comparison of two whole objects.
func TestWhatTheAPIServerSaysIsOneLineThatFitsAnEvent(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"spec is immutable": "spec is immutable",
		"spec: Forbidden: spec is immutable:\n@@ -1,6 +1,6 @@\n {\n": "spec: Forbidden: spec is immutable …",
		strings.Repeat("ä", 2000):                                    strings.Repeat("ä", longestLine) + " …",
		"":                                                           "",
	} {
		refused := &apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonInvalid, Code: 422, Message: text}}
		var stalled *Stalled
		if err := Classify(fmt.Errorf("%w", refused), "StorageReady", "InvalidStorage"); !errors.As(err, &stalled) || stalled.Message != want {
			t.Errorf("%.20q is told as %q, want %q", text, err, want)
		}
	}
}

func TestADurationIsToldWithoutItsZeros(t *testing.T) {
	t.Parallel()
	for duration, want := range map[time.Duration]string{
		24 * time.Hour: "24h", 10 * time.Minute: "10m", 90 * time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s", 30 * time.Second: "30s",
	} {
		if got := Duration(duration); got != want {
			t.Errorf("%s: got %q, want %q", duration, got, want)
		}
	}
}
