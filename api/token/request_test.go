package token_test

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/token"
)

func TestARequestIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 0, 0, 500, time.UTC)
	for value, want := range map[string]token.Request{
		"2026-11-23T12:00:00.0000005Z":                        {At: at},
		"2026-11-23T12:00:00.0000005Z,overlap=0s":             {At: at, Overlap: new(time.Duration(0))},
		"2026-11-23T12:00:00.0000005Z,overlap=24h0m0s":        {At: at, Overlap: new(24 * time.Hour)},
		"2026-11-23T12:00:00.0000005Z,overlap=8760h0m0s":      {At: at, Overlap: new(8760 * time.Hour)},
		" 2026-11-23T11:00:00.0000005-01:00 , overlap = 90m ": {At: at, Overlap: new(90 * time.Minute)},
	} {
		got, err := token.ParseRequest(value)
		if err != nil || !got.At.Equal(want.At) || (got.Overlap == nil) != (want.Overlap == nil) || got.Overlap != nil && *got.Overlap != *want.Overlap {
			t.Errorf("%q is read as %+v (%v)", value, got, err)
		}
		if again, err := token.ParseRequest(got.String()); err != nil || again.String() != got.String() {
			t.Errorf("%q becomes %q (%v)", got.String(), again.String(), err)
		}
	}
}

func TestTheNewerOfEachRequestIsObeyed(t *testing.T) {
	t.Parallel()
	early, late := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), time.Date(2026, 11, 23, 12, 0, 1, 0, time.UTC)
	a, b := token.Obeyed{Rotate: early, Revoke: late}, token.Obeyed{Rotate: late}
	if want := (token.Obeyed{Rotate: late, Revoke: late}); a.Or(b) != want || b.Or(a) != want {
		t.Errorf("got %+v and %+v", a.Or(b), b.Or(a))
	}
}

func TestWhyAValueIsNoToken(t *testing.T) {
	t.Parallel()
	good, err := token.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const around, twice, damaged, none = "something around", "encoded twice", "missing, added or mistyped", "no token that Tenantry issued"
	coded := base64.StdEncoding.EncodeToString([]byte(good + "\n"))
	for value, want := range map[string]string{
		good: "", `"` + good + `"`: around, "'" + good + "'": around, "Bearer " + good: around, "bearer:" + good: around, "token=" + good + ";": around,
		good + " " + good: around, "tnt_tnt_" + good: around, "\ufeff" + good: around, good + "0": around,
		coded: twice, strings.TrimRight(coded, "="): twice, coded[:40] + "\n" + coded[40:]: twice,
		base64.StdEncoding.EncodeToString([]byte("Bearer " + good)): twice,
		good[:52]: damaged, "tnt_": damaged, good[:20] + "é" + good[22:]: damaged, strings.ToUpper(good[4:]): none,
		"ghp_" + good[4:]: none, "hunter2": none, "": none, strings.Repeat("tnt_", 100_000): damaged,
	} {
		if got := token.Malformed(value); want == "" && got != "" || !strings.Contains(got, want) || strings.Contains(got, good) {
			t.Errorf("%.80q: %q, want %q", value, got, want)
		}
	}
}

func TestOfACredentialBeforeTheMarkTellsAllThatTheServerNeeds(t *testing.T) {
	t.Parallel()
	at, ends := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, key := range []string{"token", "clientSecret", "reader.payroll"} {
		credential := token.ByKey(key, "contoso")
		before := credential.Verifier("secret", at)
		got := credential.Previous(token.Mark{PreviousSHA256: before.SHA256, PreviousNotAfter: ends})
		if got == nil || !got.Same(before) || !got.NotAfter.Equal(ends) || got.Key() != key {
			t.Errorf("%s: got %+v, want %+v", key, got, before)
		}
		for _, mark := range []token.Mark{{}, {PreviousSHA256: before.SHA256}, {PreviousSHA256: "abcd", PreviousNotAfter: ends}} {
			if got := credential.Previous(mark); got != nil {
				t.Errorf("%s: %+v makes %+v", key, mark, got)
			}
		}
	}
}
