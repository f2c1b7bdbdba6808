package token

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Mark is what CredentialsAnnotation tells of one credential, so that nobody must read a Secret to know whether two belong together.
//
// On the verifier Secret it tells of what the server accepts. On a Secret that hands credentials out it is the same for each that the Secret
// holds, but for a value that was refused, and the zero Mark for a key with nothing but blanks.
type Mark struct {
	Fingerprint string    `json:"fingerprint,omitempty"`
	IssuedAt    time.Time `json:"issuedAt,omitzero"`
	// PreviousSHA256 is the hash of the credential before while that is valid too, and PreviousNotAfter its last moment. With the hash a verifier
	// Secret that was deleted is made again without locking out who still uses that credential.
	PreviousSHA256   string    `json:"previousSHA256,omitempty"`
	PreviousNotAfter time.Time `json:"previousNotAfter,omitzero"`
	Obeyed           Obeyed    `json:"obeyed,omitzero"`
	// Lost tells that it took the place of one that was lost with both Secrets.
	Lost bool `json:"lost,omitempty"`
	// Replaced is the fingerprint of one that clients may use and that ended without a request, because another was put in its place.
	Replaced string `json:"replaced,omitempty"`

	// Copied, on the verifier Secret, tells that no Secret holds the credential any more.
	Copied bool `json:"copied,omitempty"`
	// Ended, on the verifier Secret, is the fingerprint of one that the server must not accept again, as long as the Secret that hands it out
	// may still hold it.
	Ended string `json:"ended,omitempty"`
	// Refused, on a Secret that hands out, says why the server does not accept the value that somebody put there. Fingerprint is that of the
	// value, if it has the form of a token.
	Refused string `json:"refused,omitempty"`
}

// Marks reads CredentialsAnnotation, by the key of the credential. A mark that nobody can read is none.
func Marks(annotations map[string]string) map[string]Mark {
	var marks map[string]Mark
	if json.Unmarshal([]byte(annotations[v1alpha1.CredentialsAnnotation]), &marks) != nil {
		return nil
	}
	return marks
}

// Annotate returns the value of CredentialsAnnotation.
func Annotate(marks map[string]Mark) (string, error) {
	text, err := json.Marshal(marks)
	if err != nil {
		return "", fmt.Errorf("encode the annotation about credentials: %w", err)
	}
	return string(text), nil
}

// Malformed says of a value without blanks around it why it is no token, as the end of a sentence without the value; "" if it is one.
func Malformed(value string) string {
	decoded, _ := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.Join(strings.Fields(value), ""), "="))
	switch {
	case Check(value) == nil:
		return ""
	case contains(value):
		return "it has something around a token, such as quotes or the word Bearer"
	case contains(string(decoded)):
		return "it is the base64 of a token, which was encoded twice"
	case strings.HasPrefix(value, Prefix):
		return "it is a token with a part missing, added or mistyped"
	default:
		return "it is no token that Tenantry issued, and only such a token can be put back"
	}
}

// contains tells whether a token is somewhere in a text.
func contains(text string) bool {
	const length = len(Prefix) + randomLength + checksumLength
	for at := strings.Index(text, Prefix); at >= 0; {
		text = text[at:]
		if len(text) >= length && Check(text[:length]) == nil {
			return true
		}
		text = text[len(Prefix):]
		at = strings.Index(text, Prefix)
	}
	return false
}
