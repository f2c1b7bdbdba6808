// Package plugins replaces Traefik's plugin runtimes (a Go interpreter and a WebAssembly engine).
package plugins

import (
	"context"
	"net/http"
)

// Constructor creates a plugin's handler.
type Constructor func(context.Context, http.Handler) (http.Handler, error)

// Descriptor describes a plugin; none can be described.
type Descriptor struct{}

// LocalDescriptor describes a local plugin; none can be described.
type LocalDescriptor struct{}
