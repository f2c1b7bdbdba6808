package controllers

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/credentials"
	"github.com/tenantry/tenantry/controllers/internal/statuscheck"
)

// backup is the Secrets of a tenant as they were.
type backup []*corev1.Secret

const (
	verifierSecret, credentialsSecret, payrollSecret = "contoso-verifier", "contoso-credentials", "contoso-reader.payroll"
)

func (s *simulated) backup() backup {
	s.Helper()
	return backup{s.secret(verifierSecret), s.secret(credentialsSecret), s.secret(payrollSecret)}
}

// restore puts these Secrets back as kubectl replace does, or those that are gone as a tool that makes them, and with fields as Velero, which puts
// managed fields back.
func (s *simulated) restore(saved backup, fields bool, names ...string) {
	s.Helper()
	for _, secret := range saved {
		if !slices.Contains(names, secret.Name) {
			continue
		}
		again := secret.DeepCopy()
		again.ResourceVersion = s.secret(secret.Name).ResourceVersion
		if again.ResourceVersion == "" {
			s.must(s.WithWatch.Create(s.Context(), again))
		} else {
			s.must(s.WithWatch.Update(s.Context(), again, client.FieldOwner("kubectl-replace")))
		}
		if fields {
			again.ManagedFields = secret.ManagedFields
			s.must(s.WithWatch.Update(s.Context(), again, client.FieldOwner("kubectl-replace")))
		}
	}
	s.taken, s.ended = map[string]bool{}, map[string]bool{} // what the server took before is no matter then
}

// pass lets the clock go on.
func (s *simulated) pass(d time.Duration) { s.now.SetTime(s.now.Now().Add(d)) }

// told is the message about the credentials.
func (s *simulated) told() string {
	s.Helper()
	return meta.FindStatusCondition(s.tenant().Status.Conditions, v1alpha1.ConditionCredentialsReady).Message
}

