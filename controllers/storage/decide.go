package storage

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// State is what a decision follows from.
type State struct {
	Tenant *v1alpha1.ProvisioningTenant
	// Claim is the tenant's volume claim, nil where there is none. Taken is an *apply.NotOursError or an *apply.GoingError where the claim of that
	// name is not the tenant's; Claim is nil then.
	Claim *corev1.PersistentVolumeClaim
	Taken error
	// Connection is why no server could read the connection URL: a *problem.Waiting of ConnectionMissing, or an error of the API server. It is nil
	// where the URL is there, and for a tenant that does not want a database.
	Connection error
}

// Decision is where the directory is, and how far it is on its way to where it should be. The zero value is that of a tenant of whose storage
// nothing was found out.
type Decision struct {
	// Engine that the server works with. Empty where that cannot be said: then nothing of the tenant is touched.
	Engine v1alpha1.StorageType
	// Moves tells that the directory is on a volume and should be in a database. Step is how far that is, once Continue has found it.
	Moves bool
	Step  Step
	// Claim is the volume claim as it should be, nil where there should be none, and Found as it is, nil where there is none.
	Claim *desired.Claim
	Found *corev1.PersistentVolumeClaim
	// TakesUp tells of a claim that another left behind and this tenant takes up, in words for an event; "" for none.
	TakesUp string
	// Hindrance is what keeps the directory from its database, nil for nothing: State.Connection, or a typed error of Hindered.
	Hindrance error
	// Refused says why nothing of the tenant is touched: a *problem.Stalled or *problem.Waiting, or nil.
	Refused error
}

// WantsDatabase reports whether the spec wants the directory in a database that it names.
func WantsDatabase(tenant *v1alpha1.ProvisioningTenant) bool {
	return tenant.Spec.Storage.Type == v1alpha1.StoragePostgreSQL && tenant.Spec.Storage.PostgreSQL != nil
}

func wantsVolume(tenant *v1alpha1.ProvisioningTenant) bool {
	return tenant.Spec.Storage.Type == v1alpha1.StorageSQLite || tenant.Spec.Storage.Type == ""
}

// PastCache reports whether the claim is to be read past the cache, which has said so much. A cache that is behind must neither start a second
// move, nor leave a directory behind or begin with an empty one, nor have the status say that a claim is retained that is not.
func (s State) PastCache() bool {
	switch before := s.Tenant.Status.Storage; {
	case WantsDatabase(s.Tenant):
		return !isMoved(s.Claim) && !servedFromDatabase(s.Tenant)
	case !wantsVolume(s.Tenant):
		return false
	case before != nil && before.DeletionPolicy == v1alpha1.DeletionPolicyDelete && s.Tenant.Spec.DeletionPolicy != v1alpha1.DeletionPolicyDelete:
		return true
	}
	return s.Claim == nil && (s.Taken != nil || len(s.Tenant.Status.Conditions) > 0)
}

// Arrived reports whether the directory of a tenant that wants a database is there, and not on a volume.
func (s State) Arrived() bool {
	return servedFromDatabase(s.Tenant) || s.Claim == nil || isMoved(s.Claim)
}

func servedFromDatabase(tenant *v1alpha1.ProvisioningTenant) bool {
	return tenant.Status.Storage != nil && tenant.Status.Storage.Type == v1alpha1.StoragePostgreSQL
}

func isMoved(claim *corev1.PersistentVolumeClaim) bool {
	return claim != nil && claim.Annotations[desired.AnnotationMovedTo] != ""
}

// Decide decides where the directory is and what becomes of the claim. The spec of a newer version, which has another engine, decides nothing.
func Decide(state State) Decision {
	switch {
	case wantsVolume(state.Tenant):
		return decideVolume(state)
	case WantsDatabase(state.Tenant):
		return decideDatabase(state)
	case state.Tenant.Spec.Storage.Type == v1alpha1.StoragePostgreSQL:
		return Decision{Refused: &problem.Stalled{
			Condition: v1alpha1.ConditionStorageReady, Reason: v1alpha1.ReasonConnectionSecretMissing,
			Message: "Set spec.storage.postgresql: it names the Secret with the connection URL.",
		}}
	}
	return Decision{} // and condition Accepted says so
}

// decideVolume decides whether the tenant may work with the volume claim that is there.
func decideVolume(state State) Decision {
	if state.Taken != nil {
		return Decision{Refused: claimTaken(state.Tenant, state.Taken)}
	}
	d := judgeClaim(state.Tenant, state.Claim)
	switch {
	case d.Refused != nil:
	case isMoved(state.Claim):
		d.Refused = &problem.Stalled{Condition: v1alpha1.ConditionStorageReady, Reason: v1alpha1.ReasonMoved, Message: fmt.Sprintf(
			"Volume claim %s holds the directory as it was before it moved to %s. Set spec.storage.type to that, "+
				"or remove annotation %s from the claim to begin with the old state.",
			state.Claim.Name, state.Claim.Annotations[desired.AnnotationMovedTo], desired.AnnotationMovedTo)}
	default:
		d.Engine = v1alpha1.StorageSQLite
	}
	return d
}

// decideDatabase decides whether a tenant that should be in a database is there already. Nothing that is wrong with a
// claim counts once its directory has left it.
func decideDatabase(state State) Decision {
	var d Decision
	arrived := state.Arrived()
	if state.Claim != nil {
		d = judgeClaim(state.Tenant, state.Claim)
	}
	d.Hindrance = state.Connection
	switch {
	case arrived:
		d.Engine, d.Refused = v1alpha1.StoragePostgreSQL, nil
	case d.Refused == nil: // or the directory would move with the claim
		d.Engine, d.Moves = v1alpha1.StorageSQLite, true
	}
	return d
}

// InDatabase reports whether the directory is in a database, all of it.
func (d Decision) InDatabase() bool {
	return d.Engine == v1alpha1.StoragePostgreSQL || d.Step == StepCopied
}

// policy is what becomes of the volume claim when the tenant is deleted now.
func (d Decision) policy(tenant *v1alpha1.ProvisioningTenant) v1alpha1.DeletionPolicy {
	if tenant.Spec.DeletionPolicy == v1alpha1.DeletionPolicyDelete || d.Found != nil && metav1.GetControllerOf(d.Found) != nil {
		return v1alpha1.DeletionPolicyDelete
	}
	return v1alpha1.DeletionPolicyRetain
}
