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

// A client may read a large answer for as long as the server writes, which is longer than a request may take to arrive.
func TestALargeAnswerIsSentForLongerThanRequestsAreRead(t *testing.T) {
	f := newFixture(t)
	f.crowd("everybody", 2000)
	for path, body := range map[string]string{"/Groups/{everybody}": "", "/Groups": "", "/.search": `{"filter":"id pr"}`} {
		method := http.MethodGet
		if body != "" {
			method = http.MethodPost
		}
		out := &awaited{ResponseRecorder: httptest.NewRecorder()}
		path = v1alpha1.BasePath + strings.ReplaceAll(path, "{everybody}", f.ids["everybody"])
		request := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		request.Header.Set("Authorization", "Bearer "+f.token)
		f.http.Config.Handler.ServeHTTP(out, request)
		if out.Code != http.StatusOK || out.Body.Len() < 100_000 || out.until == nil || !out.until.IsZero() {
			t.Errorf("%s: %d, %d bytes, and the connection is read until %v, want for ever", path, out.Code, out.Body.Len(), out.until)
		}
	}
}