// In each, yesterday's token was A and today's is B, which clients use.
func TestSecretsOfYesterdayAreToldOfAndLetNobodyInWhomSomebodyEnded(t *testing.T) {
	t.Parallel()
	both := []string{verifierSecret, credentialsSecret}
	for name, test := range map[string]struct {
		asked  []string // of the token, after yesterday
		passes time.Duration
		copied bool     // today's credentials Secret was deleted
		back   []string // of yesterday's Secrets
		want   string   // CredentialsReady
		says   string   // with the fingerprints of A and B
		accept string   // A, B, or C for one that nobody had
	}{
		"both": {
			asked: []string{rotateToken, first}, passes: 8 * day, back: both,
			want: "True/TokenReplaced", says: "The Secret Token with the fingerprint B ended", accept: "A",
		},
		"both, and B had come by age": {
			passes: 31 * day, back: both, want: "True/TokenReplaced", says: "The Secret Token with the fingerprint B ended", accept: "A",
		},
		"both, and somebody had ended A": {
			asked: []string{rotateToken, first + ",overlap=0s"}, back: both,
			want: "True/TokenReplaced", says: "The Secret Token with the fingerprint B ended", accept: "C",
		},
		"both, and somebody had ended A in two steps": {
			asked: []string{rotateToken, first, revokeToken, second}, back: both,
			want: "True/TokenReplaced", says: "The Secret Token with the fingerprint B ended", accept: "C",
		},
		"both, B was copied": {
			asked: []string{rotateToken, first}, passes: 8 * day, copied: true, back: both,
			want: "True/TokenReplaced", says: "The Secret Token with the fingerprint B ended", accept: "A",
		},
		"both, somebody had ended A, and B was copied": {
			asked: []string{rotateToken, first + ",overlap=0s"}, copied: true, back: both,
			want: "True/TokenReplaced", says: "The Secret Token with the fingerprint B ended", accept: "C",
		},
		"the one to copy from": {
			asked: []string{rotateToken, first}, passes: 8 * day, back: []string{credentialsSecret},
			want: "True/TokenReplaced", says: "The Secret Token with the fingerprint B ended", accept: "A",
		},
		"the one to copy from, and somebody had ended A": {
			asked: []string{rotateToken, first + ",overlap=0s"}, back: []string{credentialsSecret},
			want: "False/ValueRefused", says: "it was ended on request at 2026-11-23T13:00:00Z, and is not accepted again. " +
				"The one with the fingerprint B, which it took the place of, stays valid.", accept: "B",
		},
		"the verifiers": {
			asked: []string{rotateToken, first}, passes: 8 * day, back: []string{verifierSecret},
			want: "True/Issued", says: "holds the Secret Token", accept: "B",
		},
		"the verifiers, and somebody had ended A": {
			asked: []string{rotateToken, first + ",overlap=0s"}, back: []string{verifierSecret},
			want: "True/Issued", says: "holds the Secret Token", accept: "B",
		},
		"the verifiers, B was copied": {
			asked: []string{rotateToken, first}, passes: 8 * day, copied: true, back: []string{verifierSecret},
			want: "True/TokenReplaced", says: "The Secret Token with the fingerprint B ended", accept: "A",
		},
		"the verifiers, somebody had ended A, and B was copied": {
			asked: []string{rotateToken, first + ",overlap=0s"}, copied: true, back: []string{verifierSecret},
			want: "True/TokenReplaced", says: "The Secret Token with the fingerprint B ended", accept: "C",
		},
	} {
		yesterday := func(t *testing.T, fields bool) {
			t.Parallel()
			w := watch(t)
			if test.asked == nil {
				w.annotate(func(p *v1alpha1.ProvisioningTenant) {
					p.Spec.Authentication.SecretToken = &v1alpha1.SecretToken{Rotation: v1alpha1.Rotation{RotationInterval: duration(30 * day), Overlap: duration(time.Hour)}}
				})
				w.turn()
			}
			saved, a := w.backup(), w.handed()["token"]
			w.pass(time.Hour)
			w.annotate(annotated(test.asked...))
			w.turn()
			if test.passes > 0 {
				w.pass(test.passes)
				w.turn()
				w.pass(2 * time.Hour)
				w.turn()
			}
			b := w.handed()["token"]
			if _, ok := w.verifiers().Find(a); ok || a == b {
				t.Fatal("A was not rotated")
			}
			w.annotate(func(p *v1alpha1.ProvisioningTenant) { p.Annotations = nil }) // what is asked is not asked again
			if test.copied {
				w.delete(credentialsSecret)
			}
			w.pass(time.Hour)
			w.restore(saved, fields, test.back...)
			w.turn()
			w.expect("CredentialsReady=" + test.want)
			says := strings.NewReplacer("fingerprint A", "fingerprint "+token.Fingerprint(a), "fingerprint B", "fingerprint "+token.Fingerprint(b)).Replace(test.says)
			if !strings.Contains(w.told(), says) {
				t.Errorf("the message is %q, want %q", w.told(), says)
			}
			accepted := map[string]string{"A": a, "B": b, "C": w.handed()["token"]}[test.accept]
			for value, want := range map[string]bool{a: test.accept == "A", b: test.accept == "B", accepted: true} {
				if _, ok := w.verifiers().Find(value); ok != want {
					t.Errorf("%s is accepted: %t, want %t", token.Fingerprint(value), ok, want)
				}
			}
			w.accepts("clientSecret", "reader.payroll", "token")
			before := w.writes
			if w.turn(); w.writes != before {
				t.Errorf("a settled tenant costs %d writes", w.writes-before)
			}
			for _, problem := range statuscheck.Tenant(w.tenant()) {
				t.Error("status: ", problem)
			}
			if test.want != "True/TokenReplaced" {
				return
			}
			if message := w.told(); !strings.Contains(message, "kubectl tenantry token contoso -n customers prints it") {
				t.Errorf("the message does not say what to do: %q", message)
			}
			w.pass(time.Hour)
			tenant := w.tenant()
			tenant.Status.Activity = &v1alpha1.ActivityStatus{LastCycle: &v1alpha1.CycleStatus{StartTime: &metav1.Time{Time: w.now.Now()}}}
			w.must(w.Status().Update(t.Context(), tenant))
			w.turn()
			if ready := meta.FindStatusCondition(w.tenant().Status.Conditions, "CredentialsReady"); ready.Reason == "TokenReplaced" {
				t.Errorf("a client was let in, and it is told still: %+v", ready)
			}
		}
		t.Run(name, func(t *testing.T) { yesterday(t, false) })
		t.Run(name+", with managed fields", func(t *testing.T) { yesterday(t, true) })
	}
}

