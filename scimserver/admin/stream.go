package admin

import (
	"bufio"
	"errors"
	"net/http"
	"time"

	"k8s.io/utils/clock"
)

const (
	mediaType = "application/jsonl"
	// stalled is how long a client may take to read a few KiB before it counts as gone.
	stalled = 30 * time.Second
	// exportPace is how many bytes a second a client has to read of an export, once it has been given the time of one that stalls. While it
	// reads, SQLite's write-ahead log keeps everything that is written, and PostgreSQL all that is deleted.
	exportPace = 64 << 10
)

// stream sends an answer that may take longer than the server's timeouts allow, as long as its client reads on and its credential is good.
type stream struct {
	out      http.ResponseWriter
	control  *http.ResponseController
	clock    clock.PassiveClock
	buffered *bufio.Writer
	begun    bool
	// permitted returns an error where the client may not have the answer any more, and looked is when it was last asked.
	permitted func() error
	looked    time.Time
	// pace is how many bytes a second the client has to read, 0 for none. sent is how many it has read, and took how long that took.
	pace, sent int64
	took       time.Duration
}

func newStream(w http.ResponseWriter, c clock.PassiveClock, permitted func() error) (*stream, error) {
	s := &stream{out: w, control: http.NewResponseController(w), clock: c, permitted: permitted, looked: c.Now()}
	s.buffered = bufio.NewWriterSize(sender{s}, 16<<10)
	// The request has been read; what is still read of the connection tells when the client has gone.
	err := s.control.SetReadDeadline(time.Time{})
	return s, err
}

func (s *stream) Write(data []byte) (int, error) { return s.buffered.Write(data) }

// flush sends what has been written so far.
func (s *stream) flush() error {
	if err := s.buffered.Flush(); err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	return s.control.Flush()
}

func (s *stream) begin() error {
	if !s.begun {
		s.begun = true
		s.out.Header().Set("Content-Type", mediaType)
		s.out.WriteHeader(http.StatusOK)
	}
	return s.control.SetWriteDeadline(s.clock.Now().Add(s.patience()))
}

// patience is how long the client may take for what is sent next.
func (s *stream) patience() time.Duration {
	if s.pace == 0 {
		return stalled
	}
	return min(stalled, stalled+time.Duration(s.sent/s.pace)*time.Second-s.took)
}

// sender is where the buffer of a stream is emptied to.
type sender struct{ *stream }

func (s sender) Write(data []byte) (int, error) {
	if now := s.clock.Now(); now.Sub(s.looked) >= pollInterval {
		if err := s.permitted(); err != nil {
			return 0, err // it was revoked
		}
		s.looked = now
	}
	if err := s.begin(); err != nil {
		return 0, err
	}
	began := s.clock.Now()
	n, err := s.out.Write(data)
	s.took += s.clock.Since(began)
	s.sent += int64(n)
	return n, err
}

// finish ends the answer. After an error in its middle the connection is cut, so that the client does not take what it
// has for the whole.
func (s *server) finish(out *stream, r *http.Request, err error) {
	if err == nil {
		err = out.flush()
	}
	var refused *refusal
	switch {
	case err == nil:
		if s.storage.Succeeded(s.Clock.Now()) {
			s.Log.Info("administrators' requests succeed again: the storage answers")
		}
	case !out.begun && r.Context().Err() == nil:
		s.refuse(out.out, err)
	default:
		if r.Context().Err() == nil && !errors.As(err, &refused) {
			s.Log.Error(err, "an answer was cut off")
		}
		panic(http.ErrAbortHandler)
	}
}
