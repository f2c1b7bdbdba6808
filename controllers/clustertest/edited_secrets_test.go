package clustertest

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/plugin"
)

func (w *world) newToken() string {
	w.Helper()
	s, err := token.New(rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// editSecret changes a Secret as a person does with kubectl.
func (w *world) editSecret(name string, change func(*corev1.Secret)) {
	w.Helper()
	secret := get(w, &corev1.Secret{}, name)
	patch := client.MergeFrom(secret.DeepCopy())
	change(secret)
	if err := w.Patch(w.Context(), secret, patch, client.FieldOwner("kubectl-patch")); err != nil {
		w.Fatal(err)
	}
}

func (w *world) putIn(name, key, value string) {
	w.Helper()
	w.editSecret(name, func(s *corev1.Secret) { s.Data[key] = []byte(value) })
}

// untilAccepted waits until the server accepts a credential, and the Secret that hands it out holds it without anything around it.
func (w *world) untilAccepted(name, key, value string) {
	w.Helper()
	w.eventually("the value is accepted", func() string {
		set := w.verifiers()
		_, bearer := set.Find(value)
		_, client := set.FindClient("contoso", value)
		if got := string(get(w, &corev1.Secret{}, name).Data[key]); got != value || !bearer && !client {
			return fmt.Sprintf("accepted: %v, and it is %d bytes long, not %d", bearer || client, len(got), len(value))
		}
		return ""
	})
}

func TestACredentialThatIsPutBackIsAcceptedWithoutTheBlanksAroundIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(reading("payroll"), func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.OAuth = &v1alpha1.OAuth{} }))
	w.until(tenant, ready)
	for _, place := range [][2]string{
		{"contoso-credentials", "token"}, {"contoso-credentials", "clientSecret"}, {"contoso-reader.payroll", "token"},
	} {
		for _, format := range []string{"%s\n", "%s\r\n", "\t %s \n\n", "%s"} {
			value := w.newToken()
			w.putIn(place[0], place[1], fmt.Sprintf(format, value))
			w.untilAccepted(place[0], place[1], value)
			if got := len(w.verifiers().Verifiers); got != 3 {
				t.Errorf("%q in %v: the server accepts %d credentials", format, place, got)
			}
		}
	}
	w.until(tenant, "CredentialsReady=True/Issued", ready)
	// The same one again, with a newline.
	value := w.plaintext()
	w.putIn("contoso-credentials", "token", value+"\n")
	w.untilAccepted("contoso-credentials", "token", value)
	w.settled()
}

