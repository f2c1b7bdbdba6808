//nolint:bodyclose // fixture.get closes every body when the test ends
package admin_test

import "testing"

func TestEveryAnswerIsForWhoAskedAlone(t *testing.T) {
	f := newFixture(t)
	f.user("anna")
	for _, c := range []struct {
		path, token string
		status      int
	}{
		{"/healthz", "", 200}, {"/readyz", "", 200}, {"/metrics", "", 200}, {"/log", f.reader, 200}, {"/export", f.provisioner, 200},
		{"/log", "", 401}, {"/export", f.reader, 403}, {"/log?x=1", f.reader, 400}, {"/nothing", "", 404}, {"/import", f.provisioner, 405},
	} {
		got := f.get(c.path, c.token)
		if got.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.path, got.StatusCode, c.status)
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
			if values := got.Header.Values(name); len(values) != 1 || values[0] != want {
				t.Errorf("%s %d: %s = %q, want %q", c.path, c.status, name, values, want)
			}
		}
	}
	f.snapshot.Store(nil)
	if got := f.get("/readyz", ""); got.StatusCode != 503 || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("/readyz without settings: %d %v", got.StatusCode, got.Header)
	}
}
