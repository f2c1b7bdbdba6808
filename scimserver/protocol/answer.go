package protocol

import (
	"errors"
	"net/http"
	"time"
)

// WholeAnswer is how many bytes of an answer are made before the first is sent.
const WholeAnswer = 64 << 10

// answer is an answer with resources on its way to the client. One of up to WholeAnswer bytes is sent whole, with its length: whatever
// goes wrong before is still an answer. A larger one is sent in portions as it is made, so that the memory which it takes is bounded.
// An error after the first of them cuts the connection: the client is never left with JSON that looks whole. No statement is
// under way while a portion is sent, so a client that reads slowly holds nothing of the store.
type answer struct {
	request *request
	status  int
	version string // for the header ETag, "" for none
	applied string // for the header Preference-Applied, "" for none
	// position is for the header Events-Position, "" for none.
	position string

	made  []byte
	begun bool
}

// errHeaders ends an answer to HEAD whose length is not known yet: RFC 9110 section 9.3.2 lets a server leave out what only making the
// content would tell.
var errHeaders = errors.New("the request is for the headers alone")

// errGone says that the client does not read on.
var errGone = errors.New("the client does not read the answer")

// flow sends what has been made where that is much.
func (a *answer) flow() error {
	if len(a.made) < WholeAnswer {
		return nil
	}
	if err := a.request.context().Err(); err != nil {
		return err
	}
	if !a.begun {
		a.begun = true
		// From here on a read of the connection only tells whether the client has gone. A writer without a connection, as in tests, has no
		// deadlines.
		_ = http.NewResponseController(a.request.out).SetReadDeadline(time.Time{})
		a.headers()
		a.request.out.WriteHeader(a.status)
		if a.request.http.Method == http.MethodHead {
			a.request.charge(int(a.request.inHand.bytes / worthOne)) // what was read for it; nothing is sent by which it would pay
			return errHeaders
		}
	}
	_, err := a.request.out.Write(a.made)
	if a.made = a.made[:0]; cap(a.made) > 4*WholeAnswer {
		a.made = nil
	}
	if err != nil {
		return errGone
	}
	return nil
}

func (a *answer) headers() {
	header := a.request.out.Header()
	header.Set("Content-Type", contentType)
	if a.version != "" {
		header.Set("ETag", a.version)
	}
	if a.position != "" {
		header.Set(positionHeader, a.position)
	}
	if a.applied != "" {
		header.Set("Preference-Applied", a.applied)
	}
}

// end sends the rest of the answer. With an error it ends otherwise: the error is returned where nothing was sent yet.
func (a *answer) end(err error) error {
	switch {
	case errors.Is(err, errHeaders):
		return nil
	case err != nil && !a.begun:
		return err
	case err != nil:
		if a.request.context().Err() == nil && !errors.Is(err, errGone) {
			a.request.log().Error(err, "an answer was cut off")
		}
		panic(http.ErrAbortHandler)
	case a.begun:
		_, _ = a.request.out.Write(a.made) // nothing can be done about a client that has gone away
	default:
		a.headers()
		send(a.request.out, a.status, a.made)
	}
	return nil
}
