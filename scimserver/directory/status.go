package directory

import (
	"context"
	"fmt"
	"strings"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Status counts what the directory holds, for the tenant's status, and tells how far Follow is.
func (d *Directory) Status(ctx context.Context) (v1alpha1.DirectoryStatus, error) {
	// Looked at before users are counted, so that no count is older than the generation that it is told with.
	reached, err := d.reached(ctx)
	if err != nil {
		return v1alpha1.DirectoryStatus{}, err
	}
	stats, err := d.store.Stats(ctx)
	if err != nil {
		return v1alpha1.DirectoryStatus{}, fmt.Errorf("count the directory: %w", err)
	}
	return v1alpha1.DirectoryStatus{
		Users: stats.Users, ActiveUsers: stats.ActiveUsers, Groups: stats.Groups, Memberships: stats.Memberships,
		AmbiguousNames:  stats.Ambiguous,
		DefaultsPending: reached.pending(stats.Users), Defaults: reached.counts(&stats),
		RefusedSchemas: d.types.Load().refused,
	}, nil
}

// Ambiguous counts the users and groups that have the name of another of their kind although only one should (see
// store.Record.Key), and lists the ids of some, at most limit of a kind.
func (d *Directory) Ambiguous(ctx context.Context, limit int) (n int64, ids map[store.Kind][]string, err error) {
	ids = map[store.Kind][]string{}
	for _, kind := range []store.Kind{store.User, store.Group} {
		if ids[kind], err = d.store.Ambiguous(ctx, kind, limit); err != nil {
			return 0, nil, err
		}
	}
	if len(ids[store.User])+len(ids[store.Group]) == 0 {
		return 0, nil, nil // as in nearly every directory; Stats would count all of it
	}
	stats, err := d.store.Stats(ctx)
	return stats.Ambiguous, ids, err
}

// reached is how far users have been held against the rules.
type reached struct {
	// now are the rules as they are, and before those that every user was last held against: nil for none yet.
	now, before *rules
	walked      bool  // whether a walk goes on or is to begin
	seen        int64 // users that it has looked at
}

// reached reads it from the store while it is on its way, so that all replicas tell the same.
func (d *Directory) reached(ctx context.Context) (reached, error) {
	walking := d.walking.Load() // first: once it ends, followed says so
	r := reached{now: d.rules.Load(), before: d.followed.Load()}
	if !r.now.known() || r.before.same(r.now) && !walking {
		return r, nil
	}
	state, walker, err := d.lastWalk(ctx)
	switch {
	case err != nil:
		return reached{}, err
	case state == r.now.digest: // another replica was quicker
		r.before = r.now
	case state == underWay(r.now):
		r.walked = true
		_, r.seen = parseProgress(walker)
	default:
		r.walked = !r.before.same(r.now)
	}
	return r, nil
}

// pending is how many of the users are still to be looked at.
func (r reached) pending(users int64) int64 {
	if !r.walked {
		return 0
	}
	return max(users-r.seen, 0)
}

// counts are the users of each UserDefaults, in the order in which they are tried.
func (r reached) counts(stats *store.Stats) []v1alpha1.DefaultsCount {
	var counts []v1alpha1.DefaultsCount
	for _, defaults := range r.now.ordered {
		count := v1alpha1.DefaultsCount{
			Name: defaults.Name, Generation: defaults.Generation,
			MatchedUsers: stats.Matched[defaults.Name] + stats.Matched[awaits+defaults.Name], AppliedUsers: stats.Defaults[defaults.Name],
		}
		if refused := defaults.refused; refused != nil {
			count.RefusedGeneration, count.Refused = refused.generation, cut(refused.err.Error(), v1alpha1.MaxDefaultsRefusal)
		}
		if defaults.held != nil {
			counts = append(counts, count)
			continue
		}
		if before := r.before.named(defaults.Name); before == nil || before.digest != defaults.digest {
			count.Generation, count.PendingGeneration = 0, defaults.Generation
			if before != nil {
				count.Generation = before.Generation
			}
		}
		counts = append(counts, count)
	}
	return counts
}

// cut returns a text in at most so many bytes, which a status has room for.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const more = "…"
	return strings.ToValidUTF8(text[:most-len(more)], "") + more
}
