package controllers

import (
	"crypto/rand"
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
	"github.com/tenantry/tenantry/controllers/desired"
)

// watched is a tenant whose operator goes on and remembers.
type watched struct {
	*simulated
	operator *ProvisioningTenantReconciler
	// after is when the operator looks again by itself.
	after time.Duration
}

func watch(t *testing.T) *watched {
	t.Helper()
	s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication = v1alpha1.Authentication{OAuth: &v1alpha1.OAuth{}, Readers: []v1alpha1.Reader{{Name: "payroll"}}}
		p.Spec.Exposure.Type = v1alpha1.ExposureNone
	}))
	s.settle()
	w := &watched{simulated: s, operator: s.operator()}
	w.turn()
	return w
}

// turn has the operator look until it writes nothing any more.
func (w *watched) turn() {
	w.Helper()
	for range 20 {
		before := w.writes
		result, err := w.operator.Reconcile(w.Context(), theTenant)
		w.must(err)
		w.after = result.RequeueAfter
		w.pretend()
		if w.writes == before {
			return
		}
	}
	w.Fatal("the tenant does not settle")
}

// later has the operator look when it wants to by itself.
func (w *watched) later() {
	w.Helper()
	if w.after == 0 || w.after > time.Hour {
		w.Fatalf("the operator looks again after %s", w.after)
	}
	w.now.SetTime(w.now.Now().Add(w.after))
	w.turn()
}

func (w *watched) delete(name string) {
	w.Helper()
	w.must(w.WithWatch.Delete(w.Context(), w.secret(name)))
	w.turn()
}

// byHand makes a Secret as kubectl create secret does.
func (w *watched) byHand(name, key, value string) {
	w.Helper()
	w.must(w.WithWatch.Create(w.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: name, UID: "by-hand"}, Data: map[string][]byte{key: []byte(value)},
	}))
}

func (w *watched) expect(wanted ...string) {
	w.Helper()
	for _, want := range wanted {
		conditionType, rest, _ := strings.Cut(want, "=")
		if c := meta.FindStatusCondition(w.tenant().Status.Conditions, conditionType); c == nil || string(c.Status)+"/"+c.Reason != rest {
			w.Errorf("%+v, want %s", c, want)
		}
	}
}

