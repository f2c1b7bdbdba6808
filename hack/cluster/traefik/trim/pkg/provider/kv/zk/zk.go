// Package zk replaces a provider that this build leaves out.
package zk

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is the name that upstream gives it.
const ProviderName = "zookeeper"

// Provider fails when configured.
type Provider struct{ absent.Provider }
