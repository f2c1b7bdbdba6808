package clustertest

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
)

const (
	rotateToken, revokeToken = v1alpha1.RotateAnnotationPrefix + "token", v1alpha1.RevokeAnnotationPrefix + "token"
	rotatePayroll            = v1alpha1.RotateAnnotationPrefix + "reader.payroll"
	rotateTokens             = v1alpha1.RotateAnnotationPrefix + "accessTokens"
)

// asked is a time at which somebody asks, so many seconds from now.
func asked(seconds int) string {
	return time.Now().Add(time.Duration(seconds) * time.Second).UTC().Format(time.RFC3339)
}

func annotate(w *world, tenant *v1alpha1.ProvisioningTenant, pairs ...string) {
	w.Helper()
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		if p.Annotations == nil {
			p.Annotations = map[string]string{}
		}
		for i := 0; i < len(pairs); i += 2 {
			p.Annotations[pairs[i]] = pairs[i+1]
		}
	})
}

// untilAnother waits until the credentials Secret holds another token than the one before, and returns it.
func (w *world) untilAnother(before string) string {
	w.Helper()
	var fresh string
	w.eventually("the token changes", func() string {
		var secret corev1.Secret
		if err := w.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: "contoso-credentials"}, &secret); err != nil {
			return err.Error()
		}
		if fresh = string(secret.Data[v1alpha1.CredentialsTokenKey]); fresh == "" || fresh == before {
			return "not yet"
		}
		return ""
	})
	return fresh
}

func TestARotationThatIsAskedForLeavesTheTokenBeforeValidUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	old := w.plaintext()

	annotate(w, tenant, rotateToken, asked(0)+",overlap=48h")
	fresh := w.untilAnother(old)
	w.until(tenant, "CredentialsReady=True/Rotated", ready)
	status := tenant.Status.Credentials
	if status.Fingerprint != token.Fingerprint(fresh) || status.PreviousExpiresAt == nil || status.ExpiresAt != nil {
		t.Fatalf("status.credentials is %+v", status)
	}
	if got := status.PreviousExpiresAt.Sub(status.IssuedAt.Time); got != 48*time.Hour {
		t.Errorf("the token before is valid for %s after the rotation, want 48h", got)
	}
	if before, ok := w.verifiers().Find(old); !ok || !before.NotAfter.Equal(status.PreviousExpiresAt.Time) {
		t.Errorf("the server has %+v for the token before", before)
	}
	if now, ok := w.verifiers().Find(fresh); !ok || !now.NotAfter.IsZero() {
		t.Errorf("the server has %+v for the new token", now)
	}
	w.settled()

	annotate(w, tenant, revokeToken, asked(1))
	w.until(tenant, "CredentialsReady=True/Issued", ready)
	if set := w.verifiers(); len(set.Verifiers) != 1 {
		t.Errorf("the server has %+v, want the new token only", set.Verifiers)
	}
	if w.plaintext() != fresh {
		t.Error("the new token changed")
	}
	w.settled()
}

func TestTheIntervalShowsWhenTheTokenEndsAndRotatesNothingBeforeItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	old := w.plaintext()
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication.SecretToken = &v1alpha1.SecretToken{Rotation: v1alpha1.Rotation{RotationInterval: &metav1.Duration{Duration: 4320 * time.Hour}}}
	})
	w.until(tenant, ready)
	if status := tenant.Status.Credentials; status.ExpiresAt == nil || status.ExpiresAt.Sub(status.IssuedAt.Time) != (4320+168)*time.Hour {
		t.Errorf("status.credentials is %+v, want expiresAt at the age of 4488h", status)
	}
	if w.plaintext() != old {
		t.Error("the token was rotated before its time")
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.SecretToken = nil })
	w.eventually("expiresAt goes with the interval", func() string {
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
			return err.Error()
		}
		if tenant.Status.Credentials.ExpiresAt != nil {
			return "it is still there"
		}
		return ""
	})
}

