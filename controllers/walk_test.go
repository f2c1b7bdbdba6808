package controllers

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/statuscheck"
)

// walk is what must be true of a tenant with a Secret Token and a reader while people ask, edit and restore, in any order and with an operator
// that crashes in between.
type walk struct {
	*simulated
	random *rand.Rand
	made   int
	// newest is the token that must be accepted by the key of its credential, and before the one that must be accepted beside it; "" for one that
	// nobody outside knows.
	newest, before map[string]string
	// gone is that the Secret which hands it out was deleted, or its value refused.
	gone map[string]bool
	told []string
}

func (w *walk) secretOf(key string) (name, at string) {
	return token.ByKey(key, "contoso").Secret("contoso")
}

// edit changes what a Secret holds of a credential.
func (w *walk) edit(key, value string) {
	name, at := w.secretOf(key)
	secret := w.secret(name)
	if secret.Name == "" {
		return
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	secret.Data[at] = []byte(value)
	w.must(w.WithWatch.Update(w.Context(), secret, client.FieldOwner("kubectl-edit")))
}

// step does one thing, by an operator that may crash in the middle, and returns its name. It keeps count of what must be accepted then.
func (w *walk) step() string {
	key := []string{"token", "reader.payroll"}[w.random.IntN(2)]
	name, _ := w.secretOf(key)
	w.now.SetTime(w.now.Now().Add(time.Minute))
	at := func(ago time.Duration) string { return w.now.Now().Add(-ago).UTC().Format(time.RFC3339) }
	rotated := func(overlap bool) {
		w.before[key] = ""
		if overlap {
			w.before[key] = w.newest[key]
		}
		w.newest[key], w.gone[key] = "?", false
	}
	ask := func(values ...string) {
		w.annotate(func(p *v1alpha1.ProvisioningTenant) {
			delete(p.Annotations, v1alpha1.RotateAnnotationPrefix+key)
			delete(p.Annotations, v1alpha1.RevokeAnnotationPrefix+key)
			annotated(values...)(p)
		})
	}
	rotate, revoke := v1alpha1.RotateAnnotationPrefix+key, v1alpha1.RevokeAnnotationPrefix+key
	exists := w.secret(name).Name != ""
	switch w.random.IntN(14) {
	case 0:
		ask(rotate, at(0))
		rotated(true)
		return "rotate " + key
	case 1:
		ask(rotate, at(0)+",overlap=0s")
		rotated(false)
		return "rotate " + key + " without overlap"
	case 2:
		ask(revoke, at(0))
		w.before[key] = ""
		return "revoke " + key
	case 3:
		ask(revoke, at(2*time.Second), rotate, at(time.Second))
		rotated(true)
		return "revoke and then rotate " + key
	case 4:
		ask(rotate, at(2*time.Second), revoke, at(time.Second))
		rotated(false)
		return "rotate and then revoke " + key
	case 5:
		ask(rotate, at(0)+",overlap=banana", revoke, "now")
		return "ask nonsense of " + key
	case 6:
		ask(rotate, at(1000*time.Hour)+",overlap=0s", revoke, at(1000*time.Hour))
		past, obeyed := w.now.Now().Add(-1000*time.Hour), w.verifiers().Obeyed[key]
		if past.After(obeyed.Revoke) {
			w.before[key] = ""
		}
		if past.After(obeyed.Rotate) {
			rotated(false)
		}
		return "ask what is long past of " + key
	case 7:
		if value := w.handed()[key]; value != "" {
			w.edit(key, "\n "+value+"\r\n")
		}
		return "put blanks around " + key
	case 8:
		if exists {
			w.edit(key, `"`+w.fresh()+`"`)
			w.gone[key] = true
		}
		return "spoil " + key
	case 9:
		value := w.fresh()
		if exists {
			w.edit(key, value+"\n")
			w.newest[key], w.gone[key] = value, false // it takes the place of the newest
		}
		return "put another " + key + " back"
	case 10:
		if exists {
			w.must(w.WithWatch.Delete(w.Context(), w.secret(name)))
		}
		w.gone[key] = true
		return "delete the Secret of " + key
	case 11:
		if !w.gone["token"] && !w.gone["reader.payroll"] {
			w.must(w.WithWatch.Delete(w.Context(), w.secret("contoso-verifier")))
		}
		return "delete the verifiers"
	case 12:
		if secret := w.secret("contoso-verifier"); !w.gone["token"] && !w.gone["reader.payroll"] {
			secret.Data[v1alpha1.VerifierKey] = []byte(`{"verifiers":[]}`)
			w.must(w.WithWatch.Update(w.Context(), secret, client.FieldOwner("kubectl-edit")))
		}
		return "spoil the verifiers"
	default:
		if exists {
			secret := w.secret(name)
			secret.Labels, secret.Annotations = map[string]string{}, map[string]string{}
			w.must(w.WithWatch.Update(w.Context(), secret, client.FieldOwner("kubectl-edit")))
		}
		return "take labels and annotations from the Secret of " + key
	}
}

// fresh returns a token that nobody has yet, and that the server may accept once somebody put it into a Secret.
func (w *walk) fresh() string {
	w.made++
	value, err := token.New(rand.NewChaCha8([32]byte{1, byte(w.made), byte(w.random.Uint32())}))
	w.must(err)
	return value
}

// check learns which tokens were made, and asserts that the server accepts what it must and nothing else.
func (w *walk) check() {
	w.Helper()
	w.look()
	handed := w.handed()
	want := map[string]bool{}
	for _, key := range []string{"token", "reader.payroll"} {
		if w.newest[key] == "?" {
			w.newest[key] = handed[key]
		}
		for _, value := range []string{w.newest[key], w.before[key]} {
			if value != "" {
				want[token.Fingerprint(value)] = true
			}
		}
		if name, at := w.secretOf(key); !w.gone[key] && string(w.secret(name).Data[at]) != w.newest[key] {
			w.Errorf("Secret %s does not hold the newest %s", name, key)
		}
	}
	got := map[string]bool{}
	for _, v := range w.verifiers().Verifiers {
		got[v.Fingerprint()] = true
	}
	if !maps.Equal(got, want) {
		w.Errorf("the server accepts %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for _, problem := range statuscheck.Tenant(w.tenant()) {
		w.Error("status: ", problem)
	}
}

// bug class 1, and what people do in between.
func TestWhateverPeopleAskAndEditNobodyIsLockedOutWhoWasNotMeantAndNobodyLetIn(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Authentication.Readers = []v1alpha1.Reader{{Name: "payroll"}}
				p.Spec.Exposure.Type = v1alpha1.ExposureNone
			}))
			s.settle()
			w := &walk{simulated: s, random: rand.New(rand.NewPCG(seed, 0)), newest: s.handed(), before: map[string]string{}, gone: map[string]bool{}}
			for range 12 {
				w.failAt = 0
				w.told = append(w.told, w.step())
				w.ended = map[string]bool{} // a person may put back what ended
				w.look()
				w.fault, w.failAt = faults[w.random.IntN(len(faults))], w.writes+w.random.IntN(6)
				w.settle()
				w.check()
				if t.Failed() {
					t.Fatalf("after: %s", strings.Join(w.told, "; "))
				}
			}
			before := w.writes
			if _, err := w.reconcile(); err != nil || w.writes != before {
				t.Errorf("a settled tenant costs %d writes (%v)", w.writes-before, err)
			}
		})
	}
}
