package credentials

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// issuer decides on a tenant's credentials from its Secrets as they are. It reads and writes nothing.
type issuer struct {
	tenant *v1alpha1.ProvisioningTenant
	// handed are the Secrets that hand credentials out, by name; one that does not exist is missing.
	handed map[string]*corev1.Secret
	// accepted is what the server accepts, and marks what the verifier Secret tells of it. known is whether that Secret can be relied on.
	accepted token.Set
	marks    map[string]token.Mark
	known    bool
	// asked is what people asked for and was not done yet.
	asked Requests
	// ended are the credentials that people asked to end, these ones among them.
	ended []v1alpha1.EndedCredential
	// blocked says by the name of a Secret that hands credentials out why it cannot be written.
	blocked map[string]error
	// elsewhere tells whether a credential with this fingerprint is another tenant's.
	elsewhere func(fingerprint string) (bool, error)
	random    io.Reader
	now       time.Time
}

func newIssuer(state State) *issuer {
	i := &issuer{
		tenant: state.Tenant, handed: state.Handed, blocked: state.Blocked, elsewhere: state.Elsewhere, random: state.Random, now: state.Now,
		marks: map[string]token.Mark{},
	}
	if told := state.Tenant.Status.Credentials; told != nil {
		// A time that lies ahead was not written by the operator, and would push out those that were.
		ahead := func(e v1alpha1.EndedCredential) bool { return e.EndedAt.After(i.now.Add(clockSkew)) }
		i.ended = slices.DeleteFunc(slices.Clone(told.Ended), ahead)
	}
	if state.Verifier != nil {
		i.know(state.Verifier)
	}
	wanted := token.Wanted(state.Tenant)
	obeyed := map[string]token.Obeyed{v1alpha1.AccessTokensCredential: i.obeyed(v1alpha1.AccessTokensCredential)}
	for _, credential := range wanted {
		obeyed[credential.Key] = i.obeyed(credential.Key)
	}
	i.asked = RequestsOf(state.Tenant, wanted, obeyed, i.now)
	i.asked.Hold(state.Tenant, wanted, state.Blocked)
	return i
}

// issue returns the wanted credentials as they should be, and the causes of those that were replaced, for the metrics. A credential of which nothing
// is accepted, and whose Secret has a value that is refused or cannot be written, has no verifier.
func (i *issuer) issue(wanted []token.Credential) (issued []desired.Issued, causes []string, err error) {
	for _, credential := range wanted {
		one, err := i.current(credential, issued)
		if err != nil {
			return nil, nil, err
		}
		forgotten := i.forgotten(credential)
		if forgotten != "" {
			one.Replaced = forgotten
			if one.Verifier.SHA256 != "" {
				one.Verifier.IssuedAt = i.now.UTC().Truncate(time.Second) // somebody put it back, as one does by hand
			}
		}
		before, rotation := one, i.rotation(credential)
		if rotation.revoke && !rotation.revokeReplaced {
			one.Previous = nil
		}
		name, _ := credential.Secret(i.tenant.Name)
		missing, blocked := one.Verifier.SHA256 == "", i.blocked[name]
		switch {
		case missing && one.Refused != "" && !rotation.replace:
			one.Lost = i.lost(credential) // nothing is accepted, and what is wrong with the value a person may know to mend
		case missing && blocked != nil:
			one.Lost = i.lost(credential) // it is issued once it can be handed out
		case missing, blocked == nil && rotation.Due(one.Verifier.IssuedAt, i.now):
			if !missing {
				causes = append(causes, rotation.cause())
			}
			if one, err = i.replace(credential, one.Verifier, rotation.overlapNow); err != nil {
				return nil, nil, err
			}
			if missing || forgotten != "" {
				one.Replaced = before.Replaced
			}
		}
		if rotation.revokeReplaced || one.Previous != nil && !i.now.Before(one.Previous.NotAfter) {
			one.Previous = nil
		}
		if asksAll := rotation.replace && (rotation.overlapNow == 0 || rotation.revokeReplaced); asksAll || rotation.revoke {
			i.endOnRequest(before, one, asksAll)
		}
		one.Obeyed = i.obeyed(credential.Key).Or(i.asked.obeyed(credential.Key))
		issued = append(issued, one)
	}
	return issued, causes, nil
}

