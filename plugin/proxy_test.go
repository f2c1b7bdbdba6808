package plugin

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/protocol"
)

// page is how a proxy refuses: it repeats what was sent, which check must not.
func page(w http.ResponseWriter, status int) bool {
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Server", "nginx/1.22.1")
	w.WriteHeader(status)
	fmt.Fprint(w, "<html>anna@contoso.test</html>")
	return true
}

// A proxy that lets every GET through refuses writes in many ways, and each is told apart from the others.
func TestCheckTellsWhatAProxyDoesToWrites(t *testing.T) {
	t.Parallel()
	const by = "as text/html, by what stands before the server, which calls itself nginx/1.22.1"
	method := func(name string) string {
		return "         → Let " + name + " through below the Tenant URL. The Core Rule Set refuses it by rule 911100: add it to tx.allowed_methods.\n"
	}
	const (
		body = "         → Let bodies of 4 MiB through, or large groups are refused. nginx takes 1 MiB unless client_max_body_size says more, " +
			"ModSecurity 128 KiB unless SecRequestBodyNoFilesLimit does.\n"
		errors = "         → Let errors through as the server writes them, with Retry-After: switch off what replaces them, such as " +
			"proxy_intercept_errors of nginx or ProxyErrorOverride of Apache.\n"
		tags = "         → Let the headers ETag, If-Match and If-None-Match through as they are, or no client can tell that somebody else changed a user. " +
			"A suffix such as -gzip, which some proxies add when they compress, is understood.\n"
		describe = "         → See what 'kubectl tenantry describe contoso -n customers' says.\n"
	)
	for name, c := range map[string]struct {
		proxy func(*server, http.ResponseWriter, *http.Request) bool
		want  map[string]string // lines that take the place of those that pass
	}{
		"refuses the media type": {
			proxy: func(_ *server, w http.ResponseWriter, r *http.Request) bool {
				return r.Header.Get("Content-Type") == "application/scim+json" && page(w, http.StatusForbidden)
			},
			want: map[string]string{
				"application/scim+json": "failed   application/scim+json  403 Forbidden " + by + "\n         → Let application/scim+json through with POST, PUT and PATCH. " +
					"The Core Rule Set refuses it by rule 920420: add it to tx.allowed_request_content_type.\n",
				"a group's members": "skipped  a group's members      because application/scim+json failed\n",
				"a large body":      "skipped  a large body           because application/scim+json failed\n",
			},
		},
		"takes GET and POST only": {
			proxy: func(_ *server, w http.ResponseWriter, r *http.Request) bool {
				return r.Method != http.MethodGet && r.Method != http.MethodPost && page(w, http.StatusMethodNotAllowed)
			},
			want: map[string]string{
				"PATCH":  "failed   PATCH                  405 Method Not Allowed " + by + "\n" + method("PATCH"),
				"PUT":    "failed   PUT                    405 Method Not Allowed " + by + "\n" + method("PUT"),
				"DELETE": "failed   DELETE                 405 Method Not Allowed " + by + "\n" + method("DELETE"),
			},
		},
		"refuses DELETE": {
			proxy: func(_ *server, w http.ResponseWriter, r *http.Request) bool {
				return r.Method == http.MethodDelete && page(w, http.StatusForbidden)
			},
			want: map[string]string{"DELETE": "failed   DELETE                 403 Forbidden " + by + "\n" + method("DELETE")},
		},
		"answers PATCH with nothing": {
			proxy: func(_ *server, _ http.ResponseWriter, r *http.Request) bool { return r.Method == http.MethodPatch },
			want: map[string]string{
				"PATCH": "failed   PATCH                  200 OK as of no type, by what stands before the server\n" + method("PATCH"),
			},
		},
		"cuts off PUT": {
			proxy: func(_ *server, _ http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPut {
					panic(http.ErrAbortHandler)
				}
				return false
			},
			want: map[string]string{"PUT": "failed   PUT                    EOF\n" + method("PUT")},
		},
		"counts the values of a body": {
			proxy: func(_ *server, w http.ResponseWriter, r *http.Request) bool {
				text, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(text))
				return bytes.Count(text, []byte(":")) > 1000 && page(w, http.StatusBadRequest)
			},
			want: map[string]string{
				"a group's members": "failed   a group's members      400 Bad Request " + by + "\n" +
					"         → Let JSON with many values through, or large groups are refused. ModSecurity takes 1,000, and refuses more by rule 200002: " +
					"raise SecArgumentsLimit.\n",
			},
		},
		"takes small bodies only": {
			proxy: func(_ *server, w http.ResponseWriter, r *http.Request) bool {
				if r.ContentLength <= 1<<20 {
					return false
				}
				_, _ = io.Copy(io.Discard, r.Body)
				return page(w, http.StatusRequestEntityTooLarge)
			},
			want: map[string]string{"a large body": "failed   a large body           413 Request Entity Too Large " + by + "\n" + body},
		},
		"puts its own page in place of errors": {
			proxy: func(s *server, w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodGet && !strings.Contains(r.URL.Path, "urn:uuid") {
					return false
				}
				answer := answered(s, r)
				return answer.status >= 400 && page(w, answer.status) || answer.write(w)
			},
			want: map[string]string{
				"an error": "failed   an error               404 Not Found " + by + "\n" + errors,
				"PATCH":    "skipped  PATCH                  because an error failed\n",
				"PUT":      "skipped  PUT                    because an error failed\n",
				"DELETE":   "skipped  DELETE                 because an error failed\n",
			},
		},
		"takes tags off": {
			proxy: func(s *server, w http.ResponseWriter, r *http.Request) bool {
				answer := answered(s, r)
				answer.header.Del("ETag")
				return answer.write(w)
			},
			want: map[string]string{
				"a tag with gzip": "failed   a tag with gzip        an answer has no ETag, and the user has the version W/\"1\"\n" + tags,
			},
		},
		"gives tags of its own": {
			proxy: func(s *server, w http.ResponseWriter, r *http.Request) bool {
				answer := answered(s, r)
				answer.header.Set("ETag", `"5e1f"`)
				return answer.write(w)
			},
			want: map[string]string{
				"a tag with gzip": "failed   a tag with gzip        the ETag of version W/\"1\" is \"5e1f\", which the server does not understand\n" + tags,
			},
		},
		"passes no condition on": {
			proxy: func(_ *server, _ http.ResponseWriter, r *http.Request) bool {
				r.Header.Del("If-None-Match")
				return false
			},
			want: map[string]string{
				"a tag with gzip": "failed   a tag with gzip        If-None-Match with the version W/\"1\" is answered as if it was not sent\n" + tags,
			},
		},
		"adds to tags when it compresses": {
			proxy: func(s *server, w http.ResponseWriter, r *http.Request) bool {
				answer := answered(s, r)
				if answer.header.Get("ETag") != "" {
					answer.header.Set("ETag", `W/"1-gzip"`)
				}
				return answer.write(w)
			},
			want: map[string]string{"a tag with gzip": "passed   a tag with gzip        W/\"1-gzip\" is understood, in place of W/\"1\"\n"},
		},
		"lets a server through that has too much to do": {
			proxy: func(_ *server, w http.ResponseWriter, r *http.Request) bool {
				if r.ContentLength < 1<<20 {
					return false
				}
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(http.StatusServiceUnavailable)
				fmt.Fprint(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"the server is busy","status":"503"}`)
				return true
			},
			want: map[string]string{"a large body": "failed   a large body           503 Service Unavailable: the server is busy\n" + describe},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.user("anna@contoso.test")
			s.user("bob@contoso.test")
			s.before = func(w http.ResponseWriter, r *http.Request) bool { return c.proxy(s, w, r) }
			_, out, _ := newCluster(t, s.tenant, s.credentials(), s.readerSecret()).run(Options{}, "check", "contoso", "--ca-file", s.caFile)
			var want strings.Builder
			for line := range strings.Lines(wellChecked) {
				step := strings.TrimSpace(line[9:32])
				if other, ok := c.want[step]; ok {
					line = other
				}
				want.WriteString(line)
			}
			if diff := cmp.Diff(want.String(), masked(out)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A failed write leaves an entry in the provisioning log, and failed requests make the client's cycle look ill: check must do neither.
func TestCheckLeavesNothingInTheLogAndNoFailureInTheCycle(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.user("anna@contoso.test")
	entries := func() (n int) {
		if _, err := s.directory.WriteFailures(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, err := range s.directory.Log(t.Context(), directory.LogQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	before := entries()
	c := newCluster(t, s.tenant, s.credentials(), s.readerSecret())
	if code, out, errOut := c.run(Options{}, "check", "contoso", "--ca-file", s.caFile); code != ExitFine {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	if after := entries(); before != 1 || after != before {
		t.Errorf("the provisioning log had %d entries and has %d", before, after)
	}
	if seen := s.scim.TakeActivity(); seen.Requests == 0 || seen.Failures != 0 || !seen.Rejected.IsZero() {
		t.Errorf("the server saw %+v", seen)
	}
}

func TestTheLargeBodyIsAlmostTheLargestThatTheServerTakes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var largest int64
	s.before = func(_ http.ResponseWriter, r *http.Request) bool {
		largest = max(largest, r.ContentLength)
		return false
	}
	if code, out, errOut := newCluster(t, s.tenant, s.credentials(), s.readerSecret()).run(Options{}, "check", "contoso", "--ca-file", s.caFile); code != ExitFine {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	if left := protocol.MaxBody - largest; left < 0 || left > 1<<10 {
		t.Errorf("the largest body has %d bytes, and the server takes %d", largest, protocol.MaxBody)
	}
}

// recorded is an answer of the server that a proxy may change.
type recorded struct {
	status int
	header http.Header
	body   []byte
}

func answered(s *server, r *http.Request) recorded {
	recorder := httptest.NewRecorder()
	s.scim.Handler().ServeHTTP(recorder, r)
	return recorded{recorder.Code, recorder.Header(), recorder.Body.Bytes()}
}

func (r recorded) write(w http.ResponseWriter) bool {
	maps.Copy(w.Header(), r.header)
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body)
	return true
}
