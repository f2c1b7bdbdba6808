//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// changed is how many changes a consumer follows in each round.
const changed = 10_000

// step is one request of a consumer: where it began, and how many changes it was told.
type step struct {
	after string
	told  int
}

// feed is an answer of /Changes.
type feed struct {
	Changes  []struct{ ID string }
	Position string
	More     bool
}

// changes measures what it costs the server that a consumer follows what changes. What the consumer asked for while the changes were
// made is asked once more by itself, because a difference between two runs would be as large as what is looked for.
func (b *bench) changes(ctx context.Context) error {
	var making, following, fetching, requests, delay series
	for round := range min(b.rounds, 3) {
		client := newClient(10)
		steps, took, spent, err := b.followed(ctx, client, round)
		if err != nil {
			return err
		}
		const again = 3
		before, err := b.large.process.processor()
		if err != nil {
			return err
		}
		for range again {
			for _, s := range steps {
				if _, err := b.read(ctx, client, fmt.Sprintf("after=%s&count=%d", s.after, max(s.told, 1))); err != nil {
					return err
				}
			}
		}
		between, err := b.large.process.processor()
		if err != nil {
			return err
		}
		asked, err := b.fetch(ctx, client, steps[0].after)
		if err != nil {
			return err
		}
		after, err := b.large.process.processor()
		if err != nil {
			return err
		}
		client.CloseIdleConnections()
		follow := milliseconds(between-before) / again
		making = append(making, milliseconds(spent)-follow)
		following = append(following, follow)
		fetching = append(fetching, milliseconds(after-between))
		requests = append(requests, float64(asked)*100/changed)
		delay = append(delay, float64(len(steps))/took.Seconds())
	}
	made := fmt.Sprintf("making them: %s PATCHes, 8 clients", thousands(changed))
	b.report.ratio("processor time to follow changes", " ms", following, made, making, atMost(0.05))
	b.report.ratio("to follow and fetch them, 100 at a time", " ms", fetching, made, making, atMost(0.15))
	b.report.value("requests to follow and fetch 100 changes", "", requests, "", nil, atMost(2.05))
	b.report.value("requests a second of a follower that waits", "/s", delay, "", nil, atMost(6))
	return nil
}

// followed makes changes while a consumer follows them, and returns what that asked for and what both took.
func (b *bench) followed(ctx context.Context, client *http.Client, round int) (steps []step, took, spent time.Duration, err error) {
	start, err := b.read(ctx, client, "after=latest")
	if err != nil {
		return nil, 0, 0, err
	}
	before, err := b.large.process.processor()
	if err != nil {
		return nil, 0, 0, err
	}
	follower, failed := make(chan []step, 1), make(chan error, 1)
	began := time.Now()
	go func() {
		steps, err := b.follow(ctx, client, start.Position)
		follower <- steps
		failed <- err
	}()
	_, err = turn(ctx, 8, time.Hour, func(ctx context.Context, i int) error {
		if i >= changed {
			return errEnough
		}
		body := fmt.Appendf(nil, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+
			`{"op":"Replace","path":"title","value":"Change %d of %d"}]}`, i, round)
		_, err := b.large.send(ctx, client, http.MethodPatch, "/Users/"+b.large.users[i*7919%b.users], body, http.StatusNoContent)
		return err
	})
	if err != nil {
		return nil, 0, 0, err
	}
	steps = <-follower
	if err := <-failed; err != nil {
		return nil, 0, 0, err
	}
	after, err := b.large.process.processor()
	return steps, time.Since(began), after - before, err
}

// follow waits for changes behind a position until there were all.
func (b *bench) follow(ctx context.Context, client *http.Client, at string) (steps []step, err error) {
	for told := 0; told < changed; {
		answered, err := b.read(ctx, client, "wait=10&count=1000&after="+at)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step{at, len(answered.Changes)})
		told += len(answered.Changes)
		at = answered.Position
	}
	return steps, nil
}

// read asks for changes.
func (b *bench) read(ctx context.Context, client *http.Client, query string) (answered feed, err error) {
	data, err := b.large.send(ctx, client, http.MethodGet, "/Changes?"+query, nil, http.StatusOK)
	if err == nil {
		err = json.Unmarshal(data, &answered)
	}
	return answered, err
}

// fetch follows the changes behind a position a hundred at a time and reads who changed, each hundred by one search. It returns how
// many requests that were.
func (b *bench) fetch(ctx context.Context, client *http.Client, after string) (requests int, err error) {
	for told := 0; told < changed; {
		answered, err := b.read(ctx, client, "count=100&after="+after)
		if err != nil {
			return 0, err
		}
		terms := make([]string, len(answered.Changes))
		for i, c := range answered.Changes {
			terms[i] = `id eq \"` + c.ID + `\"`
		}
		body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"count":1000,"filter":"` + strings.Join(terms, " or ") + `"}`
		if _, err := b.large.send(ctx, client, http.MethodPost, "/Users/.search", []byte(body), http.StatusOK); err != nil {
			return 0, err
		}
		requests += 2
		told += len(answered.Changes)
		after = answered.Position
	}
	return requests, nil
}

// processor is how much processor time the process has taken.
func (p *process) processor() (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), ") ") // behind the program's name
	fields := strings.Fields(rest)
	const user, system, tick = 11, 12, 10 * time.Millisecond // as every Linux of today counts, USER_HZ
	var ticks int64
	for _, field := range []string{fields[user], fields[system]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}
