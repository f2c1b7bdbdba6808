package protocol

import (
	"net/http"

	"github.com/tenantry/tenantry/scimserver/headers"
)

// Unavailable answers every request 503 with Retry-After, so that a client comes again later and takes nothing for deleted.
// detail says why there is no server just now.
func Unavailable(detail string) http.Handler {
	return headers.Protected(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		id := giveRequestID(w)
		writeError(w, &Error{Status: http.StatusServiceUnavailable, RetryAfter: retryUnavailable, Detail: detail}, id)
	}))
}
