//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const readWrite = "target_session_attrs=read-write"

func failoverRows() []row {
	return []row{
		{name: "failover/async", about: "asynchronous standby, both hosts in the URL; primary killed, standby promoted after 2 s", run: kill(false)},
		{
			name: "failover/async-attrs", about: "the same with target_session_attrs=read-write",
			run: kill(false, readWrite),
		},
		{name: "failover/sync", about: "synchronous standby, both hosts in the URL; primary killed, standby promoted after 2 s", run: kill(true)},
		{
			name: "failover/sync-absent", about: "synchronous standby away, three creates; primary killed, standby started and promoted",
			run: absentStandby, limit: 4 * time.Minute,
		},
	}
}

// replicated is a primary and its standby.
func (s *scene) replicated(ctx context.Context, synchronous bool) (primary, standby *cluster, err error) {
	if primary, err = s.cluster(ctx, "primary", ""); err != nil {
		return nil, nil, err
	}
	if standby, err = primary.standby(ctx, s); err != nil || !synchronous {
		return primary, standby, err
	}
	if err := primary.administer(ctx, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"); err != nil {
		return nil, nil, err
	}
	return primary, standby, await(ctx, 30*time.Second, func() bool {
		count, err := primary.ask(ctx, "postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
		return err == nil && count == "1"
	})
}

// kill has the standby take over from a primary that crashed.
func kill(synchronous bool, parameters ...string) func(context.Context, *scene, *seen) error {
	return func(ctx context.Context, s *scene, saw *seen) error {
		primary, standby, err := s.replicated(ctx, synchronous)
		if err != nil {
			return err
		}
		t, err := s.serveReady(ctx, "contoso", databaseURL(primary.address+","+standby.address, parameters...))
		if err != nil {
			return err
		}
		saw.mayLose = !synchronous
		return t.over(ctx, saw, func() error {
			if err := primary.stop(ctx, "immediate"); err != nil {
				return err
			}
			pause(ctx, 2*time.Second)
			return standby.promote(ctx)
		})
	}
}

// over has clients create users before, while and after something happens to the database.
func (t *tenant) over(ctx context.Context, saw *seen, happens func() error) error {
	l := t.load(ctx, 4)
	defer func() { saw.tally = l.stop() }()
	if err := l.more(ctx, 1000); err != nil {
		return err
	}
	if err := happens(); err != nil {
		return err
	}
	if err := l.more(ctx, 1000); err != nil {
		_, says := t.readiness(ctx)
		return fmt.Errorf("afterwards %w: %s", err, says)
	}
	notes := l.stop()
	if _, err := t.becomes(ctx, true); err != nil {
		return err
	}
	return t.account(ctx, notes, saw)
}

// absentStandby has a primary wait for a standby that is away, and then the standby take over.
func absentStandby(ctx context.Context, s *scene, saw *seen) error {
	primary, standby, err := s.replicated(ctx, true)
	if err != nil {
		return err
	}
	t, err := s.serveReady(ctx, "contoso", databaseURL(primary.address+","+standby.address))
	if err != nil {
		return err
	}
	before := t.load(ctx, 4)
	if err := before.more(ctx, 200); err != nil {
		return err
	}
	notes := before.stop()
	if err := standby.stop(ctx, "immediate"); err != nil {
		return err
	}
	begun := time.Now()
	status, answer, _, err := t.send(ctx, http.MethodPost, t.url+"/Users", userNamed("unsure"))
	if err != nil {
		return err
	}
	notes.unsure["unsure"] = true
	saw.say("create after %.0f s: %d %s", time.Since(begun).Seconds(), status, detail(answer))
	saw.must(status == http.StatusServiceUnavailable && strings.Contains(detail(answer), "not known"), "the create was answered %d", status)
	for n := range 2 {
		t.create(ctx, fmt.Sprintf("%s-unsure-%d", t.name, n), notes)
	}
	ready, says := t.readiness(ctx)
	saw.must(!ready, "the server is ready")
	saw.say("/readyz: %s", says)
	if err := primary.stop(ctx, "immediate"); err != nil {
		return err
	}
	if err := standby.start(ctx, s); err != nil {
		return err
	}
	if err := standby.promote(ctx); err != nil {
		return err
	}
	if _, err := t.becomes(ctx, true); err != nil {
		return err
	}
	t.create(ctx, t.name+"-afterwards", notes)
	saw.must(notes.created[t.name+"-afterwards"], "no create afterwards")
	return t.account(ctx, notes, saw)
}
