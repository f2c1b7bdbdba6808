package controllers

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/entra"
	"github.com/tenantry/tenantry/controllers/internal/statuscheck"
	"github.com/tenantry/tenantry/controllers/rollout"
	"github.com/tenantry/tenantry/test/race"
)

// faults are all that can happen to a write.
var faults = []fault{conflict, serverError, forbidden, timeoutAfterSuccess, crashBefore, crashAfter}

// bug class 1: a crash between two writes. bug class 18: conflicts taken for failures.
func TestWhateverGoesWrongWithAnyOneWriteTheEndIsTheSame(t *testing.T) {
	t.Parallel()
	all := func(t *v1alpha1.ProvisioningTenant) {
		t.Spec.Authentication = v1alpha1.Authentication{OAuth: &v1alpha1.OAuth{}, Readers: []v1alpha1.Reader{{Name: "payroll"}}}
	}
	undisturbed := simulate(t, contoso(all))
	undisturbed.settle()
	undisturbed.check()
	want, writes := undisturbed.state(), undisturbed.writes
	if writes < 11 {
		t.Fatalf("only %d writes: the simulation does not do what the operator does", writes)
	}
	for _, kind := range faults {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			for at := 1; at <= writes; at++ {
				s := simulate(t, contoso(all))
				s.fault, s.failAt = kind, at
				s.settle()
				s.check()
				if got := s.state(); got != want {
					t.Errorf("after %s at write %d the end is another:\n%s\nwant\n%s", kind, at, got, want)
				}
			}
		})
	}
}

func TestOperatorsOfOneProcessDoNotDisturbEachOther(t *testing.T) {
	race.Meets(t) // in what packages share
	t.Parallel()
	for _, kind := range faults {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := simulate(t, contoso())
			s.fault, s.failAt = kind, 5
			s.settle()
			s.check()
		})
	}
}

func TestWhateverGoesWrongWhileCredentialsComeAndGoTheEndIsTheSame(t *testing.T) {
	t.Parallel()
	with := func(oauth bool, readers ...string) (a v1alpha1.Authentication) {
		if oauth {
			a.OAuth = &v1alpha1.OAuth{}
		}
		for _, name := range readers {
			a.Readers = append(a.Readers, v1alpha1.Reader{Name: name})
		}
		return a
	}
	for name, test := range map[string]struct {
		before, after v1alpha1.Authentication
		copied        bool // and the credentials Secret was deleted
		writes        int  // at least
	}{
		"a reader and the client are added":                        {before: with(false), after: with(true, "payroll"), writes: 2},
		"a reader and the client are removed":                      {before: with(true, "payroll"), after: with(false), writes: 2},
		"a reader is renamed":                                      {before: with(true, "payroll", "audit"), after: with(true, "accounts", "audit"), writes: 3},
		"the client goes and a reader comes":                       {before: with(true), after: with(false, "payroll"), writes: 3},
		"a reader is added after the Secret was deleted":           {before: with(true, "payroll"), after: with(true, "payroll", "audit"), copied: true, writes: 2},
		"all but the token is removed after it was deleted":        {before: with(true, "payroll"), after: with(false), copied: true, writes: 1},
		"a reader is renamed after the Secret was deleted":         {before: with(false, "payroll"), after: with(false, "accounts"), copied: true, writes: 3},
		"the client is added, a reader goes, after it was deleted": {before: with(false, "payroll"), after: with(true), copied: true, writes: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := func() *simulated {
				s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
					p.Spec.Authentication = test.before
					// The fake client makes whoever applies an Ingress again the owner of its status.
					p.Spec.Exposure.Type = v1alpha1.ExposureNone
				}))
				s.settle()
				if test.copied {
					s.copyAndDelete()
					s.settle()
				}
				s.check()
				tenant := s.tenant()
				tenant.Spec.Authentication = test.after
				tenant.Generation++
				s.must(s.WithWatch.Update(t.Context(), tenant))
				return s
			}
			undisturbed := changed()
			before := undisturbed.writes
			undisturbed.settle()
			undisturbed.check()
			want, writes := undisturbed.state(), undisturbed.writes-before
			if writes < test.writes {
				t.Fatalf("only %d writes: this test would prove nothing", writes)
			}
			for _, kind := range faults {
				for at := 1; at <= writes; at++ {
					s := changed()
					s.fault, s.failAt = kind, s.writes+at
					s.settle()
					s.check()
					if got := s.state(); got != want {
						t.Errorf("after %s at write %d the end is another:\n%s\nwant\n%s", kind, at, got, want)
					}
				}
			}
		})
	}
}

