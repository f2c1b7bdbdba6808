package credentials

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestCredentialsFollowFromTheSpecAndBothSecrets(t *testing.T) {
	t.Parallel()
	const theToken, theClient, payroll, audit = "token", "clientSecret", "reader.payroll", "reader.audit"
	known := map[string]string{}
	for _, key := range []string{theToken, theClient, payroll, audit} {
		plaintext, err := token.New(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		known[key] = plaintext
	}
	before, now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	wanting := func(keys ...string) []token.Credential {
		tenant := contoso(func(t *v1alpha1.ProvisioningTenant) {
			for _, key := range keys {
				switch key {
				case theClient:
					t.Spec.Authentication.OAuth = &v1alpha1.OAuth{}
				case payroll, audit:
					t.Spec.Authentication.Readers = append(t.Spec.Authentication.Readers, v1alpha1.Reader{Name: key[len("reader."):]})
				}
			}
		})
		return token.Wanted(tenant)
	}
	for name, test := range map[string]struct {
		spec, credentials, verifiers []string // credentials that are handed out; nil verifiers are a Secret that does not exist
		old, fresh, lost             []string // as issued: known and as they were, made now, and valid with the plaintext gone
		revoked                      bool
	}{
		"a new tenant":                              {spec: []string{theClient, payroll}, fresh: []string{theToken, theClient, payroll}},
		"nothing changed":                           {spec: []string{payroll}, credentials: []string{theToken, payroll}, verifiers: []string{theToken, payroll}, old: []string{theToken, payroll}},
		"a reader is added":                         {spec: []string{payroll}, credentials: []string{theToken}, verifiers: []string{theToken}, old: []string{theToken}, fresh: []string{payroll}},
		"a reader is removed":                       {credentials: []string{theToken, payroll}, verifiers: []string{theToken, payroll}, old: []string{theToken}, revoked: true},
		"a reader is renamed":                       {spec: []string{audit}, credentials: []string{theToken, payroll}, verifiers: []string{theToken, payroll}, old: []string{theToken}, fresh: []string{audit}, revoked: true},
		"oauth is turned off":                       {credentials: []string{theToken, theClient}, verifiers: []string{theToken, theClient}, old: []string{theToken}, revoked: true},
		"copied and deleted":                        {spec: []string{theClient, payroll}, verifiers: []string{theToken, theClient, payroll}, lost: []string{theToken, theClient, payroll}},
		"deleted, then a reader is added":           {spec: []string{payroll, audit}, verifiers: []string{theToken, payroll}, lost: []string{theToken, payroll}, fresh: []string{audit}},
		"deleted, then a reader is removed":         {verifiers: []string{theToken, payroll}, lost: []string{theToken}, revoked: true},
		"a crash before the verifiers":              {spec: []string{payroll}, credentials: []string{theToken, payroll}, verifiers: []string{theToken}, old: []string{theToken, payroll}},
		"a crash after the deleted came again":      {spec: []string{payroll}, credentials: []string{payroll}, verifiers: []string{theToken}, lost: []string{theToken}, old: []string{payroll}},
		"the verifiers were deleted":                {spec: []string{payroll}, credentials: []string{theToken, payroll}, old: []string{theToken, payroll}},
		"revoked, but the plaintext is there still": {credentials: []string{theToken, payroll}, verifiers: []string{theToken}, old: []string{theToken}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := wanting(theClient, payroll, audit)
			handed := map[string]*corev1.Secret{}
			for _, credential := range all {
				if !slices.Contains(test.credentials, credential.Key) {
					continue
				}
				name, key := credential.Secret("contoso")
				if handed[name] == nil {
					handed[name] = &corev1.Secret{Data: map[string][]byte{}}
				}
				handed[name].Data[key] = []byte(known[credential.Key])
			}
			issuer := issuer{tenant: contoso(), handed: handed, known: test.verifiers != nil, elsewhere: nowhere, random: rand.Reader, now: now}
			for _, c := range all {
				if slices.Contains(test.verifiers, c.Key) {
					issuer.accepted.Verifiers = append(issuer.accepted.Verifiers, c.Verifier(known[c.Key], before))
				}
			}
			got, _, err := issuer.issue(wanting(test.spec...))
			if err != nil {
				t.Fatal(err)
			}
			var old, fresh, lost []string
			for _, issued := range got {
				switch issued.Plaintext {
				case "":
					lost = append(lost, issued.Key)
				case known[issued.Key]:
					old = append(old, issued.Key)
				default:
					fresh = append(fresh, issued.Key)
					if !issued.Verifier.IssuedAt.Equal(now) {
						t.Errorf("%s was made at %s, want now", issued.Key, issued.Verifier.IssuedAt)
					}
				}
				if issued.Plaintext != "" && issued.Verifier.Fingerprint() != token.Fingerprint(issued.Plaintext) ||
					issued.Plaintext == "" && (issued.Verifier.Fingerprint() != token.Fingerprint(known[issued.Key]) || !issued.Verifier.IssuedAt.Equal(before)) {
					t.Errorf("%s has the verifier of another", issued.Key)
				}
			}
			if !slices.Equal(old, test.old) || !slices.Equal(fresh, test.fresh) || !slices.Equal(lost, test.lost) {
				t.Errorf("old %v, fresh %v, lost %v; want %v, %v, %v", old, fresh, lost, test.old, test.fresh, test.lost)
			}
			still, _ := issuer.withdrawn(verifiersOf(got))
			if revoked := len(still) < len(issuer.accepted.Verifiers); revoked != test.revoked {
				t.Errorf("revoked %v, want %v", revoked, test.revoked)
			}
		})
	}
}

