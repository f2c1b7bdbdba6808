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

// issuance is what the two Secrets of a tenant should hold.
type issuance struct {
	// issued are the wanted credentials in the order of the spec.
	issued []desired.Issued
	// kept are those of issued that the server takes already.
	kept []desired.Issued
	// revoked tells that the server takes a credential which is no longer wanted or was replaced.
	revoked bool
}

// issue decides on a tenant's credentials from both Secrets as they are; nil is a Secret that does not exist. The
// credentials Secret is the source, and the verifier of a credential follows from it. Where the plaintext is gone, the verifier
// that is there stays; where there is neither, a credential is made.
func issue(wanted []token.Credential, credentials, verifiers *corev1.Secret, random io.Reader, now time.Time) (issuance, error) {
	var result issuance
	present := verifiersIn(verifiers)
	for _, credential := range wanted {
		issued := desired.Issued{Key: credential.Key, Plaintext: plaintextIn(credentials, credential.Key)}
		at := slices.IndexFunc(present, credential.Matches)
		switch {
		case issued.Plaintext != "":
			issued.Verifier = credential.Verifier(issued.Plaintext, issuedAt(credentials, credential.Key, issued.Plaintext))
			if at >= 0 && present[at].SHA256 == issued.Verifier.SHA256 {
				issued.Verifier.IssuedAt = present[at].IssuedAt
			}
		case at >= 0:
			// Copied and deleted, or spoiled by hand. What was copied stays valid.
			issued.Verifier = present[at]
		default:
			plaintext, err := token.New(random)
			if err != nil {
				return issuance{}, err
			}
			issued.Plaintext, issued.Verifier = plaintext, credential.Verifier(plaintext, now)
		}
		result.issued = append(result.issued, issued)
		if slices.Contains(present, issued.Verifier) {
			result.kept = append(result.kept, issued)
		}
	}
	result.revoked = len(result.kept) < len(present)
	return result, nil
}

// holds tells whether the plaintext of a credential is known, and so whether there is anything to hand over.
func (i issuance) holds() bool {
	return slices.ContainsFunc(i.issued, func(issued desired.Issued) bool { return issued.Plaintext != "" })
}

// plaintextIn returns what a credentials Secret holds under the key, or "" if that is nothing to rely on.
func plaintextIn(secret *corev1.Secret, key string) string {
	if secret == nil || token.Check(string(secret.Data[key])) != nil {
		return ""
	}
	return string(secret.Data[key])
}

// issuedAt is when the credential in a credentials Secret was made.
func issuedAt(secret *corev1.Secret, key, plaintext string) time.Time {
	if mark := desired.Marks(secret.Annotations)[key]; mark.Fingerprint == token.Fingerprint(plaintext) {
		return mark.IssuedAt
	}
	return secret.CreationTimestamp.Time
}

// verifiersIn returns the verifiers in a verifier Secret, if there are any to rely on.
func verifiersIn(secret *corev1.Secret) []token.Verifier {
	if secret == nil {
		return nil
	}
	set, err := token.Decode(secret.Data[v1alpha1.VerifierKey])
	if err != nil {
		return nil
	}
	return set.Verifiers
}
