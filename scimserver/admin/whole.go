package admin

import (
	"bytes"
	"net/http"
)

// whole answers with what a handler answers, when all of it is there. So the handler holds nothing while a client reads slowly, or keeps
// the server waiting for a body.
func whole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &buffered{header: w.Header(), status: http.StatusOK}
		next.ServeHTTP(answer, r)
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body.Bytes()) // nothing can be done about a client that has gone away
	})
}

// buffered is an http.ResponseWriter that keeps what is written.
type buffered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffered) Header() http.Header { return b.header }

func (b *buffered) WriteHeader(status int) { b.status = status }

func (b *buffered) Write(data []byte) (int, error) { return b.body.Write(data) }
