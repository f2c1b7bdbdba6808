package credentials

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestEachAnnotationAsksForOneCredentialByItselfAlone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	const (
		rotateWord  = "rotate.provisioning.tenantry.dev/"
		revokeWord  = "revoke.provisioning.tenantry.dev/"
		nothingDone = "; nothing was done."
	)
	for name, test := range map[string]struct {
		annotations map[string]string
		obeyed      map[string]token.Obeyed
		rotate      string // what is asked: key=value, sorted
		revoke      string
		problems    []string
		next        time.Time
	}{
		"nothing": {},
		"a rotation with the spec's overlap": {
			annotations: map[string]string{rotateWord + "token": "2026-11-23T12:00:00Z"}, rotate: "token=2026-11-23T12:00:00Z",
		},
		"another zone, a fraction, and blanks": {
			annotations: map[string]string{rotateWord + "token": " 2026-11-23T13:00:00.5+01:00 , overlap = 24h "}, rotate: "token=2026-11-23T12:00:00.5Z,overlap=24h0m0s",
		},
		"several credentials, each as it says": {
			annotations: map[string]string{
				rotateWord + "token": "2026-11-23T12:00:00Z,overlap=0s", rotateWord + "clientSecret": "2026-11-23T12:00:00Z,overlap=8760h",
				rotateWord + "reader.payroll": "2026-11-23T12:00:01Z", rotateWord + "accessTokens": "2026-11-23T12:00:02Z",
				revokeWord + "reader.payroll": "2026-11-23T12:00:03Z",
			},
			rotate: "accessTokens=2026-11-23T12:00:02Z clientSecret=2026-11-23T12:00:00Z,overlap=8760h0m0s reader.payroll=2026-11-23T12:00:01Z token=2026-11-23T12:00:00Z,overlap=0s",
			revoke: "reader.payroll=2026-11-23T12:00:03Z",
		},
		"what was obeyed asks for nothing, whatever it says of the overlap": {
			annotations: map[string]string{rotateWord + "token": "2026-11-23T12:00:00Z,overlap=1h", revokeWord + "token": "2026-11-23T12:00:00Z"},
			obeyed:      map[string]token.Obeyed{"token": {Rotate: now, Revoke: now}},
		},
		"what another credential obeyed does not count": {
			annotations: map[string]string{rotateWord + "token": "2026-11-23T12:00:00Z"}, rotate: "token=2026-11-23T12:00:00Z",
			obeyed: map[string]token.Obeyed{"reader.payroll": {Rotate: now}},
		},
		"older than what was obeyed": {
			annotations: map[string]string{rotateWord + "token": "2026-11-22T12:00:00Z,overlap=0s"}, obeyed: map[string]token.Obeyed{"token": {Rotate: now}},
			problems: []string{`Annotation ` + rotateWord + `token: "2026-11-22T12:00:00Z,overlap=0s" is older than the request of 2026-11-23T12:00:00Z, ` +
				`which was obeyed; nothing was done; give a later time than that, or remove it.`},
		},
		"a clock that is ahead": {
			annotations: map[string]string{rotateWord + "token": "2026-11-24T12:00:00Z"}, rotate: "token=2026-11-24T12:00:00Z",
		},
		"a time far ahead": {
			annotations: map[string]string{rotateWord + "token": "2062-11-23T12:00:00Z"},
			problems:    []string{`Annotation ` + rotateWord + `token: "2062-11-23T12:00:00Z" is more than a day ahead; nothing is done before.`},
			next:        time.Date(2062, 11, 22, 12, 0, 0, 0, time.UTC),
		},
		"no such credential, and a good one": {
			annotations: map[string]string{rotateWord + "reader.audit": "2026-11-23T12:00:00Z", rotateWord + "token": "2026-11-23T12:00:00Z"},
			rotate:      "token=2026-11-23T12:00:00Z",
			problems: []string{`Annotation ` + rotateWord + `reader.audit: the tenant has no credential "reader.audit" for it, so nothing was done; ` +
				`name one that it has: token, clientSecret, reader.payroll, accessTokens.`},
		},
		"of access tokens none is the one before": {
			annotations: map[string]string{revokeWord + "accessTokens": "2026-11-23T12:00:00Z"},
			problems: []string{`Annotation ` + revokeWord + `accessTokens: the tenant has no credential "accessTokens" for it, so nothing was done; ` +
				`name one that it has: token, clientSecret, reader.payroll.`},
		},
		"access tokens end at once": {
			annotations: map[string]string{rotateWord + "accessTokens": "2026-11-23T12:00:00Z,overlap=1h"},
			problems:    []string{`Annotation ` + rotateWord + `accessTokens: "2026-11-23T12:00:00Z,overlap=1h": an end at once has no overlap` + nothingDone},
		},
		"so does the one before": {
			annotations: map[string]string{revokeWord + "token": "2026-11-23T12:00:00Z,overlap=1h"},
			problems:    []string{`Annotation ` + revokeWord + `token: "2026-11-23T12:00:00Z,overlap=1h": an end at once has no overlap` + nothingDone},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := contoso(func(p *v1alpha1.ProvisioningTenant) {
				p.Annotations = test.annotations
				p.Spec.Authentication = v1alpha1.Authentication{OAuth: &v1alpha1.OAuth{}, Readers: []v1alpha1.Reader{{Name: "payroll"}}}
			})
			got := RequestsOf(tenant, token.Wanted(tenant), test.obeyed, now)
			if asks(got.rotate) != test.rotate || asks(got.revoke) != test.revoke {
				t.Errorf("asked is %q and %q, want %q and %q", asks(got.rotate), asks(got.revoke), test.rotate, test.revoke)
			}
			if !slices.Equal(got.problems, test.problems) || !got.Next.Equal(test.next) {
				t.Errorf("problems %q and next %s, want %q and %s", got.problems, got.Next, test.problems, test.next)
			}
			condition := got.Condition()
			if ok := condition.Status == metav1.ConditionTrue; ok != (len(test.problems) == 0) || condition.Message == "" {
				t.Errorf("the condition is %+v", condition)
			}
		})
	}
}

