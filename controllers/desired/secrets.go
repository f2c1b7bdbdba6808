package desired

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Credentials is the Secret that a person copies Tenant URL and token from. The URL is left out while the tenant has none.
func Credentials(tenant *v1alpha1.ProvisioningTenant, plaintext string, issuedAt time.Time, tenantURL string) *corev1ac.SecretApplyConfiguration {
	verifier := token.NewVerifier(plaintext, token.RoleProvisioner, issuedAt)
	secret := secret(tenant, CredentialsName(tenant.Name), verifier).
		WithData(map[string][]byte{v1alpha1.CredentialsTokenKey: []byte(plaintext)})
	if tenantURL != "" {
		secret.WithAnnotations(map[string]string{AnnotationTenantURL: tenantURL})
		secret.WithData(map[string][]byte{v1alpha1.CredentialsTenantURLKey: []byte(tenantURL)})
	}
	return secret
}

// Verifier is the Secret that the server checks tokens against. It holds a hash, never the token.
func Verifier(tenant *v1alpha1.ProvisioningTenant, verifier token.Verifier) (*corev1ac.SecretApplyConfiguration, error) {
	data, err := token.Set{Verifiers: []token.Verifier{verifier}}.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode the verifiers: %w", err)
	}
	return secret(tenant, VerifierName(tenant.Name), verifier).
		WithData(map[string][]byte{v1alpha1.VerifierKey: data}), nil
}

func secret(tenant *v1alpha1.ProvisioningTenant, name string, verifier token.Verifier) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(name, tenant.Namespace).
		WithLabels(Labels(tenant.Name)).
		WithOwnerReferences(owner(tenant)).
		WithAnnotations(map[string]string{
			AnnotationFingerprint: verifier.Fingerprint(),
			AnnotationIssuedAt:    verifier.IssuedAt.UTC().Format(time.RFC3339),
		}).
		WithType(corev1.SecretTypeOpaque)
}
