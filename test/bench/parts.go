//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

const bareHandler = "bare net/http"

// bareWrites names the baseline of what is written.
func (b *bench) bareWrites() string { return "bare " + b.engine.name() }

// start measures an empty server: how soon it is ready, and what it has in memory when nobody asks it for anything.
func (b *bench) start(ctx context.Context) error {
	var ours, theirs, memory, bareMemory series
	for i := range 2 * b.rounds {
		fresh := newTenant(b, fmt.Sprintf("fresh%d", i))
		if err := fresh.open(ctx); err != nil {
			return err
		}
		ours = append(ours, milliseconds(fresh.started))
		bare, err := b.bareServer(ctx, nil)
		if err != nil {
			return err
		}
		theirs = append(theirs, milliseconds(bare.started))
		if i%4 == 0 {
			m, err := fresh.process.rest(ctx, b.options.rest)
			if err != nil {
				return err
			}
			memory = append(memory, m)
			m, _, err = bare.memory()
			if err != nil {
				return err
			}
			bareMemory = append(bareMemory, m)
		}
		fresh.stop()
		bare.stop()
	}
	b.report.value("start to ready, empty directory", " ms", ours, bareHandler, theirs, atMost(150))
	b.report.value("memory idle, fresh", " MiB", memory, bareHandler, bareMemory, atMost(24))
	return nil
}

