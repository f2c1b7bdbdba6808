package controllers

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/tenantry/tenantry/controllers/desired"
)

// eventsByReason counts events.
type eventsByReason map[string]int

func (e eventsByReason) Eventf(_, _ runtime.Object, _, reason, _, _ string, _ ...any) { e[reason]++ }

// An admission policy may keep the mark off the claim, and then the claim has none at any look.
func TestAVolumeIsToldToBeTakenUpOnceThoughAPolicyStripsItsMark(t *testing.T) {
	t.Parallel()
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso-data", UID: "uid-claim", Labels: desired.Labels("contoso")},
		Spec: corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
		}},
	}
	s := simulate(t, contoso(), claim)
	before := s.WithWatch
	s.WithWatch = interceptor.NewClient(before, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			err := c.Apply(ctx, o, opts...)
			if _, isClaim := o.(*corev1ac.PersistentVolumeClaimApplyConfiguration); isClaim && err == nil {
				var stripped corev1.PersistentVolumeClaim
				s.must(before.Get(ctx, client.ObjectKeyFromObject(claim), &stripped))
				stripped.Annotations = nil
				s.must(before.Update(ctx, &stripped))
			}
			return err
		},
	})
	told, operator := eventsByReason{}, s.operator()
	operator.Events = told
	look := func() {
		t.Helper()
		for range 3 {
			if _, err := operator.Reconcile(t.Context(), theTenant); err != nil {
				t.Fatal(err)
			}
			s.pretend()
		}
	}
	look()
	if told["VolumeTakenUp"] != 1 {
		t.Errorf("%d events in three looks", told["VolumeTakenUp"])
	}
	s.must(before.Delete(t.Context(), claim.DeepCopy()))
	restored := claim.DeepCopy()
	restored.UID, restored.ResourceVersion = "uid-restored", ""
	s.must(before.Create(t.Context(), restored))
	look()
	if told["VolumeTakenUp"] != 2 {
		t.Errorf("%d events, and another claim of the name was taken up", told["VolumeTakenUp"])
	}
}