func TestARequestThatMakesNoSenseRotatesNothingAndTheTenantStaysReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready, "RequestsObeyed=True/Obeyed")
	old := w.plaintext()
	at := asked(0)
	for _, bad := range []string{at + ",overlap=a week", "abc,overlap=0s", at + ",overlap=", asked(7 * 24 * 3600)} {
		annotate(w, tenant, rotateToken, bad)
		w.eventually("the message has the value", func() string {
			if err := w.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
				return err.Error()
			}
			c := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionRequestsObeyed)
			value, _, _ := strings.Cut(bad, ",")
			if c.Status == metav1.ConditionFalse && (strings.Contains(c.Message, value) || strings.Contains(c.Message, "overlap=")) {
				return ""
			}
			return c.Message
		})
		w.until(tenant, "RequestsObeyed=False/InvalidRequest", "Accepted=True/Accepted", "CredentialsReady=True/Issued", ready)
		if w.plaintext() != old {
			t.Fatalf("the token was rotated by %q", bad)
		}
	}
	// A good one for a reader that there is not, too.
	annotate(w, tenant, rotateToken, at+",overlap=1h", rotatePayroll, asked(0))
	w.untilAnother(old)
	w.until(tenant, "CredentialsReady=True/Rotated", "RequestsObeyed=False/InvalidRequest", ready)
	if previous := tenant.Status.Credentials.PreviousExpiresAt.Sub(tenant.Status.Credentials.IssuedAt.Time); previous != time.Hour {
		t.Errorf("the token before is valid for %s, not as the mended value says", previous)
	}
	fresh := w.plaintext()
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { delete(p.Annotations, rotatePayroll) })
	w.until(tenant, "RequestsObeyed=True/Obeyed", ready)
	// The same time again with another overlap, and an older one, as when a repository's old state is applied again.
	annotate(w, tenant, rotateToken, at+",overlap=0s")
	w.settled()
	annotate(w, tenant, rotateToken, asked(-3600)+",overlap=0s")
	w.until(tenant, "RequestsObeyed=False/InvalidRequest", ready)
	if w.plaintext() != fresh || len(w.verifiers().Verifiers) != 2 {
		t.Errorf("what was obeyed before rotated again: %+v", w.verifiers().Verifiers)
	}
}

// The overlap of an emergency does not stay for the next rotation, which would lock out who provisions.
func TestAnOverlapBelongsToItsRequestAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	old := w.plaintext()
	annotate(w, tenant, rotateToken, asked(0)+",overlap=0s")
	emergency := w.untilAnother(old)
	w.until(tenant, "CredentialsReady=True/Issued")
	if _, ok := w.verifiers().Find(old); ok {
		t.Error("the token before is accepted")
	}
	annotate(w, tenant, rotateToken, asked(1))
	w.untilAnother(emergency)
	w.until(tenant, "CredentialsReady=True/Rotated", ready)
	if _, ok := w.verifiers().Find(emergency); !ok {
		t.Error("the next rotation ended the token before at once")
	}
}

// Written in one moment or while no operator runs, they are seen together.
func TestRequestsThatAreSeenTogetherEachDoWhatTheySay(t *testing.T) {
	race.Meets(t) // rotation
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(reading("payroll", "audit")))
	w.until(tenant, ready)
	old, payroll, audit := w.plaintext(), w.untilReader("payroll", 3), w.untilReader("audit", 3)
	annotate(w, tenant, rotatePayroll, asked(0)+",overlap=0s", rotateToken, asked(1), revokeToken, asked(0), rotateTokens, asked(2))
	fresh := w.untilAnother(old)
	w.until(tenant, "CredentialsReady=True/Rotated", "RequestsObeyed=True/Obeyed", ready)
	set := w.verifiers()
	for what, c := range map[string]struct {
		token string
		want  bool
	}{
		"the Secret Token before": {old, true}, "the new one": {fresh, true},
		"the token of payroll before": {string(payroll["token"]), false}, "that of audit": {string(audit["token"]), true},
	} {
		if _, ok := set.Find(c.token); ok != c.want {
			t.Errorf("%s is accepted: %v", what, ok)
		}
	}
	if again := w.untilReader("payroll", 4); string(again["token"]) == string(payroll["token"]) {
		t.Error("the token of payroll is the same")
	}
	if set.Epoch() == "" || string(w.untilReader("audit", 4)["token"]) != string(audit["token"]) {
		t.Errorf("the epoch is %q, or audit has another token", set.Epoch())
	}
	w.settled()
}

func TestATenantThatIsMadeWithRequestsIsNotRotated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(reading("payroll"), func(p *v1alpha1.ProvisioningTenant) {
		p.Annotations = map[string]string{rotateToken: asked(0) + ",overlap=0s", revokeToken: asked(0), rotatePayroll: asked(0)}
	}))
	w.until(tenant, "CredentialsReady=True/Issued", "RequestsObeyed=True/Obeyed", ready)
	w.untilReader("payroll", 2)
	plaintext := w.plaintext()
	w.deleteSecret("contoso-verifier")
	w.settled()
	if w.plaintext() != plaintext || len(w.verifiers().Verifiers) != 2 {
		t.Error("what it was made with rotated it later")
	}
}

