package problem

import (
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// longestLine is in characters, and fits into an event with what is said beside it.
const longestLine = 800

// FirstLine returns what the API server said, as far as it fits a line of kubectl get: what follows can be a comparison of two whole objects.
func FirstLine(text string) string {
	line, _, cut := strings.Cut(text, "\n")
	if runes := []rune(line); len(runes) > longestLine {
		line, cut = string(runes[:longestLine]), true
	}
	if cut {
		line = strings.TrimRight(line, " :") + " …"
	}
	return line
}

// APIWords returns what the API server said, without which object it was applied to.
func APIWords(err error) string {
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return status.Status().Message
	}
	return err.Error()
}

// Failure says what failed in words that stay the same from one try to the next; the log has the rest.
func Failure(err error) string {
	reason := apierrors.ReasonForError(err)
	if reason == metav1.StatusReasonUnknown {
		reason = "no usable answer"
	}
	return fmt.Sprintf("The API server failed (%s); the operator tries again. Its log has the details.", reason)
}

// Duration is a duration without the units of which there are none behind the last that counts: 24h, and not 24h0m0s.
func Duration(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}
