package desired

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Issued is a credential as the Secrets of a tenant should have it.
type Issued struct {
	token.Credential

	// Plaintext is empty where a person deleted it after copying.
	Plaintext string
	// Verifier is empty where the server accepts nothing for it, because Value is refused and what was accepted is lost, or because it is not
	// issued before it can be handed out.
	Verifier token.Verifier
	// Previous is the verifier of the credential before, while that is valid too.
	Previous *token.Verifier
	// Obeyed are the requests that led to it.
	Obeyed token.Obeyed
	// Lost tells that it took the place of one that was lost with both Secrets.
	Lost bool
	// Replaced is the fingerprint of one that clients may use and that ended without a request, because another was put in its place.
	Replaced string
	// Refused says why the server does not accept Value, which somebody put where the plaintext belongs; it is empty where Value has nothing
	// but blanks. Value is nil where there is none.
	Refused string
	Value   []byte
}

// Mark is what the verifier Secret tells of the credential; the zero Mark of one that is not issued yet, unless something else is known of it.
func (i Issued) Mark() token.Mark {
	mark := i.accepted()
	mark.Copied = i.Plaintext == "" && i.Refused == "" && i.Verifier.SHA256 != ""
	return mark
}

// HandedMark is what the Secret tells that hands the credential out, and false where that has no key for it. It is the zero Mark for a key
// with nothing but blanks.
func (i Issued) HandedMark() (token.Mark, bool) {
	switch {
	case i.Plaintext != "":
		return i.accepted(), true
	case i.Refused == "":
		return token.Mark{}, i.Value != nil
	}
	refused := token.Mark{Refused: i.Refused}
	if value := strings.TrimSpace(string(i.Value)); token.Check(value) == nil {
		refused.Fingerprint = token.Fingerprint(value)
	}
	return refused, true
}

func (i Issued) accepted() token.Mark {
	mark := token.Mark{Fingerprint: i.Verifier.Fingerprint(), IssuedAt: i.Verifier.IssuedAt.UTC(), Obeyed: i.Obeyed, Lost: i.Lost, Replaced: i.Replaced}
	if i.Previous != nil {
		mark.PreviousSHA256, mark.PreviousNotAfter = i.Previous.SHA256, i.Previous.NotAfter.UTC()
	}
	return mark
}

// value is what the Secret that hands the credential out holds; nil for nothing.
func (i Issued) value() []byte {
	if i.Plaintext != "" {
		return []byte(i.Plaintext)
	}
	return i.Value // as it is, so that the operator owns the key and notices the next change
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

// Credentials is the Secret that a person copies from: the URLs and every credential whose plaintext is known, but those of readers. tokensEnded is
// when access tokens were ended last.
func Credentials(
	tenant *v1alpha1.ProvisioningTenant, issued []Issued, tokensEnded token.Obeyed, tenantURL string,
) (*corev1ac.SecretApplyConfiguration, error) {
	data, marks := PublicData(tenant, tenantURL), map[string]token.Mark{}
	if tokensEnded != (token.Obeyed{}) {
		marks[v1alpha1.AccessTokensCredential] = token.Mark{Obeyed: tokensEnded}
	}
	for _, i := range issued {
		if mark, holds := i.HandedMark(); holds && i.Reader == "" {
			marks[i.Key], data[i.Key] = mark, i.value()
		}
	}
	secret, err := secret(tenant, CredentialsName(tenant.Name), marks)
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
		data[v1alpha1.ReaderURIKey] = []byte(tenantURL)
	}
	if tenant.Spec.Entra() != nil {
		data[v1alpha1.ReaderEntraTenantIDKey] = []byte(tenant.Spec.Entra().TenantID)
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
	tenant *v1alpha1.ProvisioningTenant, issued Issued, tenantURL string, expiresAt time.Time,
) (*corev1ac.SecretApplyConfiguration, error) {
	data, marks := ReaderData(tenant, tenantURL, expiresAt), map[string]token.Mark{}
	public, err := PublicMark(data)
	if err != nil {
		return nil, err
	}
	name, key := issued.Secret(tenant.Name)
	if mark, holds := issued.HandedMark(); holds {
		marks[issued.Key], data[key] = mark, issued.value()
	}
	secret, err := secret(tenant, name, marks)
	if err != nil {
		return nil, err
	}
	return secret.WithAnnotations(map[string]string{AnnotationPublic: public}).WithData(data), nil
}

// EmptiedReader is the Secret of a reader that there is no more. The operator may delete no Secret, so it takes away what it has put in.
func EmptiedReader(tenant *v1alpha1.ProvisioningTenant, name string) (*corev1ac.SecretApplyConfiguration, error) {
	return secret(tenant, name, nil)
}

// Verifier is the Secret that the server checks credentials against. It holds hashes, never a credential. ended are the credentials that are not
// to be accepted again.
func Verifier(
	tenant *v1alpha1.ProvisioningTenant, verifiers []token.Verifier, marks map[string]token.Mark, ended []v1alpha1.EndedCredential,
) (*corev1ac.SecretApplyConfiguration, error) {
	set := token.Set{Verifiers: verifiers, Obeyed: map[string]token.Obeyed{}}
	for key, mark := range marks {
		if mark.Obeyed != (token.Obeyed{}) {
			set.Obeyed[key] = mark.Obeyed
		}
	}
	data, err := set.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode the verifiers: %w", err)
	}
	secret, err := secret(tenant, VerifierName(tenant.Name), marks)
	if err != nil {
		return nil, err
	}
	if len(ended) > 0 {
		text, err := token.AnnotateEnded(ended)
		if err != nil {
			return nil, err
		}
		secret.WithAnnotations(map[string]string{v1alpha1.EndedAnnotation: text})
	}
	return secret.WithData(map[string][]byte{v1alpha1.VerifierKey: data}), nil
}

func secret(tenant *v1alpha1.ProvisioningTenant, name string, marks map[string]token.Mark) (*corev1ac.SecretApplyConfiguration, error) {
	text, err := token.Annotate(marks)
	if err != nil {
		return nil, err
	}
	return corev1ac.Secret(name, tenant.Namespace).
		WithLabels(Labels(tenant.Name)).
		WithOwnerReferences(owner(tenant)).
		WithAnnotations(map[string]string{v1alpha1.CredentialsAnnotation: text}).
		WithType(corev1.SecretTypeOpaque), nil
}
