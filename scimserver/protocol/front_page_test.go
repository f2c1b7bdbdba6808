package protocol_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// chromium is the header Accept of a browser that opens a page.
const chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"

// front asks for the host itself, by a name of it.
func (f *fixture) front(method, host string, header http.Header) answer {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), method, f.http.URL+"/", http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	request.Header, request.Host = header.Clone(), host
	return f.do(request)
}

func TestAPersonWhoOpensTheHostIsToldWhatItIs(t *testing.T) {
	f := newFixture(t)
	f.snapshot.Tenant.Spec.DisplayName = "Wingtip Toys"
	f.create("anna", "/Users", `{"userName": "anna@example.com"}`)
	for name, header := range map[string]http.Header{
		"a browser": {"Accept": {chromium}}, "curl": {"Accept": {"*/*"}}, "a program that says nothing": {}, "in two lines": {"Accept": {"image/png", "text/html"}},
	} {
		got := f.front("GET", "contoso.scim.example.com", header)
		if got.status != http.StatusOK || got.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("%s: %d %s\n%s", name, got.status, got.header.Get("Content-Type"), got.body)
		}
		for _, want := range []string{"<code>https://contoso.scim.example.com/scim/v2</code>", "nothing to sign in to", "SCIM 2.0", "Tenantry"} {
			if !strings.Contains(string(got.body), want) {
				t.Errorf("%s: the page lacks %q", name, want)
			}
		}
		for _, secret := range []string{"Wingtip", "customers", "anna", "1 user"} {
			if strings.Contains(string(got.body), secret) {
				t.Errorf("%s: the page tells strangers %q", name, secret)
			}
		}
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex", "Server": "",
		} {
			if got.header.Get(header) != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got.header.Get(header), want)
			}
		}
	}
	whole, head := f.front("GET", "contoso.scim.example.com", nil), f.front("HEAD", "contoso.scim.example.com", nil)
	if head.status != http.StatusOK || len(head.body) > 0 || head.header.Get("Content-Length") != whole.header.Get("Content-Length") {
		t.Errorf("HEAD: %d, %d bytes, %v", head.status, len(head.body), head.header)
	}
}

// The policy lets a browser take the style that stands in the page, and nothing else.
func TestTheFrontPageTakesNothingFromElsewhere(t *testing.T) {
	f := newFixture(t)
	got := f.front("GET", "contoso.scim.example.com", nil)
	_, style, _ := strings.Cut(string(got.body), "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	hash := sha256.Sum256([]byte(style))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if policy := got.header.Get("Content-Security-Policy"); style == "" || policy != want {
		t.Errorf("the policy is %s, want %s", policy, want)
	}
	for _, taken := range []string{"<script", "src=", "@import", "url(", "style=", "onload"} {
		if strings.Contains(string(got.body), taken) {
			t.Errorf("the page has %q", taken)
		}
	}
}

func TestTheFrontPageShowsTheURLOfTheHostThatWasAskedFor(t *testing.T) {
	f := newFixture(t)
	f.snapshot.Tenant.Status.TenantURL = tenantURL
	f.snapshot.Tenant.Status.AdditionalURLs = []string{"https://contoso.example.org/scim/v2"}
	for host, want := range map[string]string{
		"contoso.scim.example.com": tenantURL, "Contoso.scim.example.com:443": tenantURL, "contoso.example.org": "https://contoso.example.org/scim/v2",
		"10.0.0.7:8080": "http://10.0.0.7:8080/scim/v2", "a&b'.example.com": "http://a&amp;b&#39;.example.com/scim/v2",
	} {
		if got := f.front("GET", host, nil); !strings.Contains(string(got.body), "<code>"+want+"</code>") {
			t.Errorf("%s: no %s in\n%s", host, want, got.body)
		}
	}
	f.snapshot.Tenant.Status.TenantURL = v1alpha1.ServiceURL("customers", "contoso") // where a proxy of the platform's leads to it
	got := f.front("GET", "wingtip.example.com", http.Header{"X-Forwarded-Proto": {"https"}})
	if !strings.Contains(string(got.body), "<code>https://wingtip.example.com/scim/v2</code>") || strings.Contains(string(got.body), "customers") {
		t.Errorf("behind a proxy of the platform's:\n%s", got.body)
	}
}

func TestAClientOfSCIMIsAnsweredAsEverAtTheHostItself(t *testing.T) {
	f := newFixture(t)
	for name, header := range map[string]http.Header{
		"SCIM": {"Accept": {"application/scim+json"}}, "JSON": {"Accept": {"application/json, text/plain, */*"}},
		"JSON rather than a page": {"Accept": {"text/html;q=0.5, application/json"}}, "an image": {"Accept": {"image/png"}},
		"a wrong token": {"Accept": {"*/*"}, "Authorization": {"Bearer x"}},
	} {
		got := f.front("GET", "contoso.scim.example.com", header)
		if got.status != http.StatusUnauthorized {
			t.Errorf("%s: %d\n%s", name, got.status, got.body)
		}
	}
	f.wantError(f.front("GET", "contoso.scim.example.com", bearer(f.token)), http.StatusNotFound, "")
	f.wantError(f.front("POST", "contoso.scim.example.com", http.Header{"Accept": {chromium}}), http.StatusUnauthorized, "")
	f.wantError(f.sendWith("GET", f.http.URL+"/favicon.ico", "", http.Header{"Accept": {chromium}}), http.StatusUnauthorized, "")
}

func TestTheFrontPageCountsAsAStrangersRequest(t *testing.T) {
	f := newFixture(t)
	f.limit(1, 2)
	for range 2 {
		if got := f.front("GET", "contoso.scim.example.com", nil); got.status != http.StatusOK {
			t.Fatalf("%d", got.status)
		}
	}
	f.wantLater(f.front("GET", "contoso.scim.example.com", http.Header{"Accept": {chromium}}), http.StatusTooManyRequests, 1)
	f.wantLater(f.sendWith("GET", "/Users", "", bearer("x")), http.StatusTooManyRequests, 1)
	f.expect("GET", "/Users", "", http.StatusOK, "") // a client has an allowance of its own
	f.snapshot = nil
	f.wantError(f.front("GET", "contoso.scim.example.com", nil), http.StatusServiceUnavailable, "")
}