func TestAValueThatIsNotAcceptedIsToldAndAGoodOneAfterItIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	tenant := create(w, w.tenant(reading("payroll")))
	other := create(w, w.tenant(named("fabrikam"), withHost("other."+w.namespace+".example.com")))
	w.until(tenant, ready)
	w.until(other, ready)
	good, foreign := w.newToken(), string(get(w, &corev1.Secret{}, "fabrikam-credentials").Data["token"])
	payroll := string(w.untilReader("payroll", 2)["token"])
	accepted := w.plaintext()
	for name, c := range map[string]struct{ value, why string }{
		"in quotes":                  {`"` + good + `"` + "\n", "something around a token"},
		"as it is sent":              {"Bearer " + good, "something around a token"},
		"a line of a file":           {"TOKEN=" + good + "\r\n", "something around a token"},
		"encoded twice":              {base64.StdEncoding.EncodeToString([]byte(good + "\n")), "encoded twice"},
		"short":                      {"hunter2", "no token that Tenantry issued"},
		"of one's own":               {strings.Repeat("a", 43), "no token that Tenantry issued"},
		"no text":                    {"\xff\xfe\x00", "no token that Tenantry issued"},
		"cut off":                    {good[:len(good)-1], "missing, added or mistyped"},
		"with a letter more":         {good + "x", "something around a token"},
		"mistyped":                   {good[:10] + "#" + good[11:], "missing, added or mistyped"},
		"another tenant's":           {foreign + "\n", "another tenant"},
		"another credential of this": {payroll, "another credential of this tenant"},
	} {
		w.putIn("contoso-credentials", "token", c.value)
		w.eventually(name+": the condition says why", func() string {
			if err := w.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
				return err.Error()
			}
			if found := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionCredentialsReady); found.Reason != v1alpha1.ReasonValueRefused ||
				!strings.Contains(found.Message, c.why) || !strings.Contains(found.Message, token.Fingerprint(accepted)) {
				return found.Message
			}
			return ""
		})
		if code, out, errOut := k.run("token", "contoso"); code != plugin.ExitWrong || out != "" || !strings.Contains(errOut, "does not accept: it ") {
			t.Errorf("%s: kubectl tenantry token: exit %d %q %q", name, code, out, errOut)
		}
		if _, ok := w.verifiers().Find(accepted); !ok || len(w.verifiers().Verifiers) != 2 {
			t.Errorf("%s: the server accepts %+v", name, w.verifiers().Verifiers)
		}
		if got := string(get(w, &corev1.Secret{}, "contoso-credentials").Data["token"]); got != c.value {
			t.Errorf("%s: the value was changed", name)
		}
	}
	w.until(tenant, "CredentialsReady=False/ValueRefused", "Ready=False/ValueRefused")
	w.settled()
	// A client is let in all the same.
	w.seen(tenant, &v1alpha1.ActivityStatus{LastCycle: &v1alpha1.CycleStatus{Requests: 1}})
	w.until(tenant, "CredentialsReady=True/ValueRefused", ready)
	w.untilWarned(v1alpha1.ReasonValueRefused)

	w.putIn("contoso-credentials", "token", good+"\n")
	w.untilAccepted("contoso-credentials", "token", good)
	w.until(tenant, "CredentialsReady=True/Issued", ready)
	if _, ok := w.verifiers().Find(accepted); ok {
		t.Error("what it took the place of is still accepted")
	}
	if got := k.want("token", "contoso"); got != good+"\n" {
		t.Error("the plugin prints another token than the one that was put back")
	}
	w.settled()
}

// untilWarned waits for a Warning event with the reason.
func (w *world) untilWarned(reason string) {
	w.Helper()
	w.eventually("a warning tells of "+reason, func() string {
		var events eventsv1.EventList
		if err := w.List(w.Context(), &events, client.InNamespace(w.namespace)); err != nil {
			return err.Error()
		}
		for _, event := range events.Items {
			if event.Reason == reason && event.Type == corev1.EventTypeWarning {
				return ""
			}
		}
		return "there is none"
	})
}

// The operator does not own a key that was removed, so nothing but the managed fields of others tells that it is back.
func TestAValueThatIsPutBackUnderAKeyThatWasRemovedIsAcceptedOrRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(reading("payroll"), func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.OAuth = &v1alpha1.OAuth{} }))
	w.until(tenant, ready)
	w.seen(tenant, &v1alpha1.ActivityStatus{LastCycle: &v1alpha1.CycleStatus{Requests: 1}})
	for _, place := range [][2]string{
		{"contoso-credentials", "token"}, {"contoso-credentials", "clientSecret"}, {"contoso-reader.payroll", "token"},
	} {
		name, key := place[0], place[1]
		for how, remove := range map[string]func(*corev1.Secret){
			"removed": func(s *corev1.Secret) { delete(s.Data, key) },
			"emptied": func(s *corev1.Secret) { s.Data[key] = []byte{} },
			"blanked": func(s *corev1.Secret) { s.Data[key] = []byte("\n") },
		} {
			if key == "clientSecret" && how != "removed" {
				continue // nothing else than of the token beside it
			}
			accepted := string(get(w, &corev1.Secret{}, name).Data[key])
			removed := func() {
				t.Helper()
				w.editSecret(name, remove)
				w.eventually(how+": it counts as copied", func() string {
					for _, mark := range token.Marks(get(w, &corev1.Secret{}, "contoso-verifier").Annotations) {
						if mark.Copied && mark.Fingerprint == token.Fingerprint(accepted) {
							return ""
						}
					}
					return "it does not"
				})
				w.until(tenant, "CredentialsReady=True/Issued", ready)
			}
			removed()
			w.settled()
			requests := len(operator.Requests.In(w.namespace))
			w.settled()
			if more := operator.Requests.In(w.namespace)[requests:]; len(more) > 0 {
				t.Errorf("%s in %v: a look costs %v", how, place, more)
			}
			w.putIn(name, key, "something-else")
			w.until(tenant, "CredentialsReady=True/ValueRefused", ready)
			removed()
			w.putIn(name, key, accepted+"\n") // the good one
			w.untilAccepted(name, key, accepted)
			removed()
			w.putIn(name, key, "something-else")
			w.until(tenant, "CredentialsReady=True/ValueRefused", ready)
			other := w.newToken()
			w.putIn(name, key, other)
			w.untilAccepted(name, key, other)
			w.until(tenant, "CredentialsReady=True/Issued", ready)
		}
	}
	w.settled()
}

