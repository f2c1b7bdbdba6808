package accounts

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/auth"
)

func (s *server) lets(what, credential string) {
	s.Helper()
	want := auth.Identity{Client: "reader-payroll", Role: token.RoleReader}
	if got, err := s.ask(credential); err != nil || got != want {
		s.Errorf("%s: got %+v, %v", what, got, err)
	}
}

func (s *server) refuses(what, credential, words string) {
	s.Helper()
	got, err := s.ask(credential)
	if refusal, ok := errors.AsType[*auth.Refusal](err); !ok || got != (auth.Identity{}) || !strings.Contains(refusal.Reason, words) {
		s.Errorf("%s: got %+v, %v, want a refusal with %q", what, got, err, words)
	}
}

const notOurs = "the token is not one that this cluster issued to a ServiceAccount that reads here"

// One control plane serves it all: starting it takes most of the time.
func TestTokensOfARealAPIServerOpenTheDirectoryToTheirReaderAlone(t *testing.T) {
	c := start(t)
	data := t.TempDir()
	s := c.server(data)

	const service = "http://contoso-scim.customers.svc/scim/v2"
	first := c.issue("apps", "payroll", projected(tenantURL))
	s.lets("of the reader's ServiceAccount, for the Tenant URL", first)
	s.lets("for the Service", c.issue("apps", "payroll", projected(service)))
	s.lets("for two tenants", c.issue("apps", "payroll", projected("https://fabrikam.scim.example.com/scim/v2", tenantURL)))

	s.refuses("for the Kubernetes API", c.issue("apps", "payroll", authenticationv1.TokenRequestSpec{}), "is for another audience")
	s.refuses("for another tenant", c.issue("apps", "payroll", projected("https://fabrikam.scim.example.com/scim/v2")), "is for another audience")
	s.refuses("of another ServiceAccount", c.issue("apps", "other", projected(tenantURL)), "does not name")
	s.refuses("of its namesake elsewhere", c.issue("evil", "payroll", projected(tenantURL)), "does not name")
	s.refuses("of its namesake in the tenant's namespace", c.issue("customers", "payroll", projected(tenantURL)), "does not name")
	s.refuses("of the tenant's own server", c.issue("customers", "contoso-scim", projected(tenantURL)), "does not name")
	s.refuses("for more than a day", c.issue("apps", "payroll", authenticationv1.TokenRequestSpec{
		Audiences: []string{tenantURL}, ExpirationSeconds: new(int64(48 * 3600)),
	}), "lives for longer than a day")
	s.refuses("of a Secret", c.legacy(), notOurs)

	s.setClock(time.Hour + 2*time.Minute)
	s.refuses("that has expired", first, "has expired or is not valid yet")
	s.setClock(-time.Hour)
	s.refuses("from the future", first, "has expired or is not valid yet")
	s.setClock(0)

	c.itIsValidUntilItEndsThoughItsPodIsGone(s)

	// The API server goes, and comes back with another key.
	c.makeKey("next")
	s.leave()
	c.restart("next", "next.pub", "sa-signer.crt")
	s.lets("of the key before, which is still published", first)
	next := c.issue("apps", "payroll", projected(tenantURL))
	// A fetch may have failed while the API server was away, and is not tried again at once.
	_ = wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		_, err := s.ask(next)
		return err == nil, nil
	})
	s.lets("of the next key", next)
	c.restart("next", "next.pub")
	s = c.server(data) // whose own token was of the key before, too
	s.lets("of a key that was published when the keys were fetched last", first)
	s.FetchKeys(t.Context(), s.source.Current())
	s.refuses("of a key that is published no more", first, notOurs)
	s.lets("of the present key", next)

	// And goes for good.
	s.leave()
	if err := c.environment.ControlPlane.GetAPIServer().Stop(); err != nil {
		t.Fatal(err)
	}
	s.lets("while the API server is away", next)
	s.Authenticator = s.authenticator(data)
	s.lets("while it is away, after a restart", next)
	s.setClock(2 * time.Hour)
	s.refuses("that has expired, while it is away", next, "has expired or is not valid yet")
	s.setClock(25 * time.Hour)
	if _, err := s.ask(next); !errors.Is(err, auth.ErrClusterUnavailable) {
		t.Errorf("a day after the keys were fetched: %v", err)
	}
}

// itIsValidUntilItEndsThoughItsPodIsGone holds what docs/applications.md says of a deleted pod: the API server knows, and the tenant's server
// does not ask it.
func (c *cluster) itIsValidUntilItEndsThoughItsPodIsGone(s *server) {
	c.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "payroll-0"}}
	pod.Spec.ServiceAccountName = "payroll"
	pod.Spec.Containers = []corev1.Container{{Name: "app", Image: "app"}}
	c.create(pod)
	spec := projected(tenantURL)
	spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}
	bound := c.issue("apps", "payroll", spec)
	s.lets("of a pod", bound)
	if err := c.Delete(c.Context(), pod); err != nil {
		c.Fatal(err)
	}
	// The API server learns of it by a watch, too.
	if err := wait.PollUntilContextTimeout(c.Context(), 100*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		return !c.valid(bound, tenantURL), nil
	}); err != nil {
		c.Errorf("the API server still takes the token of a pod that is gone: %v", err)
	}
	s.lets("of a pod that is gone", bound)
	s.setClock(2 * time.Hour)
	s.refuses("of a pod that is gone, when it has expired", bound, "has expired or is not valid yet")
	s.setClock(0)
}

// legacy is a token as Kubernetes writes it to a Secret of type kubernetes.io/service-account-token: it has no audience and no end. The
// controller that does so is not run here, so it is signed with the API server's key.
func (c *cluster) legacy() string {
	c.Helper()
	content, err := os.ReadFile(filepath.Join(c.folder, "sa-signer.key"))
	if err != nil {
		c.Fatal(err)
	}
	block, _ := pem.Decode(content)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		c.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: c.keyID()}}, nil)
	if err != nil {
		c.Fatal(err)
	}
	signed, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:apps:payroll",
		"kubernetes.io/serviceaccount/namespace": "apps", "kubernetes.io/serviceaccount/service-account.name": "payroll",
	}).Serialize()
	if err != nil {
		c.Fatal(err)
	}
	return signed
}

// keyID is that of the tokens which the API server issues.
func (c *cluster) keyID() string {
	c.Helper()
	parsed, err := jwt.ParseSigned(c.issue("apps", "payroll", projected(tenantURL)), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		c.Fatal(err)
	}
	return parsed.Headers[0].KeyID
}
