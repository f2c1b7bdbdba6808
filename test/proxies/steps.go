//go:build linux

package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	userSchema  = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema = "urn:ietf:params:scim:schemas:core:2.0:Group"
	patchSchema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

func trusting(authorities *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
}

// name is that of a user or group of this column, which other columns do not have.
func (c *column) name(what string) string {
	return strings.ReplaceAll(strings.ToLower(c.proxy.name), " ", "-") + "-" + what
}

func user(name string) string {
	return fmt.Sprintf(`{"schemas":[%q],"userName":%q,"emails":[{"type":"work","value":%[2]q,"primary":true}]}`, userSchema, name)
}

func (c *column) creates(ctx context.Context, step, name string) answer {
	return c.expect(ctx, step, http.StatusCreated, http.MethodPost, "/Users", user(c.name(name)+"@wingtip.test"))
}

func id(a answer) string {
	id, _ := a.body["id"].(string)
	return id
}

// walk takes the steps that concern this column alone.
func (c *column) walk(ctx context.Context) {
	made := c.creates(ctx, "POST a user", "anna+1;b")
	path := "/Users/" + id(made)
	if id(made) == "" { // so that what follows has a user where the proxy lets none be created
		path = "/Users/00000000-0000-4000-8000-000000000000"
	}
	read := c.expect(ctx, "GET it, with gzip", http.StatusOK, http.MethodGet, path, "")
	if read.compressed {
		c.cells[len(c.cells)-1].saw += ", compressed"
	}
	patch := func(attribute, value string) string {
		return fmt.Sprintf(`{"schemas":[%q],"Operations":[{"op":"replace","path":%q,"value":%q}]}`, patchSchema, attribute, value)
	}
	c.expect(ctx, "PATCH with If-Match of its ETag", http.StatusOK, http.MethodPatch, path+"?attributes=userName", patch("title", "Buyer"),
		"If-Match", read.header.Get("ETag"))
	c.cells[len(c.cells)-1].saw += " for " + cmp.Or(read.header.Get("ETag"), "none")
	c.expect(ctx, "PATCH with If-Match of the ETag before", http.StatusPreconditionFailed, http.MethodPatch, path, patch("title", "Seller"),
		"If-Match", read.header.Get("ETag"))
	c.expect(ctx, "PUT it", http.StatusOK, http.MethodPut, path, user(c.name("anna+1;b")+"@wingtip.test"))
	c.filters(ctx, c.name("anna+1;b")+"@wingtip.test")
	c.groups(ctx, id(made))
	c.tooLarge(ctx)
	c.oauth(ctx)
	c.expect(ctx, "DELETE the user", http.StatusNoContent, http.MethodDelete, path, "")
	c.creates(ctx, "POST a user for check", "checked")
	c.check(ctx)
}

// oauth asks for what is beside the SCIM endpoints. The tenant has no token endpoint, which the server says in OAuth's form.
func (c *column) oauth(ctx context.Context) {
	for _, path := range []string{v1alpha1.TokenPath, v1alpha1.OAuthMetadataPath} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.running.url+path, http.NoBody)
		if err != nil {
			c.note("GET "+path, false, "%s", brief(err))
			continue
		}
		response, err := c.client.Do(request)
		if err != nil {
			c.note("GET "+path, false, "%s", brief(err))
			continue
		}
		got := answer{status: response.StatusCode, header: response.Header}
		_ = response.Body.Close()
		c.note("GET "+path, got.status == http.StatusNotFound && got.header.Get("Content-Type") == "application/json", "%s", got)
	}
}

// filters asks for one user in each way in which clients write a filter. No way may return anybody else.
func (c *column) filters(ctx context.Context, name string) {
	escaped := strings.NewReplacer("+", "%2B", ";", "%3B", "@", "%40").Replace(name)
	for _, f := range []struct{ step, query string }{
		{"filter as Entra writes it", "filter=userName+eq+%22" + escaped + "%22"},
		{"filter with %20, quotes and ; as they are", `filter=userName%20eq%20"` + strings.ReplaceAll(name, "+", "%2B") + `"`},
		{"filter with [] and quotes as they are", `filter=emails[type+eq+"work"].value+eq+"` + escaped + `"`},
		{"filter with an apostrophe and or", "filter=userName+eq+%22o'neil%40wingtip.test%22+or+userName+eq+%22" + escaped + "%22"},
		{"filter with urn%3A", "filter=" + url.QueryEscape(userSchema+":userName eq ") + "%22" + escaped + "%22"},
	} {
		got, err := c.ask(ctx, http.MethodGet, "/Users?"+f.query, "")
		total, _ := got.body["totalResults"].(float64)
		switch {
		case err != nil:
			c.note(f.step, false, "%s", brief(err))
		case got.status == http.StatusOK:
			c.note(f.step, total == 1, "%v found", total)
		default:
			c.note(f.step, got.status == http.StatusBadRequest && got.body != nil, "%s", got)
		}
	}
	c.expect(ctx, "GET /Schemas/urn%3Aietf…", http.StatusOK, http.MethodGet, "/Schemas/"+strings.ReplaceAll(userSchema, ":", "%3A"), "")
}