func TestARefusedValueOfAReaderIsToldAndARotationTakesItsPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(reading("payroll")))
	w.until(tenant, ready)
	before := string(w.untilReader("payroll", 2)["token"])
	w.putIn("contoso-reader.payroll", "token", "'"+w.newToken()+"'")
	w.until(tenant, "CredentialsReady=True/ValueRefused", ready)
	if _, ok := w.verifiers().Find(before); !ok {
		t.Error("the token before is not accepted any more")
	}
	newKubectl(w).refused("Secret contoso-reader.payroll has under token a value that the server does not accept: "+
		"it has something around a token, such as quotes or the word Bearer. Put back a token that was issued for it, or "+
		"'kubectl tenantry rotate contoso -n "+w.namespace+" --credential reader.payroll' issues a new one", "token", "contoso", "--credential", "reader.payroll")
	annotate(w, tenant, rotatePayroll, asked(0))
	w.until(tenant, "CredentialsReady=True/Issued", "RequestsObeyed=True/Obeyed", ready)
	if after := string(w.untilReader("payroll", 3)["token"]); token.Check(after) != nil {
		t.Error("the refused value is still there")
	}
	w.settled()
}

func TestAVerifierThatIsDeletedWithinAnOverlapComesBackWithBothTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	old := w.plaintext()
	annotate(w, tenant, rotateToken, asked(0))
	fresh := w.untilAnother(old)
	w.until(tenant, "CredentialsReady=True/Rotated", ready)
	ends := tenant.Status.Credentials.PreviousExpiresAt
	both := func(what string) {
		t.Helper()
		w.accepts(what, func(set token.Set) string {
			previous, ok := set.Find(old)
			if _, newest := set.Find(fresh); !newest || !ok || !previous.NotAfter.Equal(ends.Time) || previous.ID != "token-"+token.Fingerprint(old) {
				return fmt.Sprintf("the server accepts %+v", set.Verifiers)
			}
			return ""
		})
	}
	w.deleteSecret("contoso-verifier")
	both("deleted")
	for _, spoiled := range []string{"", "{}", `{"verifiers":[]}`, "\x00", `{"verifiers":[{"id":"x","sha256":"abcd"}]}`} {
		w.putIn("contoso-verifier", v1alpha1.VerifierKey, spoiled)
		both(spoiled)
	}
	// A newline that came meanwhile does no harm.
	w.putIn("contoso-credentials", "token", fresh+"\n")
	w.deleteSecret("contoso-verifier")
	both("deleted beside a newline")
	w.until(tenant, "CredentialsReady=True/Rotated", ready)
	if w.plaintext() != fresh {
		t.Error("the token changed")
	}
	w.settled()
}

