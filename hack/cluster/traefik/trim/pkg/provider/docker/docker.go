// Package docker replaces a provider that this build leaves out.
package docker

import (
	ptypes "github.com/traefik/paerser/types"
	"github.com/traefik/traefik/v3/pkg/provider/absent"
)

// The names that upstream gives them.
const (
	DockerName = "docker"
	SwarmName  = "swarm"
)

// Provider fails when configured.
type Provider struct {
	absent.Provider

	HTTPClientTimeout ptypes.Duration
}

// SwarmProvider fails when configured.
type SwarmProvider struct {
	absent.Provider

	HTTPClientTimeout, RefreshSeconds ptypes.Duration
}
