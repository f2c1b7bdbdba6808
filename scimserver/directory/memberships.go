package directory

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tenantry/tenantry/scimserver/store"
)

// How many rows of memberships are read by one statement. A row takes LinkSize bytes.
const (
	// firstLinks is how many of one resource are read at first: nearly every group and user has fewer.
	firstLinks = 1000
	// windowLinks is how many of several resources are read together.
	windowLinks = 10_000
	// MostLinks is how many of one resource are read together where there is room. Those of a resource that has fewer are as they were
	// at one moment.
	MostLinks = 100_000
	// LinkSize is how many bytes a row takes, while more of them are appended.
	LinkSize = 2 * 33
)

const (
	// groupsAtOnce is how many groups are read together for their names.
	groupsAtOnce = 256
	// maxNames is how many names of groups are kept, for users who are members of the same groups.
	maxNames = 10_000
)

// Memberships reads the members of groups and the groups of users, of the resources of a list one after the other. It holds no more
// than one statement's rows, so the memory that it takes is bounded whatever there is to read, and it reads those of many resources
// by one statement where they are few. It belongs to one goroutine.
type Memberships struct {
	members related
	groups  related
	names   map[[16]byte]string // of groups; no entry for one that was deleted meanwhile
}

// Memberships returns a reader of what is wanted of these resources, in their order. room is asked before more than a few rows of one
// resource are read together, with how many bytes they can take; where it answers false, they are read in smaller portions.
func (d *Directory) Memberships(resources []Resource, want Related, room func(bytes int64) bool) *Memberships {
	m := &Memberships{
		members: related{Reader: d.store, read: store.Reader.MembersOf, owner: func(l *store.Link) [16]byte { return l.Group }, room: room},
		groups:  related{Reader: d.store, read: store.Reader.GroupsOf, owner: func(l *store.Link) [16]byte { return l.Member }, room: room},
	}
	for i := range resources {
		switch r := &resources[i]; {
		case want.Members && r.Kind == store.Group:
			m.members.owners = append(m.members.owners, r.ID)
		case want.Groups && r.Kind == store.User && !r.ungrouped:
			m.groups.owners = append(m.groups.owners, r.ID)
		}
	}
	return m
}

// Members calls f with portions of a group's members, in the order of their ids, and not at all for a group without any.
func (m *Memberships) Members(ctx context.Context, group string, f func([]store.Link) error) error {
	if err := m.members.of(ctx, group, f); err != nil {
		return fmt.Errorf("members of group %s: %w", group, err)
	}
	return nil
}