// Both Secrets are put back with one write that goes wrong afterwards. In the first B goes and A comes, in the second neither is accepted.
func TestWhateverGoesWrongAfterSecretsOfYesterdayWerePutBackTheEndIsTheSame(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		asked  string
		passes time.Duration
		stays  bool // A is accepted
	}{
		"A had ended by itself":   {first, 8 * day, true},
		"somebody had ended A":    {first + ",overlap=0s", 0, false},
		"and it is asked as then": {third + ",overlap=0s", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func(t *testing.T, kind fault, at int) int {
				t.Helper()
				w := watch(t)
				saved, a := w.backup(), w.handed()["token"]
				w.pass(time.Hour)
				w.annotate(annotated(rotateToken, test.asked))
				w.turn()
				w.pass(test.passes)
				w.turn()
				b := w.handed()["token"]
				if test.asked[:len(third)] != third {
					w.annotate(func(p *v1alpha1.ProvisioningTenant) { p.Annotations = nil })
				}
				w.pass(time.Hour)
				w.restore(saved, true, verifierSecret, credentialsSecret)
				before := w.writes
				w.fault, w.failAt = kind, before+at
				w.settle()
				if _, ok := w.verifiers().Find(a); ok != test.stays {
					t.Errorf("A is accepted: %t", ok)
				}
				if _, ok := w.verifiers().Find(b); ok {
					t.Error("B is accepted, of which nothing was left")
				}
				if now := w.handed()["token"]; now == b || (now == a) != test.stays {
					t.Error("the Secret holds another token")
				}
				w.accepts("clientSecret", "reader.payroll", "token")
				w.expect("CredentialsReady=True/TokenReplaced", "Ready=True/Ready")
				if want := "The Secret Token with the fingerprint " + token.Fingerprint(b) + " ended"; !strings.Contains(w.told(), want) {
					t.Errorf("the message is %q", w.told())
				}
				return w.writes - before
			}
			writes := run(t, "", 0)
			if writes < 3 {
				t.Fatalf("%d writes", writes)
			}
			for _, kind := range []fault{conflict, crashAfter} { // the others end at the same places
				for at := 1; at <= writes; at++ {
					t.Run(string(kind), func(t *testing.T) { t.Parallel(); run(t, kind, at) })
				}
			}
		})
	}
}

