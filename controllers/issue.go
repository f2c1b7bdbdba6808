package controllers

import (
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// issuance is what the Secrets of a tenant should hold.
type issuance struct {
	// issued are the wanted credentials in the order of the spec.
	issued []desired.Issued
	// revoked tells that the server takes a credential which is no longer wanted or was replaced.
	revoked bool
	// causes tell of each credential that was replaced what asked for it, for the metrics.
	causes []string
	// kept are those of issued that the server takes already: all that it may take from now on where something was revoked.
	kept []desired.Issued
}

// issuer decides on a tenant's credentials from its Secrets as they are.
type issuer struct {
	tenant string
	// handed are the Secrets that hand credentials out, by name; one that does not exist is missing.
	handed    map[string]*corev1.Secret
	present   []token.Verifier
	rotations map[string]rotation
	random    io.Reader
	now       time.Time
}

// issue decides on the wanted credentials. The Secret that hands it out is the source, and the verifier of a credential follows
// from it. Where the plaintext is gone, the verifier that is there stays; where there is neither, or a rotation is due, a
// credential is made.
func (i *issuer) issue(wanted []token.Credential) (issuance, error) {
	var result issuance
	for _, credential := range wanted {
		issued := i.found(credential)
		rotation := i.rotations[credential.Key]
		if issued.Verifier.SHA256 == "" || rotation.due(issued.Verifier.IssuedAt, i.now) {
			if issued.Verifier.SHA256 != "" {
				result.causes = append(result.causes, rotation.cause())
			}
			var err error
			if issued, err = i.replace(credential, issued.Verifier, rotation.overlap); err != nil {
				return issuance{}, err
			}
		}
		if issued.Previous != nil && rotation.over(issued.Previous.NotAfter, i.now) {
			issued.Previous = nil
		}
		result.issued = append(result.issued, issued)
	}
	result.kept = i.taken(result.issued)
	result.revoked = verifiersOf(result.kept) < len(i.present)
	return result, nil
}

// found is the credential as the Secrets have it; its verifier is empty where they have none.
func (i *issuer) found(credential token.Credential) desired.Issued {
	name, key := credential.Secret(i.tenant)
	handed := i.handed[name]
	issued := desired.Issued{Credential: credential, Plaintext: plaintextIn(handed, key)}
	var current token.Verifier
	for at, verifier := range i.present {
		switch {
		case !credential.Matches(verifier):
		case verifier.NotAfter.IsZero():
			current = verifier
		case issued.Previous == nil || verifier.NotAfter.After(issued.Previous.NotAfter):
			issued.Previous = &i.present[at]
		}
	}
	issued.Verifier = current
	if issued.Plaintext == "" || current.SHA256 != "" && token.Fingerprint(issued.Plaintext) == current.Fingerprint() {
		// Where the plaintext is gone it was copied and deleted, or spoiled by hand. What was copied stays valid.
		return issued
	}
	if issued.Previous != nil && issued.Previous.Fingerprint() == token.Fingerprint(issued.Plaintext) {
		issued.Previous = nil // someone put it back
	}
	mark, marked := desired.Marks(handed.Annotations)[credential.Key]
	if !marked || mark.Fingerprint != token.Fingerprint(issued.Plaintext) {
		// Someone put it there; when and why is not known, and what it took the place of ends.
		issued.Verifier = credential.Verifier(issued.Plaintext, handed.CreationTimestamp.Time)
		return issued
	}
	// Its verifier was lost, or a crash came before it was written.
	issued.Verifier = credential.Verifier(issued.Plaintext, mark.IssuedAt)
	if mark.Previous != "" && mark.Previous == current.Fingerprint() {
		current.NotAfter = mark.PreviousNotAfter
		issued.Previous = &current
	}
	return issued
}

// replace makes a credential in place of the one before, if there is one, which stays valid for the overlap.
func (i *issuer) replace(credential token.Credential, before token.Verifier, overlap time.Duration) (desired.Issued, error) {
	plaintext, err := token.New(i.random)
	if err != nil {
		return desired.Issued{}, err
	}
	issued := desired.Issued{Credential: credential, Plaintext: plaintext, Verifier: credential.Verifier(plaintext, i.now)}
	if before.SHA256 != "" && overlap > 0 {
		before.NotAfter = i.now.Add(overlap).UTC().Truncate(time.Second)
		issued.Previous = &before
	}
	return issued, nil
}

// taken are the verifiers among issued that the server has already, each as it should be from now on.
func (i *issuer) taken(issued []desired.Issued) []desired.Issued {
	var taken []desired.Issued
	for _, one := range issued {
		has := func(v token.Verifier) bool { return slices.ContainsFunc(i.present, v.Same) }
		if one.Previous != nil && !has(*one.Previous) {
			one.Previous = nil
		}
		switch {
		case has(one.Verifier):
			taken = append(taken, one)
		case one.Previous != nil:
			taken = append(taken, desired.Issued{Credential: one.Credential, Verifier: *one.Previous})
		}
	}
	return taken
}

// verifiersOf counts the verifiers of what was issued.
func verifiersOf(issued []desired.Issued) int {
	count := len(issued)
	for _, one := range issued {
		if one.Previous != nil {
			count++
		}
	}
	return count
}

// holds tells whether the plaintext of a credential is known that the credentials Secret hands out, and so whether there is anything to hand over.
func (i issuance) holds() bool {
	return slices.ContainsFunc(i.issued, func(issued desired.Issued) bool { return issued.Plaintext != "" && issued.Reader == "" })
}

// plaintextIn returns what a Secret holds under the key, or "" if that is nothing to rely on.
func plaintextIn(secret *corev1.Secret, key string) string {
	if secret == nil || token.Check(string(secret.Data[key])) != nil {
		return ""
	}
	return string(secret.Data[key])
}

// verifiersIn returns what a verifier Secret holds, if it is to be relied on.
func verifiersIn(secret *corev1.Secret) token.Set {
	if secret == nil {
		return token.Set{}
	}
	set, err := token.Decode(secret.Data[v1alpha1.VerifierKey])
	if err != nil {
		return token.Set{}
	}
	return set
}
