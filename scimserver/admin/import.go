package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"k8s.io/utils/clock"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/headers"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/transfer"
)

// maxRest bounds what is taken of a file after it was refused, in bytes: more than half a million users are.
const maxRest = 1 << 30

// starved is how long a client may take to send a few KiB of an import. A database ends a transaction that nothing comes for: ours
// after 30 seconds.
const starved = 20 * time.Second

// restore fills the empty directory with what export wrote. It is read from the connection into one transaction: whatever goes wrong,
// and whoever hangs up, all of it is there or nothing.
func (s *server) restore(w http.ResponseWriter, r *http.Request) {
	caller, err := s.authorize(r, token.RoleProvisioner)
	current := s.Settings()
	switch {
	case err != nil:
	case current == nil:
		err = s.noSettings()
	case r.URL.RawQuery != "":
		err = &refusal{http.StatusBadRequest, "there are no parameters"}
	case headers.HasCoding(r.Header):
		err = &refusal{http.StatusUnsupportedMediaType, "the file must not be encoded: send it without Content-Encoding, decompressed"}
	case !current.ProvisioningSuspended():
		err = &refusal{
			http.StatusConflict,
			"provisioning is not suspended: set spec.provisioning.state to Suspended first, so that no client writes meanwhile",
		}
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	place, err := s.importing.enter(caller)
	if err != nil {
		s.refuse(w, err)
		return
	}
	defer place.Release()

	from := &upload{ctx: r.Context(), body: r.Body, control: http.NewResponseController(w), clock: s.Clock, suspended: s.suspended}
	// A read that waits for the client ends when the server does.
	stop := context.AfterFunc(r.Context(), func() { _ = from.control.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	to := s.Directory.Importing(directory.Caller{Client: caller.Client})
	// The directory that serves keeps its schemas until it is told of the others: a failure leaves no trace in it.
	counts, err := transfer.Import(r.Context(), to, directory.New(directory.Options{
		Store: s.Store, Now: s.Clock.Now, Catalog: &current.Tenant.Spec.Catalog,
	}), from)
	if err != nil && from.begun && (from.broke == nil || errors.Is(from.broke, errResumed)) {
		_, _ = io.CopyN(io.Discard, rest{from}, maxRest)
	}
	if timeout := from.control.SetWriteDeadline(s.Clock.Now().Add(stalled)); timeout != nil {
		s.Log.Error(timeout, "an import is answered late or not at all")
	}
	if err != nil {
		if errors.Is(err, store.ErrUncertain) {
			s.Log.Error(err, "an import was not acknowledged", "client", caller.Client)
		} else {
			s.Log.Info("an import was refused; nothing was imported", "client", caller.Client)
		}
		s.refuse(w, from.refusal(err))
		return
	}
	s.Log.Info("a directory was imported", "client", caller.Client, "users", counts.Users, "groups", counts.Groups,
		"memberships", counts.Memberships, "entries", counts.Entries)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(counts) // who hung up sees by the directory that it is not empty
}

// suspended reports whether clients that provision are held back, which an import needs until its end.
func (s *server) suspended() bool {
	current := s.Settings()
	return current != nil && current.ProvisioningSuspended()
}

var (
	errResumed  = errors.New("provisioning is not suspended any more; nothing was imported")
	errSentOnce = errors.New("what was sent is gone")
)

// upload is the body of a request that may take longer than the server's timeouts allow, as long as its client sends on and
// provisioning stays suspended.
type upload struct {
	ctx       context.Context //nolint:containedctx // io.Reader has no room for one
	body      io.Reader
	control   *http.ResponseController
	clock     clock.PassiveClock
	suspended func() bool
	// begun tells that the client was asked for the file. Until then it need not send it.
	begun bool
	// broke is why there is nothing more to read.
	broke error
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (n int, err error) {
	n, err = u.read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		u.broke = err
	}
	return n, err
}

func (u *upload) read(p []byte) (int, error) {
	if !u.suspended() {
		return 0, errResumed
	}
	return u.next(p)
}

func (u *upload) next(p []byte) (int, error) {
	u.begun = true
	if err := u.control.SetReadDeadline(u.clock.Now().Add(starved)); err != nil {
		return 0, err
	}
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.body.Read(p)
}

// rest is what still comes after an import was refused. A client that sends on would find its connection reset, and not the answer.
type rest struct{ *upload }

func (r rest) Read(p []byte) (int, error) { return r.next(p) }

// Seek implements io.Seeker where the engine begins its transaction again. To keep what was sent would take room that a server with a
// database does not have.
func (u *upload) Seek(int64, int) (int64, error) { return 0, errSentOnce }

// refusal sorts why nothing was imported. What is wrong with the file is for who sent it, and for nobody's log.
func (u *upload) refusal(err error) error {
	switch {
	case errors.Is(err, store.ErrUncertain):
		return &refusal{http.StatusServiceUnavailable, err.Error()}
	case u.ctx.Err() != nil:
		return &refusal{http.StatusServiceUnavailable, "the server is being stopped; nothing was imported"}
	case errors.Is(u.broke, errResumed):
		return &refusal{http.StatusConflict, errResumed.Error()}
	case errors.Is(u.broke, os.ErrDeadlineExceeded):
		return &refusal{http.StatusRequestTimeout, "nothing came for " + starved.String() + "; nothing was imported"}
	case u.broke != nil:
		return &refusal{http.StatusBadRequest, "the file was cut off on its way; nothing was imported"}
	case errors.Is(err, errSentOnce):
		return &refusal{http.StatusServiceUnavailable, "the database asks to begin again: send the file again; nothing was imported"}
	case errors.Is(err, transfer.ErrNotEmpty):
		return &refusal{http.StatusConflict, err.Error()}
	case errors.Is(err, transfer.ErrDamaged), errors.Is(err, transfer.ErrFormat), errors.Is(err, store.ErrConflict):
		return &refusal{http.StatusUnprocessableEntity, err.Error()}
	case errors.Is(err, store.ErrUnavailable):
		return &refusal{http.StatusServiceUnavailable, err.Error()}
	default:
		return err
	}
}
