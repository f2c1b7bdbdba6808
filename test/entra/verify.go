package entra

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// Difference is one deviation of the server from what Entra believes.
type Difference struct {
	// Object is "User" or "Group"; SourceID its objectId, empty for what only the server has.
	Object   string `json:"object"`
	SourceID string `json:"sourceId,omitempty"`
	TargetID string `json:"targetId,omitempty"`
	// Attribute is the path that differs; "id" where the whole object is missing or should not be there; "members" with
	// one difference for every member.
	Attribute string `json:"attribute"`
	// Want and Got are the values; nil is none.
	Want any `json:"want"`
	Got  any `json:"got"`
}

func (d Difference) String() string {
	name := d.SourceID
	if name == "" {
		name = "with id " + d.TargetID
	}
	return fmt.Sprintf("%s %s: %s should be %v and is %v", d.Object, name, d.Attribute, show(d.Want), show(d.Got))
}

func show(v any) any {
	if v == nil {
		return "nothing"
	}
	return fmt.Sprintf("%q", fmt.Sprint(v))
}

// Verify reads the whole directory of the server, page by page, and compares it with what Entra would believe to be
// there after the last cycle: every mapped attribute of every user and group, active, the manager, each group's members
// exactly. What was deleted must be gone, and nothing may be there that this job knows nothing of, which is how
// duplicates show. Users who were released must be there still, as they were left.
//
// A value that was never sent is not compared: the server may have filled it in. One that the company has emptied since
// is not sent either, so the one sent before has to stand.
func (s *Service) Verify(ctx context.Context, c *company.Company) ([]Difference, error) {
	r := s.begin(ctx, c, Incremental)
	defer r.stop()
	v := &verification{run: r}
	users, err := v.read(wire.Users)
	if err != nil {
		return nil, fmt.Errorf("verifying: %w", err)
	}
	groups, err := v.read(wire.Groups)
	if err != nil {
		return nil, fmt.Errorf("verifying: %w", err)
	}
	v.users(users)
	v.groups(groups)
	return v.found, nil
}

type verification struct {
	*run
	found []Difference
}

const pageSize = 100

// read lists a resource type, and objects to paging that shows a resource twice or not at all.
func (v *verification) read(resource string) (map[string]wire.Resource, error) {
	all := map[string]wire.Resource{}
	for start := 1; ; {
		page, total, err := v.client.Page(v.ctx, resource, start, pageSize)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			if r.ID() == "" || all[r.ID()] != nil {
				return nil, fmt.Errorf("/%s: page at %d: id %q is empty or was on an earlier page", resource, start, r.ID())
			}
			all[r.ID()] = r
		}
		start += len(page)
		v.tell(Progress{"verifying " + resource, len(all), total})
		if len(page) == 0 || start > total {
			if len(all) != total {
				return nil, fmt.Errorf("/%s: totalResults is %d, the pages hold %d", resource, total, len(all))
			}
			return all, nil
		}
	}
}

