package scim

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tenantry/tenantry/test/race"
)

// TestALargeGroupIsNeverCutShort adds many members, most in one request and three hundred one by one from several clients as
// Entra does (6.16), and wants all of them back after each (6.17).
func TestALargeGroupIsNeverCutShort(t *testing.T) {
	race.Meets(t)
	t.Parallel()
	const together, single, clients = 1100, 300, 8
	onEachEngine(t, func(t *testing.T, s *server) {
		group := identify(t, s.send(t, "POST", "/Groups", `{"displayName": "Everybody"}`, nil))
		ids := make([]string, together+single)
		inParallel(clients, len(ids), func(i int) {
			ids[i] = identify(t, s.send(t, "POST", "/Users", fmt.Sprintf(`{"userName": "user%d"}`, i), nil))
		})
		if t.Failed() {
			return
		}
		add := func(ids ...string) {
			body := fmt.Sprintf(`{"Operations": [{"op": "Add", "path": "members", "value": [{"value": "%s"}]}]}`, strings.Join(ids, `"}, {"value": "`))
			if got := s.send(t, "PATCH", "/Groups/"+group, body, nil); got.status != 204 {
				t.Errorf("PATCH = %d\n%s", got.status, got.body)
			}
		}
		add(ids[:together]...)
		wantMembers(t, s, group, together)
		inParallel(clients, single, func(i int) { add(ids[together+i]) })
		wantMembers(t, s, group, together+single)
		if got := s.send(t, "PATCH", "/Groups/"+group, `{"Operations": [{"op": "Replace", "path": "displayName", "value": "All"}]}`, nil); got.status != 204 {
			t.Errorf("PATCH = %d\n%s", got.status, got.body)
		}
		wantMembers(t, s, group, together+single)
	})
}

// inParallel calls do with 0 to n-1 from several goroutines.
func inParallel(clients, n int, do func(int)) {
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			for i := client; i < n; i += clients {
				do(i)
			}
		})
	}
	wg.Wait()
}

// identify returns the id of a resource that was created.
func identify(t *testing.T, got answer) string {
	t.Helper()
	var body struct{ ID string }
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != 201 {
		t.Errorf("POST = %d %v\n%s", got.status, err, got.body)
	}
	return body.ID
}

func wantMembers(t *testing.T, s *server, group string, want int) {
	t.Helper()
	for _, target := range []string{"/Groups/" + group, "/Groups/" + group + "?attributes=members"} {
		got := s.send(t, "GET", target, "", nil)
		var body struct{ Members []struct{ Value string } }
		if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != 200 {
			t.Fatalf("GET = %d %v\n%s", got.status, err, got.body)
		}
		seen := map[string]bool{}
		for _, m := range body.Members {
			seen[m.Value] = true
		}
		if len(body.Members) != want || len(seen) != want {
			t.Errorf("%s has %d members, %d different ones, want %d", target, len(body.Members), len(seen), want)
		}
	}
}