func TestWhatSomebodyEndedIsRefusedForWhicheverCredentialAndAlsoWhereOneRecordOfItWasLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(w *watched){
		"both records are there": func(*watched) {},
		"the status was lost": func(w *watched) {
			tenant := w.tenant()
			tenant.Status.Credentials = nil
			w.must(w.Status().Update(w.Context(), tenant))
		},
		"the annotation was lost": func(w *watched) {
			secret := w.secret(verifierSecret)
			delete(secret.Annotations, v1alpha1.EndedAnnotation)
			w.must(w.WithWatch.Update(w.Context(), secret, client.FieldOwner("kubectl-edit")))
		},
		"the verifiers were lost": func(w *watched) { w.must(w.WithWatch.Delete(w.Context(), w.secret(verifierSecret))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t)
			put := func(name, key, value string) {
				secret := w.secret(name)
				secret.Data[key] = []byte(value)
				w.must(w.WithWatch.Update(w.Context(), secret, client.FieldOwner("kubectl-edit")))
				w.taken, w.ended = map[string]bool{}, map[string]bool{}
				w.turn()
			}
			old := w.handed()
			w.ask(rotateToken, rotateReader)
			w.annotate(annotated(rotateReader, w.now.Now().Add(time.Second).Format(time.RFC3339))) // once more, and then that ends
			w.turn()
			middle := w.handed()["reader.payroll"]
			if w.pass(time.Minute); middle == w.handed()["token"] {
				t.Fatal("one token for two")
			}
			w.annotate(annotated(rotateReader, w.now.Now().Format(time.RFC3339)))
			w.turn()
			w.ask(revokeReader)
			now := w.handed()
			lose(w)
			w.turn()
			if ended := w.tenant().Status.Credentials.Ended; len(ended) != 3 || len(token.Ended(w.secret(verifierSecret).Annotations)) != 3 {
				t.Errorf("%+v ended", ended)
			}
			for _, value := range []string{old["token"], old["reader.payroll"], middle} {
				for _, place := range [][2]string{{credentialsSecret, "token"}, {credentialsSecret, "clientSecret"}, {payrollSecret, "token"}} {
					key := place[1]
					if place[0] == payrollSecret {
						key = "reader.payroll"
					}
					put(place[0], place[1], value)
					if mark := token.Marks(w.secret(place[0]).Annotations)[key]; !strings.HasPrefix(mark.Refused, "it was ended on request at 2026-11-23T12:") {
						t.Errorf("%s is %+v", key, mark)
					}
					if _, ok := w.verifiers().Find(value); ok {
						t.Errorf("what somebody ended is accepted as %s", key)
					}
					put(place[0], place[1], now[key])
					w.expect("CredentialsReady=True/Issued")
				}
			}
			w.accepts("clientSecret", "reader.payroll", "token")
		})
	}
}

// Somebody ended the token before, of which the Secrets of yesterday tell that it is valid for some days.
func TestATokenBeforeThatSomebodyEndedIsNotValidAgainWithSecretsOfYesterday(t *testing.T) {
	t.Parallel()
	for name, back := range map[string][]string{
		"both":                 {verifierSecret, credentialsSecret},
		"the verifiers":        {verifierSecret},
		"the one to copy from": {credentialsSecret},
	} {
		w := watch(t)
		a := w.handed()["token"]
		w.annotate(annotated(rotateToken, first))
		w.turn()
		saved, b := w.backup(), w.handed()["token"]
		w.ask(revokeToken)
		w.annotate(func(p *v1alpha1.ProvisioningTenant) { p.Annotations = nil })
		w.turn()
		w.restore(saved, true, back...)
		w.turn()
		_, before := w.verifiers().Find(a)
		if _, ok := w.verifiers().Find(b); !ok || before {
			t.Errorf("%s: the one before is accepted: %t, the present one: %t", name, before, ok)
		}
		w.accepts("clientSecret", "reader.payroll", "token")
		w.expect("CredentialsReady=True/Issued", "Ready=True/Ready")
	}
}

func TestAReadersTokenThatEndedWithSecretsOfYesterdayIsToldOfForADay(t *testing.T) {
	t.Parallel()
	w := watch(t)
	saved := w.backup()
	w.pass(time.Hour)
	w.annotate(annotated(rotateReader, first))
	w.turn()
	w.pass(8 * day)
	w.turn()
	b := w.handed()["reader.payroll"]
	w.annotate(func(p *v1alpha1.ProvisioningTenant) { p.Annotations = nil })
	w.restore(saved, true, verifierSecret, payrollSecret)
	w.turn()
	w.expect("CredentialsReady=True/TokenReplaced", "Ready=True/Ready")
	if message := w.told(); !strings.HasPrefix(message, "The credential reader.payroll with the fingerprint "+token.Fingerprint(b)+" ended") {
		t.Errorf("the message is %q", message)
	}
	if w.after == 0 || w.after > credentials.ReplacedTold {
		t.Errorf("the operator looks again after %s", w.after)
	}
	w.pass(credentials.ReplacedTold)
	w.turn()
	w.expect("CredentialsReady=True/Issued")
}
