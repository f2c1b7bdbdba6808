// Package snippet replaces the NGINX configuration snippets that this build leaves out.
package snippet

import (
	"context"
	"errors"
	"net/http"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
)

// New always fails.
func New(context.Context, http.Handler, *dynamic.Snippet, string) (http.Handler, error) {
	return nil, errors.New("this Traefik is built without NGINX snippets")
}
