package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenantry/tenantry/scimserver/auth/authtest"
)

// attack is one way to stop or slow a tenant.
type attack struct {
	name  string
	times int // how many do it at once
	// once does it once; it is done again until the test has what it wants to know.
	once func(ctx context.Context, a attacker)
}

// attacker is one of those who do the same.
type attacker struct {
	*attacked

	number int
	tally  *tally
}

func (a attacker) reader() string { return a.readers[a.number%len(a.readers)] }

// tally counts what an attack was answered.
type tally struct {
	name     string
	mu       sync.Mutex
	statuses map[string]int
}

func (t *tally) add(status string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.statuses[status]++
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(t.statuses)) {
		parts = append(parts, fmt.Sprintf("%s × %d", status, t.statuses[status]))
	}
	return fmt.Sprintf("%-55s %s", t.name, strings.Join(parts, ", "))
}

var everyAttack = []attack{
	{"filters of 250 terms", 3, asReader("GET", "/Users?count=1&filter="+url.QueryEscape(wideFilter()), "")},
	{"filters that negate", 1, asReader("POST", "/Users/.search", search(`"filter":"not (`+strings.Repeat(`title co \"zz\" or `, 100)+`title co \"zzz\")","count":1000`))},
	{"a body of 60 KB of attributes", 4, asReader("POST", "/Users/.search", search(`"count":1000,"attributes":["`+strings.Repeat("x,", 30_000)+`x"]`))},
	{"a URL of 29 KB of attributes", 2, asReader("GET", "/Users?count=1000&attributes="+strings.Repeat("x,", 14_500)+"x", "")},
	{"a million excluded attributes", 1, asReader("POST", "/.search", search(`"count":2,"excludedAttributes":["`+strings.Repeat("a.b,", 700_000)+`x"]`))},
	{"/Me with 29 KB of attributes", 2, atMe("?attributes=" + strings.Repeat("x,", 14_500) + "x")},
	{"/Me as fast as it goes", 4, atMe("")},
	{"bodies that trickle", 256, trickle(50, 1)},
	{"large bodies that trickle", 16, trickle(70<<10, 66<<10)},
	{"lists that nobody reads", 90, unread("identity", func(attacker) string { return "/Users?count=1000" })},
	{"groups that nobody reads", 90, unread("identity", func(a attacker) string { return "/Groups/" + a.group })},
	{"lists of groups that nobody reads", 10, unread("identity", func(attacker) string { return "/Groups?count=1000" })},
	{"groups in gzip that nobody reads", 30, unread("gzip", func(a attacker) string { return "/Groups/" + a.group })},
	{"writes of a reader", 2, asReader("DELETE", "/Users/0192f0c1-0000-7000-8000-000000000001", "")},
	{"assertions signed by nobody", 4, strangerAtTokenEndpoint},
	{"invented tokens", 2, stranger},
	{"wrong tokens at the admin port", 2, strangerAtAdminPort},
	{"searches of the log", 4, readerAtAdminPort("/log?client=nobody")},
	{"followers of the log", 32, readerAtAdminPort("/log?follow=true&limit=1&client=nobody")},
}

func wideFilter() string {
	terms := make([]string, 250)
	for i := range terms {
		terms[i] = fmt.Sprintf("title co \"z%d\"", i)
	}
	return strings.Join(terms, " or ")
}

