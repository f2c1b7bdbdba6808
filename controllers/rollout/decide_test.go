package rollout

import (
	"maps"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

func TestAnUpgradeIsAChangeOfPodsThatNobodyButTheOperatorMade(t *testing.T) {
	t.Parallel()
	want := corev1ac.PodTemplateSpec()
	now, err := apply.Hash(want)
	if err != nil {
		t.Fatal(err)
	}
	had := func(template string) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { d.Annotations[desired.AnnotationTemplate] = template }
	}
	stopped := func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](0) }
	of := func(account types.UID) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) {
			d.Spec.Template.Annotations = map[string]string{desired.AnnotationAccount: string(account)}
		}
	}
	have := func(change ...func(*appsv1.Deployment)) *appsv1.Deployment {
		d := server("a", change...)
		return &d
	}
	for name, test := range map[string]struct {
		have *appsv1.Deployment
		// notApplied tells that the spec is of a later generation than condition RolledOut, and never that nothing is known of it.
		notApplied, never, moving bool
		account                   types.UID

		place     bool
		mark      string
		ofAccount types.UID
	}{
		"it is new":                           {have: nil},
		"its pods stay":                       {have: have(had(now))},
		"its pods stay as they were upgraded": {have: have(had(now), to("v2")), mark: "v2"},
		"its pods stay as another operator upgraded them":       {have: have(had(now), to("v1")), mark: "v1"},
		"its pods are others":                                   {have: have(had("other")), place: true, mark: "v2"},
		"its pods are others, and it was upgraded before":       {have: have(had("other"), to("v1")), place: true, mark: "v2"},
		"it was broken before":                                  {have: have(had("other"), unavailable), place: true},
		"an upgrade broke it, and here is the next":             {have: have(had("other"), to("v1"), unavailable), place: true},
		"the spec was changed":                                  {have: have(had("other")), notApplied: true},
		"the spec was changed after its upgrade":                {have: have(had("other"), to("v2")), notApplied: true},
		"the spec was changed, and its upgrade broke it":        {have: have(had("other"), to("v2"), unavailable), notApplied: true, mark: "v2"},
		"the spec was changed, and the upgrade before broke it": {have: have(had("other"), to("v1"), unavailable), notApplied: true},
		"nothing is known of its rollout":                       {have: have(had("other")), never: true},
		"the directory moves":                                   {have: have(had("other")), moving: true},
		"it is stopped, as after a move":                        {have: have(had("other"), stopped)},
		"somebody took the hash away":                           {have: have()},

		"it is new, and has an account":                       {account: "uid-1", ofAccount: "uid-1"},
		"its account is not known":                            {have: have(had("other"), of("uid-1")), place: true, mark: "v2", ofAccount: "uid-1"},
		"its account stays":                                   {have: have(had("other"), of("uid-1")), account: "uid-1", place: true, mark: "v2", ofAccount: "uid-1"},
		"its pods were of no account that is known":           {have: have(had("other")), account: "uid-1", place: true, mark: "v2", ofAccount: "uid-1"},
		"its account was made anew, and its pods are refused": {have: have(had("other"), of("uid-1")), account: "uid-2", mark: "v2", ofAccount: "uid-2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Generation: 3}}
			rolledOut := metav1.Condition{Type: v1alpha1.ConditionRolledOut, Status: metav1.ConditionFalse, ObservedGeneration: 3}
			if test.notApplied {
				tenant.Generation = 4
			}
			if test.never {
				rolledOut.Status = metav1.ConditionUnknown
			}
			tenant.Status.Conditions = []metav1.Condition{rolledOut}
			got, err := Decide(State{Tenant: tenant, Have: test.have, Want: want, Account: test.account, Moving: test.moving, Revision: "v2"})
			if err != nil {
				t.Fatal(err)
			}
			annotations := map[string]string{desired.AnnotationTemplate: now}
			if test.mark != "" {
				annotations[desired.AnnotationUpgrade] = test.mark
			}
			if got.NeedsPlace != test.place || got.Account != test.ofAccount || !maps.Equal(got.Annotations, annotations) {
				t.Errorf("got %+v, want a place %v, account %q and annotations %v", got, test.place, test.ofAccount, annotations)
			}
		})
	}
}
