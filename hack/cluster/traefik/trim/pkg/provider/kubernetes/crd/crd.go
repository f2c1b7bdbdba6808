// Package crd replaces a provider that this build leaves out.
package crd

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is the name that upstream gives it.
const ProviderName = "kubernetescrd"

// Provider fails when configured.
type Provider struct{ absent.Provider }

// FillExtensionBuilderRegistry has nothing to register.
func (Provider) FillExtensionBuilderRegistry(any) {}
