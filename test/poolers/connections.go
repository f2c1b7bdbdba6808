//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

func connectionRows() []row {
	return []row{
		{name: "connections/role", about: "role with CONNECTION LIMIT 4, 8 clients for 8 s", run: fewForTheRole},
		{name: "connections/server", about: "max_connections = 20, five tenants with 8 clients each for 8 s", run: fewForAll},
	}
}

const loadTime = 8 * time.Second

// fewForTheRole has more clients than the role may have connections.
func fewForTheRole(ctx context.Context, s *scene, saw *seen) error {
	c, err := s.cluster(ctx, "database", "")
	if err != nil {
		return err
	}
	if err := c.administer(ctx, "ALTER ROLE scim CONNECTION LIMIT 4"); err != nil {
		return err
	}
	t, err := s.serveReady(ctx, "contoso", c.url())
	if err != nil {
		return err
	}
	l := t.load(ctx, 8)
	pause(ctx, loadTime)
	notes := l.stop()
	t.unrefused(notes, saw)
	return t.account(ctx, notes, saw)
}

// fewForAll has more tenants at work than there are connections for.
func fewForAll(ctx context.Context, s *scene, saw *seen) error {
	c, err := s.cluster(ctx, "database", "")
	if err != nil {
		return err
	}
	if err := c.set(ctx, s, "max_connections = 20"); err != nil {
		return err
	}
	tenants, err := s.tenants(ctx, c.url(), 5)
	if err != nil {
		return err
	}
	return s.together(ctx, tenants, 8, saw)
}

// tenants starts servers that share a database.
func (s *scene) tenants(ctx context.Context, database string, count int) (tenants []*tenant, err error) {
	for i := range count {
		t, err := s.serveReady(ctx, fmt.Sprintf("tenant-%d", i+1), database)
		if err != nil {
			return nil, err
		}
		tenants = append(tenants, t)
	}
	return tenants, nil
}

// together has so many clients of each tenant create users for a while. Everybody makes progress, nobody is refused, and each directory
// holds the users of its own clients and no others.
func (s *scene) together(ctx context.Context, tenants []*tenant, clients int, saw *seen) error {
	loads := make([]*load, len(tenants))
	for i, t := range tenants {
		loads[i] = t.load(ctx, clients)
	}
	pause(ctx, loadTime)
	var group sync.WaitGroup
	for _, l := range loads {
		group.Go(func() { l.stop() })
	}
	group.Wait()
	sum := newTally()
	for i, t := range tenants {
		notes, own := loads[i].tally, &seen{}
		if err := t.account(ctx, notes, own); err != nil {
			return err
		}
		t.unrefused(notes, own)
		own.must(len(notes.created) > 100, "only %d created", len(notes.created))
		for _, fault := range own.faults {
			saw.wrong("%s: %s", t.name, fault)
		}
		saw.say("%d", len(notes.created))
		saw.lost += own.lost
		sum.add(notes)
	}
	saw.tally = sum
	return nil
}

// add adds what clients of another tenant were told.
func (t *tally) add(other *tally) {
	for name := range other.created {
		t.created[name] = true
	}
	t.refused += other.refused
	t.outage, t.slowest = max(t.outage, other.outage), max(t.slowest, other.slowest)
}
