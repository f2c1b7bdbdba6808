package directory

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// followBatch is how many users are looked at in one transaction: enough to be quick, few enough that a client that
// waits behind it notices nothing.
const followBatch = 100

// Three values in the store's metadata tell all replicas whether a user may be held against other rules than it should be. An
// update asks for them in this order, so that no two wait for each other.
const (
	// walkerKey has who began the last walk and how many users that has looked at, as progress says.
	walkerKey = "defaults-walker"
	// followedKey has the digest of the rules that every user was last held against, behind walking while that goes on.
	followedKey = "defaults-followed"
	walking     = "walking "
	// astrayKey has something after a user was written under other rules than those: by a replica that has not heard of newer
	// ones, or by a request that began before.
	astrayKey = "defaults-astray"
)

// walkerPatience is how long who began a walk later may take for a step of it. Then it is taken for dead.
const walkerPatience = 30 * time.Second

// underWay is what stands under followedKey while users are held against the rules.
func underWay(under *rules) string { return walking + under.digest }

// SetDefaults replaces the tenant's defaults; they are given in the order in which they are tried on a user. Users that
// arrive or change from now on receive them; Follow brings those that are there already.
func (d *Directory) SetDefaults(all []*Defaults) {
	d.rules.Store(newRules(all))
	select {
	case d.rulesNew <- struct{}{}:
	default: // Follow has a wake-up waiting already.
	}
}

// Follow holds every user against the defaults each time these change, until ctx ends. Before SetDefaults it leaves all as they are.
// Where it was interrupted, it begins again at the next start. Each time that again fires it looks whether users were written under other
// defaults since, and then does so once more. The error is the store's; calling Follow again tries again.
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
	if !current.known() {
		return nil
	}
	state, walker, err := d.lastWalk(ctx)
	if err != nil {
		return err
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
	case strings.HasPrefix(state, walking) && d.overtaken.waits(current, walker, d.now()):
		return nil
	}
	return d.walkUsers(ctx, current)
}

// lastWalk reads which rules were followed last, or are just now, and by whom.
func (d *Directory) lastWalk(ctx context.Context) (state, walker string, err error) {
	if state, err = d.store.Meta(ctx, followedKey); err == nil {
		walker, err = d.store.Meta(ctx, walkerKey)
	}
	if err != nil {
		return "", "", fmt.Errorf("read which defaults were followed: %w", err)
	}
	return state, walker, nil
}

// overtaken remembers the walk that began after a replica's own and answers for all users now. It belongs to the goroutine of
// Follow.
type overtaken struct {
	under  *rules
	walker string
	since  time.Time
}

// waits tells whether the walk under these rules is to be waited for. It is not if this replica has not begun one of its own
// yet, since whoever is named may have ended long ago, and not if it gets no further.
func (o *overtaken) waits(current *rules, walker string, now time.Time) bool {
	if !o.under.same(current) {
		return false
	}
	if walker != o.walker {
		o.walker, o.since = walker, now
	}
	return now.Sub(o.since) < walkerPatience
}

// progress is what stands under walkerKey: an id, and how many users were looked at.
func progress(id string, seen int64) string { return id + " " + strconv.FormatInt(seen, 10) }

func parseProgress(value string) (id string, seen int64) {
	id, count, _ := strings.Cut(value, " ")
	seen, _ = strconv.ParseInt(count, 10, 64) // none where an older version began the walk
	return id, seen
}

// walkUsers holds every user against the rules. It ends early where newer rules are there, or another walk began: that one takes
// away the marks that were left during this, and answers for all users.
func (d *Directory) walkUsers(ctx context.Context, current *rules) error {
	d.walking.Store(true)
	defer d.walking.Store(false)
	made, err := d.newID()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	id := made.String()
	err = d.store.Update(ctx, func(tx store.Tx) error {
		if err := tx.SetMeta(ctx, walkerKey, progress(id, 0)); err != nil {
			return err
		}
		// Waits for whoever is writing under other rules, and tells those who come later.
		if err := tx.SetMeta(ctx, followedKey, underWay(current)); err != nil {
			return err
		}
		return tx.SetMeta(ctx, astrayKey, "")
	})
	if err != nil {
		return fmt.Errorf("begin to apply defaults to the users that are there: %w", err)
	}
	for after := store.Start; after != ""; {
		if !d.rules.Load().same(current) {
			return nil // rulesNew says so
		}
		var other string
		if after, other, err = d.followStep(ctx, current, id, after); err != nil {
			return fmt.Errorf("apply defaults to the users that are there: %w", err)
		}
		if other != "" {
			d.overtaken = overtaken{under: current, walker: other, since: d.now()}
			return nil
		}
	}
	return d.endWalk(ctx, current, id)
}

// endWalk remembers that every user was held against the rules, unless one was written under others meanwhile or another walk
// began: then the next look begins anew, or waits.
func (d *Directory) endWalk(ctx context.Context, current *rules, id string) error {
	done := false
	err := d.store.Update(ctx, func(tx store.Tx) error {
		done = false
		last, err := tx.Meta(ctx, walkerKey)
		if err != nil {
			return err
		}
		// To ask for this is to wait for whoever is writing, who may leave a mark.
		if _, err := tx.Meta(ctx, followedKey); err != nil {
			return err
		}
		astray, err := tx.Meta(ctx, astrayKey)
		if err != nil {
			return err
		}
		if name, _ := parseProgress(last); name != id || astray != "" {
			return nil
		}
		done = true
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
	if kind != store.User || !under.known() {
		return nil
	}
	return tx.SetMetaUnless(ctx, astrayKey, "yes", followedKey, under.digest, underWay(under))
}

// followStep holds the next users against the rules and returns the last id it saw, "" at the end. Where another walk began
// meanwhile it does nothing, and returns what stands under walkerKey.
func (d *Directory) followStep(ctx context.Context, current *rules, id, after string) (last, other string, err error) {
	now := d.now()
	err = d.store.Update(ctx, func(tx store.Tx) error {
		last, other = "", ""
		stands, err := tx.Meta(ctx, walkerKey)
		if err != nil {
			return err
		}
		name, seen := parseProgress(stands)
		if name != id {
			other = stands
			return nil
		}
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
		if err := tx.SetMeta(ctx, walkerKey, progress(id, seen+int64(len(page.Records)))); err != nil {
			return err
		}
		return d.written(ctx, tx, store.User, current)
	})
	return last, other, err
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
	if bytes.Equal(next.Overlay, old.Overlay) && next.Matched == old.Matched && next.Defaults == old.Defaults {
		return nil
	}
	seen := changedNames(d.Type(store.User), before, after)
	if len(seen) > 0 {
		// Only what a client can see is a new version. The user's own values may hide all that is new.
		next.Version++
		next.Modified = store.Later(next.Modified, now)
	}
	if err := tx.Replace(ctx, &next); err != nil {
		return err
	}
	if len(seen) == 0 {
		return nil
	}
	return tx.Append(ctx, store.Entry{
		Time: next.Modified, Client: "defaults", Kind: store.User, ResourceID: next.ID, Operation: OperationDefaults,
		Attributes: seen, Defaults: next.Defaults, Outcome: OutcomeSuccess,
	})
}
