package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Bench measures an engine at what a tenant's server does all day. Each write is one durable Update with its row in the
// provisioning log.
func Bench(b *testing.B, open func(b *testing.B) store.Store) {
	b.Run("insert", func(b *testing.B) {
		s, next := open(b), new(atomic.Int64)
		for _, n := range []int{1, 8, 32} {
			Clients(b, n, func(int) error { return insertUser(s, BenchUser(int(next.Add(1)))) })
		}
	})
	for _, size := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("users=%d", size), func(b *testing.B) {
			s := open(b)
			Fill(b, s, size)
			b.Run("replace", func(b *testing.B) {
				for _, n := range []int{1, 32} {
					Clients(b, n, func(i int) error { return Replace(s, 1+i%size, i) })
				}
			})
			benchLookups(b, s, size)
			benchPages(b, s, size)
		})
	}
	b.Run("members", func(b *testing.B) { benchMembers(b, open(b)) })
}

// BenchUser is a user as Entra sends it, of about 1.5 KB.
func BenchUser(n int) *store.Record {
	return record(store.User, n, schema.Object{
		"userName": fmt.Sprintf("User%d@contoso.com", n), "externalId": fmt.Sprintf("3f1e6a2b-%08d", n), "active": true,
		"displayName": fmt.Sprintf("User Number %d", n), "title": fmt.Sprintf("Title %d", n%50), "preferredLanguage": "sv",
		"name":   schema.Object{"givenName": fmt.Sprintf("Given%d", n%997), "familyName": fmt.Sprintf("Family%d", n%9973), "formatted": fmt.Sprintf("F %d", n)},
		"emails": []any{schema.Object{"type": "work", "primary": true, "value": fmt.Sprintf("mail%d@contoso.com", n)}},
		schema.EnterpriseUser: schema.Object{
			"department": fmt.Sprintf("Department %d", n%100), "employeeNumber": fmt.Sprint(n), "manager": schema.Object{"value": id(n/10 + 1)},
		},
		schema.MediusUser: schema.Object{
			"configurationFilter": "finance", "identityProvider": "entra", "nameIdentifier": fmt.Sprintf("n%d", n),
			"customFieldText1": fmt.Sprintf("custom %d", n),
		},
		"nickName": fmt.Sprintf("nick%d", n), "profileUrl": "https://contoso.com/" + strings.Repeat("x", 500),
	})
}

// BenchID is the id of BenchUser(n).
func BenchID(n int) string { return id(n) }

