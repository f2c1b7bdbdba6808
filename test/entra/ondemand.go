package entra

import (
	"context"
	"errors"

	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// onDemandMembers is how many members of a group on-demand provisioning takes.
const onDemandMembers = 5

// ProvisionOnDemand provisions one user or group at once, as the button does: always in the legacy dialect, matched by
// filter without regard to what is linked, with at most five members of a group, which it sends in one request. It does
// not restore a user from the recycle bin. An object that is not in scope is skipped.
func (s *Service) ProvisionOnDemand(ctx context.Context, c *company.Company, objectID string) (*Report, error) {
	r := s.begin(ctx, c, OnDemand)
	defer r.stop()
	r.dialect = wire.Legacy
	u, g := r.source.users[objectID], r.source.groups[objectID]
	switch {
	case u == nil && g == nil:
		return nil, errors.New("provisioning on demand: the company has no such user or group")
	case u != nil:
		if at := r.standing(u); at == active || at == disabled && s.state.Users[objectID] != nil {
			r.carryOut(ctx, plan{id: objectID, user: u, at: at, verdict: provision}, r.userObject(objectID, u, at))
		} else {
			r.skipped(Entry{Object: "User", SourceID: objectID, Action: Update, Reason: "not effectively entitled"})
		}
	case r.scope.Groups[objectID]:
		r.carryOut(ctx, plan{id: objectID, group: g, verdict: provision}, r.groupObject(objectID, g))
		if l := s.state.Groups[objectID]; l != nil && s.job.MapsMembers() {
			r.membersOnDemand(ctx, g, l)
		}
	default:
		r.skipped(Entry{Object: "Group", SourceID: objectID, Action: Update, Reason: "not effectively entitled"})
	}
	return r.finish(), ctx.Err()
}

func (r *run) membersOnDemand(ctx context.Context, g *company.Group, l *Link) {
	add, _ := r.memberDiff(g, l)
	add = add[:min(len(add), onDemandMembers)]
	if len(add) == 0 {
		return
	}
	m := memberChange{g, l, true, add}
	err := r.sendMembers(ctx, m)
	l.exported(m, err)
	r.done(g.ObjectID+"#members", len(add), Entry{
		Object: "Group", SourceID: g.ObjectID, TargetID: l.ID, Action: Update, Attributes: []string{"members"},
	}, err)
}
