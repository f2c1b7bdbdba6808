package credentials

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/conditions"
)

const (
	// clockSkew is how far the clock may be ahead by which somebody asks. A time beyond it is a mistake: once it was obeyed, no request of
	// today would be a later one.
	clockSkew = 24 * time.Hour
	// toldProblems bounds the message about annotations that make no sense.
	toldProblems = 5
)

// Requests are what the annotations of a tenant ask for and was not done yet, by the key of the credential.
type Requests struct {
	rotate, revoke map[string]token.Request
	// problems are sentences about annotations that are not obeyed.
	problems []string
	// Next is when one that is not obeyed because its time lies ahead will be; the zero time for never.
	Next time.Time
	// held is why one is not obeyed yet that makes sense, as the reason of a condition; empty where all are.
	held string
}

// RequestsOf reads the annotations of a tenant that are later than what was obeyed. An annotation asks by itself alone: a bad one keeps back no
// other, and nothing is done in its place.
func RequestsOf(tenant *v1alpha1.ProvisioningTenant, wanted []token.Credential, obeyed map[string]token.Obeyed, now time.Time) Requests {
	asked := Requests{rotate: map[string]token.Request{}, revoke: map[string]token.Request{}}
	var keys []string
	for _, credential := range wanted {
		keys = append(keys, credential.Key)
	}
	if value, ok := tenant.Annotations[v1alpha1.ReconcileAnnotation]; ok && value != v1alpha1.ReconcileDisabled {
		asked.problems = append(asked.problems, fmt.Sprintf("Annotation %s: %.60q asks for nothing, so the operator goes on with the tenant; "+
			"to have it stop, write %s, and else remove it.", v1alpha1.ReconcileAnnotation, value, v1alpha1.ReconcileDisabled))
	}
	for _, name := range slices.Sorted(maps.Keys(tenant.Annotations)) {
		if key, ok := strings.CutPrefix(name, v1alpha1.RotateAnnotationPrefix); ok {
			asked.read(tenant, asked.rotate, name, key, append(slices.Clip(keys), v1alpha1.AccessTokensCredential), obeyed[key].Rotate, now)
		}
		if key, ok := strings.CutPrefix(name, v1alpha1.RevokeAnnotationPrefix); ok {
			asked.read(tenant, asked.revoke, name, key, keys, obeyed[key].Revoke, now)
		}
	}
	return asked
}

// read adds what one annotation asks to those requests, or to the problems. It may ask it of a credential with one of the keys.
func (r *Requests) read(
	tenant *v1alpha1.ProvisioningTenant, those map[string]token.Request, name, key string, keys []string, obeyed, now time.Time,
) {
	problem := func(format string, args ...any) {
		r.problems = append(r.problems, "Annotation "+name+": "+fmt.Sprintf(format, args...)+".")
	}
	value := tenant.Annotations[name]
	request, err := token.ParseRequest(value)
	switch {
	case !slices.Contains(keys, key):
		problem("the tenant has no credential %q for it, so nothing was done; name one that it has: %s", key, strings.Join(keys, ", "))
	case err != nil:
		problem("%v; nothing was done", err)
	case request.Overlap != nil && (key == v1alpha1.AccessTokensCredential || strings.HasPrefix(name, v1alpha1.RevokeAnnotationPrefix)):
		problem("%.60q: an end at once has no overlap; nothing was done", value)
	case request.At.Equal(obeyed):
	case request.At.Before(obeyed):
		problem("%.60q is older than the request of %s, which was obeyed; nothing was done; give a later time than that, or remove it",
			value, obeyed.UTC().Format(time.RFC3339))
	case request.At.After(now.Add(clockSkew)):
		problem("%.60q is more than a day ahead; nothing is done before", value)
		if at := request.At.Add(-clockSkew); r.Next.IsZero() || at.Before(r.Next) {
			r.Next = at
		}
	default:
		those[key] = request
	}
}

// Hold keeps back a new credential that cannot be handed out, because its Secret cannot be written, and the end of the one that it would replace.
func (r *Requests) Hold(tenant *v1alpha1.ProvisioningTenant, wanted []token.Credential, blocked map[string]error) {
	for _, credential := range wanted {
		name, _ := credential.Secret(tenant.Name)
		rotate, asked := r.rotate[credential.Key]
		if blocked[name] == nil || !asked {
			continue
		}
		delete(r.rotate, credential.Key)
		if r.revoke[credential.Key].At.After(rotate.At) {
			delete(r.revoke, credential.Key)
		}
		r.held, _ = hindrance(tenant, blocked[name])
		r.problems = append(r.problems, fmt.Sprintf("Annotation %s%s: a new credential cannot be handed out in Secret %s, as condition CredentialsReady says; "+
			"it is issued as soon as that is mended.", v1alpha1.RotateAnnotationPrefix, credential.Key, name))
	}
}

// Has tells whether a credential with that key is among them.
func Has(wanted []token.Credential, key string) bool {
	return slices.ContainsFunc(wanted, func(c token.Credential) bool { return c.Key == key })
}

// Pending tells whether something is to be done.
func (r *Requests) Pending() bool { return len(r.rotate)+len(r.revoke) > 0 }

// obeyed are the requests about one credential as they count as obeyed once they were.
func (r *Requests) obeyed(key string) token.Obeyed {
	return token.Obeyed{Rotate: r.rotate[key].At, Revoke: r.revoke[key].At}
}

// Condition tells whether all that annotations ask for was done. The tenant serves either way.
func (r *Requests) Condition() metav1.Condition {
	if len(r.problems) == 0 {
		return conditions.True(v1alpha1.ConditionRequestsObeyed, v1alpha1.ReasonObeyed, "No annotation asks for what was not done.")
	}
	told := r.problems
	if more := len(told) - toldProblems; more > 0 {
		told = append(slices.Clone(told[:toldProblems]), fmt.Sprintf("And %d more.", more))
	}
	return conditions.False(v1alpha1.ConditionRequestsObeyed, cmp.Or(r.held, v1alpha1.ReasonInvalidRequest), strings.Join(told, " "))
}

// Waiting tells whether annotations ask for what these Secrets do not tell was done. Where the verifier Secret is lost, the
// others tell; a tenant without any is new, and is not rotated.
func Waiting(
	tenant *v1alpha1.ProvisioningTenant, handed map[string]*metav1.PartialObjectMetadata, verifier *metav1.PartialObjectMetadata, now time.Time,
) bool {
	if verifier == nil && len(handed) == 0 {
		return false
	}
	obeyed := map[string]token.Obeyed{}
	if verifier != nil {
		obeyed = Obeyed(token.Marks(verifier.Annotations))
	} else {
		for _, secret := range handed {
			for key, mark := range token.Marks(secret.Annotations) {
				obeyed[key] = obeyed[key].Or(mark.Obeyed)
			}
		}
	}
	asked := RequestsOf(tenant, token.Wanted(tenant), obeyed, now)
	return asked.Pending()
}

// Obeyed are the requests that marks tell were obeyed, by the key of the credential.
func Obeyed(marks map[string]token.Mark) map[string]token.Obeyed {
	obeyed := map[string]token.Obeyed{}
	for key, mark := range marks {
		obeyed[key] = mark.Obeyed
	}
	return obeyed
}
