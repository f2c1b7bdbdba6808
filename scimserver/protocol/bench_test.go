package protocol_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/scimserver/settings"
)

// BenchmarkRequests measures what Entra asks most, from the handler down to the store, without the network.
func BenchmarkRequests(b *testing.B) {
	database, _ := openStore(b)
	secret, err := token.New(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	snapshot := contoso(secret, time.Now())
	users := directory.New(directory.Options{Store: database, Now: time.Now})
	handler := protocol.New(protocol.Options{
		Directory: users, Settings: func() *settings.Snapshot { return snapshot }, Auth: auth.New(auth.Options{Now: time.Now, Random: rand.Reader, Keys: users}),
		Log: logr.Discard(), Metrics: prometheus.NewRegistry(), Now: time.Now,
	}).Handler()
	codings := "identity"
	send := func(b *testing.B, method, target, body string, status int) *httptest.ResponseRecorder {
		request := httptest.NewRequestWithContext(b.Context(), method, v1alpha1.BasePath+target, strings.NewReader(body))
		request.Header.Set("Authorization", "Bearer "+secret)
		request.Header.Set("Content-Type", "application/scim+json")
		request.Header.Set("Accept-Encoding", codings)
		answer := httptest.NewRecorder()
		if handler.ServeHTTP(answer, request); answer.Code != status {
			b.Fatalf("%s %s = %d\n%s", method, target, answer.Code, answer.Body)
		}
		return answer
	}
	userNamed := func(n int) string {
		return "/Users?filter=" + url.QueryEscape(fmt.Sprintf(`userName eq "anna.%d@contoso.com"`, n))
	}
	created, ids := 0, []string{}
	create := func(b *testing.B) {
		created++
		answer := send(b, http.MethodPost, "/Users", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"anna.%d@contoso.com",`+
			`"externalId":"e%[1]d","active":true,"displayName":"Anna %[1]d","name":{"givenName":"Anna","familyName":"%[1]d"},`+
			`"emails":[{"type":"work","primary":true,"value":"anna.%[1]d@contoso.com"}]}`, created), http.StatusCreated)
		ids = append(ids, path.Base(answer.Header().Get("Location")))
	}
	for range 2000 {
		create(b)
	}
	b.Run("look-up", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			send(b, http.MethodGet, userNamed(n%2000+1), "", http.StatusOK)
		}
	})
	b.Run("look-up of nobody", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			send(b, http.MethodGet, userNamed(0), "", http.StatusOK)
		}
	})
	b.Run("page of 100", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			send(b, http.MethodGet, "/Users?count=100", "", http.StatusOK)
		}
	})
	for _, coding := range []string{"identity", "gzip"} {
		b.Run("page of 1,000 in "+coding, func(b *testing.B) {
			b.ReportAllocs()
			codings = coding
			size := 0
			for b.Loop() {
				size = send(b, http.MethodGet, "/Users?count=1000", "", http.StatusOK).Body.Len()
			}
			b.ReportMetric(float64(size), "bytes")
			codings = "identity"
		})
	}
	b.Run("patch", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			send(b, http.MethodPatch, "/Users/"+ids[n%len(ids)], fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],`+
				`"Operations":[{"op":"replace","path":"title","value":"Title %d"}]}`, n), http.StatusNoContent)
		}
	})
	b.Run("create", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			create(b)
		}
	})
}
