package protocol_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// TestWhoSetAValueIsKnownAfterAnySequenceOfWrites holds users against a model of two sentences: what a request names has
// that value, and is the client's; what a PUT does not name stays if the defaults gave it, and goes if not.
func TestWhoSetAValueIsKnownAfterAnySequenceOfWrites(t *testing.T) {
	paths := []string{"roles", "locale", "title", "name.honorificPrefix", "costCenter"}
	f := newFixture(t)
	f.setDefaults(finance(v1alpha1.ApplyOnCreate))
	for seed := range uint64(25) {
		random := rand.New(rand.NewPCG(seed, 7644))
		// some returns attributes by name with new values, null for some.
		some := func() map[string]any {
			named := map[string]any{}
			for _, path := range paths {
				if random.IntN(4) > 0 {
					continue
				}
				named[path] = nil
				if text := fmt.Sprint("v", random.IntN(3)); random.IntN(3) > 0 {
					named[path] = text
				}
			}
			return named
		}
		// sent is what a client sends of these.
		sent := func(named map[string]any) map[string]any {
			body := maps.Clone(named)
			if text, ok := body["roles"].(string); ok {
				body["roles"] = []any{map[string]any{"value": text}}
			}
			return body
		}
		type held struct{ value, by string }
		model := map[string]held{}
		for path, value := range map[string]string{"roles": "approver", "locale": "sv-SE", "name.honorificPrefix": "Dr", "costCenter": "100"} {
			model[path] = held{value, " <finance"}
		}
		hear := func(named map[string]any) {
			for path, value := range named {
				delete(model, path)
				if value != nil {
					model[path] = held{value: value.(string)}
				}
			}
		}
		userName := fmt.Sprint("u", seed)
		body := some()
		for path, value := range body { // null when the user arrives is no mention
			if value != nil {
				model[path] = held{value: value.(string)}
			}
		}
		request := sent(body)
		request["userName"] = userName
		f.create(userName, "/Users", encoded(t, request))
		for step := range 8 {
			named := some()
			if random.IntN(2) == 0 {
				maps.DeleteFunc(model, func(_ string, h held) bool { return h.by == "" })
				hear(named)
				request := sent(named)
				request["userName"] = userName
				f.expect("PUT", "/Users/{"+userName+"}", encoded(t, request), 200, "")
			} else {
				hear(named)
				operation := map[string]any{"op": "replace", "value": sent(named)}
				f.expect("PATCH", "/Users/{"+userName+"}", encoded(t, map[string]any{"Operations": []any{operation}}), 204, "")
			}
			var want []string
			for _, path := range paths {
				if h, ok := model[path]; ok {
					want = append(want, path[strings.LastIndexByte(path, '.')+1:]+" "+h.value+h.by)
				}
			}
			if got := f.values(f.expect("GET", "/Users/{"+userName+"}", "", 200, "")); got != strings.Join(want, "\n") {
				t.Fatalf("seed %d, step %d:\n%s\nwant\n%s", seed, step, got, strings.Join(want, "\n"))
			}
		}
	}
}

func encoded(t *testing.T, body any) string {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