// The server takes what ended never again, which look asserts: neither where the credential is wanted again before its Secret was emptied, nor
// where something else ends meanwhile.
func TestWhateverGoesWrongACredentialThatWasTakenAwayStaysEndedWhenItIsWantedAgain(t *testing.T) {
	t.Parallel()
	all := v1alpha1.Authentication{OAuth: &v1alpha1.OAuth{}, Readers: []v1alpha1.Reader{{Name: "payroll"}, {Name: "audit"}}}
	for name, again := range map[string]v1alpha1.Authentication{
		"all of them":                         all,
		"a reader":                            {Readers: []v1alpha1.Reader{{Name: "payroll"}, {Name: "audit"}}},
		"the client, and another reader goes": {OAuth: &v1alpha1.OAuth{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := func(s *simulated, to v1alpha1.Authentication) {
				tenant := s.tenant()
				tenant.Spec.Authentication = to
				tenant.Generation++
				s.must(s.WithWatch.Update(t.Context(), tenant))
			}
			for at := 1; at <= 2; at++ {
				for second := 0; second <= 3; second++ {
					s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
						p.Spec.Authentication = all
						p.Spec.Exposure.Type = v1alpha1.ExposureNone
					}))
					s.settle()
					before := s.handed()
					change(s, v1alpha1.Authentication{Readers: []v1alpha1.Reader{{Name: "audit"}}})
					s.fault, s.failAt = crashAfter, s.writes+at
					_, _ = s.reconcile()
					change(s, again)
					s.fault, s.failAt = crashAfter, s.writes+second
					s.settle()
					set := s.verifiers()
					if len(set.Verifiers) != len(token.Wanted(s.tenant())) {
						t.Errorf("the server takes %d credentials", len(set.Verifiers))
					}
					for key, plaintext := range s.handed() {
						if plaintext == before[key] && (key == "clientSecret" || key == "reader.payroll") {
							t.Errorf("crashes after writes %d and %d: %s is handed out again", at, second, key)
						}
					}
				}
			}
		})
	}
}

func TestWhateverGoesWrongAccessTokensThatWereToEndHaveEnded(t *testing.T) {
	t.Parallel()
	for name, copied := range map[string]bool{"with the credentials Secret": false, "after it was deleted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := func() *simulated {
				s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
					p.Spec.Authentication.OAuth = &v1alpha1.OAuth{}
					p.Spec.Exposure.Type = v1alpha1.ExposureNone
				}))
				s.settle()
				if copied {
					s.copyAndDelete()
					s.settle()
				}
				tenant := s.tenant()
				tenant.Annotations = map[string]string{rotateTokens: first}
				s.must(s.WithWatch.Update(t.Context(), tenant))
				return s
			}
			undisturbed := changed()
			before := undisturbed.writes
			undisturbed.settle()
			writes := undisturbed.writes - before
			for _, kind := range faults {
				for at := 0; at <= writes; at++ {
					s := changed()
					had := s.verifiers().Verifiers
					s.fault, s.failAt = kind, s.writes+at
					if at == 0 {
						s.failAt = 0
					}
					s.settle()
					s.check()
					set := s.verifiers()
					if set.Epoch() != first || !slices.Equal(set.Verifiers, had) {
						t.Errorf("after %s at write %d the server has epoch %q and %+v, want %s and the same verifiers", kind, at, set.Epoch(), set.Verifiers, first)
					}
				}
			}
		})
	}
}

