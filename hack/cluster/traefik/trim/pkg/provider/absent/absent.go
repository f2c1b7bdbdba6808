// Package absent stands in for the providers that a trimmed Traefik is built without.
package absent

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

// Provider refuses to start: configuring it is a mistake that must be seen.
type Provider struct{}

// Init always fails.
func (Provider) Init() error {
	return errors.New("this Traefik is built with the Kubernetes Ingress and file providers only")
}

// Provide does nothing; Init has failed before.
func (Provider) Provide(chan<- dynamic.Message, *safe.Pool) error { return nil }

// Builder stands in for providers that come one per namespace.
type Builder struct{}

// BuildProviders returns one Provider, so that configuring it fails.
func (Builder) BuildProviders() []Provider { return []Provider{{}} }