// rotation is what is due for a credential. Where it is not known which requests were obeyed, because the verifier Secret is lost and a person made
// the one that hands the credential out, they count as obeyed: obeyed again, they could end the credential that clients use.
func (i *issuer) rotation(credential token.Credential) Rotation {
	if mark := i.handedMark(credential); !i.known && (mark == token.Mark{} || mark.Refused != "") {
		return RotationOf(i.tenant, credential, Requests{})
	}
	return RotationOf(i.tenant, credential, i.asked)
}

// current is the credential as the Secrets have it; its verifier is empty where they have none. The plaintext that a Secret hands out goes
// before the verifier, because a person who puts a token back wants it to be accepted.
func (i *issuer) current(credential token.Credential, others []desired.Issued) (desired.Issued, error) {
	mark := i.marks[credential.Key]
	issued := desired.Issued{Credential: credential, Lost: mark.Lost, Replaced: mark.Replaced}
	for at, verifier := range i.accepted.Verifiers {
		switch {
		case !credential.Matches(verifier), i.hasEnded(verifier.Fingerprint()):
		case verifier.NotAfter.IsZero():
			issued.Verifier = verifier
		case issued.Previous == nil || verifier.NotAfter.After(issued.Previous.NotAfter):
			issued.Previous = &i.accepted.Verifiers[at]
		}
	}
	put, there := i.value(credential)
	value := strings.TrimSpace(string(put))
	if value == "" { // it was copied and deleted, and stays valid
		if there {
			issued.Value = append([]byte{}, put...) // not nil, though it may be empty
		}
		return issued, nil
	}
	held := credential.Verifier(value, i.now)
	if held.Same(issued.Verifier) {
		issued.Plaintext = value
		if handed := i.handedMark(credential); handed.Fingerprint == held.Fingerprint() && handed.IssuedAt.After(issued.Verifier.IssuedAt) {
			issued.Verifier.IssuedAt, issued.Replaced = handed.IssuedAt, handed.Replaced // a crash came before the verifiers were written
		}
		if issued.Previous == nil {
			issued.Previous = i.previous(credential, mark) // the verifier Secret was spoiled by hand
		}
		return issued, nil
	}
	refused, err := i.refuse(credential, value, others)
	if err != nil {
		return desired.Issued{}, err
	}
	if refused != "" {
		issued.Refused, issued.Value = refused, put
		return issued, nil
	}
	replaced, mark := issued.Verifier, i.handedMark(credential)
	issued.Plaintext, issued.Verifier = value, held
	told := mark.Refused == "" && mark.Fingerprint == held.Fingerprint()
	older := told && mark.IssuedAt.Before(replaced.IssuedAt) && mark.PreviousSHA256 != replaced.SHA256
	if !told || older {
		// Someone put it there, and what it takes the place of ends. When it was issued is not known; by age it is rotated as a new one.
		issued.Lost, issued.Replaced = false, ""
		if older || credential.Reader == "" && replaced.SHA256 != "" && usedSince(i.tenant, replaced.IssuedAt) {
			issued.Replaced = replaced.Fingerprint()
		}
		if issued.Previous != nil && issued.Previous.SHA256 == held.SHA256 {
			issued.Previous = nil
		}
		return issued, nil
	}
	// Its verifier was lost, or a crash came before it was written.
	issued.Verifier.IssuedAt, issued.Lost, issued.Replaced, issued.Previous = mark.IssuedAt, mark.Lost, mark.Replaced, nil
	switch mark.PreviousSHA256 {
	case "":
	case replaced.SHA256:
		replaced.NotAfter = mark.PreviousNotAfter
		issued.Previous = &replaced
	default:
		// A verifier Secret that can be relied on and tells of none knows better: it was revoked.
		if !i.known || mark.PreviousSHA256 == i.marks[credential.Key].PreviousSHA256 {
			issued.Previous = i.previous(credential, mark)
		}
	}
	return issued, nil
}

