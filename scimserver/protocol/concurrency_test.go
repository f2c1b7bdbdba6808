package protocol_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tenantry/tenantry/test/race"
)

// crowd is many clients of a tenant with three replicas, where the engine lets there be so many.
type crowd struct {
	*fixture
	bases  []string
	client *http.Client
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	f := newFixture(t)
	c := &crowd{fixture: f, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	c.bases = []string{f.http.URL + "/scim/v2", f.replica(), f.replica()}
	t.Cleanup(c.client.CloseIdleConnections)
	return c
}

// ask sends a request to one of the replicas.
func (c *crowd) ask(n int, method, path, body string) (status int, answer string) {
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.bases[n%len(c.bases)]+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := c.client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(data)
}

// together runs so many clients at once.
func together(clients int, do func(client int)) {
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() { do(client) })
	}
	wg.Wait()
}

func operation(op, path, value string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":%q,"path":%q,"value":%s}]}`, op, path, value)
}

func TestParallelPatchesOfOneUserLoseNothing(t *testing.T) {
	race.Meets(t)
	c := newCrowd(t)
	c.create("anna", "/Users", `{"userName":"anna"}`)
	attributes := []string{"title", "nickName", "displayName", "name.givenName", "name.familyName", "userType", "preferredLanguage", "profileUrl"}
	const rounds = 10
	together(len(attributes), func(client int) {
		for round := range rounds {
			body := operation("Replace", attributes[client], fmt.Sprintf("%q", fmt.Sprintf("%d of %d", round, client)))
			if status, answer := c.ask(client+round, "PATCH", "/Users/"+c.ids["anna"], body); status != http.StatusNoContent {
				t.Errorf("%s: %d %s", attributes[client], status, answer)
			}
		}
	})
	for client, attribute := range attributes {
		filter := fmt.Sprintf(`%s eq "%d of %d"`, attribute, rounds-1, client)
		if found := c.field(c.expect("GET", "/Users?filter="+filter, "", 200, ""), "totalResults"); found != 1.0 {
			t.Errorf("%s: %v users", filter, found)
		}
	}
	got := c.expect("GET", "/Users/{anna}", "", 200, "").header.Get("ETag")
	if want := fmt.Sprintf(`W/"%d"`, 1+rounds*len(attributes)); got != want {
		t.Errorf("version %s, want %s: one for each change", got, want)
	}
}

func TestMembersThatManyClientsAddOneByOneAreAllThere(t *testing.T) {
	race.Meets(t)
	const clients, each = 16, 125
	c := newCrowd(t)
	c.create("all", "/Groups", `{"displayName":"all"}`)
	users := make([]string, clients*each)
	together(clients, func(client int) {
		for n := client * each; n < (client+1)*each; n++ {
			status, answer := c.ask(n, "POST", "/Users", fmt.Sprintf(`{"userName":"user%d"}`, n))
			if status != http.StatusCreated {
				t.Errorf("user %d: %d %s", n, status, answer)
				return
			}
			var created struct{ ID string }
			if err := json.Unmarshal([]byte(answer), &created); err != nil {
				t.Error(err)
			}
			users[n] = created.ID
		}
	})
	together(clients, func(client int) {
		for n := client; n < len(users) && !t.Failed(); n += clients {
			body := operation("Add", "members", `[{"value":"`+users[n]+`"}]`)
			if status, answer := c.ask(n/clients, "PATCH", "/Groups/"+c.ids["all"], body); status != http.StatusNoContent {
				t.Errorf("member %d: %d %s", n, status, answer)
			}
		}
	})
	answer := c.expect("GET", "/Groups/{all}", "", 200, "")
	there := map[string]bool{}
	for _, member := range c.field(answer, "members").([]any) {
		there[member.(map[string]any)["value"].(string)] = true
	}
	for n, id := range users {
		if !there[id] {
			t.Errorf("member %d was acknowledged and is not there", n)
		}
	}
	if got, want := answer.header.Get("ETag"), fmt.Sprintf(`W/"%d"`, 1+len(users)); got != want {
		t.Errorf("version %s, want %s", got, want)
	}
}

func TestOfParallelCreatesOfOneNameOneSucceeds(t *testing.T) {
	race.Meets(t)
	c := newCrowd(t)
	for round := range 10 {
		var mu sync.Mutex
		answers := map[int]int{}
		together(12, func(client int) {
			// A name is the same in any case.
			name := []string{"anna%d", "ANNA%d"}[client%2]
			status, answer := c.ask(client, "POST", "/Users", fmt.Sprintf(`{"userName":"`+name+`"}`, round))
			mu.Lock()
			defer mu.Unlock()
			answers[status]++
			if status == http.StatusConflict && !strings.Contains(answer, `"scimType":"uniqueness"`) {
				t.Errorf("409 %s, want scimType uniqueness", answer)
			}
		})
		if answers[http.StatusCreated] != 1 || answers[http.StatusConflict] != 11 {
			t.Errorf("round %d: %v, want one 201 and else 409", round, answers)
		}
	}
}

func TestAMemberThatIsAddedAndRemovedAtOnceIsThereOrNot(t *testing.T) {
	race.Meets(t)
	c := newCrowd(t)
	c.create("anna", "/Users", `{"userName":"anna"}`)
	c.create("all", "/Groups", `{"displayName":"all"}`)
	value := `[{"value":"` + c.ids["anna"] + `"}]`
	together(8, func(client int) {
		for round := range 10 {
			op := []string{"Add", "Remove"}[(client+round)%2]
			if status, answer := c.ask(client, "PATCH", "/Groups/"+c.ids["all"], operation(op, "members", value)); status != http.StatusNoContent {
				t.Errorf("%s: %d %s", op, status, answer)
			}
		}
	})
	group := c.expect("GET", "/Groups/{all}?attributes=members", "", 200, "")
	of := c.expect("GET", "/Users/{anna}?attributes=groups", "", 200, "")
	inGroup, inUser := strings.Count(string(group.body), c.ids["anna"]+`","type"`), strings.Count(string(of.body), `"display":"all"`)
	if inGroup > 1 || inGroup != inUser {
		t.Errorf("%d times a member in the group, %d times in the user\n%s\n%s", inGroup, inUser, group.body, of.body)
	}
}
