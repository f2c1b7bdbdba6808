package controllers

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// accepts asserts which credentials the server accepts, by their keys.
func (w *watched) accepts(keys ...string) {
	w.Helper()
	var got []string
	for _, v := range w.verifiers().Verifiers {
		got = append(got, v.Key())
	}
	slices.Sort(got)
	slices.Sort(keys)
	if !slices.Equal(got, keys) {
		w.Errorf("the server accepts %v, want %v", got, keys)
	}
}

// ask asks for something now, as an annotation does.
func (w *watched) ask(names ...string) {
	w.Helper()
	w.now.SetTime(w.now.Now().Add(time.Second))
	for _, name := range names {
		value := w.now.Now().UTC().Format(time.RFC3339)
		if strings.HasPrefix(name, v1alpha1.RotateAnnotationPrefix) {
			value += ",overlap=0s"
		}
		w.annotate(annotated(name, value))
	}
	w.turn()
}

func (w *watched) read(names ...string) {
	w.Helper()
	w.annotate(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication.Readers = nil
		for _, name := range names {
			p.Spec.Authentication.Readers = append(p.Spec.Authentication.Readers, v1alpha1.Reader{Name: name})
		}
	})
	w.turn()
}

// In all of them a token has leaked.
func TestANewCredentialWhoseSecretCannotBeWrittenIsNotIssuedYetAndKeepsBackNoOther(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		key, secret, reason string
		block, unblock      func(w *watched, secret string)
	}{
		"a reader, somebody else's Secret": {
			key: "reader.pay", secret: "contoso-reader.pay", reason: "NameConflict",
			block:   func(w *watched, secret string) { w.byHand(secret, "token", "mine") },
			unblock: func(w *watched, secret string) { w.must(w.WithWatch.Delete(w.Context(), w.secret(secret))) },
		},
		"a reader, denied": {
			key: "reader.pay", secret: "contoso-reader.pay", reason: "Rejected",
			block:   func(w *watched, secret string) { w.denied = map[string]bool{secret: true} },
			unblock: func(w *watched, _ string) { w.denied = nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t)
			leaked := w.handed()["token"]
			test.block(w, test.secret)
			w.annotate(func(p *v1alpha1.ProvisioningTenant) { // a bad one first
				p.Spec.Authentication.Readers = []v1alpha1.Reader{{Name: "pay"}, {Name: "payroll"}, {Name: "hr"}}
			})
			w.ask(rotateToken)
			others := []string{"clientSecret", "reader.hr", "reader.payroll", "token"}
			waits := func() {
				t.Helper()
				w.expect("CredentialsReady=True/"+test.reason, "RequestsObeyed=True/Obeyed", "Ready=True/Ready")
				w.accepts(others...)
				if _, ok := w.verifiers().Find(leaked); ok || w.handed()["token"] == leaked {
					t.Error("the token that leaked is accepted, or handed out")
				}
				if mark := token.Marks(w.secret("contoso-verifier").Annotations)[test.key]; mark != (token.Mark{}) {
					t.Errorf("the verifier Secret tells %+v of it", mark)
				}
				message := meta.FindStatusCondition(w.tenant().Status.Conditions, "CredentialsReady").Message
				if !strings.Contains(message, "Not issued yet: "+test.key+".") || !strings.Contains(message, test.secret) || strings.Contains(message, "immutable") {
					t.Errorf("the message is %q", message)
				}
			}
			waits()
			for range 2 { // just now, and after the next look of its own accord
				w.liveReads = 0
				if w.turn(); w.liveReads != 0 {
					t.Errorf("%d live reads at once", w.liveReads)
				}
				waits()
				if longest := requestRetry * 6 / 5; w.after > longest {
					t.Errorf("the operator looks again after %s, not %s", w.after, longest)
				}
				w.later()
			}

			w.ask(v1alpha1.RotateAnnotationPrefix+test.key, v1alpha1.RevokeAnnotationPrefix+test.key, rotateReader)
			w.expect("CredentialsReady=True/"+test.reason, "RequestsObeyed=False/"+test.reason, "Ready=True/Ready")
			w.accepts(others...)

			test.unblock(w, test.secret)
			w.later()
			w.expect("CredentialsReady=True/Issued", "RequestsObeyed=True/Obeyed", "Ready=True/Ready")
			w.accepts(append(others, test.key)...)
		})
	}
}

func TestAClientSecretWhoseSecretCannotBeWrittenIsNotIssuedYetAndKeepsBackNoOther(t *testing.T) {
	t.Parallel()
	w := watch(t)
	w.annotate(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.OAuth = nil })
	w.turn()
	w.delete("contoso-credentials")
	w.denied = map[string]bool{"contoso-credentials": true}
	w.annotate(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.OAuth = &v1alpha1.OAuth{} })
	leaked := w.handed()["reader.payroll"]
	w.ask(rotateReader)
	w.expect("CredentialsReady=True/Rejected", "RequestsObeyed=True/Obeyed", "Ready=True/Ready")
	w.accepts("reader.payroll", "token")
	if _, ok := w.verifiers().Find(leaked); ok {
		t.Error("the token that leaked is accepted")
	}
	w.denied = nil
	w.later()
	w.expect("CredentialsReady=True/Issued", "Ready=True/Ready")
	w.accepts("clientSecret", "reader.payroll", "token")
}

