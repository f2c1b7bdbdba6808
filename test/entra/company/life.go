package company

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is what happened to an object of the company.
type Kind string

// What can happen in a period.
const (
	Joined         Kind = "Joined"
	Changed        Kind = "Changed"
	Renamed        Kind = "Renamed" // a new userPrincipalName
	Disabled       Kind = "Disabled"
	Enabled        Kind = "Enabled"
	ManagerChanged Kind = "ManagerChanged"
	MemberAdded    Kind = "MemberAdded"
	MemberRemoved  Kind = "MemberRemoved"
	SoftDeleted    Kind = "SoftDeleted"
	Restored       Kind = "Restored" // from the recycle bin
	Purged         Kind = "Purged"   // from the recycle bin, for good
	GroupFounded   Kind = "GroupFounded"
	GroupRenamed   Kind = "GroupRenamed"
	GroupDissolved Kind = "GroupDissolved"
)

// Event is one change of one object.
type Event struct {
	Kind     Kind
	ObjectID string
}

// Life changes a company as time passes. Each rate is the share of the users (or groups) that a period touches; a rate
// above zero touches at least one, so that a small company sees every kind of change.
type Life struct {
	Seed uint64

	Join, Change, Rename, Disable, Enable, Manager, Move, SoftDelete, Restore float64
	GroupFound, GroupRename, GroupDissolve                                    float64
}

// DefaultLife is a lively company: about one user in ten is touched in a period.
func DefaultLife(seed uint64) Life {
	return Life{
		Seed: seed, Join: 0.01, Change: 0.04, Rename: 0.005, Disable: 0.005, Enable: 0.1, Manager: 0.01, Move: 0.02,
		SoftDelete: 0.01, Restore: 0.2, GroupFound: 0.02, GroupRename: 0.02, GroupDissolve: 0.01,
	}
}

// Scaled multiplies every rate; 0 is a company in which nothing changes but what time itself does.
func (l Life) Scaled(factor float64) Life {
	for _, rate := range []*float64{
		&l.Join, &l.Change, &l.Rename, &l.Disable, &l.Enable, &l.Manager, &l.Move, &l.SoftDelete, &l.Restore,
		&l.GroupFound, &l.GroupRename, &l.GroupDissolve,
	} {
		*rate *= factor
	}
	return l
}

// Period changes the company as one period that ends at now would, and tells what happened, in order. Who has been in
// the recycle bin for [Retention] is purged. No two changes of account state hit the same user in one period.
func (l Life) Period(c *Company, now time.Time) []Event {
	c.Period++
	p := &period{c: c, r: source(l.Seed, c.Period), now: now, touched: map[string]bool{}, names: map[string]bool{}}
	for _, g := range c.Groups {
		p.names[g.DisplayName] = true
	}
	p.purge()

	p.users(l.Restore, (*User).SoftDeleted, func(u *User) Kind { u.DeletedAt = time.Time{}; return Restored })
	p.users(l.Enable, func(u *User) bool { return present(u) && !u.AccountEnabled },
		func(u *User) Kind { u.AccountEnabled = true; return Enabled })
	p.users(l.SoftDelete, active, func(u *User) Kind { u.DeletedAt = now; return SoftDeleted })
	p.users(l.Disable, active, func(u *User) Kind { u.AccountEnabled = false; return Disabled })
	p.users(l.Rename, active, p.rename)
	p.users(l.Change, present, p.change)
	p.join(l.Join)
	p.managers(l.Manager)

	p.groups(l.GroupDissolve, p.dissolve)
	p.groups(l.GroupRename, func(g *Group) {
		base, _, _ := strings.Cut(g.DisplayName, " / ")
		g.DisplayName = base + " / " + strconv.Itoa(c.Period)
		p.tell(GroupRenamed, g.ObjectID)
	})
	p.found(l.GroupFound)
	p.move(share(l.Move, len(c.Users)))
	return p.events
}

type period struct {
	c       *Company
	r       *rand.Rand
	now     time.Time
	touched map[string]bool
	// names of groups at the start of the period. No new group gets one, even if it has become free since: to a server
	// that sees both changes at once that would be a conflict.
	names  map[string]bool
	events []Event
}

func (p *period) tell(k Kind, id string) { p.events = append(p.events, Event{k, id}) }

func present(u *User) bool { return !u.SoftDeleted() }
func active(u *User) bool  { return !u.SoftDeleted() && u.AccountEnabled }

func share(rate float64, n int) int {
	if rate <= 0 || n == 0 {
		return 0
	}
	return min(n, int(math.Ceil(rate*float64(n))))
}

// users applies what to a share of those users who qualify and were not touched in this period.
func (p *period) users(rate float64, qualifies func(*User) bool, what func(*User) Kind) {
	var pool []*User
	for _, u := range p.c.Users {
		if qualifies(u) && !p.touched[u.ObjectID] {
			pool = append(pool, u)
		}
	}
	n := share(rate, len(pool))
	for _, i := range p.r.Perm(len(pool))[:n] {
		p.touched[pool[i].ObjectID] = true
		p.tell(what(pool[i]), pool[i].ObjectID)
	}
}

func (p *period) groups(rate float64, what func(*Group)) {
	pool := slices.Clone(p.c.Groups)
	n := share(rate, len(pool))
	for _, i := range p.r.Perm(len(pool))[:n] {
		if !p.touched[pool[i].ObjectID] {
			p.touched[pool[i].ObjectID] = true
			what(pool[i])
		}
	}
}

