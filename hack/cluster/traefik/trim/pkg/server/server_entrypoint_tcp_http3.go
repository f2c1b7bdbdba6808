package server

import (
	"context"
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/static"
	tcprouter "github.com/traefik/traefik/v3/pkg/server/router/tcp"
)

// http3server stands in for the QUIC listener that this build leaves out; it is always nil.
type http3server struct{}

func newHTTP3Server(_ context.Context, _ string, config *static.EntryPoint, _ *httpServer) (*http3server, error) {
	if config.HTTP3 != nil {
		return nil, errors.New("this Traefik is built without HTTP/3")
	}
	return nil, nil
}

func (*http3server) Start() error                   { return nil }
func (*http3server) Switch(*tcprouter.Router)       {}
func (*http3server) Shutdown(context.Context) error { return nil }
func (*http3server) Close() error                   { return nil }
