package manifests

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings/internal/durable"
)

// verifiers returns what the tenant's verifier Secret holds, else the verifier of the token in its credentials Secret,
// else that of the token in the data folder, where one is created if there is none; and where it was found.
func verifiers(secrets []document, tenant *v1alpha1.ProvisioningTenant, dataDir string) (token.Set, string, error) {
	secret, d, err := secretOf(secrets, tenant, v1alpha1.VerifierSuffix)
	if err != nil {
		return token.Set{}, "", err
	}
	if secret != nil {
		set, err := token.Decode(value(secret, v1alpha1.VerifierKey))
		if err != nil {
			return token.Set{}, "", d.failure(fmt.Errorf("key %s: %w", v1alpha1.VerifierKey, err))
		}
		return set, d.place, nil
	}
	secret, d, err = secretOf(secrets, tenant, v1alpha1.CredentialsSuffix)
	if err != nil {
		return token.Set{}, "", err
	}
	if secret != nil {
		set, err := setOf(value(secret, v1alpha1.CredentialsTokenKey), time.Time{})
		if err != nil {
			return token.Set{}, "", d.failure(fmt.Errorf("key %s: %w; leave the Secret out and a token is created", v1alpha1.CredentialsTokenKey, err))
		}
		return set, d.place, nil
	}
	return tokenFile(filepath.Join(dataDir, tenant.Name+".token"))
}

// value returns the value of a Secret's key; like the API server, stringData goes before data.
func value(secret *corev1.Secret, key string) []byte {
	if s, ok := secret.StringData[key]; ok {
		return []byte(s)
	}
	return secret.Data[key]
}

// tokenFile returns the verifier of the token in the file at path, and makes the file where it does not exist.
func tokenFile(path string) (token.Set, string, error) {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		var created string
		if created, err = token.New(rand.Reader); err == nil {
			data = []byte(created + "\n")
			err = durable.WriteFile(path, data)
		}
	}
	if err != nil {
		return token.Set{}, "", fmt.Errorf("the token of the tenant: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return token.Set{}, "", fmt.Errorf("the token of the tenant: %w", err)
	}
	set, err := setOf(data, info.ModTime())
	if err != nil {
		return token.Set{}, "", fmt.Errorf("%s: %w; delete the file and a token is created", path, err)
	}
	return set, path, nil
}

// setOf returns the set that lets in one token and nothing else.
func setOf(data []byte, issuedAt time.Time) (token.Set, error) {
	secretToken := strings.TrimSpace(string(data))
	if err := token.Check(secretToken); err != nil {
		return token.Set{}, err
	}
	return token.Set{Verifiers: []token.Verifier{token.NewVerifier(secretToken, token.RoleProvisioner, issuedAt)}}, nil
}
