package protocol

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"

	"github.com/tenantry/tenantry/scimserver/headers"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/share"
)

const (
	// MaxBody is the greatest size of a request body in bytes: a group of 50,000 members fits.
	MaxBody = 4 << 20
	// SmallBody is the size in bytes up to which a body is nothing to worry about.
	SmallBody = 64 << 10
	// bodyChunk is how many bytes of a larger one are read at a time.
	bodyChunk = 256 << 10
	// bodyTimes is how many times its size nearly every body takes in memory at the most, once it is taken apart.
	bodyTimes = 10
	// lightBody is the size in bytes up to which nobody looks what a body takes.
	lightBody = 4 << 10
)

// body reads the request's body, checking its media type and size.
func (r *request) body() ([]byte, error) {
	if !headers.Once(r.http.Header, "Content-Type") {
		return nil, &Error{Status: http.StatusBadRequest, Detail: "the request has more than one header Content-Type: send one"}
	}
	if header := r.http.Header.Get("Content-Type"); header != "" {
		// The type is parsed, not compared: Entra adds a charset (RFC 7644 section 3.1 asks for application/scim+json).
		media, _, err := mime.ParseMediaType(header)
		if err != nil || (media != mediaType && media != "application/json") {
			return nil, &Error{Status: http.StatusUnsupportedMediaType, Detail: "the Content-Type must be " + mediaType + " or application/json"}
		}
	}
	body, refused := open(r.out, r.http, MaxBody)
	if refused != nil {
		return nil, refused
	}
	data, refused := r.limits.pace.read(r.out, r.http, body, SmallBody, r.room)
	if refused != nil {
		return nil, refused
	}
	size, refused := r.weigh(data)
	if refused != nil {
		return nil, refused
	}
	r.charge((size - 1) / worthOne)
	return data, nil
}

// weigh returns the size by which a body counts: its own, or more where it has so many short values that it takes more than bodyTimes that.
// For these it takes more room.
func (r *request) weigh(data []byte) (size int, refused *Error) {
	size = len(data)
	if size <= lightBody {
		return size, nil
	}
	size = max(size, schema.Weight(data)/bodyTimes)
	more := size
	if len(data) > SmallBody {
		more -= len(data) // which has its room
	}
	switch {
	case size > MaxBody:
		refused = &Error{
			Status: http.StatusRequestEntityTooLarge,
			Detail: "the request's body has more values than there is memory for: send fewer in one request",
		}
	case size > SmallBody && more > 0:
		refused = r.room(more)
	}
	return size, refused
}

// open returns a request's body, from which reading more than limit bytes fails. A body that is encoded, or larger by its
// Content-Length, is refused here: nothing of it is read, and a client that expects a 100 (RFC 9110 section 10.1.1) sends none of it.
func open(w http.ResponseWriter, r *http.Request, limit int64) (io.Reader, *Error) {
	switch {
	case headers.HasCoding(r.Header):
		w.Header().Set("Accept-Encoding", headers.Uncoded)
		return nil, &Error{
			Status: http.StatusUnsupportedMediaType,
			Detail: "the request's body must not be encoded: send it without Content-Encoding, or with identity",
		}
	case r.ContentLength > limit:
		return nil, unread(&http.MaxBytesError{Limit: limit})
	}
	return http.MaxBytesReader(w, r.Body, limit), nil
}

// room takes room for so many bytes of the body, until the request is answered.
func (r *request) room(bytes int) *Error {
	ok := false
	if r.large == (share.Held{}) {
		r.large, ok = r.limits.bodies.TryTake(r.client, int64(bytes))
	} else {
		ok = r.large.More(int64(bytes))
	}
	if !ok {
		return busy("as many large requests are worked on as there can be of this client, or of all clients like it")
	}
	return nil
}

// unread is the answer where a body did not arrive whole.
func unread(err error) *Error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &Error{
			Status: http.StatusRequestEntityTooLarge,
			Detail: "the request's body is larger than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes",
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &Error{Status: http.StatusRequestTimeout, Detail: "the request's body did not arrive in time"}
	}
	return &Error{Status: http.StatusBadRequest, ScimType: "invalidSyntax", Detail: "the request's body did not arrive whole", canceled: true}
}