func newToken(t *testing.T) string {
	t.Helper()
	value, err := token.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// handedPlaces are where credentials are handed out.
func handedPlaces() map[string][2]string {
	return map[string][2]string{
		"token": {"contoso-credentials", "token"}, "clientSecret": {"contoso-credentials", "clientSecret"},
		"reader.payroll": {"contoso-reader.payroll", "token"},
	}
}

func TestACredentialThatIsPutBackInASecretWithoutLabelsIsTakenUp(t *testing.T) {
	t.Parallel()
	for credential, place := range handedPlaces() {
		t.Run(credential, func(t *testing.T) {
			t.Parallel()
			name, key := place[0], place[1]
			w := watch(t)
			value, before := string(w.secret(name).Data[key]), w.verifiers().Verifiers
			w.delete(name)
			w.byHand(name, key, value+"\n")
			w.later()
			got := w.secret(name)
			if got.UID != "by-hand" || !metav1.IsControlledBy(got, w.tenant()) || !desired.Labelled(got, "contoso") || string(got.Data[key]) != value {
				t.Errorf("it is not taken up: %+v", got.ObjectMeta)
			}
			if after := w.verifiers().Verifiers; !slices.Equal(after, before) {
				t.Errorf("the server accepts %+v, want %+v", after, before)
			}
			w.expect("CredentialsReady=True/Issued", "Ready=True/Ready")
		})
	}
}

// Each costs requests, and there may be thousands of tenants.
func TestASecretThatWasDeletedIsLookedForAtMostOnceAMinuteAndAtLeastOnceAnHour(t *testing.T) {
	t.Parallel()
	w := watch(t)
	w.turn()
	if w.after != 0 {
		t.Errorf("a tenant with all its Secrets is looked at again after %s", w.after)
	}
	w.liveReads = 0
	if w.turn(); w.liveReads != 0 {
		t.Errorf("a tenant with all its Secrets costs %d live reads", w.liveReads)
	}
	w.delete("contoso-credentials")
	var pauses []time.Duration
	for range 10 {
		pauses = append(pauses, w.after)
		w.liveReads = 0
		w.now.SetTime(w.now.Now().Add(59 * time.Second))
		if w.turn(); w.liveReads != 0 {
			t.Errorf("%d live reads within a minute", w.liveReads)
		}
		if w.later(); w.liveReads != 1 {
			t.Errorf("%d live reads when it is looked for, want one", w.liveReads)
		}
	}
	if pauses[0] > 2*time.Minute || pauses[9] < 50*time.Minute || w.after < 50*time.Minute {
		t.Errorf("the pauses are %v", pauses)
	}
	w.operator = w.simulated.operator() // one that just started
	w.liveReads = 0
	if w.turn(); w.liveReads != 1 || w.after < 50*time.Minute {
		t.Errorf("an operator that just started reads %d times and looks again after %s", w.liveReads, w.after)
	}
	w.expect("CredentialsReady=True/Copied", "Ready=True/Ready")
}

func TestASecretOfAnotherWithTheNameOfOneThatWasDeletedIsToldBesideReadyAndKeepsBackWhatItMust(t *testing.T) {
	t.Parallel()
	for credential, place := range handedPlaces() {
		for what, value := range map[string]string{"quotes": "\"" + newToken(t) + "\"", "another token": newToken(t), "nothing": ""} {
			t.Run(credential+", "+what, func(t *testing.T) {
				t.Parallel()
				name, key := place[0], place[1]
				w := watch(t)
				before := w.verifiers().Verifiers
				w.delete(name)
				w.byHand(name, key, value)
				version := w.secret(name).ResourceVersion
				w.later()
				w.expect("CredentialsReady=True/NameConflict", "RequestsObeyed=True/Obeyed", "Ready=True/Ready")
				message := meta.FindStatusCondition(w.tenant().Status.Conditions, "CredentialsReady").Message
				if !strings.Contains(message, "kubectl label secret "+name+" -n customers app.kubernetes.io/managed-by=tenantry-operator provisioning.tenantry.dev/tenant=contoso.") {
					t.Errorf("the message is %q", message)
				}

				// A request of people waits meanwhile, and nothing else does.
				at := w.now.Now().UTC()
				w.annotate(annotated(v1alpha1.RotateAnnotationPrefix+credential, at.Format(time.RFC3339)+",overlap=0s",
					v1alpha1.RotateAnnotationPrefix+v1alpha1.AccessTokensCredential, at.Format(time.RFC3339)))
				w.liveReads = 0
				w.turn()
				w.expect("CredentialsReady=True/NameConflict", "RequestsObeyed=False/NameConflict", "Ready=True/Ready")
				if after := w.verifiers(); !slices.Equal(after.Verifiers, before) || after.Epoch() == "" {
					t.Errorf("the server accepts %+v, want %+v", after, before)
				}
				w.liveReads = 0
				if w.turn(); w.liveReads != 0 {
					t.Errorf("%d live reads within a minute", w.liveReads)
				}
				w.later()
				if got := w.secret(name); got.ResourceVersion != version {
					t.Errorf("it was changed: %+v", got)
				}
				if w.after > 2*time.Minute {
					t.Errorf("it is looked at again after %s", w.after)
				}

				// Once it is out of the way, what was asked for is done.
				w.must(w.WithWatch.Delete(w.Context(), w.secret(name)))
				w.later()
				w.expect("CredentialsReady=True/Issued", "RequestsObeyed=True/Obeyed", "Ready=True/Ready")
				fresh := w.handed()[credential]
				for _, v := range w.verifiers().Verifiers {
					if v.Key() == credential && v.Fingerprint() != token.Fingerprint(fresh) {
						t.Error("it was not rotated")
					}
				}
				if token.Check(fresh) != nil || fresh == value {
					t.Error("it was not rotated")
				}
			})
		}
	}
}

func TestWhileASecretIsInTheWayOtherCredentialsComeAndGo(t *testing.T) {
	t.Parallel()
	w := watch(t)
	w.delete("contoso-credentials")
	w.byHand("contoso-credentials", "token", "theirs")
	w.later()
	w.annotate(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication.Readers = []v1alpha1.Reader{{Name: "audit"}}
	})
	w.turn()
	w.expect("CredentialsReady=True/NameConflict", "Ready=True/Ready")
	var keys []string
	for _, v := range w.verifiers().Verifiers {
		keys = append(keys, v.Key())
	}
	if slices.Sort(keys); !slices.Equal(keys, []string{"clientSecret", "reader.audit", "token"}) {
		t.Errorf("the server accepts %v", keys)
	}
	if got := string(w.secret("contoso-reader.payroll").Data["token"]); got != "" {
		t.Error("what the reader of before had is still handed out")
	}
}

// The Secret that a person made by hand is the last that has the token which clients use.
func TestASecretTokenInASecretWithoutLabelsIsNotLostWithTheVerifiers(t *testing.T) {
	t.Parallel()
	w := watch(t)
	value := w.handed()["token"]
	w.delete("contoso-credentials")
	w.byHand("contoso-credentials", "token", value)
	w.delete("contoso-verifier") // and the operator looks at once
	if _, ok := w.verifiers().Find(value); !ok || w.handed()["token"] != value {
		t.Error("the Secret Token is another")
	}

	// With one of which nobody knows, the message leads to no loss.
	w.delete("contoso-credentials")
	w.byHand("contoso-credentials", "token", newToken(t))
	w.must(client.IgnoreNotFound(w.WithWatch.Delete(w.Context(), w.secret("contoso-verifier"))))
	w.turn()
	w.expect("CredentialsReady=False/NameConflict", "Ready=False/NameConflict")
	message := meta.FindStatusCondition(w.tenant().Status.Conditions, "Ready").Message
	if label := strings.Index(message, "kubectl label secret"); label < 0 || label > strings.Index(message, "delete it") {
		t.Errorf("the message is %q", message)
	}
}

