package scim

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	steps = flag.Int("steps", 150, "how many requests of the random client are compared with the model")
	seeds = flag.Int("seeds", 2, "how many random clients there are; the n-th is the same in each run")
)

// TestARandomClientFindsWhatTheModelHolds lets a random client create, replace, patch, delete and look up in both dialects
// of Entra, and compares each answer, and what is stored after it, with the model.
func TestARandomClientFindsWhatTheModelHolds(t *testing.T) {
	t.Parallel()
	for seed := range *seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			onEachEngine(t, func(t *testing.T, s *server) {
				c := &client{T: t, server: s, random: rand.New(rand.NewPCG(uint64(seed), 0)), model: &model{}}
				for range *steps {
					c.step()
				}
				c.compareAll()
			})
		})
	}
}

// client is a random client with the model of what it has done.
type client struct {
	*testing.T
	server *server
	random *rand.Rand
	model  *model
	done   []string // the last requests, for who reads a failure
}

func (c *client) step() {
	for _, action := range []struct {
		weight int
		do     func()
	}{
		{6, c.createUser}, {4, c.replaceUser}, {16, c.patchUser}, {2, c.deleteUser},
		{3, c.createGroup}, {2, c.renameGroup}, {14, c.patchMembers}, {1, c.deleteGroup},
		{10, c.lookUp}, {4, c.page}, {2, c.lookUpGroup},
	} {
		// Each action has its share of what is left of the hundred or so.
		if c.random.IntN(64) < action.weight {
			action.do()
			return
		}
	}
	c.patchUser()
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// word is a value of which few exist, so that random values meet each other.
func (c *client) word() string {
	return pick(c.random, "Anna", "ANNA", "anna k", "Bo", "Åsa", "åSA", `q"uo\te`, "a+b", "50%", "x&y=z", " blank ", "日本", "null", "true", "0", "<i>", "'; --")
}

func (c *client) userName() string {
	return pick(c.random, c.word(), pick(c.random, "A\u030asa", "Ａnna", "ＡＮＮＡ　Ｋ", "zoë", "Zoe\u0308", "ＺＯＥ\u0308"), fmt.Sprintf("user%d@contoso.test", c.random.IntN(40)), fmt.Sprintf("USER%d@Contoso.test", c.random.IntN(40)))
}

func (c *client) send(method, target string, body any, statuses ...int) answer {
	c.Helper()
	text := ""
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			c.Fatal(err)
		}
		text = string(encoded)
	}
	c.done = append(c.done, method+" "+target+" "+text)
	got := c.server.send(c.T, method, target, text, nil)
	if !slices.Contains(statuses, got.status) {
		c.fail("%s %s = %d, want %v\n%s", method, target, got.status, statuses, got.body)
	}
	if err := wellFormed(method, got); err != nil {
		c.fail("%s %s: %v\n%s", method, target, err, got.body)
	}
	return got
}

func (c *client) fail(format string, args ...any) {
	c.Helper()
	c.Fatalf("%s\nafter:\n%s", fmt.Sprintf(format, args...), strings.Join(c.done[max(0, len(c.done)-12):], "\n"))
}

// compare holds an answer against the model, but for the times, which must be there.
func (c *client) compare(what string, got answer, want map[string]any) {
	c.Helper()
	var have map[string]any
	if err := json.Unmarshal([]byte(got.body), &have); err != nil {
		c.fail("%s: %v", what, err)
	}
	times, _ := have["meta"].(map[string]any)
	for _, name := range []string{"created", "lastModified"} {
		if text, _ := times[name].(string); !strings.HasPrefix(text, "2026-11-2") {
			c.fail("%s: meta.%s is %q", what, name, text)
		}
		delete(times, name)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		c.fail("%s (-model +server):\n%s", what, diff)
	}
}

func (c *client) compareUser(p *person) {
	c.Helper()
	c.compare("user "+p.id, c.send("GET", "/Users/"+p.id, nil, 200), c.model.seen(p))
}

func (c *client) compareGroup(g *circle) {
	c.Helper()
	c.compare("group "+g.id, c.send("GET", "/Groups/"+g.id, nil, 200), c.model.seenGroup(g))
}

func (c *client) compareAll() {
	c.Helper()
	for _, p := range c.model.users {
		c.compareUser(p)
	}
	for _, g := range c.model.groups {
		c.compareGroup(g)
	}
}

// id is the id in an answer.
func (c *client) id(got answer) string {
	c.Helper()
	var body struct{ ID string }
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || body.ID == "" {
		c.fail("no id: %v\n%s", err, got.body)
	}
	return body.ID
}
