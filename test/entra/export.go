package entra

import (
	"context"
	"errors"

	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/job"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// object is one user or group on its way to the server.
type object struct {
	id         string
	kind       string // "User" or "Group"
	resource   string // wire.Users or wire.Groups
	links      map[string]*Link
	mappings   []job.Mapping
	attributes []wire.Attribute
	create     func([]wire.Attribute) wire.Resource
}

func (r *run) userObject(id string, u *company.User, at standing) object {
	o := object{
		id: id, kind: "User", resource: wire.Users, links: r.state.Users, mappings: r.job.UserMappings,
		create: wire.CreateUser,
	}
	switch {
	case at == active || at == disabled:
		o.attributes = r.job.UserAttributes(u, at == disabled)
	case r.job.ActivePath() != "":
		o.attributes = []wire.Attribute{{Path: r.job.ActivePath(), Value: false}}
	}
	return o
}

func (r *run) groupObject(id string, g *company.Group) object {
	o := object{
		id: id, kind: "Group", resource: wire.Groups, links: r.state.Groups, mappings: r.job.GroupMappings,
		create: wire.CreateGroup,
	}
	if g != nil {
		o.attributes = r.job.GroupAttributes(g)
	}
	return o
}

// user carries a plan out.
func (r *run) user(ctx context.Context, p plan) {
	r.carryOut(ctx, p, r.userObject(p.id, p.user, p.at))
	switch {
	case p.link == nil || p.verdict == remove:
	case p.at == active:
		p.link.Released = false
	case p.at == outOfScope && (r.job.SkipOutOfScopeDeletions || p.link.Exported[r.job.ActivePath()] == false):
		p.link.Released = true
	}
}

func (r *run) group(ctx context.Context, p plan) {
	r.carryOut(ctx, p, r.groupObject(p.id, p.group))
}

func (r *run) carryOut(ctx context.Context, p plan, o object) {
	e := Entry{Object: o.kind, SourceID: o.id, Action: Update}
	if p.link != nil {
		e.TargetID = p.link.ID
	}
	switch p.verdict {
	case nothing:
		return
	case release:
		r.unlink(o.links, o.id, false)
		return
	case skip:
		e.Action, e.Reason = Create, "disabled users are not created"
		r.skipped(e)
		return
	}
	if r.waits(o.id) {
		e.Reason = "in escrow"
		r.skipped(e)
		return
	}
	var err error
	switch p.verdict {
	case provision:
		err = r.provision(ctx, o, &e)
	case remove:
		e.Action = Delete
		if err = r.client.Delete(ctx, o.resource, e.TargetID); err == nil {
			r.unlink(o.links, o.id, true)
		}
	default:
		if o.kind == "User" && p.at != active && r.wasActive(p.link) {
			e.Action = Disable
			if p.at == softDeleted {
				e.Action = StagedDelete
			}
		}
		e.Attributes, err = r.export(ctx, o, p.link)
		if err == nil && len(e.Attributes) == 0 {
			return
		}
	}
	r.done(o.id, 1, e, err)
}

func (r *run) skipped(e Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Status = Skipped
	r.report.add(e)
}

// provision matches an object with one at the server, or creates it. A conflict on creating means that it is there
// after all, made by an earlier request whose answer was lost, say: it is looked up again and adopted.
func (r *run) provision(ctx context.Context, o object, e *Entry) error {
	e.Action = Create
	found, err := r.match(ctx, o)
	if err != nil {
		return err
	}
	if found == nil {
		created, err := r.client.Create(ctx, o.resource, o.create(o.attributes))
		if err == nil {
			l, err := r.link(o.links, o.resource, o.id, created.ID())
			if err != nil {
				return err
			}
			e.TargetID = l.ID
			for _, a := range o.attributes {
				l.Exported[a.Path] = a.Value
				e.Attributes = append(e.Attributes, a.Path)
			}
			return nil
		}
		var failure *wire.Error
		if !errors.As(err, &failure) || failure.Code != wire.EntryConflict {
			return err
		}
		again, lookupErr := r.match(ctx, o)
		if lookupErr != nil {
			return lookupErr
		}
		if again == nil {
			return err
		}
		found = again
	}
	e.Action, e.Reason = Update, "matched"
	l, err := r.link(o.links, o.resource, o.id, found.ID())
	if err != nil {
		return err
	}
	e.TargetID = l.ID
	e.Attributes, err = r.patch(ctx, o, l, found, r.pending(o, &Link{}))
	return err
}

// match tries the matching attributes one after another and stops at the first that finds something.
func (r *run) match(ctx context.Context, o object) (wire.Resource, error) {
	for _, a := range job.Matching(o.mappings, o.attributes) {
		found, err := r.client.Find(ctx, o.resource, wire.Equal(a.Path, a.Value.(string)))
		if found != nil || err != nil {
			return found, err
		}
	}
	return nil, nil
}

// export sends what changed since the last export, if anything did, and returns the paths that were sent. It reads the
// object first: what the server has already is not sent.
func (r *run) export(ctx context.Context, o object, l *Link) ([]string, error) {
	pending := r.pending(o, l)
	if len(pending) == 0 {
		return nil, nil
	}
	target, err := r.client.Get(ctx, o.resource, l.ID)
	if err != nil {
		return nil, err
	}
	return r.patch(ctx, o, l, target, pending)
}

func (r *run) pending(o object, l *Link) []wire.Attribute {
	createOnly := job.CreateOnly(o.mappings)
	var out []wire.Attribute
	for _, a := range o.attributes {
		if l.Exported[a.Path] != a.Value && !createOnly[a.Path] {
			out = append(out, a)
		}
	}
	return out
}

func (r *run) patch(
	ctx context.Context, o object, l *Link, target wire.Resource, pending []wire.Attribute,
) ([]string, error) {
	var changes []wire.Change
	var paths []string
	for _, a := range pending {
		if has, existing := target.Value(a.Path); !existing || has != a.Value {
			changes = append(changes, wire.Change{Attribute: a, Existing: existing})
			paths = append(paths, a.Path)
		}
	}
	if len(changes) > 0 {
		if err := r.client.Patch(ctx, o.resource, l.ID, wire.Patch(r.dialect, changes)); err != nil {
			// The server may or may not have taken it: what these attributes are is not known any more.
			for _, path := range paths {
				delete(l.Exported, path)
			}
			return paths, err
		}
	}
	for _, a := range pending {
		l.Exported[a.Path] = a.Value
	}
	return paths, nil
}
