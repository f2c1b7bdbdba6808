package directory

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// followBatch is how many users are looked at in one transaction: enough to be quick, few enough that a client that
// waits behind it notices nothing.
const followBatch = 100

// Three values in the store's metadata tell all replicas whether a user may be held against other rules than it should be.
const (
	// followedKey has the digest of the rules that every user was last held against, behind walking while that goes on.
	followedKey = "defaults-followed"
	walking     = "walking "
	// walkerKey has who began the last walk.
	walkerKey = "defaults-walker"
	// astrayKey has something after a user was written under other rules than those: by a replica that has not heard of newer
	// ones, or by a request that began before.
	astrayKey = "defaults-astray"
)

// SetDefaults replaces the tenant's defaults; they are given in the order in which they are tried on a user. Users that
// arrive or change from now on receive them; Follow brings those that are there already.
func (d *Directory) SetDefaults(all []*Defaults) {
	d.rules.Store(newRules(all))
	select {
	case d.rulesNew <- struct{}{}:
	default: // Follow has a wake-up waiting already.
	}
}

// Follow holds every user against the defaults each time these change, until ctx ends. Where it was interrupted, it
// begins again at the next start. Each time that again fires it looks whether users were written under other defaults since,
// and then does so once more. The error is the store's; calling Follow again tries again.
func (d *Directory) Follow(ctx context.Context, again <-chan time.Time) error {
	for {
		if err := d.follow(ctx); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // being told to end is no failure
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.rulesNew:
		case <-again:
		}
	}
}

// follow walks over the users if that is needed. A replica that has followed its rules already leaves alone what was followed under
// others since: its own may be the older ones, and then it will hear of newer ones.
func (d *Directory) follow(ctx context.Context) error {
	current := d.rules.Load()
	state, err := d.store.Meta(ctx, followedKey)
	if err != nil {
		return fmt.Errorf("read which defaults were followed: %w", err)
	}
	astray, err := d.store.Meta(ctx, astrayKey)
	if err != nil {
		return fmt.Errorf("read whether users are to be looked at again: %w", err)
	}
	ours := strings.TrimPrefix(state, walking) == current.digest
	switch {
	case state == current.digest && astray == "":
		d.followed.Store(current)
		return nil
	case d.followed.Load().same(current) && (!ours || astray == ""):
		return nil
	}
	return d.walkUsers(ctx, current)
}

// walkUsers holds every user against the rules.
func (d *Directory) walkUsers(ctx context.Context, current *rules) error {
	walker, err := d.newID()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	err = d.store.Update(ctx, func(tx store.Tx) error {
		// Waits for whoever is writing under other rules, and tells those who come later.
		if err := tx.SetMeta(ctx, followedKey, walking+current.digest); err != nil {
			return err
		}
		if err := tx.SetMeta(ctx, walkerKey, walker.String()); err != nil {
			return err
		}
		return tx.SetMeta(ctx, astrayKey, "")
	})
	if err != nil {
		return fmt.Errorf("begin to apply defaults to the users that are there: %w", err)
	}
	for after := store.Start; after != ""; {
		if !d.rules.Load().same(current) {
			return nil // Newer ones are there, and rulesNew says so.
		}
		if after, err = d.followStep(ctx, current, after); err != nil {
			return fmt.Errorf("apply defaults to the users that are there: %w", err)
		}
	}
	done := false
	err = d.store.Update(ctx, func(tx store.Tx) error {
		state, err := tx.Meta(ctx, followedKey)
		if err != nil {
			return err
		}
		last, err := tx.Meta(ctx, walkerKey)
		if err != nil {
			return err
		}
		astray, err := tx.Meta(ctx, astrayKey)
		if err != nil {
			return err
		}
		overtaken := strings.TrimPrefix(state, walking) != current.digest // by a replica with other rules
		// Who began a walk after this one took away the marks that were left during it, and answers for all users now. Until that
		// walk has ended, and where there is a mark, the next look begins anew.
		done = overtaken || astray == "" && last == walker.String()
		if overtaken || !done {
			return nil
		}
		return tx.SetMeta(ctx, followedKey, current.digest)
	})
	if err != nil {
		return fmt.Errorf("remember which defaults were followed: %w", err)
	}
	if done {
		d.followed.Store(current)
	}
	return nil
}

// written tells all replicas of a user that was written under these rules, where they are others than those being followed.
func (d *Directory) written(ctx context.Context, tx store.Tx, kind store.Kind, under *rules) error {
	if kind != store.User || under.digest == "" { // which no defaults were ever set for
		return nil
	}
	return tx.SetMetaUnless(ctx, astrayKey, "yes", followedKey, under.digest, walking+under.digest)
}

// followStep holds the next users against the rules and returns the last id it saw, "" at the end.
func (d *Directory) followStep(ctx context.Context, current *rules, after string) (last string, err error) {
	now := d.now()
	err = d.store.Update(ctx, func(tx store.Tx) error {
		last = ""
		page, err := tx.Find(ctx, store.Query{Kind: store.User, After: after, Limit: followBatch})
		if err != nil {
			return err
		}
		for i := range page.Records {
			if err := d.followUser(ctx, tx, &page.Records[i], current, now); err != nil {
				return err
			}
		}
		if len(page.Records) == followBatch {
			last = page.Records[followBatch-1].ID
		}
		return d.written(ctx, tx, store.User, current)
	})
	return last, err
}

func (d *Directory) followUser(ctx context.Context, tx store.Tx, old *store.Record, current *rules, now time.Time) error {
	document, err := schema.Decode(old.Document)
	if err != nil {
		return fmt.Errorf("stored user %s: %w", old.ID, err)
	}
	before, err := overlaid(old, document)
	if err != nil {
		return err
	}
	next := *old
	after, err := d.fill(&next, under(schema.Object{}, document), current, false)
	if err != nil {
		return fmt.Errorf("stored user %s: %w", old.ID, err)
	}
	visible := !bytes.Equal(next.Overlay, old.Overlay)
	if !visible && next.Matched == old.Matched && next.Defaults == old.Defaults {
		return nil
	}
	if visible {
		// Only what a client can see is a new version.
		next.Version++
		next.Modified = now
	}
	if err := tx.Replace(ctx, &next); err != nil {
		return err
	}
	if !visible {
		return nil
	}
	return tx.Append(ctx, store.Entry{
		Time: now, Client: "defaults", Kind: store.User, ResourceID: next.ID, Operation: OperationDefaults,
		Attributes: changedNames(d.Type(store.User), before, after), Defaults: next.Defaults, Outcome: OutcomeSuccess,
	})
}

// Status counts what the directory holds, for the tenant's status.
func (d *Directory) Status(ctx context.Context) (v1alpha1.DirectoryStatus, error) {
	stats, err := d.store.Stats(ctx)
	if err != nil {
		return v1alpha1.DirectoryStatus{}, fmt.Errorf("count the directory: %w", err)
	}
	status := v1alpha1.DirectoryStatus{
		Users: stats.Users, ActiveUsers: stats.ActiveUsers, Groups: stats.Groups, Memberships: stats.Memberships,
		RefusedSchemas: d.types.Load().refused,
	}
	if followed := d.followed.Load(); followed != nil {
		for _, r := range followed.ordered {
			status.Defaults = append(status.Defaults, v1alpha1.DefaultsCount{
				Name: r.Name, Generation: r.Generation,
				MatchedUsers: stats.Matched[r.Name], AppliedUsers: stats.Defaults[r.Name],
			})
		}
	}
	return status, nil
}