func TestAFaultThatPassesIsToldAndRetried(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso())
	s.fault, s.failAt = serverError, 4
	if _, err := s.reconcile(); err == nil {
		t.Error("the reconcile returned no error, so it would not be retried with backoff")
	}
	ready := meta.FindStatusCondition(s.tenant().Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Reason != v1alpha1.ReasonError {
		t.Errorf("Ready is %+v, want reason Error", ready)
	}
	for _, problem := range statuscheck.Tenant(s.tenant()) {
		t.Error("status: ", problem)
	}
}

// bug class 12: a status that is written on every pass; and the budget of a settled tenant.
func TestASettledTenantCostsNoWriteAndNoReadPastTheCacheEvenForAnOperatorThatJustStarted(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso())
	s.settle()
	s.now.SetTime(s.now.Now().Add(24 * time.Hour))
	s.writes, s.liveReads = 0, 0
	if _, err := s.reconcile(); err != nil {
		t.Fatal(err)
	}
	if s.writes != 0 || s.liveReads != 0 {
		t.Errorf("%d writes and %d live reads, want none", s.writes, s.liveReads)
	}
}

func TestANewTenantCostsTwelveWritesAndAsksOnlyForItselfItsSecretsAndItsEndpoints(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso())
	s.settle()
	if s.writes != 12 || s.liveReads != 4 {
		t.Errorf("%d writes and %d live reads, want 12 and 4", s.writes, s.liveReads)
	}
}

// bug class 14: a stranger's object that comes after all looks and before the write.
func TestAnObjectThatAStrangerMakesAtTheSameMomentIsNotTouched(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso())
	theirs := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso-scim", Labels: map[string]string{"theirs": "yes"}}}
	before := s.WithWatch
	s.WithWatch = interceptor.NewClient(before, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if _, isService := o.(*corev1ac.ServiceApplyConfiguration); isService && theirs.UID == "" {
				theirs.UID = "uid-of-theirs"
				s.must(before.Create(ctx, theirs))
			}
			return c.Apply(ctx, o, opts...)
		},
	})
	s.settle()
	var found corev1.Service
	s.must(before.Get(t.Context(), client.ObjectKeyFromObject(theirs), &found))
	if found.UID != theirs.UID || found.ResourceVersion != theirs.ResourceVersion {
		t.Errorf("the stranger's Service was changed: %+v", found)
	}
	if ready := meta.FindStatusCondition(s.tenant().Status.Conditions, v1alpha1.ConditionReady); ready.Reason != v1alpha1.ReasonNameConflict {
		t.Errorf("Ready is %+v, want reason NameConflict", ready)
	}
}

// bug class 2: acting on an old cache. Here it has not seen the Secrets that were just written.
func TestAnOldCacheDoesNotMakeASecondToken(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso())
	s.settle()
	blind := interceptor.NewClient(s.WithWatch, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, isMetadata := o.(*metav1.PartialObjectMetadata); isMetadata {
				return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, key.Name)
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
	seeing := s.WithWatch
	s.WithWatch = blind
	r := &ProvisioningTenantReconciler{
		Client: s, Live: seeing, Events: noEvents{}, Entra: entra.NewVerifier(nil, nil, logr.Discard()),
		Upgrades: rollout.NewLimiter(1, "test"),
		Options:  Options{ServerImage: "scimserver:test", LeaseNamespace: "tenantry-system", Clock: s.now, Random: rand.NewChaCha8([32]byte{77})},
	}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "customers", Name: "contoso"}}); err != nil {
		t.Fatal(err)
	}
	s.WithWatch = seeing
	s.look()
	s.check()
}

