// Package gateway replaces a provider that this build leaves out.
package gateway

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is the name that upstream gives it.
const ProviderName = "kubernetesgateway"

// Provider fails when configured.
type Provider struct {
	absent.Provider

	EntryPoints map[string]Entrypoint
}

// Entrypoint is what static configuration tells the provider about each entry point.
type Entrypoint struct {
	Address        string
	HasHTTPTLSConf bool
}