func TestTheReaderThatIsNamedIsRotatedAndNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(reading("payroll", "audit")))
	w.until(tenant, ready)
	secretToken, payroll, audit := w.plaintext(), w.untilReader("payroll", 3), w.untilReader("audit", 3)
	annotate(w, tenant, rotatePayroll, asked(0))
	if next := w.untilReader("payroll", 4); string(next["token"]) == string(payroll["token"]) {
		t.Error("the reader's token did not change")
	}
	if w.plaintext() != secretToken || string(w.untilReader("audit", 4)["token"]) != string(audit["token"]) {
		t.Error("another credential changed too")
	}
	if v, ok := w.verifiers().Find(string(payroll["token"])); !ok || v.Role != token.RoleReader || v.NotAfter.IsZero() {
		t.Errorf("the server has %+v for the reader's token before", v)
	}
}

func TestAccessTokensEndByTheirEpochAndNoCredentialChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(reading("payroll")))
	w.until(tenant, ready)
	data, verifiers := get(w, &corev1.Secret{}, "contoso-credentials").Data, w.verifiers().Verifiers
	unchanged := func() {
		t.Helper()
		if got := get(w, &corev1.Secret{}, "contoso-credentials").Data; !maps.EqualFunc(got, data, bytes.Equal) {
			t.Error("a credential changed")
		}
		if got := w.verifiers().Verifiers; !slices.Equal(got, verifiers) {
			t.Errorf("the server has %+v, want %+v", got, verifiers)
		}
	}
	last := asked(1)
	for _, at := range []string{asked(0), last} {
		annotate(w, tenant, rotateTokens, at)
		w.eventually("the epoch is another", func() string {
			if got := w.verifiers().Epoch(); got != at {
				return got
			}
			return ""
		})
		unchanged()
	}
	w.settled()

	// The tokens that were ended stay ended, whichever credential is rotated next.
	k := newKubectl(w)
	k.want("rotate", "contoso", "--credential", "reader.payroll")
	if got := w.verifiers().Epoch(); got != last {
		t.Errorf("with another credential the epoch became %q", got)
	}
	data, verifiers = get(w, &corev1.Secret{}, "contoso-credentials").Data, w.verifiers().Verifiers
	if got := k.want("rotate", "contoso", "--credential", "accessTokens"); got != "all access tokens of tenant contoso end; clients get new ones by themselves\n" {
		t.Errorf("rotate says %q", got)
	}
	if got := w.verifiers().Epoch(); got == last || got == "" {
		t.Errorf("the epoch is %q", got)
	}
	unchanged()
}

func TestARotationIsToldByAnEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	annotate(w, tenant, rotateToken, asked(0))
	w.eventually("an event tells of the rotation", func() string {
		var events eventsv1.EventList
		if err := w.List(t.Context(), &events, client.InNamespace(w.namespace)); err != nil {
			return err.Error()
		}
		for _, event := range events.Items {
			if event.Reason == v1alpha1.ReasonRotated && event.Type == corev1.EventTypeNormal &&
				strings.Contains(event.Note, "paste the new one into Microsoft Entra ID before that.") {
				return ""
			}
		}
		return "there is none"
	})
}

func TestRotationsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range map[string]struct {
		rotation v1alpha1.Rotation
		message  string
	}{
		"too often": {v1alpha1.Rotation{RotationInterval: &metav1.Duration{Duration: time.Minute}}, "must be a duration from 1h to 87600h such as 4320h"},
		"too long":  {v1alpha1.Rotation{Overlap: &metav1.Duration{Duration: 8761 * time.Hour}}, "must be a duration from 0s to 8760h such as 168h"},
		"three at a time": {
			v1alpha1.Rotation{RotationInterval: &metav1.Duration{Duration: 24 * time.Hour}, Overlap: &metav1.Duration{Duration: 24 * time.Hour}},
			"overlap must be shorter than rotationInterval: at most two credentials are valid at a time",
		},
	} {
		for field, change := range map[string]func(*v1alpha1.Authentication){
			"secretToken": func(a *v1alpha1.Authentication) { a.SecretToken = &v1alpha1.SecretToken{Rotation: test.rotation} },
			"oauth":       func(a *v1alpha1.Authentication) { a.OAuth = &v1alpha1.OAuth{Rotation: test.rotation} },
			"readers": func(a *v1alpha1.Authentication) {
				a.Readers = []v1alpha1.Reader{{Name: "payroll", Rotation: test.rotation}}
			},
		} {
			err := w.Create(t.Context(), w.tenant(func(p *v1alpha1.ProvisioningTenant) { change(&p.Spec.Authentication) }))
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), test.message) {
				t.Errorf("%s of %s: %v, want %q", name, field, err, test.message)
			}
		}
	}
}
