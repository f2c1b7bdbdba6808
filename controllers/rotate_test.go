package controllers

import (
	"maps"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/apply"
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

func TestWhatTheSpecSaysOfARotation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*v1alpha1.ProvisioningTenant)
		want   map[string]rotation
	}{
		"never by itself, and a week's overlap": {
			want: map[string]rotation{"token": {overlap: 7 * day, overlapNow: 7 * day}},
		},
		"an interval": {
			change: func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Authentication.SecretToken = &v1alpha1.SecretToken{Rotation: v1alpha1.Rotation{RotationInterval: duration(180 * day)}}
			},
			want: map[string]rotation{"token": {interval: 180 * day, overlap: 7 * day, overlapNow: 7 * day}},
		},
		"a short interval leaves half of it": {
			change: func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Authentication.SecretToken = &v1alpha1.SecretToken{Rotation: v1alpha1.Rotation{RotationInterval: duration(day)}}
			},
			want: map[string]rotation{"token": {interval: day, overlap: day / 2, overlapNow: day / 2}},
		},
		"each credential has its own": {
			change: func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Authentication.OAuth = &v1alpha1.OAuth{Rotation: v1alpha1.Rotation{RotationInterval: duration(30 * day), Overlap: duration(0)}}
				p.Spec.Authentication.Readers = []v1alpha1.Reader{{Name: "payroll", Rotation: v1alpha1.Rotation{Overlap: duration(time.Hour)}}}
			},
			want: map[string]rotation{
				"token": {overlap: 7 * day, overlapNow: 7 * day}, "clientSecret": {interval: 30 * day}, "reader.payroll": {overlap: time.Hour, overlapNow: time.Hour},
			},
		},
		"an overlap that was asked for counts for that rotation": {
			change: annotated(rotateToken, first+",overlap=0s"),
			want:   map[string]rotation{"token": {overlap: 7 * day, replace: true}},
		},
		"the one before ends and a new one comes": {
			change: annotated(revokeToken, first, rotateToken, second),
			want:   map[string]rotation{"token": {overlap: 7 * day, overlapNow: 7 * day, replace: true, revoke: true}},
		},
		"a new one comes and the one before ends": {
			change: annotated(revokeToken, second, rotateToken, first),
			want:   map[string]rotation{"token": {overlap: 7 * day, overlapNow: 7 * day, replace: true, revoke: true, revokeReplaced: true}},
		},
		"both at the same time: the present one is not the one before": {
			change: annotated(revokeToken, first, rotateToken, first),
			want:   map[string]rotation{"token": {overlap: 7 * day, overlapNow: 7 * day, replace: true, revoke: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := contoso()
			if test.change != nil {
				test.change(tenant)
			}
			wanted, got := token.Wanted(tenant), map[string]rotation{}
			asked := requestsOf(tenant, wanted, nil, time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
			for _, credential := range wanted {
				got[credential.Key] = rotationOf(tenant, credential, asked)
			}
			if !maps.Equal(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestTheConditionTellsUntilWhenTheTokenBeforeIsValidAndWarnsBeforeItsEnd(t *testing.T) {
	t.Parallel()
	rotated := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	week := token.Mark{Fingerprint: "new", IssuedAt: rotated, PreviousSHA256: "old", PreviousNotAfter: rotated.Add(7 * day)}
	hour := token.Mark{Fingerprint: "new", IssuedAt: rotated, PreviousSHA256: "old", PreviousNotAfter: rotated.Add(time.Hour)}
	for name, test := range map[string]struct {
		mark         token.Mark
		after        time.Duration
		deleted      bool
		reason, tail string
		next         time.Duration
	}{
		"one token only":           {mark: token.Mark{Fingerprint: "new", IssuedAt: rotated}, reason: "Issued", tail: "holds the Secret Token."},
		"just rotated":             {mark: week, reason: "Rotated", tail: "valid until 2026-11-30T12:00:00Z: paste the new one into Microsoft Entra ID before that.", next: 6 * day},
		"a day before":             {mark: week, after: 6 * day, reason: "PreviousExpiring", tail: "valid until 2026-11-30T12:00:00Z: paste the new one into Microsoft Entra ID before that.", next: 7 * day},
		"a short overlap":          {mark: hour, after: 44 * time.Minute, reason: "Rotated", tail: "before that.", next: 45 * time.Minute},
		"the end of a short one":   {mark: hour, after: 45 * time.Minute, reason: "PreviousExpiring", tail: "before that.", next: time.Hour},
		"copied and deleted again": {mark: week, deleted: true, reason: "Copied", tail: "before that.", next: 6 * day},
	} {
		now := rotated.Add(test.after)
		told := credentialsTold{accepted: map[string]token.Mark{"token": test.mark}, secretExists: !test.deleted}
		if !test.deleted {
			told.handed = told.accepted
		}
		got := credentialsReady(contoso(), told, now)
		if got.Status != metav1.ConditionTrue || got.Reason != test.reason || !strings.HasSuffix(got.Message, test.tail) {
			t.Errorf("%s: %+v", name, got)
		}
		want := rotated.Add(test.next)
		if test.next == 0 {
			want = time.Time{}
		}
		if next := (rotation{}).next(test.mark, now); !next.Equal(want) {
			t.Errorf("%s: looked at again at %s, want %s", name, next, want)
		}
	}
	if next := (rotation{interval: 3 * day}).next(week, rotated); !next.Equal(rotated.Add(3 * day)) {
		t.Errorf("the next rotation is at %s", next)
	}
}

func TestTheConditionTellsOfValuesThatAreRefusedAndOfWhatWasLost(t *testing.T) {
	t.Parallel()
	issued := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	good, refused := token.Mark{Fingerprint: "f00d", IssuedAt: issued}, token.Mark{Refused: "it is no token"}
	lost := token.Mark{Fingerprint: "f00d", IssuedAt: issued, Lost: true}
	used := func(after time.Duration) *v1alpha1.ActivityStatus {
		return &v1alpha1.ActivityStatus{LastCycle: &v1alpha1.CycleStatus{StartTime: &metav1.Time{Time: issued.Add(after)}, Requests: 1}}
	}
	rejected := &v1alpha1.ActivityStatus{CredentialsRejectedSince: &metav1.Time{Time: issued}}
	for name, test := range map[string]struct {
		accepted, token, reader token.Mark
		activity                *v1alpha1.ActivityStatus
		want, says              string
	}{
		"all is well":                           {accepted: good, token: good, reader: good, want: "True/Issued", says: "holds the Secret Token."},
		"no client was seen":                    {accepted: good, token: refused, want: "False/ValueRefused", says: "with the fingerprint f00d, which it took the place of, stays valid."},
		"the client is rejected":                {accepted: good, token: refused, activity: rejected, want: "False/ValueRefused", says: "No client is known to use"},
		"the client is let in":                  {accepted: good, token: refused, activity: used(-time.Hour), want: "True/ValueRefused", says: "has under token a value that the server does not accept: it is no token."},
		"a reader's":                            {accepted: good, token: good, reader: refused, want: "True/ValueRefused", says: "Secret contoso-reader.payroll has under token"},
		"lost":                                  {accepted: lost, token: lost, want: "True/TokenLost", says: "Microsoft Entra ID is locked out. Paste the new one, from Secret contoso-credentials,"},
		"lost, and a client was let in before":  {accepted: lost, token: lost, activity: used(-time.Hour), want: "True/TokenLost", says: "is locked out"},
		"lost, and the new one is in use":       {accepted: lost, token: lost, activity: used(time.Hour), want: "True/Issued", says: "holds the Secret Token."},
		"lost, and the new one was copied":      {accepted: lost, want: "True/Copied", says: "was deleted"},
		"a reader's was lost":                   {accepted: good, token: good, reader: lost, want: "True/TokenLost", says: "reader.payroll was lost"},
		"lost, and then its Secret was spoiled": {accepted: lost, token: refused, want: "False/ValueRefused", says: "does not accept"},
	} {
		tenant := contoso(func(p *v1alpha1.ProvisioningTenant) { p.Status.Activity = test.activity })
		told := credentialsTold{accepted: map[string]token.Mark{"token": test.accepted, "reader.payroll": good}, handed: map[string]token.Mark{}}
		if test.token != (token.Mark{}) {
			told.handed["token"], told.secretExists = test.token, true
		}
		if test.reader != (token.Mark{}) {
			told.handed["reader.payroll"] = test.reader
		}
		got := credentialsReady(tenant, told, issued.Add(2*time.Hour))
		if string(got.Status)+"/"+got.Reason != test.want || !strings.Contains(got.Message, test.says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestTheConditionTellsOfASecretThatCannotBeWrittenBesideAllElse(t *testing.T) {
	t.Parallel()
	issued := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	good := token.Mark{Fingerprint: "f00d", IssuedAt: issued}
	lost := token.Mark{Fingerprint: "f00d", IssuedAt: issued, Lost: true}
	overlapping := token.Mark{Fingerprint: "f00d", IssuedAt: issued, PreviousSHA256: "old", PreviousNotAfter: issued.Add(7 * day)}
	const inTheWay = "No new credential can be handed out in Secret contoso-reader.payroll, and those that were handed out stay valid. " +
		`Secret "contoso-reader.payroll" exists and does not belong to this tenant.`
	for name, test := range map[string]struct {
		accepted, handed token.Mark
		want, says       string
	}{
		"all else is well":        {accepted: good, handed: good, want: "True/NameConflict", says: inTheWay},
		"a token before is valid": {accepted: overlapping, handed: overlapping, want: "True/NameConflict", says: "The one before is valid until 2026-11-30T12:00:00Z"},
		"a value is refused":      {accepted: good, handed: token.Mark{Refused: "it is no token"}, want: "False/ValueRefused", says: "it is no token"},
		"a token was lost":        {accepted: lost, handed: lost, want: "True/TokenLost", says: "is locked out"},
	} {
		got := credentialsReady(contoso(), credentialsTold{
			accepted: map[string]token.Mark{"token": test.accepted, "reader.payroll": good}, handed: map[string]token.Mark{"token": test.handed},
			blocked: map[string]error{"contoso-reader.payroll": &apply.NotOursError{Kind: "Secret", Name: "contoso-reader.payroll"}}, secretExists: true,
		}, issued.Add(time.Hour))
		if string(got.Status)+"/"+got.Reason != test.want || !strings.Contains(got.Message, test.says) || !strings.Contains(got.Message, inTheWay) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// bug class 1: a crash between two writes. Here it is a rotation that is cut off, and nobody may be locked out by it or let in.
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
