// Package ingressnginx replaces a provider that this build leaves out.
package ingressnginx

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is the name that upstream gives it.
const ProviderName = "kubernetesingressnginx"

// Provider fails when configured.
type Provider struct {
	absent.Provider

	NonTLSEntryPoints                      []string
	WatchNamespace, WatchNamespaceSelector string
}
