// Package knative replaces a provider that this build leaves out.
package knative

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is the name that upstream gives it.
const ProviderName = "knative"

// Provider fails when configured.
type Provider struct{ absent.Provider }