// groups makes groups as large as a body can be. All but one member do not exist, and are left out.
func (c *column) groups(ctx context.Context, member string) {
	members := fmt.Sprintf(`{"value":%q}`, member) + strings.Repeat(`,{"value":"11111111-2222-4333-8444-555555555555"}`, 999)
	group := func(name, blank string) string {
		return fmt.Sprintf(`{"schemas":[%q],"displayName":%q,%s"members":[%s]}`, groupSchema, c.name(name), blank, members)
	}
	c.expect(ctx, "POST a group of 1,000 members", http.StatusCreated, http.MethodPost, "/Groups", group("thousand", ""))
	c.expect(ctx, "the same as application/json", http.StatusCreated, http.MethodPost, "/Groups", group("thousand-json", ""),
		"Content-Type", "application/json")
	c.expect(ctx, "POST a group of 3.9 MiB", http.StatusCreated, http.MethodPost, "/Groups", group("large", strings.Repeat(" ", 39<<20/10-60<<10)))
}

// tooLarge sends a body that the server does not take, six times each with and without asking first whether it may (Expect). A client that
// does not ask may find the connection closed while it writes, and then knows as well that the body was refused.
func (c *column) tooLarge(ctx context.Context) {
	body := strings.Repeat(" ", 30<<20)
	for _, way := range []struct {
		step   string
		header []string
	}{{"POST 30 MiB", nil}, {"POST 30 MiB with Expect", []string{"Expect", "100-continue"}}} {
		seen, holds := map[string]int{}, true
		for range 6 {
			got, err := c.ask(ctx, http.MethodPost, "/Groups", body, way.header...)
			saw := got.String()
			if err != nil {
				saw = "closed"
			}
			seen[saw]++
			holds = holds && (got.status == http.StatusRequestEntityTooLarge || err != nil && way.header == nil)
		}
		var saw []string
		for _, what := range slices.Sorted(maps.Keys(seen)) {
			saw = append(saw, fmt.Sprintf("%d × %s", seen[what], what))
		}
		c.note(way.step, holds, "%s", strings.Join(saw, ", "))
	}
}

// passes asks until the server refuses with a status, and notes whether the answer came with its body and Retry-After.
func (c *column) passes(ctx context.Context, step string, status int) {
	for range 10 {
		got, err := c.ask(ctx, http.MethodGet, "/ServiceProviderConfig", "")
		switch {
		case err != nil:
			c.note(step, false, "%s", brief(err))
			return
		case got.status == http.StatusOK:
			continue
		}
		c.note(step, got.status == status && got.body != nil && got.header.Get("Retry-After") != "", "%s, %s s", got, got.header.Get("Retry-After"))
		return
	}
	c.note(step, false, "never refused")
}

// bridges creates a user while the server is away. Either it arrives once the server is back, or it is refused as Entra tries again for.
func (c *column) bridges(ctx context.Context) {
	begun := time.Now()
	got, err := c.ask(ctx, http.MethodPost, "/Users", user(c.name("restart")+"@wingtip.test"))
	if err != nil {
		c.note("POST while the server is away", false, "%s", brief(err))
		return
	}
	refused := got.status == http.StatusBadGateway || got.status == http.StatusServiceUnavailable
	// For a moment the server is there and has no settings yet, which it says itself.
	holds := got.status == http.StatusCreated || refused && (got.body != nil || !c.proxy.waits)
	c.note("POST while the server is away for 3 s", holds, "%s after %.1f s", got, time.Since(begun).Seconds())
}

// begins waits until the proxy knows its recipe: Traefik listens before.
func (c *column) begins(ctx context.Context) error {
	for range 300 {
		if got, err := c.ask(ctx, http.MethodGet, "/ServiceProviderConfig", ""); err == nil && got.body != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not lead to the server", c.proxy.name)
}

// recovers counts how long the proxy goes on refusing after the server is back.
func (c *column) recovers(ctx context.Context) {
	const step = "GET after it is back"
	begun := time.Now()
	for time.Since(begun) < 15*time.Second {
		if got, err := c.ask(ctx, http.MethodGet, "/Users?count=1", ""); err == nil && got.status == http.StatusOK {
			c.note(step, true, "200 within %.0f s", time.Since(begun).Seconds()+0.5)
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	c.note(step, false, "not within 15 s")
}
