package auth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
)

// FuzzTokens holds that whatever is presented as a bearer token or a client assertion is refused in words of our own,
// quickly and without a panic, unless it carries a signature that counts.
func FuzzTokens(f *testing.F) {
	tenant := newFixture(f)
	claims := tenant.assertion()
	for _, seed := range []string{
		"", ".", "..", "a.b.c", "tnt_x", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJSUzI1NiJ9.e30.AA", "eyJhbGciOiJIUzI1NiJ9.e30.AA",
		`{"payload":"e30","signatures":[]}`, strings.Repeat("A", 20<<10),
		authtest.Sign(f, jose.RS256, authtest.SecondKey(f), "key-1", claims),
		authtest.Sign(f, jose.HS256, []byte(strings.Repeat("k", 32)), "key-1", claims),
		authtest.Sign(f, jose.RS256, authtest.SecondKey(f), strings.Repeat("k", 4096), claims),
		authtest.Sign(f, jose.RS256, authtest.SecondKey(f), "key-1", claims.With(authtest.Claims{"exp": 1e300, "aud": map[string]any{}})),
		authtest.Sign(f, jose.RS256, authtest.SecondKey(f), "key-1", claims.With(authtest.Claims{"tid": []any{nil, 1}, "oid": nil})),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, presented string) {
		request := &http.Request{Header: http.Header{"Authorization": {"Bearer " + presented}}}
		_, err := tenant.Authenticate(request, tenant.settings)
		wantRefusal(t, presented, err)
		_, err = tenant.IssueForAssertion(context.Background(), presented, tenant.settings)
		wantRefusal(t, presented, err)
	})
}

func wantRefusal(t *testing.T, presented string, err error) {
	t.Helper()
	if _, ok := errors.AsType[*auth.Refusal](err); !ok {
		t.Fatalf("got %v, want a refusal", err)
	}
	if len(presented) > 20 && strings.Contains(err.Error(), presented) {
		t.Fatal("the refusal repeats what was presented")
	}
}