// know takes over what the verifier Secret has, if it can be relied on: not where it was emptied. Its data goes before its annotation.
func (i *issuer) know(verifier *corev1.Secret) {
	i.ended = token.JoinEnded(i.ended, token.Ended(verifier.Annotations))
	set, err := token.Decode(verifier.Data[v1alpha1.VerifierKey])
	marks := token.Marks(verifier.Annotations)
	if err != nil || len(set.Verifiers) == 0 && tellsOfAny(marks) {
		return
	}
	i.accepted, i.known = set, true
	for key, mark := range marks {
		mark.Obeyed = token.Obeyed{}
		i.marks[key] = mark
	}
	for key, obeyed := range set.Obeyed {
		mark := i.marks[key]
		mark.Obeyed = obeyed
		i.marks[key] = mark
	}
}

// tellsOfAny tells whether marks tell of a credential.
func tellsOfAny(marks map[string]token.Mark) bool {
	for _, mark := range marks {
		if mark.Fingerprint != "" {
			return true
		}
	}
	return false
}

// tokensEnded are the requests to end all access tokens, the present one among them.
func (i *issuer) tokensEnded() token.Obeyed {
	return i.obeyed(v1alpha1.AccessTokensCredential).Or(i.asked.obeyed(v1alpha1.AccessTokensCredential))
}

// value returns what a Secret hands out as the credential, and whether it has a key for it.
func (i *issuer) value(credential token.Credential) (value []byte, there bool) {
	name, key := credential.Secret(i.tenant.Name)
	if secret := i.handed[name]; secret != nil {
		value, there = secret.Data[key]
	}
	return value, there
}

// handedMark is what the Secret that hands the credential out tells of it; the zero Mark for nothing.
func (i *issuer) handedMark(credential token.Credential) token.Mark {
	name, _ := credential.Secret(i.tenant.Name)
	if i.handed[name] == nil {
		return token.Mark{}
	}
	return token.Marks(i.handed[name].Annotations)[credential.Key]
}

// obeyed are the requests that led to a credential as it is: a crash may have come between the two Secrets that tell.
func (i *issuer) obeyed(key string) token.Obeyed {
	obeyed := i.accepted.Obeyed[key]
	for _, secret := range i.handed {
		obeyed = obeyed.Or(token.Marks(secret.Annotations)[key].Obeyed)
	}
	return obeyed
}

// refuse says why the server must not accept a value that is not the credential it accepts; "" for a token that was put back.
func (i *issuer) refuse(credential token.Credential, value string, others []desired.Issued) (string, error) {
	if problem := token.Malformed(value); problem != "" {
		return problem, nil
	}
	fingerprint := token.Fingerprint(value)
	if at := token.EndedAt(i.ended, fingerprint); !at.IsZero() {
		return fmt.Sprintf(refusedEnded, at.Format(time.RFC3339)), nil
	}
	another := func(v token.Verifier) bool { return v.Fingerprint() == fingerprint && !credential.Matches(v) }
	if slices.ContainsFunc(i.accepted.Verifiers, another) || slices.ContainsFunc(others, func(o desired.Issued) bool { return another(o.Verifier) }) {
		return refusedHere, nil
	}
	elsewhere, err := i.elsewhere(fingerprint)
	if elsewhere {
		return RefusedElsewhere, err
	}
	return "", err
}

// Why a token is refused that somebody else has, or that somebody asked to end.
const (
	refusedEnded     = "it was ended on request at %s, and is not accepted again"
	refusedHere      = "it is another credential of this tenant, whose holder would get the rights of this one"
	RefusedElsewhere = "it is a credential of another tenant, whose holder would get into this one"
)

