package entra

import (
	"context"
	"maps"
	"slices"

	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// managed tells whether references to an object are kept up to date: it has to be linked, and a user neither released
// nor in the recycle bin. Who is restored finds the memberships as they were.
func (r *run) managed(objectID string) bool {
	if r.state.Groups[objectID] != nil {
		return true
	}
	l, u := r.state.Users[objectID], r.source.users[objectID]
	return l != nil && !l.Released && u != nil && !u.SoftDeleted()
}

func (r *run) targetID(objectID string) string {
	if l := r.state.Groups[objectID]; l != nil {
		return l.ID
	}
	return r.state.Users[objectID].ID
}

// managers sends the managers that changed, each by a PATCH of its own, after both ends exist.
func (r *run) managers() {
	if r.job.ManagerPath() == "" {
		return
	}
	var due []*company.User
	for _, u := range r.source.company.Users {
		l := r.state.Users[u.ObjectID]
		at := r.standing(u)
		if l == nil || at != active && at != disabled || l.Manager == u.Manager {
			continue
		}
		if u.Manager == "" || r.managed(u.Manager) {
			due = append(due, u)
		}
	}
	r.each("managers", len(due), func(ctx context.Context, i int) {
		u := due[i]
		l, key := r.state.Users[u.ObjectID], u.ObjectID+"#manager"
		e := Entry{
			Object: "User", SourceID: u.ObjectID, TargetID: l.ID, Action: Update,
			Attributes: []string{r.job.ManagerPath()},
		}
		if r.waits(key) {
			e.Reason = "in escrow"
			r.skipped(e)
			return
		}
		err := r.sendManager(ctx, l, u.Manager)
		l.Manager = u.Manager
		if err != nil {
			l.Manager = unknown
		}
		r.done(key, 1, e, err)
	})
}

func (r *run) sendManager(ctx context.Context, l *Link, manager string) error {
	id := ""
	if manager != "" {
		id = r.targetID(manager)
		there, err := r.alreadyThere(ctx, wire.Users, l.ID, "manager", id)
		if there || err != nil {
			return err
		}
	}
	return r.client.Patch(ctx, wire.Users, l.ID,
		wire.PatchReference(r.dialect, r.job.ManagerPath(), id, l.Manager != "" || manager == ""))
}

// alreadyThere is the reference check of older documentation, which names manager without its schema. Without that
// option it asks nothing.
func (r *run) alreadyThere(ctx context.Context, resource, id, path, reference string) (bool, error) {
	if !r.job.ReferenceChecks {
		return false, nil
	}
	return r.client.Exists(ctx, resource, wire.Equal("id", id)+" and "+wire.Equal(path, reference))
}

// memberChange is one PATCH of a group's members.
type memberChange struct {
	group *company.Group
	link  *Link
	add   bool
	ids   []string // objectIds
}

// memberships sends the members that changed. Requests for the same group may be under way at once, as Entra's are.
func (r *run) memberships() {
	if !r.job.MapsMembers() {
		return
	}
	var due []memberChange
	for _, g := range r.source.company.Groups {
		l := r.state.Groups[g.ObjectID]
		if l == nil || !r.scope.Groups[g.ObjectID] {
			continue
		}
		if r.waits(g.ObjectID + "#members") {
			r.skipped(Entry{Object: "Group", SourceID: g.ObjectID, TargetID: l.ID, Action: Update, Reason: "in escrow"})
			continue
		}
		add, removed := r.memberDiff(g, l)
		for ids := range slices.Chunk(removed, r.job.MembersPerRequest) {
			due = append(due, memberChange{g, l, false, ids})
		}
		for ids := range slices.Chunk(add, r.job.MembersPerRequest) {
			due = append(due, memberChange{g, l, true, ids})
		}
	}
	failed, failures, touched := map[string]error{}, map[string]int{}, map[string]bool{}
	r.each("memberships", len(due), func(ctx context.Context, i int) {
		m := due[i]
		err := r.sendMembers(ctx, m)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil {
			failed[m.group.ObjectID] = err
			failures[m.group.ObjectID] += len(m.ids)
		}
		m.link.exported(m, err)
		touched[m.group.ObjectID] = true
	})
	for _, id := range slices.Sorted(maps.Keys(touched)) {
		l := r.state.Groups[id]
		r.done(id+"#members", failures[id], Entry{
			Object: "Group", SourceID: id, TargetID: l.ID, Action: Update, Attributes: []string{"members"},
		}, failed[id])
	}
}

// exported records what a member change left behind. After a failure that is not known.
func (l *Link) exported(m memberChange, err error) {
	for _, id := range m.ids {
		switch {
		case err != nil:
			l.Members[id] = false
		case m.add:
			l.Members[id] = true
		default:
			delete(l.Members, id)
		}
	}
}

func (r *run) memberDiff(g *company.Group, l *Link) (add, removed []string) {
	now := map[string]bool{}
	for _, id := range g.Members {
		now[id] = true
		if r.managed(id) && !l.Members[id] {
			add = append(add, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(l.Members)) {
		switch {
		case r.state.Users[id] == nil && r.state.Groups[id] == nil:
			delete(l.Members, id) // deleted at the server, and its memberships with it
		case !now[id] && r.managed(id):
			removed = append(removed, id)
		}
	}
	return add, removed
}

func (r *run) sendMembers(ctx context.Context, m memberChange) error {
	var ids []string
	for _, objectID := range m.ids {
		id := r.targetID(objectID)
		if m.add {
			there, err := r.alreadyThere(ctx, wire.Groups, m.link.ID, "members", id)
			if err != nil {
				return err
			}
			if there {
				continue
			}
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil
	}
	ops := wire.RemoveMembers(r.dialect, ids)
	if m.add {
		ops = wire.AddMembers(r.dialect, ids)
	}
	return r.client.Patch(ctx, wire.Groups, m.link.ID, ops)
}
