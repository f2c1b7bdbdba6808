package protocol

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
)

const listSchema = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

func (s *Server) list(r *request, kind store.Kind) error { return s.query(r, []store.Kind{kind}) }

// root answers a GET of the base: a query of all resources where it has a filter (RFC 7644 section 3.4.2.1), else what the
// server can do, because administrators and some clients open the bare Tenant URL to see whether it is alive.
func (s *Server) root(r *request) error {
	if !r.query.Has("filter") {
		return s.serviceProviderConfig(r)
	}
	return s.all(r)
}

// all is a query of every resource type that is switched on for the client: users first, then groups.
func (s *Server) all(r *request) error {
	var kinds []store.Kind
	for _, kind := range []store.Kind{store.User, store.Group} {
		if s.enabled(r, kind) == nil {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		return s.enabled(r, store.User)
	}
	return s.query(r, kinds)
}

// query answers with a page of the resources of these kinds, as the request's parameters ask for it (RFC 7644 section 3.4.2).
func (s *Server) query(r *request, kinds []store.Kind) error {
	parameters := r.query
	descending, err := isDescending(parameters.Get("sortOrder"))
	if err != nil {
		return err
	}
	q := directory.Query{
		Filter: parameters.Get("filter"), SortBy: parameters.Get("sortBy"), Descending: descending, Location: s.below(r),
		Client: r.client,
	}
	for _, kind := range kinds {
		if _, err := s.view(r, kind); err != nil {
			return err
		}
	}
	if parameters.Has("cursor") {
		return s.queryByCursor(r, kinds, q)
	}
	start, err := r.number("startIndex", 1)
	if err != nil {
		return err
	}
	count, err := r.number("count", DefaultCount)
	if err != nil {
		return err
	}
	start = max(start, 1)
	q.Offset, q.Limit = start-1, min(max(count, 0), MaxCount)
	return s.page(r, kinds, q, fmt.Sprintf(`"startIndex":%d,`, start), func(*directory.Place) (string, error) { return "", nil })
}

// found searches, and counts what that took as requests of the client.
func (s *Server) found(r *request, kinds []store.Kind, q directory.Query) (directory.List, error) {
	found, err := s.directory.Search(r.context(), kinds, q)
	r.charge(found.Cost - 1)
	return found, err
}

// page sends a ListResponse. The attributes of one method of paging are given as JSON: before the resources, and behind them from the place
// behind the last. A large page is read in portions, each of which is as the directory is then.
func (s *Server) page(r *request, kinds []store.Kind, q directory.Query, before string, behind func(*directory.Place) (string, error)) error {
	q.Bytes = r.limits.answers.first
	position := s.position(r, q)
	list, err := s.found(r, kinds, q)
	if err != nil {
		return err
	}
	s.metrics.quirks(list.Lenience.Quirks())
	a := &answer{request: r, status: http.StatusOK, position: position}
	a.made = fmt.Appendf(nil, `{"schemas":[%q],"totalResults":%d,%s"Resources":[`, listSchema, list.Total, before) // [] and never null, which Entra cannot read
	n, err := s.portions(a, kinds, q, &list)
	if err != nil {
		return a.end(err)
	}
	a.made = fmt.Appendf(a.made, `],"itemsPerPage":%d`, n)
	if list.Next != nil {
		text, err := behind(list.Next)
		if err != nil {
			return a.end(err)
		}
		a.made = append(a.made, text...)
	}
	a.made = append(a.made, '}')
	return a.end(nil)
}

// portions adds the resources of a page to an answer, from its first portion on, and returns how many. list becomes the last portion.
func (s *Server) portions(a *answer, kinds []store.Kind, q directory.Query, list *directory.List) (n int, err error) {
	q.Bytes = a.request.limits.answers.portion
	for {
		read, bytes := a.request.weight(list.Resources)
		if list.Rest != nil {
			bytes = max(bytes, int64(2*q.Bytes)) // room for the other portions, before they are read
		}
		if err := a.request.holds(read, bytes); err != nil {
			return n, err
		}
		if err := s.resources(a, list.Resources, n == 0); err != nil {
			return n, err
		}
		n += len(list.Resources)
		if list.Rest == nil {
			return n, nil
		}
		q.Walk, q.Limit = list.Rest, q.Limit-len(list.Resources)
		if *list, err = s.found(a.request, kinds, q); err != nil {
			return n, err
		}
	}
}

// resources adds resources of a list to an answer.
func (s *Server) resources(a *answer, resources []directory.Resource, first bool) error {
	if len(resources) == 0 {
		return nil
	}
	var want directory.Related
	for _, shown := range a.request.views {
		if shown != nil {
			want.Members, want.Groups = want.Members || shown.wants.Members, want.Groups || shown.wants.Groups
		}
	}
	memberships := s.directory.Memberships(resources, want, a.request.mayHold)
	for i := range resources {
		if err := a.request.context().Err(); err != nil {
			return err
		}
		shown, err := s.view(a.request, resources[i].Kind)
		if err != nil {
			return err
		}
		if i > 0 || !first {
			a.made = append(a.made, ',')
		}
		if err := s.render(a, shown, &resources[i], memberships); err != nil {
			return err
		}
	}
	return nil
}

// isDescending reads a sortOrder (RFC 7644 section 3.4.2.3).
func isDescending(order string) (bool, error) {
	switch {
	case order == "", strings.EqualFold(order, "ascending"):
		return false, nil
	case strings.EqualFold(order, "descending"):
		return true, nil
	}
	return false, invalidValue("sortOrder must be ascending or descending")
}

// number reads an integer query parameter, which counts as absent when empty. One that no int can hold is as good as the
// greatest or smallest.
func (r *request) number(name string, absent int) (int, error) {
	text := r.query.Get(name)
	if text == "" {
		return absent, nil
	}
	n, ok := integer(text)
	if !ok {
		return 0, invalidValue(name + " must be an integer")
	}
	return n, nil
}

func integer(text string) (n int, ok bool) {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	switch {
	case err == nil:
		return n, true
	case text[0] == '-':
		return math.MinInt, true
	default:
		return math.MaxInt, true
	}
}

func invalidValue(detail string) *Error {
	return &Error{Status: http.StatusBadRequest, ScimType: "invalidValue", Detail: detail}
}
