package entra

import (
	"maps"
	"slices"

	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/job"
)

// standing is where a user stands in the company, seen from a job.
type standing int

const (
	active standing = iota
	disabled
	outOfScope
	softDeleted
	purged
)

func (r *run) standing(u *company.User) standing {
	switch {
	case u == nil, u.SoftDeleted() && r.now.Sub(u.DeletedAt) >= company.Retention:
		return purged
	case u.SoftDeleted():
		return softDeleted
	case !r.scope.Users[u.ObjectID]:
		return outOfScope
	case !u.AccountEnabled:
		return disabled
	}
	return active
}

// verdict is what has to happen to an object in a cycle.
type verdict int

const (
	nothing   verdict = iota
	skip              // not created while disabled
	provision         // match or create
	update            // export what changed
	disable           // export that it is inactive, and nothing else
	remove            // delete at the server
	release           // let go of it; at the server it stays as it is
)

// judge is Entra's table of what follows from where a user stands. A user who is not linked was never provisioned; one
// who is released went out of scope, and is not managed until that changes.
func judge(at standing, linked, released bool, j job.Job) verdict {
	switch {
	case !linked && at == active:
		return provision
	case !linked && at == disabled:
		return skip
	case !linked:
		return nothing
	case at == active:
		return update
	case released && at == purged:
		return release // no DELETE: the service had stopped managing the user
	case released:
		return nothing
	case at == outOfScope && j.SkipOutOfScopeDeletions:
		return nothing
	case at == purged, j.ActivePath() == "":
		return remove
	case at == disabled:
		return update
	}
	return disable
}

// plan is one object and its verdict. Of user and group at most one is set; neither, if the object is purged.
type plan struct {
	id      string
	user    *company.User
	group   *company.Group
	link    *Link
	at      standing
	verdict verdict
}

// planUsers lists what to do for every user. Deletions come first: they free names that others may have by now.
func (r *run) planUsers() []plan {
	var plans []plan
	add := func(id string, u *company.User) {
		p := plan{id: id, user: u, link: r.state.Users[id], at: r.standing(u)}
		p.verdict = judge(p.at, p.link != nil, p.link != nil && p.link.Released, r.job)
		plans = append(plans, p)
	}
	for _, id := range slices.Sorted(maps.Keys(r.state.Users)) {
		if r.source.users[id] == nil {
			add(id, nil)
		}
	}
	for _, u := range r.source.company.Users {
		add(u.ObjectID, u)
	}
	return plans
}

// planGroups does the same for groups, which have no lifecycle but that of the scope.
func (r *run) planGroups() []plan {
	var plans []plan
	for _, id := range slices.Sorted(maps.Keys(r.state.Groups)) {
		if !r.scope.Groups[id] {
			plans = append(plans, plan{id: id, link: r.state.Groups[id], verdict: remove})
		}
	}
	for _, g := range r.source.company.Groups {
		if r.scope.Groups[g.ObjectID] {
			p := plan{id: g.ObjectID, group: g, link: r.state.Groups[g.ObjectID], verdict: update}
			if p.link == nil {
				p.verdict = provision
			}
			plans = append(plans, p)
		}
	}
	return plans
}

// deletions counts what the accidental-deletion threshold is about: deletes, and users about to become inactive.
func (r *run) deletions(plans ...[]plan) int {
	n := 0
	for _, p := range slices.Concat(plans...) {
		becomesInactive := p.at != active && (p.verdict == update || p.verdict == disable) && r.wasActive(p.link)
		if p.verdict == remove || becomesInactive {
			n++
		}
	}
	return n
}

// wasActive is also true where it is not known.
func (r *run) wasActive(l *Link) bool {
	return l.Exported[r.job.ActivePath()] != false
}

func (r *run) inScope() int {
	n := 0
	for _, u := range r.source.company.Users {
		if at := r.standing(u); at == active || at == disabled {
			n++
		}
	}
	for _, in := range r.scope.Groups {
		if in {
			n++
		}
	}
	return n
}