func nowhere(string) (bool, error) { return false, nil }

func TestASecretProvesItselfByTheCredentialsThatItsAnnotationTellsOf(t *testing.T) {
	t.Parallel()
	plaintext, err := token.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issued := token.NewVerifier(plaintext, token.RoleProvisioner, time.Now())
	verifiers, err := (token.Set{Verifiers: []token.Verifier{issued}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	handed, verifier := map[string][]byte{"token": []byte(plaintext)}, map[string][]byte{v1alpha1.VerifierKey: verifiers}
	holds := token.Mark{Fingerprint: issued.Fingerprint()}
	obeyed := token.Mark{Obeyed: token.Obeyed{Rotate: time.Now()}}
	other := token.Mark{Fingerprint: "0123456789ab"}
	for name, test := range map[string]struct {
		data  map[string][]byte
		marks map[string]token.Mark
		want  bool
	}{
		"it hands out what was issued":         {handed, map[string]token.Mark{"token": holds}, true},
		"it verifies what was issued":          {verifier, map[string]token.Mark{"token": holds}, true},
		"access tokens were ended":             {handed, map[string]token.Mark{"token": holds, "accessTokens": obeyed}, true},
		"access tokens were ended, verifier":   {verifier, map[string]token.Mark{"token": holds, "accessTokens": obeyed}, true},
		"another value was no token":           {handed, map[string]token.Mark{"token": holds, "clientSecret": {Refused: "it is no token"}}, true},
		"another value was somebody else's":    {handed, map[string]token.Mark{"token": holds, "clientSecret": {Refused: refusedHere, Fingerprint: other.Fingerprint}}, true},
		"another credential ended":             {verifier, map[string]token.Mark{"token": holds, "reader.payroll": {Ended: "0123456789ab"}}, true},
		"it lacks one":                         {handed, map[string]token.Mark{"token": holds, "clientSecret": other}, false},
		"it holds another":                     {handed, map[string]token.Mark{"token": other}, false},
		"all that it tells of ended":           {verifier, map[string]token.Mark{"token": {Ended: "0123456789ab"}}, false},
		"it tells of no credential":            {verifier, map[string]token.Mark{"accessTokens": obeyed}, false},
		"it holds nothing but what is refused": {handed, map[string]token.Mark{"token": {Refused: "it is no token"}}, false},
		"it tells of nothing":                  {handed, nil, false},
	} {
		text, err := token.Annotate(test.marks)
		if err != nil {
			t.Fatal(err)
		}
		secret := &corev1.Secret{Data: test.data}
		secret.Annotations = map[string]string{v1alpha1.CredentialsAnnotation: text}
		if got := provesItself(secret); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