func asks(requests map[string]token.Request) string {
	var texts []string
	for _, key := range slices.Sorted(maps.Keys(requests)) {
		texts = append(texts, key+"="+requests[key].String())
	}
	return strings.Join(texts, " ")
}

func TestABadValueIsToldAndAsksForNothing(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	const noTime, noOverlap = "is no time such as 2026-11-23T12:00:00Z", "is no overlap such as overlap=24h, from overlap=0s to overlap=8760h"
	for value, want := range map[string]string{
		"": noTime, "abc": noTime, "now": noTime, "2026-11-23": noTime, "2026-11-23 12:00:00Z": noTime, "1763899200": noTime, "0001-01-01T00:00:00Z": noTime,
		"overlap=0s": noTime, "overlap=0s,2026-11-23T12:00:00Z": noTime, strings.Repeat("9", 100_000): noTime,
		"2026-11-23T12:00:00Z,": noOverlap, "2026-11-23T12:00:00Z,banana": noOverlap, "2026-11-23T12:00:00Z,overlap=banana": noOverlap,
		"2026-11-23T12:00:00Z,overlap=": noOverlap, "2026-11-23T12:00:00Z,overlap=24": noOverlap, "2026-11-23T12:00:00Z,overlap=-1h": noOverlap,
		"2026-11-23T12:00:00Z,overlap=8761h": noOverlap, "2026-11-23T12:00:00Z,overlap=1d": noOverlap, "2026-11-23T12:00:00Z,Overlap=1h": noOverlap,
		"2026-11-23T12:00:00Z,overlap=0s,overlap=1h": noOverlap, "2026-11-23T12:00:00Z,overlap=1h,when=later": noOverlap, "2026-11-23T12:00:00Z;overlap=0s": noTime,
	} {
		tenant := contoso(annotated(rotateToken, value))
		got := RequestsOf(tenant, token.Wanted(tenant), nil, now)
		if got.Pending() || len(got.problems) != 1 || !strings.Contains(got.problems[0], want) || len(got.problems[0]) > 300 {
			t.Errorf("%.50q: asked %+v, problems %.500q", value, got.rotate, got.problems)
		}
	}
}

func TestManyBadAnnotationsMakeAMessageThatAStatusHolds(t *testing.T) {
	t.Parallel()
	tenant := contoso()
	tenant.Annotations = map[string]string{}
	for i := range 2000 {
		tenant.Annotations[fmt.Sprintf("%sreader.%d", v1alpha1.RotateAnnotationPrefix, i)] = "x"
	}
	asked := RequestsOf(tenant, token.Wanted(tenant), nil, time.Now())
	if got := asked.Condition().Message; len(got) > 2000 || !strings.HasSuffix(got, " And 1995 more.") {
		t.Errorf("the message is %q", got)
	}
}