// bug class 4: something is created for a tenant that was deleted a moment ago.
func TestNothingIsCreatedForATenantThatIsGone(t *testing.T) {
	t.Parallel()
	for name, live := range map[string][]client.Object{
		"deleted":   nil,
		"made anew": {contoso(func(t *v1alpha1.ProvisioningTenant) { t.UID = "uid-of-another" })},
		"about to be gone": {contoso(func(t *v1alpha1.ProvisioningTenant) {
			t.DeletionTimestamp, t.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"test/hold"}
		})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, contoso())
			truth := simulate(t, live...)
			r := &ProvisioningTenantReconciler{
				Client: s, Live: truth, Events: noEvents{}, Entra: entra.NewVerifier(nil, nil, logr.Discard()),
				Upgrades: rollout.NewLimiter(1, "test"),
				Options:  Options{ServerImage: "scimserver:test", LeaseNamespace: "tenantry-system", Clock: s.now, Random: rand.NewChaCha8([32]byte{})},
			}
			if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "customers", Name: "contoso"}}); err != nil {
				t.Error(err)
			}
			if s.writes != 0 {
				t.Errorf("%d writes for a tenant that is gone", s.writes)
			}
		})
	}
}

func TestOfATenantThatIsBeingDeletedTheStatusAloneIsWrittenOnce(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso(func(t *v1alpha1.ProvisioningTenant) {
		t.DeletionTimestamp, t.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"test/hold"}
	}))
	for range 2 {
		if _, err := s.reconcile(); err != nil || s.writes != 1 {
			t.Errorf("%d writes, error %v", s.writes, err)
		}
	}
	if ready := meta.FindStatusCondition(s.tenant().Status.Conditions, v1alpha1.ConditionReady); ready == nil || ready.Reason != v1alpha1.ReasonTerminating {
		t.Errorf("Ready is %+v", ready)
	}
}

func TestATenantWithoutAHostIsToldToSetOne(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso(func(t *v1alpha1.ProvisioningTenant) { t.Spec.Exposure.Host = "" }))
	s.settle()
	accepted := meta.FindStatusCondition(s.tenant().Status.Conditions, v1alpha1.ConditionAccepted)
	if accepted.Reason != v1alpha1.ReasonHostMissing || accepted.Message != "Set spec.exposure.host: the operator has no base domain from which to make one." {
		t.Errorf("Accepted is %+v", accepted)
	}
	if !meta.IsStatusConditionTrue(s.tenant().Status.Conditions, v1alpha1.ConditionStalled) {
		t.Error("the tenant is not Stalled")
	}
	for _, c := range s.tenant().Status.Conditions {
		if c.Status == metav1.ConditionTrue && c.Type != v1alpha1.ConditionStalled && c.Type != v1alpha1.ConditionEntraTenantVerified {
			t.Errorf("of a tenant that has nothing condition %s is True: %s", c.Type, c.Message)
		}
	}
	for _, problem := range statuscheck.Tenant(s.tenant()) {
		t.Error("status: ", problem)
	}
}

// bug class 10: an unknown enum value taken for the default.
func TestAValueOfANewerVersionIsNotTakenForTheDefault(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*v1alpha1.ProvisioningTenant){
		"exposure": func(t *v1alpha1.ProvisioningTenant) { t.Spec.Exposure.Type = "Tunnel" },
		"storage":  func(t *v1alpha1.ProvisioningTenant) { t.Spec.Storage.Type = "CockroachDB" },
	} {
		s := simulate(t, contoso(change))
		s.settle()
		var deployment appsv1.Deployment
		err := s.WithWatch.Get(t.Context(), client.ObjectKey{Namespace: "customers", Name: "contoso-scim"}, &deployment)
		if served := err == nil; served != (name == "exposure") {
			t.Errorf("%s: a server was made: %v", name, served)
		}
		if c := meta.FindStatusCondition(s.tenant().Status.Conditions, v1alpha1.ConditionAccepted); c.Reason != v1alpha1.ReasonUnsupported {
			t.Errorf("%s: Accepted is %+v, want reason Unsupported", name, c)
		}
		for _, conditionType := range map[string][]string{
			"exposure": {v1alpha1.ConditionExposureInEffect},
			"storage":  {v1alpha1.ConditionExposureInEffect, v1alpha1.ConditionStorageInEffect},
		}[name] {
			if meta.IsStatusConditionTrue(s.tenant().Status.Conditions, conditionType) {
				t.Errorf("%s: %s is True", name, conditionType)
			}
		}
	}
}
