package protocol_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// awaited is an answer that remembers until when the server reads from the connection. Beyond that the request's context ends.
type awaited struct {
	*httptest.ResponseRecorder

	until *time.Time // nil where nobody changed it
}

func (a *awaited) SetReadDeadline(t time.Time) error {
	a.until = &t
	return nil
}

// The time for a request with a body ends with the beginning of its answer: the client may read that for as long as the server writes.
func TestALargeAnswerIsSentForLongerThanItsRequestMayTake(t *testing.T) {
	f := newFixture(t)
	f.crowd("everybody", 2000)
	for _, path := range []string{"/.search", "/Groups/.search"} {
		out := &awaited{ResponseRecorder: httptest.NewRecorder()}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, v1alpha1.BasePath+path, strings.NewReader(`{"filter":"id pr"}`))
		request.Header.Set("Authorization", "Bearer "+f.token)
		f.http.Config.Handler.ServeHTTP(out, request)
		if out.Code != http.StatusOK || out.Body.Len() < 100_000 || out.until == nil || !out.until.IsZero() {
			t.Errorf("%s: %d, %d bytes, and the connection is read until %v, want for ever", path, out.Code, out.Body.Len(), out.until)
		}
	}
}