// Groups calls f with portions of the groups that a user is a direct member of, in the order of their ids.
func (m *Memberships) Groups(ctx context.Context, user string, f func([]Membership) error) error {
	err := m.groups.of(ctx, user, func(links []store.Link) error {
		for portion := range slices.Chunk(links, groupsAtOnce) {
			if err := m.name(ctx, portion); err != nil {
				return err
			}
			memberships := make([]Membership, 0, len(portion))
			for i := range portion {
				if name, exists := m.names[portion[i].Group]; exists {
					memberships = append(memberships, Membership{Group: store.FormatID(portion[i].Group), Display: name})
				}
			}
			if err := f(memberships); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("groups of user %s: %w", user, err)
	}
	return nil
}

// name reads the names of these groups, and with them of as many that are needed next as can be read together.
func (m *Memberships) name(ctx context.Context, links []store.Link) error {
	if m.names == nil || len(m.names) > maxNames {
		m.names = map[[16]byte]string{}
	}
	unknown := map[[16]byte]bool{}
	add := func(links []store.Link) {
		for i := range links {
			if _, known := m.names[links[i].Group]; !known && len(unknown) < groupsAtOnce {
				unknown[links[i].Group] = true
			}
		}
	}
	if add(links); len(unknown) == 0 {
		return nil
	}
	for _, owner := range m.groups.owners[m.groups.next:] {
		add(m.groups.known[owner])
	}
	ids := make([]string, 0, len(unknown))
	for id := range unknown {
		ids = append(ids, store.FormatID(id))
	}
	groups, err := m.groups.Records(ctx, store.Group, ids)
	if err != nil {
		return err
	}
	for i := range groups {
		var group struct {
			DisplayName string `json:"displayName"`
		}
		if err := json.Unmarshal(groups[i].Document, &group); err != nil {
			return fmt.Errorf("stored %s %s: %w", groups[i].Kind, groups[i].ID, err)
		}
		id, _ := store.ParseID(groups[i].ID)
		m.names[id] = group.DisplayName
	}
	return nil
}

// related reads memberships by one of their two sides, the owners.
type related struct {
	store.Reader

	read  func(r store.Reader, ctx context.Context, owners []string, after string, limit int) ([]store.Link, error)
	owner func(*store.Link) [16]byte
	room  func(bytes int64) bool

	owners []string // in the order in which they are asked for
	next   int      // the first that has not been asked for
	window int      // how many owners are read together; 0 for as many as there are
	tooFar int      // up to before this owner they had too much together, from where that was tried
	known  map[string][]store.Link
}

// of calls f with portions of what one owner has.
func (r *related) of(ctx context.Context, owner string, f func([]store.Link) error) error {
	at := slices.Index(r.owners[r.next:], owner)
	if at < 0 {
		return nil // not wanted
	}
	r.next += at + 1
	if _, known := r.known[owner]; !known {
		if alone, err := r.together(ctx); err != nil {
			return err
		} else if alone {
			return r.alone(ctx, owner, f)
		}
	}
	links := r.known[owner]
	delete(r.known, owner)
	if len(links) == 0 {
		return nil
	}
	return f(links)
}

// together reads what the owner that is asked for has, and the next ones, or tells that it has to be read alone, because it has too much or is the last.
// Where as many have too much, fewer are tried, and behind those half of the others: an owner that has much is found soon.
func (r *related) together(ctx context.Context) (alone bool, err error) {
	first := r.next - 1
	left := len(r.owners) - first
	if r.window == 0 {
		r.window = left
	}
	r.window = min(r.window, left)
	if first < r.tooFar {
		r.window = min(r.window, (r.tooFar-first)/2)
	}
	for ; r.window > 1; r.window /= 4 {
		owners := r.owners[first : first+r.window]
		links, err := r.read(r.Reader, ctx, owners, "", windowLinks+1)
		if err != nil {
			return false, err
		}
		if len(links) <= windowLinks {
			r.keep(owners, links)
			r.window *= max(1, min(8, windowLinks/(len(links)+1))) // as many as fit, if those behind have as much
			return false, nil
		}
		r.tooFar = first + r.window
	}
	r.window = 8 // the next ones may have less
	return true, nil
}

// keep keeps what these owners have until they are asked for.
func (r *related) keep(owners []string, links []store.Link) {
	slices.SortFunc(links, func(a, b store.Link) int {
		return cmp.Or(bytes.Compare(a.Group[:], b.Group[:]), bytes.Compare(a.Member[:], b.Member[:]))
	})
	r.known = make(map[string][]store.Link, len(owners))
	for _, owner := range owners {
		r.known[owner] = nil
	}
	for i := range links {
		id := store.FormatID(r.owner(&links[i]))
		r.known[id] = append(r.known[id], links[i])
	}
}

// alone reads what one owner has, in as few portions as there is room for.
func (r *related) alone(ctx context.Context, owner string, f func([]store.Link) error) error {
	for after, limit := "", firstLinks; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		links, err := r.read(r.Reader, ctx, []string{owner}, after, limit)
		if err != nil || len(links) == 0 {
			return err
		}
		if more := min(limit*10, MostLinks); after == "" && len(links) == limit && more > limit && r.room(int64(more)*LinkSize) {
			limit = more // from the beginning, so that as much as can be is of one moment
			continue
		}
		if err := f(links); err != nil || len(links) < limit {
			return err
		}
		after = r.last(links)
	}
}

// last is the id of the other side of the last link.
func (r *related) last(links []store.Link) string {
	last := &links[len(links)-1]
	if other := last.Member; other != r.owner(last) {
		return store.FormatID(other)
	}
	return store.FormatID(last.Group)
}
