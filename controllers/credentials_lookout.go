package controllers

import (
	"cmp"
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/controllers/credentials"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// longestPause is for how many times recheckSecrets nobody looks for a Secret that is long gone; together with the jitter an hour.
const longestPause = 50

// looked remembers that all Secrets were looked for now, and that they are to be looked for again after about pause.
func (r *ProvisioningTenantReconciler) looked(s *scope, pause time.Duration, blocked map[string]error) {
	now := r.Options.Clock.Now()
	s.memory.lookout = lookout{at: now, next: now.Add(wait.Jitter(pause, 0.2)), pause: pause, blocked: blocked}
}

// stillGone tells whether none is there of the Secrets that the tenant has not in the cache, or those that were there before. They are looked
// for where that is due.
func (r *ProvisioningTenantReconciler) stillGone(ctx context.Context, s *scope, handed map[string]*metav1.PartialObjectMetadata) (bool, error) {
	missing := slices.DeleteFunc(credentials.HandingOut(s.tenant), func(name string) bool { return handed[name] != nil })
	known, every := s.memory.lookout, r.recheckSecrets()
	switch {
	case len(missing) == 0:
		s.memory.lookout = lookout{}
		return true, nil
	case r.Options.Clock.Since(known.at) < min(known.pause, every):
		return true, nil
	case len(known.blocked) > 0:
		return false, nil // to see what has become of it
	}
	for _, name := range missing {
		err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.tenant.Namespace, Name: name}, apply.SecretMetadata())
		if !apierrors.IsNotFound(err) {
			return false, err // what is in it decides
		}
	}
	r.looked(s, min(2*cmp.Or(known.pause, longestPause*every), longestPause*every), nil)
	return true, nil
}
