package credentials

import (
	"maps"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

const day = 24 * time.Hour

// Names of annotations, and times at which people ask.
const (
	rotateToken, revokeToken = v1alpha1.RotateAnnotationPrefix + "token", v1alpha1.RevokeAnnotationPrefix + "token"

	first, second = "2026-11-23T12:00:00Z", "2026-11-23T12:00:01Z"
)

func contoso(change ...func(*v1alpha1.ProvisioningTenant)) *v1alpha1.ProvisioningTenant {
	tenant := &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso", UID: "uid-contoso", Generation: 1}}
	for _, f := range change {
		f(tenant)
	}
	return tenant
}

func duration(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func annotated(pairs ...string) func(*v1alpha1.ProvisioningTenant) {
	return func(t *v1alpha1.ProvisioningTenant) {
		t.Annotations = map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			t.Annotations[pairs[i]] = pairs[i+1]
		}
	}
}

func TestWhatTheSpecSaysOfARotation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*v1alpha1.ProvisioningTenant)
		want   map[string]Rotation
	}{
		"never by itself, and a week's overlap": {
			want: map[string]Rotation{"token": {overlap: 7 * day, overlapNow: 7 * day}},
		},
		"an interval": {
			change: func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Authentication.SecretToken = &v1alpha1.SecretToken{Rotation: v1alpha1.Rotation{RotationInterval: duration(180 * day)}}
			},
			want: map[string]Rotation{"token": {interval: 180 * day, overlap: 7 * day, overlapNow: 7 * day}},
		},
		"a short interval leaves half of it": {
			change: func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Authentication.SecretToken = &v1alpha1.SecretToken{Rotation: v1alpha1.Rotation{RotationInterval: duration(day)}}
			},
			want: map[string]Rotation{"token": {interval: day, overlap: day / 2, overlapNow: day / 2}},
		},
		"each credential has its own": {
			change: func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Authentication.OAuth = &v1alpha1.OAuth{Rotation: v1alpha1.Rotation{RotationInterval: duration(30 * day), Overlap: duration(0)}}
				p.Spec.Authentication.Readers = []v1alpha1.Reader{{Name: "payroll", Rotation: v1alpha1.Rotation{Overlap: duration(time.Hour)}}}
			},
			want: map[string]Rotation{
				"token": {overlap: 7 * day, overlapNow: 7 * day}, "clientSecret": {interval: 30 * day}, "reader.payroll": {overlap: time.Hour, overlapNow: time.Hour},
			},
		},
		"an overlap that was asked for counts for that rotation": {
			change: annotated(rotateToken, first+",overlap=0s"),
			want:   map[string]Rotation{"token": {overlap: 7 * day, replace: true}},
		},
		"the one before ends and a new one comes": {
			change: annotated(revokeToken, first, rotateToken, second),
			want:   map[string]Rotation{"token": {overlap: 7 * day, overlapNow: 7 * day, replace: true, revoke: true}},
		},
		"a new one comes and the one before ends": {
			change: annotated(revokeToken, second, rotateToken, first),
			want:   map[string]Rotation{"token": {overlap: 7 * day, overlapNow: 7 * day, replace: true, revoke: true, revokeReplaced: true}},
		},
		"both at the same time: the present one is not the one before": {
			change: annotated(revokeToken, first, rotateToken, first),
			want:   map[string]Rotation{"token": {overlap: 7 * day, overlapNow: 7 * day, replace: true, revoke: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := contoso()
			if test.change != nil {
				test.change(tenant)
			}
			wanted, got := token.Wanted(tenant), map[string]Rotation{}
			asked := RequestsOf(tenant, wanted, nil, time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
			for _, credential := range wanted {
				got[credential.Key] = RotationOf(tenant, credential, asked)
			}
			if !maps.Equal(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
