package manifests

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/internal/durable"
)

// Credential is one that a tenant has.
type Credential struct {
	token.Credential

	// What says in words which credential it is.
	What string
	// File is the name of the file in the data folder that holds it, where the manifests do not.
	File string
}

// Credentials lists those of a tenant, in the order of token.Wanted.
func Credentials(tenant *v1alpha1.ProvisioningTenant) []Credential {
	var all []Credential
	for _, wanted := range token.Wanted(tenant) {
		credential := Credential{Credential: wanted, What: "Secret Token", File: tenant.Name + ".token"}
		switch {
		case wanted.ClientID != "":
			credential.What, credential.File = "Client secret of client ID "+wanted.ClientID, tenant.Name+".client-secret"
		case wanted.Reader != "":
			credential.What, credential.File = "Token of reader "+wanted.Reader, tenant.Name+".reader-"+wanted.Reader+".token"
		}
		all = append(all, credential)
	}
	return all
}

// verifiers returns what the tenant's verifier Secret holds. Where there is none it returns the verifiers of the tenant's
// credentials: those in the Secrets that hand them out, and of the others those in the data folder, where they are created if
// they are not there. It tells where they were found too. Of the requests that the operator obeys, it obeys the one to end access
// tokens: the others would change what is in files.
func verifiers(secrets []document, tenant *v1alpha1.ProvisioningTenant, dataDir string) (token.Set, string, error) {
	secret, d, err := secretOf(secrets, tenant, tenant.Name+v1alpha1.VerifierSuffix)
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
	var set token.Set
	if ends, err := token.ParseRequest(tenant.Annotations[endTokens]); err == nil {
		set.Obeyed = map[string]token.Obeyed{v1alpha1.AccessTokensCredential: {Rotate: ends.At}}
	}
	var places []string
	for _, credential := range Credentials(tenant) {
		name, key := credential.Secret(tenant.Name)
		secret, d, err := secretOf(secrets, tenant, name)
		if err != nil {
			return token.Set{}, "", err
		}
		verifier, place, err := credential.find(secret, d, key, dataDir)
		if err != nil {
			return token.Set{}, "", err
		}
		set.Verifiers = append(set.Verifiers, verifier)
		if !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	return set, strings.Join(places, ", "), nil
}

// endTokens is the annotation of a tenant that ends all access tokens.
const endTokens = v1alpha1.RotateAnnotationPrefix + v1alpha1.AccessTokensCredential

// unheard lists the annotations of a tenant that ask for what only the operator does, as for a new credential where the files have them, and
// those that make no sense.
func unheard(tenant *v1alpha1.ProvisioningTenant) (annotations []string) {
	for _, name := range slices.Sorted(maps.Keys(tenant.Annotations)) {
		if name == endTokens {
			if _, err := token.ParseRequest(tenant.Annotations[name]); err != nil {
				annotations = append(annotations, fmt.Sprintf("metadata.annotations[%s], because %v", name, err))
			}
			continue
		}
		if strings.HasPrefix(name, v1alpha1.RotateAnnotationPrefix) || strings.HasPrefix(name, v1alpha1.RevokeAnnotationPrefix) {
			annotations = append(annotations, "metadata.annotations["+name+"]")
		}
	}
	return annotations
}

// serviceAccountReaders lists the names of readers that are ServiceAccounts of a cluster.
func serviceAccountReaders(tenant *v1alpha1.ProvisioningTenant) (names []string) {
	for _, reader := range tenant.Spec.Authentication.Readers {
		if reader.ServiceAccount != nil {
			names = append(names, reader.Name)
		}
	}
	return names
}

// find returns the verifier of the credential, and where it was found: under the key of the Secret, or in a file. Each Secret has at least a
// token.
func (c Credential) find(secret *corev1.Secret, d document, key, dataDir string) (token.Verifier, string, error) {
	if secret == nil || key != v1alpha1.CredentialsTokenKey && value(secret, key) == nil {
		return c.file(filepath.Join(dataDir, c.File))
	}
	plaintext, err := checked(value(secret, key))
	if err != nil {
		return token.Verifier{}, "", d.failure(fmt.Errorf("key %s: %w; leave the Secret out and a token is created", key, err))
	}
	return c.Verifier(plaintext, time.Time{}), d.place, nil
}

// value returns the value of a Secret's key; like the API server, stringData goes before data.
func value(secret *corev1.Secret, key string) []byte {
	if s, ok := secret.StringData[key]; ok {
		return []byte(s)
	}
	return secret.Data[key]
}

// file returns the verifier of what is in the file at path, and makes the file where it does not exist.
func (c Credential) file(path string) (token.Verifier, string, error) {
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
		return token.Verifier{}, "", fmt.Errorf("the token of the tenant: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return token.Verifier{}, "", fmt.Errorf("the token of the tenant: %w", err)
	}
	plaintext, err := checked(data)
	if err != nil {
		return token.Verifier{}, "", fmt.Errorf("%s: %w; delete the file and a token is created", path, err)
	}
	return c.Verifier(plaintext, info.ModTime()), path, nil
}

func checked(data []byte) (string, error) {
	plaintext := strings.TrimSpace(string(data))
	return plaintext, token.Check(plaintext)
}
