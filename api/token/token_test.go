package token

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"
)

func newToken(t *testing.T) string {
	t.Helper()
	s, err := New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestATokenIsRecognisableAndUnique(t *testing.T) {
	a, b := newToken(t), newToken(t)
	if a == b {
		t.Fatal("two tokens are equal")
	}
	for _, s := range []string{a, b} {
		if err := Check(s); err != nil {
			t.Errorf("Check of a fresh token: %v", err)
		}
		if len(s) != 53 || !strings.HasPrefix(s, "tnt_") {
			t.Errorf("a token of length %d, want tnt_ and 49 characters", len(s))
		}
	}
}

func TestTheFormatIsFixed(t *testing.T) {
	// Secret scanners carry this pattern; a change of format would pass them by.
	s, err := New(bytes.NewReader(bytes.Repeat([]byte{0xff}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	if want := "tnt_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp11DGZkb"; s != want {
		t.Errorf("token of all ones = %q, want %q", s, want)
	}
}

func TestAMistypedTokenIsMalformed(t *testing.T) {
	good := newToken(t)
	last := byte('0')
	if good[len(good)-1] == last {
		last = '1'
	}
	for name, s := range map[string]string{
		"empty":             "",
		"another prefix":    "ghp_" + good[4:],
		"one digit changed": good[:len(good)-1] + string(last),
		"too short":         good[:len(good)-1],
		"too long":          good + "0",
	} {
		if err := Check(s); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Check = %v, want ErrMalformed", name, err)
		}
	}
}

func TestOnlyTheRightTokenFindsItsVerifier(t *testing.T) {
	a, b, foreign := newToken(t), newToken(t), newToken(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 5, time.UTC)
	set := Set{Verifiers: []Verifier{NewVerifier(a, RoleProvisioner, now), NewVerifier(b, RoleProvisioner, now)}}
	data, err := set.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range []string{a, b} {
		if bytes.Contains(data, []byte(plain)) {
			t.Fatal("the encoded verifiers contain a plaintext token")
		}
	}
	read, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := read.Find(b); !ok || v.ID != "token-"+Fingerprint(b) {
		t.Errorf("Find(b) = %+v, %v", v, ok)
	}
	for name, s := range map[string]string{"foreign": foreign, "empty": "", "a prefix of a": a[:20]} {
		if _, ok := read.Find(s); ok {
			t.Errorf("%s: found a verifier", name)
		}
	}
}

func TestAClientsSecretIsFoundWithItsClientIDOnly(t *testing.T) {
	secret, bearer, reader := newToken(t), newToken(t), newToken(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	set := Set{Verifiers: []Verifier{
		NewVerifier(bearer, RoleProvisioner, now), NewReader(reader, "payroll", now), NewClient(secret, "contoso", now),
	}}
	if v, ok := set.FindClient("contoso", secret); !ok || v.ID != "client-"+Fingerprint(secret) || v.Role != RoleProvisioner {
		t.Errorf("FindClient = %+v, %v", v, ok)
	}
	if v, ok := set.Find(reader); !ok || v.ID != "reader-payroll" || v.Role != RoleReader {
		t.Errorf("Find(reader) = %+v, %v", v, ok)
	}
	for name, c := range map[string]struct{ id, secret string }{
		"another client":         {"fabrikam", secret},
		"a client without an ID": {"", bearer},
		"a bearer token":         {"contoso", bearer},
		"no secret":              {"contoso", ""},
	} {
		if v, ok := set.FindClient(c.id, c.secret); ok {
			t.Errorf("%s: found %+v", name, v)
		}
	}
	if v, ok := set.Find(secret); ok {
		t.Errorf("the secret is taken for a bearer token: %+v", v)
	}
	if v, ok := set.ByID("reader-payroll"); !ok || v.Role != RoleReader {
		t.Errorf("ByID = %+v, %v", v, ok)
	}
	if _, ok := set.ByID("reader"); ok {
		t.Error("ByID found a verifier that is not there")
	}
}

func TestATokenIsValidUpToItsLastMoment(t *testing.T) {
	end := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		notAfter time.Time
		want     bool
	}{"without an end": {time.Time{}, false}, "at its end": {end, false}, "a moment later": {end.Add(-time.Nanosecond), true}} {
		if got := (Verifier{NotAfter: c.notAfter}).Expired(end); got != c.want {
			t.Errorf("%s: Expired = %v", name, got)
		}
	}
}

func TestADamagedVerifierSecretIsRefused(t *testing.T) {
	for name, data := range map[string]string{
		"no JSON":      `verifiers:`,
		"short hash":   `{"verifiers":[{"id":"x","sha256":"abcd"}]}`,
		"no hash":      `{"verifiers":[{"id":"x"}]}`,
		"not hexadeci": `{"verifiers":[{"id":"x","sha256":"` + strings.Repeat("zz", 32) + `"}]}`,
	} {
		if _, err := Decode([]byte(data)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"verifiers":[{"id":"x","role":"provisioner","sha256":"00"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := Decode(data)
		if err == nil {
			set.Find("tnt_x")
		}
	})
}
