package protocol

import (
	"net/http"
	"strconv"
	"time"

	"github.com/tenantry/tenantry/scimserver/coding"
)

// recorder remembers what was answered, has the client pay for it, and sends it in gzip where the client asks for that.
type recorder struct {
	http.ResponseWriter

	status  int
	written bool
	sent    int           // bytes of body, as they were made
	by      *request      // whose client pays for them, nil where nobody does
	asked   *http.Request // whose header says which coding, nil where none is used
	coded   *coding.Stream
	waited  time.Duration // for something to happen, which is no work
}

// varies is the header Vary of each answer that might have been in gzip (RFC 9110 section 12.5.5).
var varies = []string{"Accept-Encoding"} //nolint:gochecknoglobals // nothing writes it, and each answer has it

// negotiates has the answer sent in the coding that the request asks for.
func (r *recorder) negotiates(asked *http.Request) {
	r.asked = asked
	r.Header()["Vary"] = varies
}

func (r *recorder) WriteHeader(status int) {
	r.status, r.written = status, true
	if r.asked != nil && status != http.StatusNoContent && status != http.StatusNotModified {
		r.choose()
	}
	r.ResponseWriter.WriteHeader(status)
}

// choose begins an answer in gzip where it is to be in gzip. Its ETag is the same: a weak one says what the resource is, and not how it is
// sent (RFC 9110 section 8.8.1).
func (r *recorder) choose() {
	header, size := r.Header(), -1
	if length := header.Get("Content-Length"); length != "" {
		size, _ = strconv.Atoi(length) // our own
	}
	if !coding.Chosen(r.asked.Header, size) {
		return
	}
	header.Set("Content-Encoding", coding.Gzip)
	header.Del("Content-Length")
	r.coded = &coding.Stream{Out: r.ResponseWriter}
}

func (r *recorder) Write(data []byte) (int, error) {
	r.written = true
	if r.by != nil {
		r.by.pay(&r.sent, len(data))
	}
	switch {
	case r.coded == nil:
		return r.ResponseWriter.Write(data)
	case r.asked.Method == http.MethodHead:
		return len(data), nil
	default:
		return r.coded.Write(data)
	}
}

// end ends an answer that is whole. An answer that is cut off must not be ended, or a reader of gzip would take it for the whole.
func (r *recorder) end() {
	if r.coded != nil && r.asked.Method != http.MethodHead {
		_ = r.coded.Close() // nothing can be done about a client that has gone away
	}
}

// Unwrap lets http.MaxBytesReader and ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
