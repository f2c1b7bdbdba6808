package desired

import (
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Issued is a credential that was issued.
type Issued struct {
	// Key of the credentials Secret.
	Key string
	// Plaintext is empty where a person deleted it after copying.
	Plaintext string
	Verifier  token.Verifier
	// Previous is the verifier of the credential before, while that is valid too.
	Previous *token.Verifier
}

// Mark is what AnnotationCredentials tells of one credential.
type Mark struct {
	Fingerprint string    `json:"fingerprint"`
	IssuedAt    time.Time `json:"issuedAt"`
	// Previous is the fingerprint of the credential before while that is valid too, and PreviousNotAfter its last moment.
	Previous         string    `json:"previous,omitempty"`
	PreviousNotAfter time.Time `json:"previousNotAfter,omitzero"`
}

func markOf(i Issued) Mark {
	mark := Mark{Fingerprint: i.Verifier.Fingerprint(), IssuedAt: i.Verifier.IssuedAt.UTC()}
	if i.Previous != nil {
		mark.Previous, mark.PreviousNotAfter = i.Previous.Fingerprint(), i.Previous.NotAfter.UTC()
	}
	return mark
}

// Marks reads AnnotationCredentials, by key of the credentials Secret. One that nobody can read is none.
func Marks(annotations map[string]string) map[string]Mark {
	var marks map[string]Mark
	if json.Unmarshal([]byte(annotations[AnnotationCredentials]), &marks) != nil {
		return nil
	}
	return marks
}

// PublicData is what the credentials Secret holds beside credentials. URLs are left out while the tenant has none.
func PublicData(tenant *v1alpha1.ProvisioningTenant, tenantURL string) map[string][]byte {
	data := map[string][]byte{}
	if tenantURL != "" {
		data[v1alpha1.CredentialsTenantURLKey] = []byte(tenantURL)
	}
	if tokenURL := TokenURL(tenant, tenantURL); tokenURL != "" {
		data[v1alpha1.CredentialsTokenURLKey] = []byte(tokenURL)
	}
	if tenant.Spec.Authentication.OAuth != nil {
		data[v1alpha1.CredentialsClientIDKey] = []byte(tenant.Name)
	}
	return data
}

// ObeyedBy reads from the annotations of one of the two Secrets which requests led to what it holds.
func ObeyedBy(annotations map[string]string) token.Obeyed {
	return token.Obeyed{
		Rotate: annotations[AnnotationRotated], Revoke: annotations[AnnotationRevoked], EndTokens: annotations[AnnotationTokensEnded],
	}
}

// Credentials is the Secret that a person copies from: the URLs and every credential whose plaintext is known.
func Credentials(tenant *v1alpha1.ProvisioningTenant, issued []Issued, obeyed token.Obeyed, tenantURL string) (*corev1ac.SecretApplyConfiguration, error) {
	var held []Issued
	data := PublicData(tenant, tenantURL)
	for _, i := range issued {
		if i.Plaintext != "" {
			held = append(held, i)
			data[i.Key] = []byte(i.Plaintext)
		}
	}
	secret, err := secret(tenant, CredentialsName(tenant.Name), held, obeyed)
	if err != nil {
		return nil, err
	}
	if tenantURL != "" {
		secret.WithAnnotations(map[string]string{AnnotationTenantURL: tenantURL})
	}
	return secret.WithData(data), nil
}

// Verifier is the Secret that the server checks credentials against. It holds hashes, never a credential.
func Verifier(tenant *v1alpha1.ProvisioningTenant, issued []Issued, obeyed token.Obeyed) (*corev1ac.SecretApplyConfiguration, error) {
	set := token.Set{Obeyed: obeyed}
	for _, i := range issued {
		set.Verifiers = append(set.Verifiers, i.Verifier)
		if i.Previous != nil {
			set.Verifiers = append(set.Verifiers, *i.Previous)
		}
	}
	data, err := set.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode the verifiers: %w", err)
	}
	secret, err := secret(tenant, VerifierName(tenant.Name), issued, obeyed)
	if err != nil {
		return nil, err
	}
	return secret.WithData(map[string][]byte{v1alpha1.VerifierKey: data}), nil
}

func secret(tenant *v1alpha1.ProvisioningTenant, name string, issued []Issued, obeyed token.Obeyed) (*corev1ac.SecretApplyConfiguration, error) {
	marks := make(map[string]Mark, len(issued))
	for _, i := range issued {
		marks[i.Key] = markOf(i)
	}
	text, err := json.Marshal(marks)
	if err != nil {
		return nil, fmt.Errorf("encode the annotation of Secret %q: %w", name, err)
	}
	annotations := map[string]string{AnnotationCredentials: string(text)}
	for key, value := range map[string]string{
		AnnotationRotated: obeyed.Rotate, AnnotationRevoked: obeyed.Revoke, AnnotationTokensEnded: obeyed.EndTokens,
	} {
		if value != "" {
			annotations[key] = value
		}
	}
	return corev1ac.Secret(name, tenant.Namespace).
		WithLabels(Labels(tenant.Name)).
		WithOwnerReferences(owner(tenant)).
		WithAnnotations(annotations).
		WithType(corev1.SecretTypeOpaque), nil
}
