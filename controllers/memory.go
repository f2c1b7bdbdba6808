package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/controllers/classes"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/storage"
)

// memory is what the operator remembers of a tenant from one reconcile to the next; the zero value where it has just started. Only the reconcile of
// the tenant uses it, and there is one at a time.
type memory struct {
	// firstLook is when the tenant was looked at first, while its first status is held back; zero otherwise.
	firstLook time.Time
	// outdated counts the looks one after the other that found nothing wrong but an old cache.
	outdated int
	// answers to applies that did not become what was sent.
	answers apply.Answers
	// connection is the connection Secret as it was found last; zero where it was not looked for yet.
	connection storage.Connection
	// takenUp is the volume claim that was told to be taken up: a policy may keep the mark off it, by which it is known.
	takenUp types.UID
	// lookout is for Secrets that are missing; zero where all are there.
	lookout lookout
	// decided is what the tenant's class decided last. It goes before what the ServiceAccount says, which others may write; nil where that is to be read.
	decided *classes.Values
	// class is for an Ingress of the default class.
	class exposure.Lookout
}

// memoryOf returns what is remembered of a tenant. It is remembered until the tenant is gone.
func (r *ProvisioningTenantReconciler) memoryOf(tenant client.ObjectKey) *memory {
	found, _ := r.memories.LoadOrStore(tenant, &memory{})
	known, _ := found.(*memory)
	return known
}

// lookout is for Secrets that were deleted after copying: somebody may make one again without the labels by which the operator hears of it. The
// API server is asked at most once in recheckSecrets, first often and then less and less; or once in requestRetry, while a credential waits for one.
type lookout struct {
	// at is when all of them were looked for last, next when to look again, and pause about how long that is.
	at, next time.Time
	pause    time.Duration
	// blocked says of each that was there, by its name, why it is none of the tenant's.
	blocked map[string]error
}
