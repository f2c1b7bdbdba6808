package protocol_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// linesOf returns what the server logs of one request.
func (f *fixture) linesOf(send func() answer) (lines string, got answer) {
	f.t.Helper()
	f.mu.Lock()
	f.logs.Reset()
	f.mu.Unlock()
	got = send()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.logs.String(), got
}

func TestAProxysRequestIDIsLoggedBesideOurs(t *testing.T) {
	f := newFixture(t)
	f.withClient()
	const key = `"proxyRequestID"`
	for _, id := range []string{
		"3f2c1ab7d95e4c0d8a7b6c5d4e3f2a1b", "7F000001:8296_7F00001E:1F90_4F7B0A69_0003:790E", "Root=1-67891233-abcdef012345678912345678",
		"cafe/9+x.y_z", "a", strings.Repeat("x", 128),
	} {
		for target, send := range map[string]func(http.Header) answer{
			"/Users": func(h http.Header) answer {
				h.Set("Authorization", "Bearer "+f.token)
				return f.sendWith(http.MethodGet, "/Users", "", h)
			},
			"without a credential": func(h http.Header) answer { return f.sendWith(http.MethodGet, "/Users", "", h) },
			v1alpha1.TokenPath:     func(h http.Header) answer { return f.ask(http.MethodPost, "grant_type=client_credentials", h) },
		} {
			lines, got := f.linesOf(func() answer { return send(http.Header{"X-Request-Id": {id}}) })
			ours := got.header.Values("X-Request-Id")
			if len(ours) != 1 || ours[0] == id || strings.Contains(string(got.body), id) && len(id) > 1 {
				t.Errorf("%s: the answer to a request with the id %s has the ids %q and says %s", target, id, ours, got.body)
			}
			for line := range strings.Lines(lines) {
				if !strings.Contains(line, key+`="`+id+`"`) || !strings.Contains(line, `"requestID"="`+ours[0]+`"`) {
					t.Errorf("%s: the log does not have both ids: %s", target, line)
				}
			}
			if lines == "" {
				t.Errorf("%s: nothing was logged; this test would prove nothing", target)
			}
		}
	}
	for _, ids := range [][]string{
		nil, {""}, {" "}, {"a b"}, {`a"b`}, {"a'b"}, {"a\\b"}, {"anna@contoso.test"}, {"a=1;b=2"}, {"a,b"}, {"å"}, {"<x>"}, {"${x}"}, {"a\tb"}, {"a", "b"},
		{strings.Repeat("x", 129)},
	} {
		lines, got := f.linesOf(func() answer {
			return f.sendWith(http.MethodGet, "/Users", "", http.Header{"Authorization": {"Bearer " + f.token}, "X-Request-Id": ids})
		})
		if got.status != http.StatusOK || lines == "" || strings.Contains(lines, key) {
			t.Errorf("%q: %d, and the log has %s", ids, got.status, lines)
		}
	}
}
