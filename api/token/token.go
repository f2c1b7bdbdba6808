// Package token is the format of secret tokens and of the hashes that a SCIM server checks them against. The operator
// issues tokens and the server verifies them, so the format stands here, beside the API types.
//
// A token, and the secret of an OAuth client too, is "tnt_", 43 characters of base62 (256 bits) and 6 of base62 that are the CRC-32 of what stands before, so
// that secret scanners find it and a mistyped one is told from a wrong one.
package token

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	// Prefix begins every token.
	Prefix = "tnt_"

	alphabet       = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	randomLength   = 43
	checksumLength = 6

	fingerprintLength = 12
)

// ErrMalformed is the error for a string that is no token: another prefix, length or checksum.
var ErrMalformed = errors.New("not a Tenantry token: expected " + Prefix + " followed by 49 letters and digits with a matching checksum")

// New reads 32 bytes from random, which should be crypto/rand.Reader, and returns a token.
func New(random io.Reader) (string, error) {
	raw := make([]byte, 32)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("generate a token: %w", err)
	}
	body := Prefix + base62(new(big.Int).SetBytes(raw), randomLength)
	return body + checksum(body), nil
}

// Check returns ErrMalformed where s cannot be a token. It says nothing about whether the token is valid anywhere.
func Check(s string) error {
	if !strings.HasPrefix(s, Prefix) || len(s) != len(Prefix)+randomLength+checksumLength {
		return ErrMalformed
	}
	body := s[:len(s)-checksumLength]
	if checksum(body) != s[len(s)-checksumLength:] {
		return ErrMalformed
	}
	return nil
}

// Fingerprint returns the first twelve hexadecimal digits of the token's SHA-256, enough to tell tokens apart and of
// no use for finding one.
func Fingerprint(s string) string {
	return hash(s)[:fingerprintLength]
}

// Role is what the bearer of a token may do.
type Role string

const (
	// RoleProvisioner may read and write the directory.
	RoleProvisioner Role = "provisioner"
	// RoleReader may read the directory.
	RoleReader Role = "reader"
)

// Verifier is what a server keeps of one token or client secret. A fast hash is enough, because each has 256 random bits.
type Verifier struct {
	// ID names the credential in the provisioning log and is no secret.
	ID string `json:"id"`
	// Role of the bearer.
	Role Role `json:"role"`
	// ClientID makes this the verifier of the secret of an OAuth client with this client_id, which gets access tokens at the
	// token endpoint and is no bearer token itself.
	ClientID string `json:"clientID,omitempty"`
	// SHA256 of the token in lower-case hexadecimal.
	SHA256 string `json:"sha256"`
	// IssuedAt is when the token was generated.
	IssuedAt time.Time `json:"issuedAt,omitzero"`
	// NotAfter is the last moment at which the token is valid; the zero time is never.
	NotAfter time.Time `json:"notAfter,omitzero"`
}

// Same tells whether both verify one secret for one purpose, whatever else they say of it.
func (v Verifier) Same(other Verifier) bool {
	return v.ID == other.ID && v.Role == other.Role && v.ClientID == other.ClientID && v.SHA256 == other.SHA256
}

// NewVerifier returns the verifier of a secret token.
func NewVerifier(s string, role Role, issuedAt time.Time) Verifier {
	return verifierOf(hash(s), role, issuedAt)
}

func verifierOf(sum string, role Role, issuedAt time.Time) Verifier {
	v := Verifier{Role: role, SHA256: sum, IssuedAt: issuedAt.UTC().Truncate(time.Second)}
	v.ID = "token-" + v.Fingerprint()
	return v
}

// NewReader returns the verifier of the token of a reader, which is known by its name.
func NewReader(s, name string, issuedAt time.Time) Verifier {
	return readerOf(hash(s), name, issuedAt)
}

func readerOf(sum, name string, issuedAt time.Time) Verifier {
	v := verifierOf(sum, RoleReader, issuedAt)
	v.ID = ReaderID(name)
	return v
}

// ReaderID is the ID of a reader's credential, whoever issues it.
func ReaderID(name string) string { return "reader-" + name }

