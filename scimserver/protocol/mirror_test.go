package protocol_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenantry/tenantry/test/race"
)

// mirror is an application's copy of a directory, as docs/scim.md says that one is kept.
type mirror struct {
	crowd    *crowd
	replica  int
	search   bool // reads lists by /.search
	position string
	users    map[string]string          // title by id
	groups   map[string]map[string]bool // ids of members by id
}

// ask is an answer that is a success, as JSON in into.
func (m *mirror) ask(method, path, body string, into any) http.Header {
	m.crowd.t.Helper()
	request, err := http.NewRequestWithContext(m.crowd.t.Context(), method, m.crowd.bases[m.replica]+path, strings.NewReader(body))
	if err != nil {
		m.crowd.t.Error(err)
		return nil
	}
	request.Header.Set("Authorization", "Bearer "+m.crowd.token)
	response, err := m.crowd.client.Do(request)
	if err != nil {
		m.crowd.t.Error(err)
		return nil
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil || response.StatusCode != http.StatusOK {
		m.crowd.t.Errorf("%s %s: %d %v", method, path, response.StatusCode, err)
	}
	return response.Header
}

// listed is a page of a list.
type listed struct {
	NextCursor string
	Resources  []struct {
		ID, Title string
		Meta      struct{ ResourceType string }
		Members   []struct{ Value string }
	}
}

// take puts resources into the copy.
func (m *mirror) take(some *listed) {
	for _, r := range some.Resources {
		if r.Meta.ResourceType == "User" {
			m.users[r.ID] = r.Title
			continue
		}
		m.groups[r.ID] = map[string]bool{}
		for _, member := range r.Members {
			m.groups[r.ID][member.Value] = true
		}
	}
}

// readAll begins anew, with the position of the first page of the first list. Pages by startIndex would leave out somebody who was there all the
// time, where somebody before them was deleted meanwhile.
func (m *mirror) readAll() {
	m.position, m.users, m.groups = "", map[string]string{}, map[string]map[string]bool{}
	for _, endpoint := range []string{"/Users", "/Groups"} {
		for cursor, more := "", true; more; more = cursor != "" {
			method, path, body := http.MethodGet, fmt.Sprintf("%s?count=7&cursor=%s", endpoint, cursor), ""
			if m.search {
				method, path, body = http.MethodPost, endpoint+"/.search", fmt.Sprintf(`{"count":7,"cursor":%q}`, cursor)
			}
			var page listed
			header := m.ask(method, path, body, &page)
			if m.position == "" {
				m.position = header.Get("Events-Position")
			}
			m.take(&page)
			cursor = page.NextCursor
		}
	}
}

// step reads changes on, and tells whether there were any.
func (m *mirror) step(wait int) bool {
	var answered feed
	m.ask(http.MethodGet, fmt.Sprintf("/Changes?count=50&wait=%d&after=%s", wait, m.position), "", &answered)
	ids := map[string]bool{}
	for _, c := range answered.Changes {
		switch {
		case c.Operation == "delete":
			delete(ids, c.ID)
			delete(m.users, c.ID)
			delete(m.groups, c.ID)
		case c.Type == "User":
			ids[c.ID] = true
		case c.Operation == "create":
			m.groups[c.ID] = map[string]bool{}
			fallthrough
		default:
			for _, member := range c.Members {
				if m.groups[c.ID] == nil {
					break // it was deleted before the list was read
				}
				if delete(m.groups[c.ID], member.ID); member.Operation == "add" {
					m.groups[c.ID][member.ID] = true
				}
			}
		}
	}
	if len(ids) > 0 {
		terms := make([]string, 0, len(ids))
		for id := range ids {
			terms = append(terms, fmt.Sprintf("id eq \\\"%s\\\"", id))
		}
		var page listed
		m.ask(http.MethodPost, "/Users/.search", `{"count":1000,"filter":"`+strings.Join(terms, " or ")+`"}`, &page)
		for id := range ids {
			delete(m.users, id) // unless it is there
		}
		m.take(&page)
	}
	m.position = answered.Position
	return len(answered.Changes) > 0 || answered.More
}

// A copy that begins while others write, at any moment, is the directory in the end.
func TestACopyThatFollowsTheChangesIsTheDirectory(t *testing.T) {
	race.Meets(t)
	c := newCrowd(t)
	const groups, writers, writes = 3, 4, 60
	var ids [groups]string
	for i := range ids {
		c.create("group", "/Groups", fmt.Sprintf(`{"displayName":"g%d"}`, i))
		ids[i] = c.ids["group"]
	}
	var written atomic.Int32
	var copies sync.WaitGroup
	done := make(chan struct{})
	mirrors := make([]*mirror, 6)
	begin := make([]chan struct{}, len(mirrors)) // closed when so many parts of all is written
	for i := range mirrors {
		begin[i] = make(chan struct{})
		mirrors[i] = &mirror{crowd: c, replica: i % len(c.bases), search: i%2 == 1}
		copies.Go(func() {
			<-begin[i]
			mirrors[i].readAll()
			for wait := 1; ; {
				select {
				case <-done:
					wait = 0
				default:
				}
				if !mirrors[i].step(wait) && wait == 0 || t.Failed() {
					return
				}
			}
		})
	}
	close(begin[0])
	together(writers, func(writer int) {
		random := rand.New(rand.NewPCG(uint64(writer), 7))
		var own []string
		for n := range writes {
			group := ids[random.IntN(groups)]
			var status int
			var answer string
			if pick := random.IntN(10); len(own) < 3 || pick < 3 {
				status, answer = c.ask(n, "POST", "/Users", fmt.Sprintf(`{"userName":"u%d-%d","title":"0"}`, writer, n))
				var made struct{ ID string }
				if err := json.Unmarshal([]byte(answer), &made); err != nil {
					t.Error(err)
				}
				own = append(own, made.ID)
			} else {
				who := random.IntN(len(own))
				switch {
				case pick < 5:
					status, answer = c.ask(n, "PATCH", "/Users/"+own[who], operation("replace", "title", fmt.Sprintf(`"%d"`, n)))
				case pick < 7:
					status, answer = c.ask(n, "PATCH", "/Groups/"+group, operation("add", "members", fmt.Sprintf(`[{"value":%q}]`, own[who])))
				case pick < 8:
					status, answer = c.ask(n, "PATCH", "/Groups/"+group, operation("remove", "members", fmt.Sprintf(`[{"value":%q}]`, own[who])))
				default:
					status, answer = c.ask(n, "DELETE", "/Users/"+own[who], "")
					own = slices.Delete(own, who, who+1)
				}
			}
			if status >= 300 {
				t.Errorf("%d %s", status, answer)
			}
			for now, i := written.Add(1), 1; i < len(begin); i++ {
				if int(now) == i*writers*writes/len(begin) {
					close(begin[i])
				}
			}
		}
	})
	close(done)
	copies.Wait()
	end := &mirror{crowd: c}
	end.readAll()
	if len(end.users) == 0 || len(end.groups[ids[0]]) == 0 {
		t.Fatal("nobody is left")
	}
	for i, m := range mirrors {
		if diff := cmp.Diff(end.users, m.users); diff != "" {
			t.Errorf("users of copy %d (-directory +copy):\n%s", i, diff)
		}
		if diff := cmp.Diff(end.groups, m.groups); diff != "" {
			t.Errorf("groups of copy %d (-directory +copy):\n%s", i, diff)
		}
	}
}
