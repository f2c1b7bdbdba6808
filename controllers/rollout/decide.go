package rollout

import (
	"cmp"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/tenantry/tenantry/api/observed"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

// State is what a decision follows from.
type State struct {
	Tenant *v1alpha1.ProvisioningTenant
	// Have is the Deployment as the cache has it, nil where the tenant has none.
	Have *appsv1.Deployment
	// Want are the pods as they should be, without the mark of their ServiceAccount.
	Want *corev1ac.PodTemplateSpecApplyConfiguration
	// Account is the UID of the server's ServiceAccount, "" where that is not known.
	Account types.UID
	// Moving tells that a move of the directory to its database has begun.
	Moving bool
	// Revision is the operator's: see Limiter.
	Revision string
}

// Decision is how the Deployment is applied.
type Decision struct {
	// Annotations are those by which its place is found later: the hash of its pods, and whether an upgrade by this operator replaced pods that
	// were available.
	Annotations map[string]string
	// Account is the UID of the ServiceAccount that the pods are marked with, "" for no mark.
	Account types.UID
	// NeedsPlace tells whether it is changed only if the Limiter lets it.
	NeedsPlace bool
}

// Decide decides how a Deployment is applied.
func Decide(state State) (Decision, error) {
	template, err := apply.Hash(state.Want)
	if err != nil {
		return Decision{}, err
	}
	upgrade, mark := state.upgrade(template)
	before := accountOf(state.Have)
	decision := Decision{
		Annotations: map[string]string{desired.AnnotationTemplate: template},
		Account:     cmp.Or(state.Account, before),
	}
	if mark != "" {
		decision.Annotations[desired.AnnotationUpgrade] = mark
	}
	decision.NeedsPlace = upgrade && (before == "" || decision.Account == before) // pods whose token is refused do not wait for others
	return decision, nil
}

// upgrade tells whether pods with that hash are an upgrade: those that are there would be replaced though nobody changed the tenant since the
// Deployment was applied. mark is the revision that the Deployment is marked with, "" for no mark.
func (s *State) upgrade(template string) (upgrade bool, mark string) {
	if s.Have == nil {
		return false, ""
	}
	had, mark := s.Have.Annotations[desired.AnnotationTemplate], s.Have.Annotations[desired.AnnotationUpgrade]
	switch {
	case had == template: // and whatever else changes, the pods stay
		return false, mark
	// Edited pods are put back at once, and a change of the spec is its author's own, who expects a restart.
	case had == "", !wasApplied(s.Tenant), s.Moving, ptr.Deref(s.Have.Spec.Replicas, 1) == 0:
		if mark != s.Revision || observed.RolledOut(s.Have) {
			mark = ""
		}
		return false, mark
	case observed.RolledOut(s.Have):
		return true, s.Revision
	default:
		return true, ""
	}
}

// wasApplied tells whether an earlier reconcile applied the Deployment for this generation: condition RolledOut speaks of a generation from then on,
// and not before.
func wasApplied(tenant *v1alpha1.ProvisioningTenant) bool {
	last := conditions.Of(tenant.Status.Conditions, v1alpha1.ConditionRolledOut)
	return last.Status != metav1.ConditionUnknown && last.ObservedGeneration == tenant.Generation
}

// accountOf is the UID of the ServiceAccount that the pods of a Deployment are of, "" where that is not known.
func accountOf(have *appsv1.Deployment) types.UID {
	if have == nil {
		return ""
	}
	return types.UID(have.Spec.Template.Annotations[desired.AnnotationAccount])
}