// search is the body of a .search.
func search(members string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],` + members + `}`
}

// attackers' connections are their own, so that they wait for nobody.
var attackers = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}}

func (a attacker) send(ctx context.Context, method, url, credential, body string) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		a.tally.add(err.Error())
		return
	}
	request.Header.Set("Authorization", "Bearer "+credential)
	request.Header.Set("Content-Type", "application/scim+json")
	response, err := attackers.Do(request)
	if err != nil {
		a.tally.add("no answer")
		return
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	a.tally.add(fmt.Sprint(response.StatusCode))
}

func asReader(method, path, body string) func(context.Context, attacker) {
	return func(ctx context.Context, a attacker) { a.send(ctx, method, a.process.url+path, a.reader(), body) }
}

func readerAtAdminPort(path string) func(context.Context, attacker) {
	return func(ctx context.Context, a attacker) {
		a.send(ctx, http.MethodGet, a.process.admin+path, a.reader(), "")
	}
}

func atMe(query string) func(context.Context, attacker) {
	return func(ctx context.Context, a attacker) {
		token := a.authority.Sign(authtest.Times(time.Now()).With(authtest.Claims{
			"iss": a.authority.Issuer(), "tid": authtest.TenantID, "aud": applicationID, "sub": "somebody", "scp": "access",
			"oid": fmt.Sprintf("8f14e45f-ceea-467f-a0e6-%012d", a.number), "preferred_username": fmt.Sprintf("u%d@contoso.test", a.number),
		}))
		for range 50 {
			a.send(ctx, http.MethodGet, a.process.url+"/Me"+query, token, "")
		}
	}
}

func stranger(ctx context.Context, a attacker) {
	a.send(ctx, http.MethodGet, a.process.url+"/Users", "an-invented-token", "")
}

func strangerAtAdminPort(ctx context.Context, a attacker) {
	a.send(ctx, http.MethodGet, a.process.admin+"/log", "an-invented-token", "")
}

// strangerAtTokenEndpoint sends what looks like Entra's, and names a key that nobody has.
func strangerAtTokenEndpoint(ctx context.Context, a attacker) {
	assertion := authtest.Sign(a.t, jose.RS256, authtest.SecondKey(a.t), "made-up", authtest.Times(time.Now()).With(authtest.Claims{
		"iss": a.authority.Issuer(), "tid": authtest.TenantID, "aud": "api://tenantry", "sub": "5e2f7c1d-91c4-4f0e-8a49-5d3b6b1f9e10",
	}))
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	for range 50 {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(a.process.url, "/scim/v2")+"/oauth2/token",
			strings.NewReader(form.Encode()))
		if err != nil {
			a.tally.add(err.Error())
			return
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := attackers.Do(request)
		if err != nil {
			a.tally.add("no answer")
			return
		}
		_ = response.Body.Close()
		a.tally.add(fmt.Sprint(response.StatusCode))
	}
}

// trickle sends a part of a body and nothing more, until the server has enough of it.
func trickle(length, sent int) func(context.Context, attacker) {
	return func(ctx context.Context, a attacker) {
		a.raw(ctx, fmt.Sprintf("POST /scim/v2/Users/.search HTTP/1.1\r\nContent-Length: %d\r\n", length), bytes.Repeat([]byte(" "), sent), func(c net.Conn) {
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				a.tally.add("no answer")
				return
			}
			_ = response.Body.Close()
			a.tally.add(fmt.Sprint(response.StatusCode))
		})
	}
}

// dial connects to the server with a connection whose buffers hold little. It returns nil where that is not possible.
func (a attacker) dial(ctx context.Context) net.Conn {
	u, err := url.Parse(a.process.url)
	if err != nil {
		a.tally.add(err.Error())
		return nil
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		a.tally.add("no connection")
		return nil
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4096)
	}
	return c
}

// unread asks for much, in a coding, and reads the beginning of the answer.
func unread(coding string, path func(attacker) string) func(context.Context, attacker) {
	return func(ctx context.Context, a attacker) {
		a.raw(ctx, "GET /scim/v2"+path(a)+" HTTP/1.1\r\nAccept-Encoding: "+coding+"\r\n", nil, func(c net.Conn) {
			start := make([]byte, len("HTTP/1.1 200"))
			if _, err := io.ReadFull(c, start); err != nil {
				a.tally.add("no answer")
				return
			}
			a.tally.add(string(start[len("HTTP/1.1 "):]))
			if bytes.HasSuffix(start, []byte("200")) {
				<-ctx.Done()
			}
		})
	}
}

// raw sends a request as a reader, and lets then do with the answer what it will.
func (a attacker) raw(ctx context.Context, head string, body []byte, then func(net.Conn)) {
	c := a.dial(ctx)
	if c == nil {
		return
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	request := head + "Host: scim.test\r\nAuthorization: Bearer " + a.reader() + "\r\nContent-Type: application/scim+json\r\n\r\n"
	if _, err := c.Write(append([]byte(request), body...)); err != nil {
		a.tally.add("not sent")
		return
	}
	then(c)
}