// creates measures POST /Users against the engine alone, which writes the very rows that the server has just written.
func (b *bench) creates(ctx context.Context) error {
	t := newTenant(b, "creates")
	if err := t.open(ctx); err != nil {
		return err
	}
	defer t.stop()
	alone, err := b.engine.bare(ctx, "creates")
	if err != nil {
		return err
	}
	defer func() { _ = alone.close() }() // a baseline that is thrown away
	next, known, goals := 0, 0, b.engine.goals()
	for _, clients := range []int{1, 8, 32} {
		var ours, p99, theirs, disk series
		client := newClient(clients)
		for range b.rounds {
			first := next
			s, err := turn(ctx, clients, 2*b.turn, func(ctx context.Context, i int) error {
				_, err := t.send(ctx, client, http.MethodPost, "/Users", user(first+i), http.StatusCreated)
				return err
			})
			if err != nil {
				return err
			}
			next += len(s.took)
			ours, p99 = append(ours, s.perSecond()), append(p99, s.quantile(0.99))

			all, err := b.engine.written(ctx, t, known)
			if err != nil {
				return err
			}
			known += len(all)
			s, err = turn(ctx, clients, time.Minute, func(_ context.Context, i int) error {
				if i >= len(all) {
					return errEnough
				}
				return alone.insert(all[i])
			})
			if err != nil {
				return err
			}
			theirs = append(theirs, s.perSecond())
			perSecond, err := syncs(ctx, b.folder, b.turn/2)
			if err != nil {
				return err
			}
			disk = append(disk, perSecond)
		}
		client.CloseIdleConnections()
		figure := fmt.Sprintf("POST /Users, %s", plural(clients, "client"))
		if clients == 1 && goals.ofDisk > 0 {
			b.report.ratio(figure, "/s", ours, "32 KiB + fdatasync", disk, atLeast(goals.ofDisk))
		}
		limit := budget{}
		if clients == 32 {
			limit = atLeast(goals.ofBare)
		}
		b.report.ratio(figure, "/s", ours, b.bareWrites(), theirs, limit)
		if clients == 32 {
			b.report.value(figure+", on a quiet machine", "/s", ours, "", nil, atLeast(goals.perSecond))
			b.report.value(figure+", 99 of 100 within", " ms", p99, "", nil, atMost(30))
		}
	}
	return nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// lookups measures how one user is found, in a small and in a large directory.
func (b *bench) lookups(ctx context.Context) error {
	filtered := func(format string) func(*tenant, int) string {
		return func(_ *tenant, n int) string { return "/Users?filter=" + url.QueryEscape(fmt.Sprintf(format, n)) }
	}
	for _, lookup := range []struct {
		name string
		path func(t *tenant, n int) string
	}{
		{"id", func(t *tenant, n int) string { return "/Users/" + t.users[n] }},
		{"userName", func(_ *tenant, n int) string {
			name := fmt.Sprintf(`userName eq "given%d.FAMILY%d.%d@contoso.com"`, n%997, n%9973, n)
			return "/Users?filter=" + url.QueryEscape(name)
		}},
		{"externalId", filtered(`externalId eq "3f1e6a2b-9c4d-4e8f-a1b2-%012d"`)},
		{"extension", filtered(`urn:ietf:params:scim:schemas:extension:medius:2.0:User:nameIdentifier eq "3f1e6a2b-9c4d-4e8f-a1b2-%012d"`)},
	} {
		large, small, theirs, p50, err := b.lookup(ctx, lookup.path)
		if err != nil {
			return err
		}
		figure := fmt.Sprintf("GET by %s, %s users, 8 clients", lookup.name, thousands(b.users))
		b.report.ratio(figure, "/s", large, bareHandler, theirs, atLeast(0.5))
		b.report.value(figure+", half within", " ms", p50, "", nil, atMost(2))
		b.report.ratio(figure, "/s", large, "1,000 users", small, atLeast(1/1.3))
	}
	return nil
}

func (b *bench) lookup(ctx context.Context, path func(*tenant, int) string) (large, small, theirs, p50 series, err error) {
	client := newClient(8)
	defer client.CloseIdleConnections()
	body, err := b.large.send(ctx, client, http.MethodGet, path(b.large, 7), nil, http.StatusOK)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	bare, err := b.bareServer(ctx, map[string][]byte{"Users": body})
	if err != nil {
		return nil, nil, nil, nil, err
	}
	defer bare.stop()
	get := func(t *tenant) (sample, error) {
		return turn(ctx, 8, b.turn, func(ctx context.Context, i int) error {
			_, err := t.send(ctx, client, http.MethodGet, path(t, i*7919%len(t.users)), nil, http.StatusOK)
			return err
		})
	}
	for range b.rounds {
		s, err := get(b.large)
		if err != nil {
			return nil, nil, nil, nil, err
		}
		large, p50 = append(large, s.perSecond()), append(p50, s.quantile(0.5))
		if s, err = get(b.small); err != nil {
			return nil, nil, nil, nil, err
		}
		small = append(small, s.perSecond())
		if s, err = b.answers(ctx, client, bare, 8); err != nil {
			return nil, nil, nil, nil, err
		}
		theirs = append(theirs, s.perSecond())
	}
	return large, small, theirs, p50, nil
}

// answers is one turn of the bare server.
func (b *bench) answers(ctx context.Context, client *http.Client, bare *process, clients int) (sample, error) {
	return turn(ctx, clients, b.turn, func(ctx context.Context, _ int) error {
		_, err := send(ctx, client, http.MethodGet, bare.url+"/Users", b.large.token, nil, http.StatusOK)
		return err
	})
}

// thousands writes a number with a comma between them.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// patches measures PATCH of one attribute of a user against the engine alone, writing as much.
func (b *bench) patches(ctx context.Context) error {
	all, err := b.engine.written(ctx, b.large, max(0, b.users-recent))
	if err != nil {
		return err
	}
	alone, err := b.engine.bare(ctx, "patches")
	if err != nil {
		return err
	}
	defer func() { _ = alone.close() }() // a baseline that is thrown away
	for _, u := range all {
		if err := alone.insert(u); err != nil {
			return err
		}
	}
	versions := make([]atomic.Int64, len(all))
	for _, clients := range []int{1, 32} {
		var ours, theirs series
		client := newClient(clients)
		for round := range b.rounds {
			s, err := turn(ctx, clients, b.turn, func(ctx context.Context, i int) error {
				body := fmt.Appendf(nil, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+
					`{"op":"Replace","path":"title","value":"Title %d of %d at %d"}]}`, i, round, clients)
				_, err := b.large.send(ctx, client, http.MethodPatch, "/Users/"+b.large.users[i*7919%b.users], body, http.StatusNoContent)
				return err
			})
			if err != nil {
				return err
			}
			ours = append(ours, s.perSecond())
			s, err = turn(ctx, clients, b.turn, func(_ context.Context, i int) error {
				n := i * 7919 % len(all)
				return alone.update(all[n], int(versions[n].Add(1))+1)
			})
			if err != nil {
				return err
			}
			theirs = append(theirs, s.perSecond())
		}
		client.CloseIdleConnections()
		b.report.ratio(fmt.Sprintf("PATCH of a user, %s", plural(clients, "client")), "/s", ours, b.bareWrites(), theirs, budget{})
	}
	return nil
}

// pages measures a page of 100 users at the beginning and at the end of the list.
func (b *bench) pages(ctx context.Context) error {
	client := newClient(1)
	defer client.CloseIdleConnections()
	page := func(start int) string { return fmt.Sprintf("/Users?startIndex=%d&count=100", start) }
	body, err := b.large.send(ctx, client, http.MethodGet, page(1), nil, http.StatusOK)
	if err != nil {
		return err
	}
	bare, err := b.bareServer(ctx, map[string][]byte{"Users": body})
	if err != nil {
		return err
	}
	defer bare.stop()
	var first, last, theirs series
	for range b.rounds {
		for start, figures := range map[int]*series{1: &first, b.users - 99: &last} {
			s, err := turn(ctx, 1, b.turn, func(ctx context.Context, _ int) error {
				_, err := b.large.send(ctx, client, http.MethodGet, page(start), nil, http.StatusOK)
				return err
			})
			if err != nil {
				return err
			}
			*figures = append(*figures, s.quantile(0.5))
		}
		s, err := b.answers(ctx, client, bare, 1)
		if err != nil {
			return err
		}
		theirs = append(theirs, s.quantile(0.5))
	}
	b.report.ratio(fmt.Sprintf("last page of 100 of %s users", thousands(b.users)), " ms", last, "first page", first, atMost(2))
	b.report.ratio("first page of 100", " ms", first, bareHandler, theirs, budget{})
	return nil
}

// afterLoad measures the server that has done all this: what it has in memory when it rests, and how soon it is ready
// again over a full directory.
func (b *bench) afterLoad(ctx context.Context) error {
	if b.large.process == nil {
		return nil
	}
	now, err := b.large.process.rest(ctx, b.options.rest)
	if err != nil {
		return err
	}
	_, most, err := b.large.memory()
	if err != nil {
		return err
	}
	b.report.value(fmt.Sprintf("memory idle, after load, %s users", thousands(b.users)), " MiB", series{now}, "at most, under load", series{most}, atMost(32))
	var ours series
	for range b.rounds {
		b.large.stop()
		if err := b.large.open(ctx); err != nil {
			return err
		}
		ours = append(ours, milliseconds(b.large.started))
	}
	b.report.value(fmt.Sprintf("start to ready, %s users", thousands(b.users)), " ms", ours, "", nil, atMost(150))
	return nil
}