func TestWhatPeopleChangeOnSecretsComesBackRight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(reading("payroll")))
	w.until(tenant, ready)
	w.untilReader("payroll", 2)
	for _, name := range []string{"contoso-credentials", "contoso-verifier", "contoso-reader.payroll"} {
		want := get(w, &corev1.Secret{}, name)
		restored := func(what string) {
			t.Helper()
			w.eventually(name+": "+what, func() string {
				got := get(w, &corev1.Secret{}, name)
				for key, value := range want.Labels {
					if got.Labels[key] != value {
						return "label " + key + " is " + got.Labels[key]
					}
				}
				for key, value := range want.Annotations {
					if got.Annotations[key] != value {
						return "annotation " + key + " is " + got.Annotations[key]
					}
				}
				for key, value := range want.Data {
					if string(got.Data[key]) != string(value) {
						return "key " + key + " is another"
					}
				}
				return ""
			})
		}
		for key := range want.Labels {
			w.editSecret(name, func(s *corev1.Secret) { s.Labels[key] = "another" })
			restored("label " + key + " was changed")
			w.editSecret(name, func(s *corev1.Secret) { delete(s.Labels, key) })
			restored("label " + key + " was removed")
		}
		for key := range want.Annotations {
			w.editSecret(name, func(s *corev1.Secret) { s.Annotations[key] = "{}" })
			restored("annotation " + key + " was changed")
			w.editSecret(name, func(s *corev1.Secret) { delete(s.Annotations, key) })
			restored("annotation " + key + " was removed")
		}
		for key := range want.Data {
			if key == "token" {
				continue // removing it is copying it
			}
			w.editSecret(name, func(s *corev1.Secret) { s.Data[key] = []byte("another") })
			restored("key " + key + " was changed")
			w.editSecret(name, func(s *corev1.Secret) { delete(s.Data, key) })
			restored("key " + key + " was removed")
		}
		w.editSecret(name, func(s *corev1.Secret) { s.Labels, s.Annotations = nil, nil })
		restored("all labels and annotations were removed")
		w.editSecret(name, func(s *corev1.Secret) { s.Data["note"] = []byte("mine") })
	}
	w.settled()
	w.until(tenant, "CredentialsReady=True/Issued", ready)
}

func TestASecretThatWasMadeImmutableIsSaidToBeDeletedWhenItMustChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(reading("payroll")))
	w.until(tenant, ready)
	old, payroll := w.plaintext(), string(w.untilReader("payroll", 2)["token"])
	w.editSecret("contoso-credentials", func(s *corev1.Secret) { s.Immutable = new(true) })
	w.settled()
	w.until(tenant, "CredentialsReady=True/Issued", ready)
	annotate(w, tenant, rotateToken, asked(0), rotatePayroll, asked(0))
	w.until(tenant, "CredentialsReady=True/Rejected", "RequestsObeyed=False/Rejected", ready)
	message := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionCredentialsReady).Message
	if !strings.Contains(message, "made immutable, or has another type, delete it") {
		t.Errorf("the message is %q", message)
	}
	if _, ok := w.verifiers().Find(old); !ok {
		t.Error("the token is not accepted any more")
	}
	if string(w.untilReader("payroll", 3)["token"]) == payroll || len(w.verifiers().Verifiers) != 3 {
		t.Error("the reader's token was kept back")
	}
	w.deleteSecret("contoso-credentials")
	w.untilAnother(old)
	w.until(tenant, "CredentialsReady=True/Rotated", "RequestsObeyed=True/Obeyed", ready)

	// Without an overlap the old one ends first, and then nobody is let in.
	old = w.plaintext()
	w.editSecret("contoso-credentials", func(s *corev1.Secret) { s.Immutable = new(true) })
	annotate(w, tenant, rotateToken, asked(1)+",overlap=0s")
	w.until(tenant, "CredentialsReady=False/Rejected", "RequestsObeyed=False/Rejected", "Ready=False/Rejected")
	if _, ok := w.verifiers().Find(old); ok {
		t.Error("the token that is to end is still accepted")
	}
	w.deleteSecret("contoso-credentials")
	w.untilAnother(old)
	w.until(tenant, "RequestsObeyed=True/Obeyed", ready)
}
