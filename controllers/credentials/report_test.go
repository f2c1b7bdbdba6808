package credentials

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

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
		told := Told{Accepted: map[string]token.Mark{"token": test.mark}, SecretExists: !test.deleted}
		if !test.deleted {
			told.Handed = told.Accepted
		}
		got := Ready(contoso(), told, false, now)
		if got.Status != metav1.ConditionTrue || got.Reason != test.reason || !strings.HasSuffix(got.Message, test.tail) {
			t.Errorf("%s: %+v", name, got)
		}
		want := rotated.Add(test.next)
		if test.next == 0 {
			want = time.Time{}
		}
		if next := (Rotation{}).Next(test.mark, now); !next.Equal(want) {
			t.Errorf("%s: looked at again at %s, want %s", name, next, want)
		}
	}
	if next := (Rotation{interval: 3 * day}).Next(week, rotated); !next.Equal(rotated.Add(3 * day)) {
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
	for name, test := range map[string]struct {
		accepted, token, reader token.Mark
		activity                *v1alpha1.ActivityStatus
		letIn                   bool
		want, says              string
	}{
		"all is well":                           {accepted: good, token: good, reader: good, want: "True/Issued", says: "holds the Secret Token."},
		"no client was seen":                    {accepted: good, token: refused, want: "False/ValueRefused", says: "with the fingerprint f00d, which it took the place of, stays valid."},
		"no client is let in":                   {accepted: good, token: refused, want: "False/ValueRefused", says: "No client is known to use"},
		"the client is let in":                  {accepted: good, token: refused, letIn: true, want: "True/ValueRefused", says: "has under token a value that the server does not accept: it is no token."},
		"a reader's":                            {accepted: good, token: good, reader: refused, want: "True/ValueRefused", says: "Secret contoso-reader.payroll has under token"},
		"lost":                                  {accepted: lost, token: lost, want: "True/TokenLost", says: "Microsoft Entra ID is locked out. Paste the new one, from Secret contoso-credentials,"},
		"lost, and a client was let in before":  {accepted: lost, token: lost, activity: used(-time.Hour), want: "True/TokenLost", says: "is locked out"},
		"lost, and the new one is in use":       {accepted: lost, token: lost, activity: used(time.Hour), want: "True/Issued", says: "holds the Secret Token."},
		"lost, and the new one was copied":      {accepted: lost, want: "True/Copied", says: "was deleted"},
		"a reader's was lost":                   {accepted: good, token: good, reader: lost, want: "True/TokenLost", says: "reader.payroll was lost"},
		"lost, and then its Secret was spoiled": {accepted: lost, token: refused, want: "False/ValueRefused", says: "does not accept"},
	} {
		tenant := contoso(func(p *v1alpha1.ProvisioningTenant) { p.Status.Activity = test.activity })
		told := Told{Accepted: map[string]token.Mark{"token": test.accepted, "reader.payroll": good}, Handed: map[string]token.Mark{}}
		if test.token != (token.Mark{}) {
			told.Handed["token"], told.SecretExists = test.token, true
		}
		if test.reader != (token.Mark{}) {
			told.Handed["reader.payroll"] = test.reader
		}
		got := Ready(tenant, told, test.letIn, issued.Add(2*time.Hour))
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
		got := Ready(contoso(), Told{
			Accepted: map[string]token.Mark{"token": test.accepted, "reader.payroll": good}, Handed: map[string]token.Mark{"token": test.handed},
			Blocked: map[string]error{"contoso-reader.payroll": &apply.NotOursError{Kind: "Secret", Name: "contoso-reader.payroll"}}, SecretExists: true,
		}, false, issued.Add(time.Hour))
		if string(got.Status)+"/"+got.Reason != test.want || !strings.Contains(got.Message, test.says) || !strings.Contains(got.Message, inTheWay) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// bug class 1: a crash between two writes. Here it is a rotation that is cut off, and nobody may be locked out by it or let in.