func (v *verification) users(server map[string]wire.Resource) {
	for _, u := range v.source.company.Users {
		if v.state.Users[u.ObjectID] == nil && v.standing(u) == active {
			v.differ("User", u.ObjectID, "", "id", "a user", nil)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(v.state.Users)) {
		l, u := v.state.Users[id], v.source.users[id]
		got := server[l.ID]
		at := v.standing(u)
		if gone := at == purged && !l.Released; gone || got == nil {
			v.presence("User", id, l, !gone, got)
			continue
		}
		want := maps.Clone(l.Exported)
		if !l.Released && (at == active || at == disabled) {
			for _, a := range v.job.UserAttributes(u, at == disabled) {
				want[a.Path] = a.Value
			}
		}
		if path := v.job.ActivePath(); path != "" && at == softDeleted && !l.Released {
			want[path] = false
		}
		v.attributes("User", id, l, want, got)
		if path := v.job.ManagerPath(); path != "" {
			v.manager(id, l, u, at, path, got)
		}
	}
	v.strangers("User", server, v.state.Users)
}

// manager compares the reference. One whose target was deleted since is not held against the server either way.
func (v *verification) manager(id string, l *Link, u *company.User, at standing, path string, got wire.Resource) {
	manager := l.Manager
	if !l.Released && (at == active || at == disabled) && (u.Manager == "" || v.managed(u.Manager)) {
		manager = u.Manager
	}
	want := ""
	if manager != "" {
		if v.state.Users[manager] == nil { // or unknown
			return
		}
		want = v.targetID(manager)
	}
	if has := got.Reference(path); has != want {
		v.differ("User", id, l.ID, path, orNil(want), orNil(has))
	}
}

func (v *verification) groups(server map[string]wire.Resource) {
	for _, g := range v.source.company.Groups {
		if v.state.Groups[g.ObjectID] == nil && v.scope.Groups[g.ObjectID] {
			v.differ("Group", g.ObjectID, "", "id", "a group", nil)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(v.state.Groups)) {
		l, g := v.state.Groups[id], v.source.groups[id]
		got := server[l.ID]
		if !v.scope.Groups[id] || got == nil {
			v.presence("Group", id, l, v.scope.Groups[id], got)
			continue
		}
		want := maps.Clone(l.Exported)
		for _, a := range v.job.GroupAttributes(g) {
			want[a.Path] = a.Value
		}
		v.attributes("Group", id, l, want, got)
		if v.job.MapsMembers() {
			v.members(id, l, g, got)
		}
	}
	v.strangers("Group", server, v.state.Groups)
}

// presence compares whether an object is there with whether it should be.
func (v *verification) presence(kind, id string, l *Link, wanted bool, got wire.Resource) {
	if wanted && got == nil {
		v.differ(kind, id, l.ID, "id", l.ID, nil)
	}
	if !wanted && got != nil {
		v.differ(kind, id, l.ID, "id", nil, l.ID)
	}
}

func (v *verification) attributes(kind, id string, l *Link, want map[string]any, got wire.Resource) {
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if has, _ := got.Value(path); has != want[path] {
			v.differ(kind, id, l.ID, path, want[path], has)
		}
	}
}

// members compares a group's members as sets, and objects to one that is listed twice. Those who are not managed at the
// moment are expected as they were exported; those whom the job has abandoned may be there or not.
func (v *verification) members(id string, l *Link, g *company.Group, got wire.Resource) {
	want, either := map[string]bool{}, maps.Clone(v.state.Abandoned)
	for _, m := range g.Members {
		if v.managed(m) {
			want[v.targetID(m)] = true
		}
	}
	for m, known := range l.Members {
		switch linked := v.state.Users[m] != nil || v.state.Groups[m] != nil; {
		case !linked || v.managed(m):
		case known:
			want[v.targetID(m)] = true
		default:
			either[v.targetID(m)] = true
		}
	}
	for _, m := range got.Members() {
		if !want[m] && !either[m] {
			v.differ("Group", id, l.ID, "members", nil, m)
		}
		delete(want, m)
	}
	for _, m := range slices.Sorted(maps.Keys(want)) {
		v.differ("Group", id, l.ID, "members", m, nil)
	}
}

// strangers are resources that the job does not know.
func (v *verification) strangers(kind string, server map[string]wire.Resource, links map[string]*Link) {
	linked := map[string]bool{}
	for _, l := range links {
		linked[l.ID] = true
	}
	for _, id := range slices.Sorted(maps.Keys(server)) {
		if !linked[id] && !v.state.Abandoned[id] {
			v.differ(kind, "", id, "id", nil, id)
		}
	}
}

func (v *verification) differ(object, source, target, attribute string, want, got any) {
	v.found = append(v.found, Difference{object, source, target, attribute, want, got})
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Sample reads the first n users as the server lists them.
func (s *Service) Sample(ctx context.Context, n int) ([]wire.Resource, error) {
	page, _, err := s.client.Page(ctx, wire.Users, 1, n)
	return page, err
}
