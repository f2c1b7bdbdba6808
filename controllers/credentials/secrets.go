package credentials

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// HandedOut are the Secrets that hand out the wanted credentials, by name, as read has them. A Secret that read does not find is missing.
func HandedOut[S any](tenant *v1alpha1.ProvisioningTenant, read func(name string) (*S, error)) (map[string]*S, error) {
	found := map[string]*S{}
	for _, name := range HandingOut(tenant) {
		secret, err := read(name)
		if err != nil {
			return nil, err
		}
		if secret != nil {
			found[name] = secret
		}
	}
	return found, nil
}

// HandingOut are the names of the Secrets that hand out the wanted credentials.
func HandingOut(tenant *v1alpha1.ProvisioningTenant) []string {
	var names []string
	for _, credential := range token.Wanted(tenant) {
		if name, _ := credential.Secret(tenant.Name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// IsTenants tells of a Secret with a name of the tenant's, which nobody controls, whether it is the tenant's too: it holds a credential that is in
// use; or it has the tenant's labels and either takes the place of one that was deleted or holds a credential. verifier is the verifier Secret,
// nil where there is none.
func IsTenants(tenant *v1alpha1.ProvisioningTenant, secret *corev1.Secret, labelled bool, verifier *corev1.Secret) bool {
	return holdsOneOf(secret, inUse(tenant, verifier)) || labelled && (verifier != nil || provesItself(secret) || holdsToken(secret))
}

// inUse are the fingerprints of what clients of the tenant may use, but for what ends by itself: as the verifier Secret tells, or the status
// where that is lost or spoiled.
func inUse(tenant *v1alpha1.ProvisioningTenant, verifier *corev1.Secret) map[string]bool {
	found := map[string]bool{}
	if verifier != nil {
		if set, err := token.Decode(verifier.Data[v1alpha1.VerifierKey]); err == nil && len(set.Verifiers) > 0 {
			for _, one := range set.Verifiers {
				found[one.Fingerprint()] = one.NotAfter.IsZero()
			}
			return found
		}
	}
	if told := tenant.Status.Credentials; told != nil && told.Fingerprint != "" {
		found[told.Fingerprint] = true
	}
	return found
}

// holdsOneOf tells whether a Secret holds a credential with one of these fingerprints, or its hash.
func holdsOneOf(secret *corev1.Secret, fingerprints map[string]bool) bool {
	for fingerprint := range held(secret) {
		if fingerprints[fingerprint] {
			return true
		}
	}
	return false
}

// held are the fingerprints of what a Secret holds, as it is or hashed.
func held(secret *corev1.Secret) map[string]bool {
	found := map[string]bool{}
	for _, value := range secret.Data {
		found[token.Fingerprint(strings.TrimSpace(string(value)))] = true
	}
	if set, err := token.Decode(secret.Data[v1alpha1.VerifierKey]); err == nil {
		for _, verifier := range set.Verifiers {
			found[verifier.Fingerprint()] = true
		}
	}
	return found
}

// holdsToken tells whether a Secret holds a token that Tenantry issued, to whomever.
func holdsToken(secret *corev1.Secret) bool {
	for _, value := range secret.Data {
		if token.Check(strings.TrimSpace(string(value))) == nil {
			return true
		}
	}
	return false
}

// provesItself tells whether a Secret holds what its annotation says that was issued, one credential at least. A tool that restored it
// may have kept nothing else by which to tell, and the token that Entra has must not be lost.
func provesItself(secret *corev1.Secret) bool {
	held, proved := held(secret), false
	for _, mark := range token.Marks(secret.Annotations) {
		if mark.Fingerprint == "" || mark.Ended != "" || mark.Refused != "" {
			continue // it tells of requests, or of what nobody issued
		}
		if !held[mark.Fingerprint] {
			return false
		}
		proved = true
	}
	return proved
}
