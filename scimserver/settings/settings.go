// Package settings holds what a SCIM server works by: one tenant, its UserDefaults and the verifiers of its tokens, as
// one immutable snapshot. Packages settings/kubernetes and settings/manifests are the two places that it comes from.
package settings

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Snapshot is the configuration at one moment. Nobody changes it, or anything that it points to, once it is published.
type Snapshot struct {
	// Tenant whose directory is served. Its status carries only what a server needs: tenantURL, additionalURLs, userDefaults, directory.id and
	// storage.adoptedFrom.
	Tenant *v1alpha1.ProvisioningTenant
	// Defaults of this tenant, the highest priority first and equal ones by name.
	Defaults []v1alpha1.UserDefaults
	// Verifiers of the tokens that open the directory.
	Verifiers token.Set
}

// BaseURL returns the URL where the tenant's SCIM endpoints begin, without a slash at the end: the published Tenant URL,
// or what it is going to be for the host in the spec. It is empty where neither is known and a request has to tell.
func (s *Snapshot) BaseURL() string {
	switch {
	case s.Tenant.Status.TenantURL != "":
		return s.Tenant.Status.TenantURL
	case s.Tenant.Spec.Exposure.Host != "":
		return "https://" + s.Tenant.Spec.Exposure.Host + v1alpha1.BasePath
	default:
		return ""
	}
}

// BaseURLAt returns BaseURL for the host of a request: that of the host, where clients reach the tenant by it too.
func (s *Snapshot) BaseURLAt(host string) string {
	asked := "https://" + strings.ToLower(strings.TrimSuffix(host, ":443")) + v1alpha1.BasePath
	if slices.Contains(s.Tenant.Status.AdditionalURLs, asked) {
		return asked
	}
	return s.BaseURL()
}

// TokenURL returns the URL of the tenant's OAuth 2.0 token endpoint, and "" where BaseURL is empty.
func (s *Snapshot) TokenURL() string {
	base := s.BaseURL()
	if base == "" {
		return ""
	}
	return strings.TrimSuffix(strings.TrimSuffix(base, "/"), v1alpha1.BasePath) + v1alpha1.TokenPath
}

// defaultAccessTokenLifetime is what spec.authentication.oauth.accessTokenLifetime is where it says nothing.
const defaultAccessTokenLifetime = time.Hour

// AccessTokenLifetime is how long an access token is valid.
func (s *Snapshot) AccessTokenLifetime() time.Duration {
	if oauth := s.Tenant.Spec.Authentication.OAuth; oauth != nil && oauth.AccessTokenLifetime != nil {
		return oauth.AccessTokenLifetime.Duration
	}
	return defaultAccessTokenLifetime
}

// ProvisioningSuspended reports whether clients that provision are asked to try again later, whatever they want.
func (s *Snapshot) ProvisioningSuspended() bool {
	return s.Tenant.Spec.Provisioning.State == v1alpha1.StateSuspended
}

// AccessSuspended reports whether readers and people are asked to try again later, whatever they want.
func (s *Snapshot) AccessSuspended() bool {
	return s.Tenant.Spec.Access.State == v1alpha1.StateSuspended
}

// PurgeAfter is how long a user is to be inactive before it is deleted, 0 for ever. None is deleted while clients that provision are held
// back from users: they could not say that one is wanted again.
func (s *Snapshot) PurgeAfter() time.Duration {
	after := s.Tenant.Spec.Retention.DeactivatedUsers
	if after == nil || s.ProvisioningSuspended() || !s.UsersEnabled() {
		return 0
	}
	return after.Duration
}

// UsersEnabled tells whether clients may provision users, while provisioning is not suspended.
func (s *Snapshot) UsersEnabled() bool {
	return s.Tenant.Spec.Provisioning.Users != v1alpha1.SwitchDisabled
}

// GroupsEnabled tells whether clients may provision groups, while provisioning is not suspended.
func (s *Snapshot) GroupsEnabled() bool {
	return s.Tenant.Spec.Provisioning.Groups != v1alpha1.SwitchDisabled
}

// SortDefaults puts defaults in the order in which they are tried on a user.
func SortDefaults(defaults []v1alpha1.UserDefaults) {
	slices.SortFunc(defaults, func(a, b v1alpha1.UserDefaults) int {
		return cmp.Or(cmp.Compare(b.Spec.Priority, a.Spec.Priority), cmp.Compare(a.Name, b.Name))
	})
}

// Source is where settings come from.
type Source interface {
	// Run follows the settings until ctx is done and then returns nil. It returns an error only where there never can
	// be a snapshot. It must be called once.
	Run(ctx context.Context) error
	// Current returns the latest snapshot, or nil before the first. It is cheap enough to be called by every request.
	Current() *Snapshot
	// Changed returns a channel that is closed when the next snapshot is published. Whoever takes the channel first
	// and Current afterwards misses nothing; snapshots that follow each other quickly may be seen as one.
	Changed() <-chan struct{}
}

// Latest holds the latest snapshot for any number of readers. The zero value is ready for use.
type Latest struct {
	mu      sync.RWMutex
	current *Snapshot
	changed chan struct{}
}

// Current is Source.Current.
func (l *Latest) Current() *Snapshot {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.current
}

// Changed is Source.Changed.
func (l *Latest) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// Publish makes s the current snapshot and tells everyone who waits.
func (l *Latest) Publish(s *Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = s
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}