// NewClient returns the verifier of the secret of an OAuth client. Its ID changes with the secret, so that access tokens end
// with the secret that they were issued for.
func NewClient(s, clientID string, issuedAt time.Time) Verifier {
	return clientOf(hash(s), clientID, issuedAt)
}

func clientOf(sum, clientID string, issuedAt time.Time) Verifier {
	v := verifierOf(sum, RoleProvisioner, issuedAt)
	v.ID, v.ClientID = "client-"+v.Fingerprint(), clientID
	return v
}

// Expired tells whether the token is not valid any more.
func (v Verifier) Expired(now time.Time) bool {
	return !v.NotAfter.IsZero() && now.After(v.NotAfter)
}

// Fingerprint returns what [Fingerprint] returns for the token, or less where the hash is damaged.
func (v Verifier) Fingerprint() string { return FingerprintOf(v.SHA256) }

// FingerprintOf returns the fingerprint of a token with this hash.
func FingerprintOf(sum string) string { return sum[:min(fingerprintLength, len(sum))] }

// Set is the content of a verifier Secret.
type Set struct {
	Verifiers []Verifier `json:"verifiers"`
	// Obeyed are the requests of people that led to these verifiers, by the key of the credential; AccessTokensCredential is one.
	Obeyed map[string]Obeyed `json:"obeyed,omitempty"`
}

// Epoch is that of access tokens. A server refuses those that were issued in another one.
func (s Set) Epoch() string {
	ended := s.Obeyed[v1alpha1.AccessTokensCredential].Rotate
	if ended.IsZero() {
		return ""
	}
	return ended.UTC().Format(time.RFC3339Nano)
}

// Encode returns the set as it stands in the Secret.
func (s Set) Encode() ([]byte, error) {
	return json.Marshal(s)
}

// Decode reads what Encode wrote. It refuses a set with a hash that no token can have, so that a damaged Secret is
// noticed when it is read and not when nobody can enter any more.
func Decode(data []byte) (Set, error) {
	var set Set
	if err := json.Unmarshal(data, &set); err != nil {
		return Set{}, fmt.Errorf("read verifiers: %w", err)
	}
	for _, v := range set.Verifiers {
		if !isHash(v.SHA256) {
			return Set{}, fmt.Errorf("read verifiers: verifier %q has no SHA-256 of 64 hexadecimal digits", v.ID)
		}
	}
	return set, nil
}

// Find returns the verifier of the bearer token. It looks at every verifier in constant time, and at expiry not at all.
func (s Set) Find(presented string) (Verifier, bool) { return s.find("", presented) }

// FindClient returns the verifier of the secret of an OAuth client, in the same way.
func (s Set) FindClient(clientID, secret string) (Verifier, bool) {
	if clientID == "" {
		return Verifier{}, false
	}
	return s.find(clientID, secret)
}

// ByID returns the verifier with the ID.
func (s Set) ByID(id string) (Verifier, bool) {
	for _, v := range s.Verifiers {
		if v.ID == id {
			return v, true
		}
	}
	return Verifier{}, false
}

func (s Set) find(clientID, presented string) (Verifier, bool) {
	sum := []byte(hash(presented))
	found := -1
	for i, v := range s.Verifiers {
		if v.ClientID == clientID && subtle.ConstantTimeCompare(sum, []byte(strings.ToLower(v.SHA256))) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Verifier{}, false
	}
	return s.Verifiers[found], true
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func isHash(s string) bool {
	sum, err := hex.DecodeString(s)
	return err == nil && len(sum) == sha256.Size
}

func checksum(body string) string {
	return base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(body)))), checksumLength)
}

// base62 writes n with exactly width digits.
func base62(n *big.Int, width int) string {
	digits := make([]byte, width)
	base, rest, digit := big.NewInt(int64(len(alphabet))), new(big.Int).Set(n), new(big.Int)
	for i := width - 1; i >= 0; i-- {
		rest.DivMod(rest, base, digit)
		digits[i] = alphabet[digit.Int64()]
	}
	return string(digits)
}
