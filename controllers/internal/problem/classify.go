package problem

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

const (
	// RecheckConflict is when to look again whether somebody else's object is still there.
	RecheckConflict = time.Minute
	// RecheckGoing is when to look again whether an object that is being deleted is gone.
	RecheckGoing = 5 * time.Second
	// RecheckStale is when to look again after the cache turned out to be older than the API server.
	RecheckStale = 100 * time.Millisecond

	// recheckForbidden is when to try again what a quota or the operator's own rights forbade: either can change without an event.
	recheckForbidden = 30 * time.Second
)

// Classify gives an error from applying an object its type. The object stands behind the condition, and rejected is the reason where the API server
// refuses it. It returns nil for nil, apply.ErrOwnerGone where the namespace is being deleted, and an error of which it knows nothing as it is.
func Classify(err error, condition, rejected string) error {
	var stranger *apply.NotOursError
	var going *apply.GoingError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &stranger):
		return &Stalled{Condition: condition, Reason: v1alpha1.ReasonNameConflict, Message: stranger.Error(), Recheck: RecheckConflict}
	case errors.As(err, &going):
		return &Waiting{Condition: condition, Reason: v1alpha1.ReasonProgressing, Message: going.Error(), After: RecheckGoing}
	case errors.Is(err, apply.ErrUnseen):
		return &Waiting{
			Condition: condition, Reason: v1alpha1.ReasonProgressing, Message: "An object that is there already is looked at first.", After: RecheckStale,
		}
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return apply.ErrOwnerGone
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return &Stalled{Condition: condition, Reason: rejected, Message: FirstLine(err.Error())}
	case apierrors.IsForbidden(err):
		return &Stalled{Condition: condition, Reason: rejected, Message: FirstLine(err.Error()), Recheck: recheckForbidden}
	default:
		return err
	}
}
