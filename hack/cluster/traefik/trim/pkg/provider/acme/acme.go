// Package acme replaces a provider that this build leaves out: certificates come from Secrets.
package acme

import ptypes "github.com/traefik/paerser/types"

// Configuration has the fields that static configuration reads.
type Configuration struct {
	CAServer, Storage string
	DNSChallenge      *DNSChallenge
	HTTPChallenge     *HTTPChallenge
	TLSChallenge      *struct{}
}

// HTTPChallenge has the fields that the internal provider reads.
type HTTPChallenge struct{ EntryPoint string }

// DNSChallenge has the fields that static configuration reads.
type DNSChallenge struct {
	Provider                string
	DisablePropagationCheck bool
	DelayBeforeCheck        ptypes.Duration
	Propagation             struct {
		DisableChecks     bool
		DelayBeforeChecks ptypes.Duration
	}
}
