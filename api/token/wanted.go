package token

import (
	"strings"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Credential is one that a tenant's spec asks for. Without a reader and a client ID it is the Secret Token.
type Credential struct {
	// Key names the credential among those of the tenant. It is the key of the credentials Secret but for readers.
	Key string
	// Reader is the name of the reader whose token it is.
	Reader string
	// ClientID is that of the OAuth client whose secret it is.
	ClientID string
}

// Wanted are the credentials that a tenant's spec asks for: its Secret Token first, which it always has. Readers that are
// ServiceAccounts need none.
func Wanted(tenant *v1alpha1.ProvisioningTenant) []Credential {
	wanted := []Credential{{Key: v1alpha1.CredentialsTokenKey}}
	if tenant.Spec.Authentication.OAuth != nil {
		wanted = append(wanted, Credential{Key: v1alpha1.CredentialsClientSecretKey, ClientID: tenant.Name})
	}
	for _, reader := range tenant.Spec.Authentication.Readers {
		if reader.ServiceAccount != nil {
			continue
		}
		wanted = append(wanted, Credential{Key: v1alpha1.CredentialsReaderPrefix + reader.Name, Reader: reader.Name})
	}
	return wanted
}

// Rotation is what the tenant's spec says of replacing the credential.
func (c Credential) Rotation(tenant *v1alpha1.ProvisioningTenant) v1alpha1.Rotation {
	authentication := tenant.Spec.Authentication
	switch {
	case c.Reader != "":
		for _, reader := range authentication.Readers {
			if reader.Name == c.Reader {
				return reader.Rotation
			}
		}
	case c.ClientID != "":
		if authentication.OAuth != nil {
			return authentication.OAuth.Rotation
		}
	case authentication.SecretToken != nil:
		return authentication.SecretToken.Rotation
	}
	return v1alpha1.Rotation{}
}

// ByKey returns the credential of a tenant with that key, whether or not the spec asks for it.
func ByKey(key, tenant string) Credential {
	credential := Credential{Key: key}
	if reader, isReader := strings.CutPrefix(key, v1alpha1.CredentialsReaderPrefix); isReader {
		credential.Reader = reader
	}
	if key == v1alpha1.CredentialsClientSecretKey {
		credential.ClientID = tenant
	}
	return credential
}

// Key returns the key of the credential that v is a verifier of.
func (v Verifier) Key() string {
	reader, isReader := strings.CutPrefix(v.ID, ReaderID(""))
	switch {
	case v.Role == RoleReader && isReader:
		return v1alpha1.CredentialsReaderPrefix + reader
	case v.ClientID != "":
		return v1alpha1.CredentialsClientSecretKey
	default:
		return v1alpha1.CredentialsTokenKey
	}
}

// Secret returns the name of the Secret that hands the credential out, and the key there. Each reader has a Secret of its own, because
// rights end at the Secret: its reader learns of no other credential.
func (c Credential) Secret(tenant string) (name, key string) {
	if c.Reader != "" {
		return tenant + v1alpha1.ReaderInfix + c.Reader, v1alpha1.ReaderTokenKey
	}
	return tenant + v1alpha1.CredentialsSuffix, c.Key
}

// Verifier returns what the server keeps of the credential.
func (c Credential) Verifier(plaintext string, issuedAt time.Time) Verifier {
	return c.verifier(hash(plaintext), issuedAt)
}

func (c Credential) verifier(sum string, issuedAt time.Time) Verifier {
	switch {
	case c.Reader != "":
		return readerOf(sum, c.Reader, issuedAt)
	case c.ClientID != "":
		return clientOf(sum, c.ClientID, issuedAt)
	default:
		return verifierOf(sum, RoleProvisioner, issuedAt)
	}
}

// Previous returns the verifier of the credential before, of which a mark tells; nil where it tells of none.
func (c Credential) Previous(mark Mark) *Verifier {
	if !isHash(mark.PreviousSHA256) || mark.PreviousNotAfter.IsZero() {
		return nil
	}
	previous := c.verifier(mark.PreviousSHA256, time.Time{})
	previous.NotAfter = mark.PreviousNotAfter
	return &previous
}

// Matches tells whether v is a verifier of this credential, whatever its secret.
func (c Credential) Matches(v Verifier) bool {
	like := c.Verifier("", time.Time{})
	return v.Role == like.Role && v.ClientID == like.ClientID && (v.Role != RoleReader || v.ID == like.ID)
}
