// Package consul replaces a provider that this build leaves out.
package consul

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is the name that upstream gives it.
const ProviderName = "consul"

// ProviderBuilder builds a provider that fails.
type ProviderBuilder struct{ absent.Builder }
