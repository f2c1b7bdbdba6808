package controllers

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/statuscheck"
)

const day = 24 * time.Hour

func duration(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func annotated(pairs ...string) func(*v1alpha1.ProvisioningTenant) {
	return func(t *v1alpha1.ProvisioningTenant) {
		if t.Annotations == nil {
			t.Annotations = map[string]string{}
		}
		for i := 0; i < len(pairs); i += 2 {
			t.Annotations[pairs[i]] = pairs[i+1]
		}
	}
}

// Names of annotations, and times at which people ask, each later than the one before. The simulated clock stands at noon of the 23rd.
const (
	rotateToken, revokeToken   = v1alpha1.RotateAnnotationPrefix + "token", v1alpha1.RevokeAnnotationPrefix + "token"
	rotateReader, revokeReader = v1alpha1.RotateAnnotationPrefix + "reader.payroll", v1alpha1.RevokeAnnotationPrefix + "reader.payroll"
	rotateTokens               = v1alpha1.RotateAnnotationPrefix + "accessTokens"

	earlier, first, second, third = "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z", "2026-11-23T12:00:01Z", "2026-11-23T12:00:02Z"
)

func TestWhateverGoesWrongDuringARotationTheEndIsTheSame(t *testing.T) {
	t.Parallel()
	interval := func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication.SecretToken = &v1alpha1.SecretToken{Rotation: v1alpha1.Rotation{RotationInterval: duration(30 * day)}}
	}
	for name, test := range map[string]struct {
		before func(*v1alpha1.ProvisioningTenant)
		first  func(*v1alpha1.ProvisioningTenant) // and settled
		copied bool                               // and the credentials Secret was deleted
		passes time.Duration                      // before the change
		change func(*v1alpha1.ProvisioningTenant)
		both   bool // the token before is valid beside the new one
		writes int  // at least
	}{
		"asked for":                      {change: annotated(rotateToken, first), both: true, writes: 3},
		"asked for, after it was copied": {copied: true, change: annotated(rotateToken, first), both: true, writes: 3},
		"asked for without overlap":      {change: annotated(rotateToken, first+",overlap=0s"), writes: 4},
		"asked for without overlap, after it was copied": {
			copied: true, change: annotated(rotateToken, first+",overlap=0s"), writes: 4,
		},
		"asked for, and then that the one before ends": {
			change: annotated(rotateToken, first, revokeToken, second), writes: 4,
		},
		"asked for after it was asked that the one before ends": {
			change: annotated(rotateToken, second, revokeToken, first), both: true, writes: 3,
		},
		"ended later": {
			first: annotated(rotateToken, first), change: annotated(revokeToken, second), writes: 3,
		},
		"asked for, while access tokens end": {
			change: annotated(rotateToken, first, rotateTokens, second), both: true, writes: 4,
		},
		"by age": {before: interval, passes: 30 * day, both: true, writes: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := func() *simulated {
				s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
					p.Spec.Exposure.Type = v1alpha1.ExposureNone // see the test above
					if test.before != nil {
						test.before(p)
					}
				}))
				s.settle()
				if test.copied {
					s.copyAndDelete()
					s.settle()
				}
				s.check()
				if test.first != nil {
					s.annotate(test.first)
					s.settle()
				}
				s.now.SetTime(s.now.Now().Add(test.passes))
				if test.change != nil {
					s.annotate(test.change)
				}
				return s
			}
			undisturbed := changed()
			before := undisturbed.writes
			undisturbed.settle()
			undisturbed.checkRotated(test.both)
			want, writes := undisturbed.state(), undisturbed.writes-before
			if writes < test.writes {
				t.Fatalf("only %d writes: this test would prove nothing", writes)
			}
			for _, kind := range faults {
				for at := 1; at <= writes; at++ {
					s := changed()
					s.fault, s.failAt = kind, s.writes+at
					s.settle()
					s.checkRotated(test.both)
					if got := s.state(); got != want {
						t.Errorf("after %s at write %d the end is another:\n%s\nwant\n%s", kind, at, got, want)
					}
				}
			}
			// And when the overlap is over, the new token is the only one.
			undisturbed.now.SetTime(undisturbed.now.Now().Add(7 * day))
			undisturbed.settle()
			undisturbed.checkRotated(false)
		})
	}
}

func (s *simulated) annotate(change func(*v1alpha1.ProvisioningTenant)) {
	s.Helper()
	tenant := s.tenant()
	change(tenant)
	s.must(s.WithWatch.Update(s.Context(), tenant))
}

// checkRotated asserts that the token was replaced once.
func (s *simulated) checkRotated(both bool) {
	s.Helper()
	for _, problem := range statuscheck.Tenant(s.tenant()) {
		s.Error("status: ", problem)
	}
	if !meta.IsStatusConditionTrue(s.tenant().Status.Conditions, v1alpha1.ConditionReady) {
		s.Errorf("the tenant is not ready: %+v", s.tenant().Status.Conditions)
	}
	given, now := s.tokens[v1alpha1.CredentialsTokenKey], s.now.Now()
	if len(given) != 2 {
		s.Fatalf("%d different tokens were stored, want the one before and the new one", len(given))
	}
	set, credentials := s.verifiers(), s.tenant().Status.Credentials
	old, known := set.Find(given[0])
	if valid := known && !old.Expired(now); valid != both {
		s.Errorf("the token before is valid: %v, want %v", valid, both)
	}
	if fresh, ok := set.Find(given[1]); !ok || !fresh.NotAfter.IsZero() {
		s.Errorf("the new token is %+v", fresh)
	}
	if both != (len(set.Verifiers) == 2) || !both != (len(set.Verifiers) == 1) {
		s.Errorf("the server has %d verifiers", len(set.Verifiers))
	}
	if credentials.Fingerprint != token.Fingerprint(given[1]) || (credentials.PreviousExpiresAt != nil) != both {
		s.Errorf("status.credentials is %+v", credentials)
	}
	if held := string(s.secret("contoso-credentials").Data[v1alpha1.CredentialsTokenKey]); held != given[1] {
		s.Error("the credentials Secret does not hold the new token")
	}
}