func TestVerifiersComeBackWhileASecretOfANewReaderCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := watch(t)
	w.byHand("contoso-reader.pay", "token", "mine")
	w.read("payroll", "pay")
	before := w.verifiers().Verifiers
	w.delete("contoso-verifier")
	w.expect("CredentialsReady=True/NameConflict", "Ready=True/Ready")
	if after := w.verifiers().Verifiers; len(before) != 3 || !slices.Equal(after, before) {
		t.Errorf("the server accepts %+v, want %+v", after, before)
	}
}

// Their Secrets still hold what ended.
func TestWhatEndedIsNotAcceptedAgainWhileItsSecretCannotBeWrittenAndKeepsBackNoOther(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		denied string
		other  string           // what is asked meanwhile of another credential
		end    func(w *watched) // reader payroll, or the client
		again  func(w *watched) // once more wanted
		stays  []string
	}{
		"a reader is rotated without overlap": {
			denied: "contoso-reader.payroll", other: rotateToken, end: func(w *watched) { w.ask(rotateReader) },
			stays: []string{"clientSecret", "token"},
		},
		"a reader is removed": {
			denied: "contoso-reader.payroll", other: rotateToken, end: func(w *watched) { w.read() }, again: func(w *watched) { w.read("payroll") },
			stays: []string{"clientSecret", "token"},
		},
		"OAuth is turned off": {
			denied: "contoso-credentials", other: rotateReader,
			end: func(w *watched) {
				w.annotate(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.OAuth = nil })
				w.turn()
			},
			again: func(w *watched) {
				w.annotate(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.OAuth = &v1alpha1.OAuth{} })
				w.turn()
			},
			stays: []string{"reader.payroll", "token"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t)
			w.denied = map[string]bool{test.denied: true}
			test.end(w)
			ended := func() {
				t.Helper()
				w.expect("CredentialsReady=True/Rejected", "Ready=True/Ready")
				w.accepts(test.stays...) // and nothing again that had ended, see look
			}
			ended()
			leaked := w.handed()[strings.TrimPrefix(test.other, v1alpha1.RotateAnnotationPrefix)]
			w.ask(test.other)
			if _, ok := w.verifiers().Find(leaked); ok || leaked == "" {
				t.Error("another token that leaked is accepted")
			}
			ended()
			w.operator = w.simulated.operator()
			w.turn()
			ended()
			if test.again != nil {
				test.again(w)
				ended()
			}
			w.denied = nil
			w.turn()
			w.expect("CredentialsReady=True/Issued", "RequestsObeyed=True/Obeyed", "Ready=True/Ready")
			w.accepts("clientSecret", "reader.payroll", "token")
		})
	}
}

func TestASecretTokenThatEndedAndCannotBeHandedOutKeepsBackNoReader(t *testing.T) {
	t.Parallel()
	w := watch(t)
	w.denied = map[string]bool{"contoso-credentials": true}
	leaked := w.handed()["reader.payroll"]
	w.ask(rotateToken)
	w.expect("CredentialsReady=False/Rejected", "RequestsObeyed=False/Rejected", "Ready=False/Rejected", "Stalled=True/Rejected")
	w.ask(rotateReader)
	w.accepts("clientSecret", "reader.payroll")
	if _, ok := w.verifiers().Find(leaked); ok {
		t.Error("the token that leaked is accepted")
	}
	w.expect("CredentialsReady=False/Rejected", "RequestsObeyed=False/Rejected", "Ready=False/Rejected", "Stalled=True/Rejected")
	w.denied = nil
	w.turn()
	w.expect("CredentialsReady=True/Issued", "RequestsObeyed=True/Obeyed", "Ready=True/Ready")
	w.accepts("clientSecret", "reader.payroll", "token")
}

func TestOfANewTenantOnlyTheSecretTokenHoldsBackReady(t *testing.T) {
	t.Parallel()
	for secret, want := range map[string]string{
		"contoso-credentials": "False/NameConflict", "contoso-reader.payroll": "True/Ready",
	} {
		t.Run(secret, func(t *testing.T) {
			t.Parallel()
			w := &watched{simulated: simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Authentication.Readers = []v1alpha1.Reader{{Name: "payroll"}}
				p.Spec.Exposure.Type = v1alpha1.ExposureNone
			}))}
			w.operator = w.simulated.operator()
			w.byHand(secret, "token", "theirs")
			w.turn()
			w.expect("Ready=" + want)
		})
	}
}
