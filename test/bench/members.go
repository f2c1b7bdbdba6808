//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// members measures how one member is added to groups of different size, in turns: one request to each group after the
// other, so that whatever else the machine does meets all alike.
func (b *bench) members(ctx context.Context) error {
	client := newClient(8)
	defer client.CloseIdleConnections()
	newcomers := b.large.users[b.users-1000:]
	sizes := slices.DeleteFunc([]int{10, 1000, 10_000}, func(n int) bool { return n >= b.users-1000 })
	sizes = append(sizes, b.users-1000)
	groups := make([]string, len(sizes))
	var thousand series
	for g, size := range sizes {
		data, err := b.large.send(ctx, client, http.MethodPost, "/Groups", fmt.Appendf(nil, `{"displayName":"Group of %d"}`, size), http.StatusCreated)
		if err != nil {
			return err
		}
		if groups[g], err = idOf(data); err != nil {
			return err
		}
		for from := 0; from < size; from += 1000 {
			begin := time.Now()
			if err := b.change(ctx, client, groups[g], "Add", b.large.users[from:min(from+1000, size)]...); err != nil {
				return err
			}
			if from+1000 <= size {
				thousand = append(thousand, milliseconds(time.Since(begin)))
			}
		}
	}

	took := make([]series, len(groups))
	end := time.Now().Add(time.Duration(2*b.rounds) * b.turn)
	for i := 0; time.Now().Before(end); i++ {
		newcomer := newcomers[i*7919%1000]
		for g := range groups {
			begin := time.Now()
			if err := b.change(ctx, client, groups[g], "Add", newcomer); err != nil {
				return err
			}
			took[g] = append(took[g], milliseconds(time.Since(begin)))
		}
		for _, group := range groups {
			if err := b.change(ctx, client, group, "Remove", newcomer); err != nil {
				return err
			}
		}
	}
	for g, size := range sizes[1:] {
		// The ratio of the medians: one request's ratio to another is mostly the disk's mood.
		b.report.ratio(fmt.Sprintf("add a member to a group of %s", thousands(size)), " ms", series{took[g+1].median()},
			"a group of 10", series{took[0].median()}, atMost(1.2))
	}
	b.report.value("PATCH with 1,000 members", " ms", thousand, "", nil, atMost(15))

	largest := groups[len(groups)-1]
	var ours series
	for range b.rounds {
		s, err := turn(ctx, 8, b.turn, func(ctx context.Context, i int) error {
			op := []string{"Add", "Remove"}[i/1000%2]
			return b.change(ctx, client, largest, op, newcomers[i%1000])
		})
		if err != nil {
			return err
		}
		ours = append(ours, s.perSecond())
	}
	b.report.value(fmt.Sprintf("add or remove one of %s members, 8 clients", thousands(sizes[len(sizes)-1])), "/s", ours, "", nil, atLeast(5000))
	return nil
}

// change adds members to a group or removes them, as Entra does.
func (b *bench) change(ctx context.Context, client *http.Client, group, op string, ids ...string) error {
	values := `{"value":"` + strings.Join(ids, `"},{"value":"`) + `"}`
	body := []byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"` + op + `","path":"members","value":[` + values + `]}]}`)
	_, err := b.large.send(ctx, client, http.MethodPatch, "/Groups/"+group, body, http.StatusNoContent)
	return err
}
