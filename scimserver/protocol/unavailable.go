package protocol

import (
	"crypto/rand"
	"net/http"
)

// Unavailable answers every request 503 with Retry-After, so that a client comes again later and takes nothing for deleted.
// detail says why there is no server just now.
func Unavailable(detail string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		id := rand.Text()[:16]
		w.Header().Set("X-Request-Id", id)
		writeError(w, &Error{Status: http.StatusServiceUnavailable, RetryAfter: retryUnavailable, Detail: detail}, id)
	})
}
