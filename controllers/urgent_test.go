package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/problem"
	"github.com/tenantry/tenantry/controllers/internal/statuscheck"
)

// asked is a settled tenant that is asked for something.
func asked(t *testing.T, annotations map[string]string) *simulated {
	t.Helper()
	s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication.Readers = []v1alpha1.Reader{{Name: "payroll"}}
	}))
	s.settle()
	tenant := s.tenant()
	tenant.Annotations = annotations
	s.must(s.WithWatch.Update(t.Context(), tenant))
	return s
}

// failing has each write of a Secret fail, until the function that it returns is called.
func (s *simulated) failing(err error) (mend func()) {
	well := s.WithWatch
	s.WithWatch = interceptor.NewClient(well, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if _, isSecret := o.(*corev1ac.SecretApplyConfiguration); isSecret {
				return err
			}
			return c.Apply(ctx, o, opts...)
		},
	})
	return func() { s.WithWatch = well }
}

var (
	leaked  = map[string]string{rotateToken: first + ",overlap=0s"}
	secrets = schema.GroupResource{Resource: "secrets"}
)

func TestARequestThatCannotBeObeyedIsToldFromTheFirstLook(t *testing.T) {
	t.Parallel()
	for name, annotations := range map[string]map[string]string{
		"a rotation": leaked, "a rotation of a reader": {v1alpha1.RotateAnnotationPrefix + "reader.payroll": first}, "the end of access tokens": {rotateTokens: first},
		"the end of the token before": {revokeToken: first},
	} {
		for why, err := range map[string]error{
			v1alpha1.ReasonError:    apierrors.NewInternalError(errors.New("failed calling webhook")),
			v1alpha1.ReasonRejected: apierrors.NewForbidden(secrets, "x", errors.New("denied")),
		} {
			t.Run(name+" "+why, func(t *testing.T) {
				t.Parallel()
				s := asked(t, annotations)
				mend := s.failing(err)
				_, _ = s.reconcile()
				s.toldToWait(why)
				mend()
				s.settle()
				if obeyed := s.condition(v1alpha1.ConditionRequestsObeyed); obeyed.Status != metav1.ConditionTrue {
					t.Errorf("in the end RequestsObeyed is %+v", obeyed)
				}
			})
		}
	}
}

// toldToWait asserts what is said of a request that waits.
func (s *simulated) toldToWait(reason string) {
	s.Helper()
	if obeyed := s.condition(v1alpha1.ConditionRequestsObeyed); obeyed.Status != metav1.ConditionFalse || obeyed.Reason != reason {
		s.Errorf("RequestsObeyed is %+v, want False with reason %s", obeyed, reason)
	}
	for _, problem := range statuscheck.Tenant(s.tenant()) {
		s.Error("status: ", problem)
	}
}

func (s *simulated) condition(conditionType string) metav1.Condition {
	s.Helper()
	found := meta.FindStatusCondition(s.tenant().Status.Conditions, conditionType)
	if found == nil {
		s.Fatalf("there is no condition %s", conditionType)
	}
	return *found
}

// The cache that is behind explains a conflict for a moment only.
func TestAConflictThatLastsIsAFailure(t *testing.T) {
	t.Parallel()
	s := asked(t, leaked)
	mend := s.failing(apierrors.NewConflict(secrets, "x", errors.New("the object has been modified")))
	operator, looks := s.operator(), 0
	for err := error(nil); err == nil; looks++ {
		if looks > 100 {
			t.Fatal("after 100 looks it is no failure")
		}
		_, err = operator.Reconcile(t.Context(), theTenant)
	}
	if looks < 5 {
		t.Errorf("it is a failure after %d looks", looks)
	}
	s.toldToWait(v1alpha1.ReasonError)
	mend()
	if _, err := operator.Reconcile(t.Context(), theTenant); err != nil {
		t.Fatal(err)
	}
	s.failing(apierrors.NewConflict(secrets, "x", errors.New("the object has been modified")))
	tenant := s.tenant()
	tenant.Annotations = map[string]string{rotateToken: "2026-11-23T12:00:01Z"}
	s.must(s.WithWatch.Update(t.Context(), tenant))
	if result, err := operator.Reconcile(t.Context(), theTenant); err != nil || result.RequeueAfter != problem.RecheckStale {
		t.Errorf("the first conflict after a time without is answered with %v and %v", result, err)
	}
}

// Nothing is known then of what the spec refers to, so nothing else of the status may change.
func TestARequestThatWaitsIsToldWhereTheLookFailsBeforeCredentials(t *testing.T) {
	t.Parallel()
	s := asked(t, leaked)
	before := s.tenant().Status
	well := s.WithWatch
	s.WithWatch = interceptor.NewClient(well, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if _, ofDefaults := list.(*v1alpha1.UserDefaultsList); ofDefaults {
				return apierrors.NewInternalError(errors.New("etcd is away"))
			}
			return c.List(ctx, list, opts...)
		},
	})
	if _, err := s.reconcile(); err == nil {
		t.Error("it is no failure")
	}
	s.toldToWait(v1alpha1.ReasonError)
	after := s.tenant().Status
	meta.RemoveStatusCondition(&before.Conditions, v1alpha1.ConditionRequestsObeyed)
	meta.RemoveStatusCondition(&after.Conditions, v1alpha1.ConditionRequestsObeyed)
	if !equality.Semantic.DeepEqual(before, after) {
		t.Errorf("the status is\n%+v\nand was\n%+v", after, before)
	}
	writes := s.writes
	_, _ = s.reconcile()
	if s.writes != writes {
		t.Error("the next look that fails writes again")
	}
	s.WithWatch = well
	s.settle()
	if obeyed := s.condition(v1alpha1.ConditionRequestsObeyed); obeyed.Status != metav1.ConditionTrue {
		t.Errorf("in the end RequestsObeyed is %+v", obeyed)
	}
}

// Nobody waits five minutes for the end of a token that has leaked, because the API server was away before.
func TestTheRetryOfALookIsNearWhileARequestWaits(t *testing.T) {
	t.Parallel()
	longest := func(s *simulated) (longest time.Duration) {
		limiter := s.operator().retries()
		for range 20 {
			longest = max(longest, limiter.When(theTenant))
		}
		return longest
	}
	s := asked(t, leaked)
	if got := longest(s); got != 15*time.Second {
		t.Errorf("the next look comes after %s at the most", got)
	}
	s.settle()
	if got := longest(s); got != 5*time.Minute {
		t.Errorf("once it was obeyed, the next look comes after %s at the most", got)
	}
	s = asked(t, map[string]string{rotateToken: "soon"})
	if got := longest(s); got != 5*time.Minute {
		t.Errorf("while an annotation makes no sense, the next look comes after %s at the most", got)
	}
	s = simulate(t)
	if got := longest(s); got != 5*time.Minute {
		t.Errorf("for a tenant that is gone the next look comes after %s at the most", got)
	}
}
