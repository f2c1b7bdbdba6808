// Command go keeps a copy of a tenant's users and groups in a JSON file and follows what changes. It is made to be copied from;
// docs/applications.md explains each step.
//
//	TENANT_URL=https://HOST/scim/v2 TOKEN_FILE=/var/run/secrets/contoso/token go run . [--until-idle] FILE
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// idsAtOnce is how many ids fit into one filter, which has 8,192 bytes at most.
const idsAtOnce = 150

var errGone = errors.New("the server cannot tell what changed since")

type (
	resource = map[string]any
	set      = map[string]bool
)

// copyOf is what the file holds. The position is that of the data beside it, so both are always written together.
type copyOf struct {
	Position string              `json:"position"`
	Users    map[string]resource `json:"users"`   // by id
	Groups   map[string]resource `json:"groups"`  // by id, without their members
	Members  map[string]set      `json:"members"` // the ids of a group's members, by its id
}

type change struct {
	Type, ID, Operation string
	Attributes          []string
	Members             []struct{ ID, Operation string }
}

type mirror struct {
	copyOf
	tenantURL, tokenFile, file string
}

func main() {
	untilIdle := flag.Bool("until-idle", false, "end as soon as there are no more changes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	m := mirror{tenantURL: os.Getenv("TENANT_URL"), tokenFile: os.Getenv("TOKEN_FILE"), file: flag.Arg(0)}
	if flag.NArg() != 1 || m.tenantURL == "" || m.tokenFile == "" {
		log.Fatal("name a FILE, and set TENANT_URL and TOKEN_FILE")
	}
	if err := m.run(ctx, *untilIdle); err != nil && ctx.Err() == nil {
		log.Fatal(err) // the next start goes on from what the file has
	}
}

func (m *mirror) run(ctx context.Context, untilIdle bool) error {
	data, err := os.ReadFile(m.file)
	switch {
	case err == nil:
		err = json.Unmarshal(data, &m.copyOf)
	case errors.Is(err, fs.ErrNotExist):
		err = m.readAll(ctx)
	}
	wait := "10" // seconds: less than proxies wait for an answer
	if untilIdle {
		wait = "0"
	}
	for err == nil {
		var answer struct {
			Changes  []change
			Position string
			More     bool
		}
		query := url.Values{"after": {m.Position}, "wait": {wait}, "count": {"1000"}}
		_, err = m.ask(ctx, http.MethodGet, "/Changes?"+query.Encode(), nil, &answer)
		switch {
		case errors.Is(err, errGone):
			log.Print(err)
			err = m.readAll(ctx)
		case err == nil && answer.Position != m.Position:
			err = m.apply(ctx, answer.Changes, answer.Position)
		case err == nil && untilIdle:
			return nil
		}
	}
	return err
}

// readAll replaces the copy by all users and groups. The position was taken before the first of them was read, so what changes
// meanwhile comes again with the changes.
func (m *mirror) readAll(ctx context.Context) error {
	m.copyOf = copyOf{Users: map[string]resource{}, Groups: map[string]resource{}, Members: map[string]set{}}
	for _, endpoint := range []string{"/Users", "/Groups"} {
		for cursor, more := "", true; more; more = cursor != "" {
			var page struct {
				Resources  []resource
				NextCursor string
			}
			query := url.Values{"cursor": {cursor}, "count": {"1000"}, "excludedAttributes": {"groups"}}
			header, err := m.ask(ctx, http.MethodGet, endpoint+"?"+query.Encode(), nil, &page)
			if err != nil {
				return err
			}
			if endpoint == "/Users" && cursor == "" { // a later one leaves out what changed since
				m.Position = header.Get("Events-Position")
			}
			m.keep(endpoint, page.Resources)
			cursor = page.NextCursor
		}
	}
	if m.Position == "" {
		return errors.New("the server does not say where changes begin, because its database takes no writes")
	}
	log.Printf("read everything: %d users and %d groups", len(m.Users), len(m.Groups))
	return m.save()
}

// apply makes of the copy what the changes made of the directory. To apply a change twice does no harm.
func (m *mirror) apply(ctx context.Context, changes []change, position string) error {
	users, groups, whole := set{}, set{}, set{} // to be read: users, groups without their members, groups with them
	for _, c := range changes {
		switch {
		case c.Type == "User" && c.Operation == "delete":
			delete(m.Users, c.ID)
			delete(users, c.ID)
		case c.Type == "User":
			users[c.ID] = true
		case c.Type == "Group" && c.Operation == "delete":
			delete(m.Groups, c.ID)
			delete(m.Members, c.ID)
			delete(groups, c.ID)
			delete(whole, c.ID)
		case c.Type == "Group" && (c.Operation == "create" || len(c.Members) == 0 && slices.Contains(c.Attributes, "members")):
			whole[c.ID] = true // too many members came and went for a list of them
		case c.Type == "Group":
			groups[c.ID] = true
			for _, member := range c.Members {
				m.setMember(c.ID, member.ID, member.Operation == "add")
			}
		}
	}
	for _, stale := range []struct {
		endpoint, excluded string
		ids                set
	}{{"/Users", "groups", users}, {"/Groups", "members", groups}, {"/Groups", "groups", whole}} {
		if err := m.read(ctx, stale.endpoint, stale.excluded, stale.ids); err != nil {
			return err
		}
	}
	m.Position = position
	return m.save()
}

// read reads resources as they are now. One that is not found was deleted since, which a later change tells.
func (m *mirror) read(ctx context.Context, endpoint, excluded string, ids set) error {
	for some := range slices.Chunk(slices.Collect(maps.Keys(ids)), idsAtOnce) {
		var found struct{ Resources []resource }
		_, err := m.ask(ctx, http.MethodPost, endpoint+"/.search", resource{
			"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:SearchRequest"},
			"filter":  `id eq "` + strings.Join(some, `" or id eq "`) + `"`, "count": idsAtOnce, "excludedAttributes": []string{excluded},
		}, &found)
		if err != nil {
			return err
		}
		m.keep(endpoint, found.Resources)
	}
	return nil
}