// replace makes a credential in place of the one before, if there is one, which stays valid for the overlap.
func (i *issuer) replace(credential token.Credential, before token.Verifier, overlap time.Duration) (desired.Issued, error) {
	plaintext, err := token.New(i.random)
	if err != nil {
		return desired.Issued{}, err
	}
	issued := desired.Issued{Credential: credential, Plaintext: plaintext, Verifier: credential.Verifier(plaintext, i.now)}
	switch {
	case before.SHA256 == "":
		issued.Lost = i.lost(credential)
	case overlap > 0:
		before.NotAfter = i.now.Add(overlap).UTC().Truncate(time.Second)
		issued.Previous = &before
	}
	return issued, nil
}

// lost tells whether a credential that is in no Secret was there before: clients may still use it.
func (i *issuer) lost(credential token.Credential) bool {
	mark := i.marks[credential.Key]
	if mark.Ended != "" || i.hasEnded(mark.Fingerprint) || i.forgotten(credential) != "" {
		return false // it was ended, or it is told otherwise
	}
	if credential.Key == v1alpha1.CredentialsTokenKey {
		return wasServed(i.tenant)
	}
	return mark.Fingerprint != "" || mark.Lost || !i.known && IssuedBefore(i.tenant, credential.Key) != nil
}

// forgetEnded takes from what Secrets hand out each credential that ended, and returns the keys of those that the spec does not want. It may
// be wanted again before its Secret was emptied, and must not be accepted again.
func (i *issuer) forgetEnded(wanted []token.Credential) (unwanted []token.Credential) {
	ended := map[string]string{}
	for key, mark := range i.marks {
		if mark.Ended != "" {
			ended[key] = mark.Ended
		}
	}
	for _, verifier := range i.accepted.Verifiers {
		if key := verifier.Key(); verifier.NotAfter.IsZero() && (!Has(wanted, key) || i.hasEnded(verifier.Fingerprint())) {
			ended[key] = verifier.Fingerprint()
		}
	}
	for _, key := range slices.Sorted(maps.Keys(ended)) {
		credential := token.ByKey(key, i.tenant.Name)
		if !Has(wanted, key) {
			unwanted = append(unwanted, credential)
		}
		name, at := credential.Secret(i.tenant.Name)
		if secret := i.handed[name]; secret != nil && token.Fingerprint(strings.TrimSpace(string(secret.Data[at]))) == ended[key] {
			delete(secret.Data, at)
		}
	}
	return unwanted
}

// withdrawn is what the server accepts today without what it is not to accept any more, and the marks that tell so. From them a look after a
// crash knows what ended.
func (i *issuer) withdrawn(wanted []token.Verifier) ([]token.Verifier, map[string]token.Mark) {
	var still []token.Verifier
	marks := map[string]token.Mark{}
	maps.Copy(marks, i.marks)
	for _, verifier := range i.accepted.Verifiers {
		key := verifier.Key()
		mark := marks[key]
		switch {
		case slices.ContainsFunc(wanted, verifier.Same):
			still = append(still, verifier)
			continue
		case verifier.NotAfter.IsZero():
			mark = token.Mark{Obeyed: mark.Obeyed, Ended: verifier.Fingerprint()}
		default:
			mark.PreviousSHA256, mark.PreviousNotAfter = "", time.Time{}
		}
		marks[key] = mark
	}
	return still, marks
}

// withoutToken is why the server accepts no Secret Token: it cannot be handed out. nil where it accepts one, or refuses one that is told of.
func (i *issuer) withoutToken(secretToken desired.Issued) error {
	if secretToken.Verifier.SHA256 != "" || secretToken.Refused != "" {
		return nil
	}
	return i.blocked[desired.CredentialsName(i.tenant.Name)]
}

// verifiersOf are the verifiers of what was issued.
func verifiersOf(issued []desired.Issued) []token.Verifier {
	var verifiers []token.Verifier
	for _, one := range issued {
		if one.Verifier.SHA256 != "" {
			verifiers = append(verifiers, one.Verifier)
		}
		if one.Previous != nil {
			verifiers = append(verifiers, *one.Previous)
		}
	}
	return verifiers
}
