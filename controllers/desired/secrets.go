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
	token.Credential

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
	// Ended is the fingerprint of one that was taken from the spec, as long as the Secret that hands it out may still hold it.
	Ended string `json:"ended,omitempty"`
}

// Ended is a credential that was taken from the spec, and that the Secret which hands it out may still hold.
type Ended struct {
	token.Credential

	Fingerprint string
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

// Credentials is the Secret that a person copies from: the URLs and every credential whose plaintext is known, but those of readers.
func Credentials(tenant *v1alpha1.ProvisioningTenant, issued []Issued, obeyed token.Obeyed, tenantURL string) (*corev1ac.SecretApplyConfiguration, error) {
	var held []Issued
	data := PublicData(tenant, tenantURL)
	for _, i := range issued {
		if i.Plaintext != "" && i.Reader == "" {
			held = append(held, i)
			data[i.Key] = []byte(i.Plaintext)
		}
	}
	secret, err := secret(tenant, CredentialsName(tenant.Name), marksOf(held), obeyed)
	if err != nil {
		return nil, err
	}
	if tenantURL != "" {
		secret.WithAnnotations(map[string]string{AnnotationTenantURL: tenantURL})
	}
	return secret.WithData(data), nil
}

// ReaderData is what a reader's Secret holds beside the token, which ends at expiresAt; the zero time for never.
func ReaderData(tenant *v1alpha1.ProvisioningTenant, tenantURL string, expiresAt time.Time) map[string][]byte {
	data := map[string][]byte{v1alpha1.ReaderTypeKey: []byte(v1alpha1.ReaderType)}
	if tenantURL != "" {
		data[v1alpha1.ReaderURLKey] = []byte(tenantURL)
	}
	if tenant.Spec.Entra != nil {
		data[v1alpha1.ReaderEntraTenantIDKey] = []byte(tenant.Spec.Entra.TenantID)
	}
	if !expiresAt.IsZero() {
		data[v1alpha1.ReaderExpiresAtKey] = []byte(expiresAt.UTC().Format(time.RFC3339))
	}
	return data
}

// PublicMark is the value of AnnotationPublic.
func PublicMark(data map[string][]byte) (string, error) {
	texts := map[string]string{}
	for key, value := range data {
		texts[key] = string(value)
	}
	text, err := json.Marshal(texts)
	return string(text), err
}

// ReaderCredentials is the Secret with one reader's token, where its plaintext is known.
func ReaderCredentials(
	tenant *v1alpha1.ProvisioningTenant, issued Issued, obeyed token.Obeyed, tenantURL string, expiresAt time.Time,
) (*corev1ac.SecretApplyConfiguration, error) {
	data := ReaderData(tenant, tenantURL, expiresAt)
	mark, err := PublicMark(data)
	if err != nil {
		return nil, err
	}
	var held []Issued
	name, key := issued.Secret(tenant.Name)
	if issued.Plaintext != "" {
		held = append(held, issued)
		data[key] = []byte(issued.Plaintext)
	}
	secret, err := secret(tenant, name, marksOf(held), obeyed)
	if err != nil {
		return nil, err
	}
	return secret.WithAnnotations(map[string]string{AnnotationPublic: mark}).WithData(data), nil
}

// EmptiedReader is the Secret of a reader that there is no more. The operator may delete no Secret, so it takes away what it has put in.
func EmptiedReader(tenant *v1alpha1.ProvisioningTenant, name string) (*corev1ac.SecretApplyConfiguration, error) {
	return secret(tenant, name, nil, token.Obeyed{})
}

// Verifier is the Secret that the server checks credentials against. It holds hashes, never a credential. Its annotation tells what has ended
// and is still to be taken out of the Secrets that hand credentials out.
func Verifier(tenant *v1alpha1.ProvisioningTenant, issued []Issued, ended []Ended, obeyed token.Obeyed) (*corev1ac.SecretApplyConfiguration, error) {
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
	marks := marksOf(issued)
	for _, e := range ended {
		marks[e.Key] = Mark{Ended: e.Fingerprint}
	}
	secret, err := secret(tenant, VerifierName(tenant.Name), marks, obeyed)
	if err != nil {
		return nil, err
	}
	return secret.WithData(map[string][]byte{v1alpha1.VerifierKey: data}), nil
}

func marksOf(issued []Issued) map[string]Mark {
	marks := make(map[string]Mark, len(issued))
	for _, i := range issued {
		marks[i.Key] = markOf(i)
	}
	return marks
}

func secret(
	tenant *v1alpha1.ProvisioningTenant, name string, marks map[string]Mark, obeyed token.Obeyed,
) (*corev1ac.SecretApplyConfiguration, error) {
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
