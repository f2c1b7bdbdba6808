package entra

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const id = "8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11"

func TestTheAuthoritysAnswersAreUnderstood(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		want   Answer
	}{
		"it knows the tenant":            {200, `{"issuer":"https://login.microsoftonline.com/` + id + `/v2.0"}`, Exists},
		"it writes the ID in upper case": {200, `{"issuer":"https://sts.test/8B1C3F0E-0A52-4A5B-9B61-3F2F6F6D2C11/"}`, Exists},
		"it does not know the tenant":    {400, `{"error":"invalid_tenant","error_description":"AADSTS90002"}`, NotFound},
		"there is no such page":          {404, `not found`, NotFound},
		"it speaks of another tenant":    {200, `{"issuer":"https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/v2.0"}`, Unreachable},
		"a proxy answers in its place":   {200, `<html>Please log in to the hotel network</html>`, Unreachable},
		"it asks to come back later":     {429, `{"error":"throttled"}`, Unreachable},
		"it is broken":                   {500, `{}`, Unreachable},
		"it complains of something else": {400, `{"error":"invalid_request"}`, Unreachable},
		"a proxy forbids it":             {403, `{}`, Unreachable},
		"it never stops talking":         {200, `{"issuer":"` + string(make([]byte, 2*maxMetadata)) + `"}`, Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/"+id+"/v2.0/.well-known/openid-configuration" {
					t.Errorf("asked for %s", r.URL.Path)
				}
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			defer server.Close()
			got, err := Authority{Client: server.Client(), Override: server.URL + "/"}.Ask(t.Context(), Tenant{ID: id})
			if got != test.want {
				t.Errorf("got %s (%v), want %s", got, err, test.want)
			}
			if (err != nil) != (got == Unreachable) {
				t.Errorf("%s comes with error %v", got, err)
			}
		})
	}
}

func TestAClosedNetworkIsUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	got, err := Authority{Client: http.DefaultClient, Override: server.URL}.Ask(t.Context(), Tenant{ID: id})
	if got != Unreachable || err == nil {
		t.Errorf("got %s and %v", got, err)
	}
}

func TestEveryCloudHasALoginAuthority(t *testing.T) {
	for cloud, want := range map[v1alpha1.EntraCloud]string{
		v1alpha1.EntraCloudPublic: "login.microsoftonline.com", v1alpha1.EntraCloudUSGovernment: "login.microsoftonline.us",
		v1alpha1.EntraCloudChina: "login.partner.microsoftonline.cn",
	} {
		if got := cloud.LoginHost(); got != want {
			t.Errorf("%s: got %s", cloud, got)
		}
	}
	if v1alpha1.EntraCloud("Mars").LoginHost() != "" {
		t.Error("a cloud that nobody knows has a login authority")
	}
}

func TestTheVerifierAnswersAtOnceAndTellsWhenItKnows(t *testing.T) {
	tenant, contoso := Tenant{ID: id}, types.NamespacedName{Namespace: "a", Name: "contoso"}
	told := make(chan types.NamespacedName)
	var asked atomic.Int32
	verifier := NewVerifier(
		func(context.Context, Tenant) (Answer, error) { asked.Add(1); return Exists, nil },
		func(name types.NamespacedName) { told <- name }, logr.Discard())
	if got := verifier.Answer(contoso, tenant, Pending); got != Pending {
		t.Errorf("before anybody was asked the answer is %s", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- verifier.Start(ctx) }()
	if got := <-told; got != contoso {
		t.Errorf("%s was told", got)
	}
	for range 3 {
		if got := verifier.Answer(contoso, tenant, Pending); got != Exists {
			t.Errorf("got %s after the authority answered", got)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := asked.Load(); got != 1 {
		t.Errorf("the authority was asked %d times, want once", got)
	}
}

func TestAfterARestartWhatTheStatusRemembersIsNotAskedAgainAtOnce(t *testing.T) {
	verifier := NewVerifier(nil, nil, logr.Discard())
	if got := verifier.Answer(types.NamespacedName{Name: "contoso"}, Tenant{ID: id}, Exists); got != Exists {
		t.Errorf("got %s, want what the status says", got)
	}
	if verifier.queue.Len() != 0 {
		t.Error("the authority is going to be asked at once")
	}
	verifier.queue.ShutDown()
}

func TestThatTheAuthorityIsAwayIsNoNewsOfATenantThatExists(t *testing.T) {
	verifier := NewVerifier(nil, nil, logr.Discard())
	defer verifier.queue.ShutDown()
	name, tenant := types.NamespacedName{Name: "contoso"}, Tenant{ID: id}
	verifier.Answer(name, tenant, Exists)
	if told := verifier.learn(tenant, Unreachable); told != nil || verifier.Answer(name, tenant, Pending) != Exists {
		t.Errorf("told %v", told)
	}
	if told := verifier.learn(tenant, NotFound); len(told) != 1 {
		t.Errorf("that the tenant is gone was told to %v", told)
	}
}

func TestNobodyIsAskedAboutATenantThatNoResourceNames(t *testing.T) {
	verifier := NewVerifier(nil, nil, logr.Discard())
	defer verifier.queue.ShutDown()
	name, tenant := types.NamespacedName{Name: "contoso"}, Tenant{ID: id}
	verifier.Answer(name, tenant, Pending)
	verifier.Answer(name, Tenant{ID: "another"}, Pending)
	if verifier.wanted(tenant) {
		t.Error("the ID that the resource had before is still asked about")
	}
	verifier.Forget(name)
	if verifier.wanted(Tenant{ID: "another"}) || len(verifier.asks) != 0 {
		t.Error("the deleted resource is still asked for")
	}
}
