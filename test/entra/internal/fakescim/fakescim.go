// Package fakescim is a test double: a SCIM server in memory that does what the Entra client needs of one and no more,
// written from RFC 7644 and from what is known of Entra. Tests inject failures by Intercept and damage by Edit.
package fakescim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Object is a resource as JSON.
type Object = map[string]any

// Server is the double. Base path is "/scim". Its fields are set before the first request, or by Set.
type Server struct {
	// Token that is asked for.
	Token string
	// Intercept may answer a request itself, and then returns true. It runs before anything is done.
	Intercept func(w http.ResponseWriter, r *http.Request) bool
	// Lose tells whether the answer to a request is lost after it has been carried out.
	Lose func(r *http.Request) bool

	mu     sync.Mutex
	serial int
	kinds  map[string]map[string]Object // "Users", "Groups" → id → resource
}

// New returns an empty server.
func New(token string) *Server {
	return &Server{Token: token, kinds: map[string]map[string]Object{"Users": {}, "Groups": {}}}
}

// Edit lets a test look at the directory and change it behind the back of everybody.
func (s *Server) Edit(do func(users, groups map[string]Object)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(s.kinds["Users"], s.kinds["Groups"])
}

// Set changes the server's fields while requests come in.
func (s *Server) Set(change func(*Server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	token, intercept, lose := s.Token, s.Intercept, s.Lose
	s.mu.Unlock()
	if intercept != nil && intercept(w, r) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+token {
		fail(w, http.StatusUnauthorized, "", "wrong token")
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/scim/")
	kind, id, _ := strings.Cut(rest, "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.kinds[kind]
	if !ok || all == nil {
		fail(w, http.StatusNotFound, "", "no such endpoint")
		return
	}
	status, body := s.answer(r, kind, id, all)
	if lose != nil && lose(r) {
		panic(http.ErrAbortHandler)
	}
	switch status {
	case http.StatusNoContent:
		w.WriteHeader(status)
	case http.StatusNotFound:
		fail(w, status, "", "no such resource")
	case http.StatusConflict:
		fail(w, status, "uniqueness", "taken")
	case http.StatusBadRequest:
		fail(w, status, "invalidValue", fmt.Sprint(body))
	default:
		write(w, status, body)
	}
}

func (s *Server) answer(r *http.Request, kind, id string, all map[string]Object) (int, any) {
	if id == "" {
		switch r.Method {
		case "GET":
			return list(r, all)
		case "POST":
			return s.create(r, kind, all)
		}
		return http.StatusBadRequest, r.Method
	}
	if all[id] == nil {
		return http.StatusNotFound, nil
	}
	switch r.Method {
	case "GET":
		return http.StatusOK, project(r, all[id])
	case "DELETE":
		delete(all, id)
		s.dropReferences(id)
		return http.StatusNoContent, nil
	case "PATCH":
		var body struct{ Operations []operation }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return http.StatusBadRequest, err
		}
		changed := clone(all[id])
		for _, op := range body.Operations {
			if err := op.apply(changed); err != nil {
				return http.StatusBadRequest, err
			}
		}
		if taken(kind, changed, all) {
			return http.StatusConflict, nil
		}
		all[id] = changed
		if kind == "Groups" {
			return http.StatusNoContent, nil
		}
		return http.StatusOK, changed
	}
	return http.StatusBadRequest, r.Method
}

func (s *Server) create(r *http.Request, kind string, all map[string]Object) (int, any) {
	raw := Object{}
	if err := json.NewDecoder(r.Body).Decode(&raw); err != nil {
		return http.StatusBadRequest, err
	}
	o := Object{}
	for k, v := range raw {
		o[canonical(k)] = v
	}
	if taken(kind, o, all) {
		return http.StatusConflict, nil
	}
	s.serial++
	o["id"] = fmt.Sprintf("%s-%04d", strings.ToLower(kind[:1]), s.serial)
	all[o["id"].(string)] = o
	return http.StatusCreated, o
}

func (s *Server) dropReferences(id string) {
	for _, g := range s.kinds["Groups"] {
		removeMembers(g, map[string]bool{id: true})
	}
	for _, u := range s.kinds["Users"] {
		if e, ok := u[enterprise].(Object); ok {
			if m, ok := e["manager"].(Object); ok && m["value"] == id {
				delete(e, "manager")
			}
		}
	}
}

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

func taken(kind string, o Object, all map[string]Object) bool {
	key := map[string]string{"Users": "userName", "Groups": "displayName"}[kind]
	for id, other := range all {
		if id != o["id"] && strings.EqualFold(fmt.Sprint(other[key]), fmt.Sprint(o[key])) {
			return true
		}
	}
	return false
}

func list(r *http.Request, all map[string]Object) (int, any) {
	q := r.URL.Query()
	found := []any{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if matches(q.Get("filter"), all[id]) {
			found = append(found, project(r, all[id]))
		}
	}
	total, start := len(found), max(1, number(q.Get("startIndex"), 1))
	found = found[min(total, start-1):]
	found = found[:min(len(found), number(q.Get("count"), 100))]
	return http.StatusOK, Object{
		"schemas":      []any{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": total, "startIndex": start, "itemsPerPage": len(found), "Resources": found,
	}
}

func number(s string, otherwise int) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return otherwise
}

var comparison = regexp.MustCompile(`^(\S+|\S+\[.*\]\S*) eq (".*")$`)

func matches(filter string, o Object) bool {
	if filter == "" {
		return true
	}
	for part := range strings.SplitSeq(filter, " and ") {
		m := comparison.FindStringSubmatch(part)
		var want string
		if m == nil || json.Unmarshal([]byte(m[2]), &want) != nil {
			return false
		}
		hit := false
		for _, v := range values(o, m[1]) {
			hit = hit || strings.EqualFold(fmt.Sprint(v), want)
		}
		if !hit {
			return false
		}
	}
	return true
}

func project(r *http.Request, o Object) Object {
	q := r.URL.Query()
	if q.Get("attributes") == "id" {
		return Object{"id": o["id"]}
	}
	if q.Get("excludedAttributes") == "members" {
		o = maps.Clone(o)
		delete(o, "members")
	}
	return o
}

func clone(o Object) Object {
	raw, _ := json.Marshal(o)
	var out Object
	_ = json.Unmarshal(raw, &out)
	return out
}

func canonical(key string) string {
	if strings.EqualFold(key, "externalId") {
		return "externalId"
	}
	return key
}

func fail(w http.ResponseWriter, status int, scimType, detail string) {
	write(w, status, Object{
		"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:Error"}, "status": strconv.Itoa(status),
		"scimType": scimType, "detail": detail,
	})
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