func (m *mirror) keep(endpoint string, resources []resource) {
	for _, r := range resources {
		id := fmt.Sprint(r["id"])
		if endpoint == "/Users" {
			m.Users[id] = r
			continue
		}
		if members, ok := r["members"].([]any); ok {
			m.Members[id] = set{}
			for _, member := range members {
				if member, ok := member.(resource); ok {
					m.setMember(id, fmt.Sprint(member["value"]), true)
				}
			}
			delete(r, "members")
		}
		m.Groups[id] = r
	}
}

func (m *mirror) setMember(group, member string, is bool) {
	if m.Members[group] == nil {
		m.Members[group] = set{}
	}
	if is {
		m.Members[group][member] = true
	} else {
		delete(m.Members[group], member)
	}
}

// save replaces the file in one step: after a crash it is the former one or this one.
func (m *mirror) save() error {
	data, err := json.Marshal(m.copyOf)
	if err != nil {
		return err
	}
	fresh, err := os.CreateTemp(filepath.Dir(m.file), "fresh")
	if err != nil {
		return err
	}
	_, err = fresh.Write(data)
	if err = errors.Join(err, fresh.Sync(), fresh.Close()); err != nil {
		return err
	}
	return os.Rename(fresh.Name(), m.file)
}

// ask sends a request until it is answered: again while the server is away, too busy or starting.
func (m *mirror) ask(ctx context.Context, method, path string, question, answer any) (http.Header, error) {
	for pause := time.Second / 4; ; pause = min(2*pause, 5*time.Second) {
		status, header, body, err := m.send(ctx, method, path, question)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil && status == http.StatusOK:
			return header, json.Unmarshal(body, answer)
		case err == nil && status == http.StatusGone:
			return nil, errGone
		case err == nil && status != http.StatusTooManyRequests && status < http.StatusInternalServerError:
			return nil, fmt.Errorf("%s %s: %d %s", method, path, status, body)
		}
		wait := pause
		if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil {
			wait = time.Duration(seconds) * time.Second
		}
		if err == nil {
			err = fmt.Errorf("%d %s", status, body)
		}
		log.Printf("ask again in %s: %v", wait, err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (m *mirror) send(ctx context.Context, method, path string, question any) (status int, header http.Header, body []byte, err error) {
	token, err := os.ReadFile(m.tokenFile) // each time, because Kubernetes replaces it
	if err != nil {
		return 0, nil, nil, err
	}
	var asked bytes.Buffer
	if question != nil {
		err = json.NewEncoder(&asked).Encode(question)
	}
	if err != nil {
		return 0, nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, m.tenantURL+path, &asked)
	if err != nil {
		return 0, nil, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	request.Header.Set("Content-Type", "application/scim+json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, response.Header, body, err
}