func (p *period) purge() {
	gone := map[string]bool{}
	p.c.Users = slices.DeleteFunc(p.c.Users, func(u *User) bool {
		if !u.SoftDeleted() || p.now.Sub(u.DeletedAt) < Retention {
			return false
		}
		gone[u.ObjectID] = true
		p.c.RetiredNames = append(p.c.RetiredNames, u.MailNickname)
		p.tell(Purged, u.ObjectID)
		return true
	})
	if len(gone) == 0 {
		return
	}
	for _, u := range p.c.Users {
		if gone[u.Manager] {
			u.Manager = ""
		}
	}
	for _, g := range p.c.Groups {
		g.Members = slices.DeleteFunc(g.Members, func(id string) bool { return gone[id] })
	}
}

func (p *period) rename(u *User) Kind {
	p.c.RetiredNames = append(p.c.RetiredNames, u.MailNickname)
	u.Surname = surnames[p.r.IntN(len(surnames))]
	u.DisplayName = u.GivenName + " " + u.Surname
	u.MailNickname = newHirer(p.c).nickname(u.GivenName, u.Surname)
	u.UserPrincipalName = u.MailNickname + "@" + p.c.Domains[0]
	u.Mail = u.UserPrincipalName
	return Renamed
}

func (p *period) change(u *User) Kind {
	switch p.r.IntN(6) {
	case 0:
		u.Department = departments[p.r.IntN(len(departments))]
	case 1:
		u.Set("customFieldText2", "") // an emptied value is not sent, so the server keeps the old one
		u.JobTitle = "Senior " + jobTitles[p.r.IntN(len(jobTitles))]
	case 2:
		u.Mail = u.MailNickname + "+" + strconv.Itoa(p.c.Period) + "@" + p.c.Domains[len(p.c.Domains)-1]
	default:
		u.JobTitle = jobTitles[p.r.IntN(len(jobTitles))] + " " + strconv.Itoa(p.c.Period)
		u.Set("customFieldText1", "CC-"+strconv.Itoa(100+p.r.IntN(900)))
		u.Set("customFieldText4", "since period "+strconv.Itoa(p.c.Period))
	}
	return Changed
}

func (p *period) join(rate float64) {
	h := newHirer(p.c)
	for range share(rate, len(p.c.Users)) {
		u := h.hire(p.r)
		if boss := pick(p.c, 1, p.r); len(boss) == 1 {
			u.Manager = boss[0]
		}
		// A newcomer gets what a colleague has, so that distributed values go on being distributed.
		colleague := p.c.Users[p.r.IntN(len(p.c.Users))]
		u.Set("configurationFilter", colleague.Attribute("configurationFilter"))
		p.c.Users = append(p.c.Users, u)
		p.touched[u.ObjectID] = true
		p.tell(Joined, u.ObjectID)
		if g := p.anyGroup(); g != nil {
			g.Members = append(g.Members, u.ObjectID)
			p.tell(MemberAdded, g.ObjectID)
		}
	}
}

// managers gives some users a manager who joined before them, which keeps the references a tree, and takes it from a
// few.
func (p *period) managers(rate float64) {
	n := len(p.c.Users)
	for range share(rate, n) {
		i := p.r.IntN(n)
		u, manager := p.c.Users[i], ""
		if i > 0 && p.r.IntN(4) > 0 {
			manager = p.c.Users[p.r.IntN(i)].ObjectID
		}
		if u.SoftDeleted() || u.Manager == manager {
			continue
		}
		u.Manager = manager
		p.tell(ManagerChanged, u.ObjectID)
	}
}

func (p *period) found(rate float64) {
	round := len(projects) * len(places)
	for range share(rate, len(p.c.Groups)) {
		first := len(departments) + round*(1+len(p.names)/round+p.c.Period)
		g := foundGroup(p.c, first+p.r.IntN(round), 5, p.r)
		if !p.names[g.DisplayName] {
			p.names[g.DisplayName] = true
			p.c.Groups = append(p.c.Groups, g)
			p.tell(GroupFounded, g.ObjectID)
		}
	}
}

func (p *period) dissolve(g *Group) {
	p.c.Groups = slices.DeleteFunc(p.c.Groups, func(o *Group) bool { return o == g })
	for _, o := range p.c.Groups {
		o.Members = without(o.Members, g.ObjectID)
	}
	p.tell(GroupDissolved, g.ObjectID)
}

// move takes n users out of a group each and puts them into another.
func (p *period) move(n int) {
	users := map[string]*User{}
	for _, u := range p.c.Users {
		users[u.ObjectID] = u
	}
	for range n {
		from, to := p.anyGroup(), p.anyGroup()
		if from == nil || from == to || len(from.Members) == 0 {
			continue
		}
		id := from.Members[p.r.IntN(len(from.Members))]
		if u := users[id]; u == nil || u.SoftDeleted() || slices.Contains(to.Members, id) {
			continue
		}
		from.Members = without(from.Members, id)
		to.Members = append(to.Members, id)
		p.tell(MemberRemoved, from.ObjectID)
		p.tell(MemberAdded, to.ObjectID)
	}
}

func (p *period) anyGroup() *Group {
	if len(p.c.Groups) == 0 {
		return nil
	}
	return p.c.Groups[p.r.IntN(len(p.c.Groups))]
}
