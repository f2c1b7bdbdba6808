package protocol

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"time"
)

// pace is how fast a body has to arrive. A request has its place while its body arrives, so a client that sends a byte now and then
// would keep the place for as long as it likes.
type pace struct {
	// first is the time for the header and the first SmallBody bytes. The server sees to it: see ReadTimeout.
	first time.Duration
	// chunk is the time for each bodyChunk bytes after them.
	chunk time.Duration
	// whole is the most time for a body.
	whole time.Duration
}

// ReadTimeout is the http.Server's ReadTimeout, in which the header and the first SmallBody bytes of a body have to be there; larger bodies get
// more of a Server. A deadline that net/http sets costs nothing more where it is the ReadHeaderTimeout too, while one of our own wakes a thread
// for each small body.
const ReadTimeout = 10 * time.Second

// defaultPace lets a body of MaxBody take 26 seconds.
func defaultPace() pace {
	return pace{first: ReadTimeout, chunk: time.Second, whole: 30 * time.Second}
}

// due is the time, from the beginning of a body, in which so many bytes of it have to be there.
func (p pace) due(bytes int) time.Duration {
	chunks := (max(bytes-SmallBody, 0) + bodyChunk - 1) / bodyChunk
	return min(p.first+time.Duration(chunks)*p.chunk, p.whole)
}

// read reads a request's body whole. One of more than so many small bytes needs room, for which room is called: by its Content-Length
// before any of it is read, and where that is not known by chunks.
func (p pace) read(w http.ResponseWriter, r *http.Request, body io.Reader, small int, room func(bytes int) *Error) ([]byte, *Error) {
	length := int(r.ContentLength)
	if length > small {
		if err := room(length); err != nil {
			return nil, err
		}
	}
	began := time.Now() //nolint:forbidigo // the deadlines of connections are by the machine's clock
	control := http.NewResponseController(w)
	start := length
	if length <= small {
		start = min(max(length, 512), 4096) // what has no room of its own takes no more than has come
	}
	data := make([]byte, 0, start)
	// A writer without a connection, as in tests, has no deadlines. A body that is late leaves its own in force: before net/http sends
	// the answer it reads what is missing of a body with a Content-Length, and would wait for it.
	for end := small; ; end += bodyChunk {
		if end > small {
			_ = control.SetReadDeadline(began.Add(p.due(end)))
		}
		if length >= 0 {
			end = min(end, length)
		}
		var err error
		switch data, err = readTo(body, data, end); {
		case err != nil:
			return nil, unread(err)
		case len(data) < end || len(data) == length:
			return data, nil // at its end net/http takes the deadline away, and waits for the client to hang up
		}
		if length < 0 {
			if err := room(bodyChunk); err != nil {
				return nil, err
			}
		}
	}
}

// readTo reads on until there are so many bytes, or no more.
func readTo(body io.Reader, data []byte, end int) ([]byte, error) {
	for len(data) < end {
		if len(data) == cap(data) {
			data = slices.Grow(data, len(data))
		}
		n, err := body.Read(data[len(data):min(cap(data), end)])
		data = data[:len(data)+n]
		switch {
		case errors.Is(err, io.EOF):
			return data, nil
		case err != nil:
			return nil, err
		}
	}
	return data, nil
}