// Labels and annotations anybody may write who may make a Secret somewhere.
func TestATokenIsAnotherTenantsOnlyWhereThatTenantControlsTheVerifiers(t *testing.T) {
	t.Parallel()
	other := metav1.OwnerReference{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ProvisioningTenant", Name: "fabrikam", UID: "fabrikam", Controller: new(true)}
	for name, test := range map[string]struct {
		owner func(*metav1.OwnerReference)
		want  string
	}{
		"a tenant's":               {func(*metav1.OwnerReference) {}, "False/ValueRefused"},
		"of a tenant of that name": {func(o *metav1.OwnerReference) { o.Name = "contoso" }, "True/Issued"},
		"of another kind":          {func(o *metav1.OwnerReference) { o.Kind = "ConfigMap" }, "True/Issued"},
		"of another group":         {func(o *metav1.OwnerReference) { o.APIVersion = "example.com/v1" }, "True/Issued"},
		"of none that controls it": {func(o *metav1.OwnerReference) { o.Controller = nil }, "True/Issued"},
		"of nobody but by labels":  {nil, "True/Issued"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t)
			value := newToken(t)
			marks, err := token.Annotate(map[string]token.Mark{"token": {Fingerprint: token.Fingerprint(value)}})
			w.must(err)
			theirs := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
				Namespace: "others", Name: "fabrikam-verifier", Labels: desired.Labels("fabrikam"), Annotations: map[string]string{v1alpha1.CredentialsAnnotation: marks},
			}}
			if test.owner != nil {
				owner := other
				test.owner(&owner)
				theirs.OwnerReferences = []metav1.OwnerReference{owner}
			}
			w.must(w.WithWatch.Create(w.Context(), theirs))
			w.put("contoso-credentials", "token", value)
			w.expect("CredentialsReady=" + test.want)
		})
	}
}

// A person may know what is wrong with it, and the token in it may be the one that Entra has.
func TestAValueThatIsRefusedIsNotWrittenOverWhereTheVerifiersAreLost(t *testing.T) {
	t.Parallel()
	for credential, place := range handedPlaces() {
		for how, lose := range map[string]func(w *watched){
			"deleted": func(w *watched) { w.delete("contoso-verifier") },
			"emptied": func(w *watched) { w.put("contoso-verifier", v1alpha1.VerifierKey, `{"verifiers":[]}`) },
			"spoiled": func(w *watched) { w.put("contoso-verifier", v1alpha1.VerifierKey, "{") },
		} {
			t.Run(credential+", "+how, func(t *testing.T) {
				t.Parallel()
				w := watch(t)
				ready := map[bool]string{true: "False/ValueRefused", false: "True/Ready"}[credential == "token"]
				w.annotate(annotated(v1alpha1.RotateAnnotationPrefix+credential, w.now.Now().UTC().Format(time.RFC3339)))
				w.turn()
				name, key := place[0], place[1]
				value := string(w.secret(name).Data[key])
				spoiled := "'" + value + "'"
				w.put(name, key, spoiled)
				lose(w)
				refused := func() {
					t.Helper()
					if got := string(w.secret(name).Data[key]); got != spoiled {
						t.Error("it was written over")
					}
					if got := w.verifiers().Verifiers; len(got) != 2 {
						t.Errorf("the server accepts %+v", got)
					}
					w.expect("Ready="+ready, "RequestsObeyed=True/Obeyed")
					if c := meta.FindStatusCondition(w.tenant().Status.Conditions, "CredentialsReady"); c.Reason != "ValueRefused" || !strings.Contains(c.Message, "accepts nothing") {
						t.Errorf("%+v", c)
					}
				}
				refused()
				w.liveReads = 0
				w.now.SetTime(w.now.Now().Add(time.Minute))
				if w.turn(); w.liveReads > 0 {
					t.Errorf("a look costs %d live reads", w.liveReads)
				}
				w.operator = w.simulated.operator()
				w.turn()
				refused()

				w.taken, w.ended = map[string]bool{}, map[string]bool{} // a person may put back what ended
				w.put(name, key, value)
				w.expect("CredentialsReady=True/Issued", "Ready=True/Ready")
				if got := w.verifiers().Verifiers; len(got) != 3 || w.handed()[credential] != value {
					t.Errorf("the server accepts %+v", got)
				}

				// A request for another credential is obeyed.
				w.put(name, key, spoiled)
				lose(w)
				w.now.SetTime(w.now.Now().Add(time.Minute))
				w.annotate(annotated(v1alpha1.RotateAnnotationPrefix+credential, w.now.Now().UTC().Format(time.RFC3339)))
				w.turn()
				w.expect("CredentialsReady=True/TokenLost", "Ready=True/Ready", "RequestsObeyed=True/Obeyed")
				if got := w.handed()[credential]; got == value || len(w.verifiers().Verifiers) != 3 {
					t.Error("no other was issued")
				}
			})
		}
	}
}

// put writes a value as kubectl edit does, and has the operator look.
func (w *watched) put(name, key, value string) {
	w.Helper()
	secret := w.secret(name)
	secret.Data[key] = []byte(value)
	w.must(w.WithWatch.Update(w.Context(), secret, client.FieldOwner("kubectl-edit")))
	w.turn()
}