// Fill inserts users 1 to size.
func Fill(b testing.TB, s store.Store, size int) {
	b.Helper()
	for from := 1; from <= size; from += 1000 {
		update(b, s, func(tx store.Tx) error {
			for n := from; n < from+1000 && n <= size; n++ {
				if err := tx.Insert(context.Background(), BenchUser(n)); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// Clients runs f b.N times from so many goroutines, as a sub-benchmark. It reports operations a second.
func Clients(b *testing.B, clients int, f func(i int) error) {
	b.Helper()
	b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
		b.ReportAllocs()
		var next atomic.Int64
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
					if err := f(int(i)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
	})
}

// BenchEntry is the row of the provisioning log that goes with a change.
func BenchEntry(r *store.Record) store.Entry {
	return store.Entry{
		Time: dawn, Client: "entra-8b1c3f0e", RequestID: "0192f0c1-0000-7000-8000-000000000000", Kind: r.Kind, ResourceID: r.ID,
		Operation: "create", Attributes: []string{"userName", "active", "name", "emails"}, Outcome: "success",
	}
}

func insertUser(s store.Store, r *store.Record) error {
	return s.Update(context.Background(), func(tx store.Tx) error {
		if err := tx.Insert(context.Background(), r); err != nil {
			return err
		}
		return tx.Append(context.Background(), BenchEntry(r))
	})
}

// Replace changes one attribute of BenchUser(n).
func Replace(s store.Store, n, i int) error {
	r := BenchUser(n)
	r.Version = int64(i)
	return s.Update(context.Background(), func(tx store.Tx) error {
		if _, err := tx.Get(context.Background(), store.User, r.ID); err != nil {
			return err
		}
		for j, k := range r.Index {
			if k.Path == "title" {
				r.Index[j].Key = fmt.Sprintf("changed %d", i)
			}
		}
		if err := tx.Replace(context.Background(), r); err != nil {
			return err
		}
		return tx.Append(context.Background(), BenchEntry(r))
	})
}

func benchLookups(b *testing.B, s store.Store, size int) {
	b.Run("get", func(b *testing.B) {
		for _, n := range []int{1, 8} {
			Clients(b, n, func(i int) error {
				_, err := s.Get(context.Background(), store.User, id(1+i*7919%size))
				return err
			})
		}
	})
	for name, text := range map[string]string{
		"userName":   `userName eq "user%d@contoso.com"`,
		"externalId": `externalId eq "3f1e6a2b-%08d"`,
		"valuePath":  `emails[type eq "work" and value eq "mail%d@contoso.com"]`,
		"medius":     custom + ` eq "custom %d"`,
		"and":        schema.MediusUser + `:identityProvider eq "entra" and ` + schema.MediusUser + `:nameIdentifier eq "n%d"`,
	} {
		b.Run("find/"+name, func(b *testing.B) {
			for _, n := range []int{1, 8} {
				Clients(b, n, func(i int) error {
					f := parse(b, store.User, fmt.Sprintf(text, 1+i*7919%size))
					page, err := s.Find(context.Background(), store.Query{Kind: store.User, Filter: f, Match: match(f), Limit: 100})
					if err == nil && page.Total != 1 {
						err = fmt.Errorf("%s finds %d", f, page.Total)
					}
					return err
				})
			}
		})
	}
}

func benchPages(b *testing.B, s store.Store, size int) {
	page := func(name, text string, limit int, offset func(i int) int) {
		b.Run("page/"+name, func(b *testing.B) {
			q := store.Query{Kind: store.User, Limit: limit}
			if text != "" {
				q.Filter = parse(b, store.User, text)
				q.Match = match(q.Filter)
			}
			Clients(b, 1, func(i int) error {
				q.Offset = offset(i)
				page, err := s.Find(context.Background(), q)
				if err == nil && len(page.Records) != limit {
					err = fmt.Errorf("%d records at %d", len(page.Records), q.Offset)
				}
				return err
			})
		})
	}
	page("first", "", 100, func(int) int { return 0 })
	page("anywhere", "", 100, func(i int) int { return i * 7919 % (size - 100) })
	page("last", "", 100, func(int) int { return size - 100 })
	page("count", "", 0, func(int) int { return 0 })
	page("filtered", "active eq true", 100, func(int) int { return 0 })
	page("filteredDeep", "active eq true", 100, func(int) int { return size - 100 })
	page("department", schema.EnterpriseUser+`:department eq "department 7"`, min(100, size/100), func(int) int { return 0 })
}

// benchMove is the row of the provisioning log that goes with a change of a group's members.
func benchMove(group int, changes *store.MemberChanges) store.Entry {
	entry := BenchEntry(&store.Record{Kind: store.Group, ID: id(group)})
	entry.Members, _ = changes.Net()
	return entry
}

func benchMembers(b *testing.B, s store.Store) {
	sizes := []int{10, 10_000, 100_000}
	for g, size := range sizes {
		insert(b, s, record(store.Group, g+1, schema.Object{}))
		for from := 0; from < size; from += 1000 {
			var chunk []store.Member
			for n := from; n < min(from+1000, size); n++ {
				chunk = append(chunk, store.Member{ID: id(1_000_000 + n), Kind: store.User})
			}
			addMembers(b, s, g+1, chunk...)
		}
	}
	// Adds one that stands anywhere among the others, or removes it again.
	toggle := func(group int) func(i int) error {
		return func(i int) error {
			member := strings.Replace(id(1_000_000+i/2*7919%100_000), "-8000-", "-8001-", 1)
			return s.Update(context.Background(), func(tx store.Tx) (err error) {
				var changes store.MemberChanges
				if i%2 == 0 {
					_, err = tx.AddMembers(context.Background(), id(group), []store.Member{{ID: member, Kind: store.User}}, &changes)
				} else {
					_, err = tx.RemoveMembers(context.Background(), id(group), []string{member}, &changes)
				}
				if err != nil {
					return err
				}
				if err := tx.Touch(context.Background(), store.Group, id(group), int64(i), dawn); err != nil {
					return err
				}
				return tx.Append(context.Background(), benchMove(group, &changes))
			})
		}
	}
	for g, size := range sizes {
		b.Run(fmt.Sprintf("one/group=%d", size), func(b *testing.B) {
			for _, n := range []int{1, 8} {
				Clients(b, n, toggle(g+1))
			}
		})
	}
	// A thousand who stand next to each other in the order of ids, as those do who came together, or each among a hundred others.
	for name, distance := range map[string]int{"together": 1, "scattered": 97} {
		b.Run("thousand/"+name+"/group=100000", func(b *testing.B) {
			Clients(b, 1, func(i int) error {
				var chunk []store.Member
				var ids []string
				for n := range 1000 {
					m := strings.Replace(id(1_000_000+n*distance), "-8000-", "-8002-", 1)
					chunk, ids = append(chunk, store.Member{ID: m, Kind: store.User}), append(ids, m)
				}
				return s.Update(context.Background(), func(tx store.Tx) (err error) {
					if _, err := tx.Kinds(context.Background(), ids); err != nil {
						return err
					}
					var changes store.MemberChanges
					if i%2 == 1 {
						_, err = tx.AddMembers(context.Background(), id(3), chunk, &changes)
					} else {
						_, err = tx.RemoveMembers(context.Background(), id(3), ids, &changes)
					}
					if err != nil {
						return err
					}
					return tx.Append(context.Background(), benchMove(3, &changes))
				})
			})
		})
	}
	b.Run("read/group=100000", func(b *testing.B) {
		Clients(b, 1, func(int) error {
			all, err := s.Members(context.Background(), id(3))
			if err == nil && len(all) < 100_000 {
				err = fmt.Errorf("%d members", len(all))
			}
			return err
		})
	})
}
