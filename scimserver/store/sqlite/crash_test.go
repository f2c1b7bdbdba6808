package sqlite_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/store/sqlite"
	"github.com/tenantry/tenantry/scimserver/store/storetest"
	"github.com/tenantry/tenantry/test/race"
)

// These tests run their own binary again as a child that can be killed or limited. The variable names what the child does.
const (
	childVariable  = "TENANTRY_STORE_TEST_CHILD"
	folderVariable = "TENANTRY_STORE_TEST_FOLDER"
	roundVariable  = "TENANTRY_STORE_TEST_ROUND"
)

var children = map[string]func(s *sqlite.Store) error{
	"write until killed":        writeUntilKilled,
	"write until the disk ends": writeUntilTheDiskEnds,
}

func runChild(what string) error {
	s, err := sqlite.Open(context.Background(), os.Getenv(folderVariable))
	if err != nil {
		return err
	}
	return errors.Join(children[what](s), s.Close())
}

func child(t *testing.T, what, folder string, round int) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+what, folderVariable+"="+folder, roundVariable+"="+strconv.Itoa(round))
	cmd.Stderr = os.Stderr
	return cmd
}

const (
	roundSize = 100_000 // users of one round have numbers from round*roundSize
	crashers  = 8
)

var group = storetest.BenchID(1 << 40)

// arrive is one change of several rows: a user, its membership and its entry in the log.
func arrive(s store.Store, n int) error {
	r := storetest.BenchUser(n)
	return s.Update(context.Background(), func(tx store.Tx) error {
		if err := tx.Insert(context.Background(), r); err != nil {
			return err
		}
		var changes store.MemberChanges
		if _, err := tx.AddMembers(context.Background(), group, []store.Member{{ID: r.ID, Kind: store.User}}, &changes); err != nil {
			return err
		}
		entry := storetest.BenchEntry(r)
		entry.Members, _ = changes.Net()
		return tx.Append(context.Background(), entry)
	})
}

func writeUntilKilled(s *sqlite.Store) error {
	round, err := strconv.Atoi(os.Getenv(roundVariable))
	if err != nil {
		return err
	}
	var out sync.Mutex
	failed := make(chan error)
	for c := range crashers {
		go func() {
			for n := round*roundSize + c; ; n += crashers {
				if err := arrive(s, n); err != nil {
					failed <- err
				}
				out.Lock()
				fmt.Println(n)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

func TestNoAcknowledgedWriteIsLostWhenTheProcessIsKilled(t *testing.T) {
	folder := t.TempDir()
	acknowledged := map[int]bool{}
	for round := range 24 {
		cmd := child(t, "write until killed", folder, round+1)
		out := must(cmd.StdoutPipe())(t)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := 1 + rand.IntN(150) // acknowledgements after which it dies, somewhere in the next writes
		seen := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				continue // the line it was killed in
			}
			acknowledged[n] = true
			if seen++; seen == kill {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // says that it was killed
		if seen < kill {
			t.Fatalf("the child ended by itself after %d writes", seen)
		}
		checkCrashed(t, folder, acknowledged, (round+1)*roundSize)
	}
}

// checkCrashed opens the folder again and looks for every acknowledged write, and for parts of others. The index is only asked
// for users from number since on.
func checkCrashed(t *testing.T, folder string, acknowledged map[int]bool, since int) {
	t.Helper()
	s := must(sqlite.Open(context.Background(), folder))(t)
	ctx := context.Background()
	logged, joined := map[string]int{}, map[string]bool{}
	for after := int64(0); ; {
		entries := must(s.Log(ctx, after, 1000))(t)
		for _, e := range entries {
			if e.Sequence != after+1 {
				t.Errorf("entry %d follows entry %d", e.Sequence, after)
			}
			logged[e.ResourceID]++
			for _, m := range e.Members {
				joined[store.FormatID(m.ID)] = m.Added
			}
			after = e.Sequence
		}
		if len(entries) < 1000 {
			break
		}
	}
	belongs := map[string]bool{}
	for _, m := range must(s.Members(ctx, group))(t) {
		belongs[m.ID] = true
	}
	if !maps.Equal(joined, belongs) {
		t.Errorf("%d members, %d joined by the log", len(belongs), len(joined))
	}
	users := map[string]bool{}
	for after := store.Start; after != ""; {
		page := must(s.Find(ctx, store.Query{Kind: store.User, After: after, Limit: 500}))(t)
		after = ""
		for i := range page.Records {
			r := &page.Records[i]
			users[r.ID] = true
			found := 1
			if r.ID >= storetest.BenchID(since) {
				f := must(filter.Parse(resourceType(store.User), `externalId eq "`+r.ExternalID+`" and active eq true`))(t)
				found = must(s.Find(ctx, store.Query{Kind: store.User, Filter: f}))(t).Total
			}
			if logged[r.ID] != 1 || !belongs[r.ID] || found != 1 {
				t.Errorf("half a write of %s: %d log entries, member %t, found %d times", r.ID, logged[r.ID], belongs[r.ID], found)
			}
			if len(page.Records) == 500 {
				after = r.ID
			}
		}
	}
	if len(logged) != len(users) || len(belongs) != len(users) {
		t.Errorf("%d users, %d in the log, %d members", len(users), len(logged), len(belongs))
	}
	lost := 0
	for n := range acknowledged {
		if !users[storetest.BenchID(n)] {
			t.Errorf("user %d was acknowledged and is not there", n)
			lost++
		}
	}
	must(0, s.Close())(t)
	checkIntegrity(t, folder)
	if t.Failed() {
		t.Fatalf("%d of %d acknowledged writes lost", lost, len(acknowledged))
	}
}

func checkIntegrity(t *testing.T, folder string) {
	t.Helper()
	db := must(sql.Open("sqlite", "file:"+filepath.Join(folder, "directory.db")))(t)
	defer db.Close()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity: %s, %v", verdict, err)
	}
}

// writeUntilTheDiskEnds limits the size of its files, which is as near to a full disk as a process can make it, takes the
// limit away and does so once more. The database is larger than that already, so that no checkpoint makes room.
func writeUntilTheDiskEnds(s *sqlite.Store) error {
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	n := roundSize
	for range 2 {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 3 << 20, Max: before.Max}); err != nil {
			return err
		}
		var failure error
		for ; ; n++ {
			if failure = arrive(s, n); failure != nil {
				break
			}
		}
		if !errors.Is(failure, store.ErrUnavailable) {
			return fmt.Errorf("on a full disk: %w", failure)
		}
		if err := s.Check(context.Background()); !errors.Is(err, store.ErrUnavailable) {
			return fmt.Errorf("check on a full disk: %w", err)
		}
		if _, err := s.Get(context.Background(), store.User, storetest.BenchID(n)); !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("what was refused: %w", err)
		}
		if _, err := s.Get(context.Background(), store.User, storetest.BenchID(n-1)); err != nil {
			return fmt.Errorf("reading on a full disk: %w", err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			return err
		}
		if err := s.Check(context.Background()); err != nil {
			return fmt.Errorf("check when there is room again: %w", err)
		}
		if err := arrive(s, n); err != nil {
			return fmt.Errorf("when there is room again: %w", err)
		}
		n++
	}
	fmt.Println(n)
	return nil
}

func TestAFullDiskIsNoticedLosesNothingAndIsRecoveredFrom(t *testing.T) {
	race.Meets(t)
	folder := t.TempDir()
	s := open(t, folder)
	var wg sync.WaitGroup
	for c := range 20 {
		wg.Go(func() {
			for i := range 50 {
				if err := arrive(s, roundSize-1-c*50-i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	must(0, s.Close())(t)
	out, err := child(t, "write until the disk ends", folder, 1).Output()
	if err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
	acknowledged := map[int]bool{}
	for n := roundSize - 1000; n < must(strconv.Atoi(string(bytes.TrimSpace(out))))(t); n++ {
		acknowledged[n] = true
	}
	checkCrashed(t, folder, acknowledged, 0)
}

func TestAFullDatabaseAnswersEachOfManyWritersTruly(t *testing.T) {
	race.Meets(t)
	folder := t.TempDir()
	s := open(t, folder)
	for n := range 50 {
		must(0, arrive(s, roundSize+n))(t)
	}
	must(0, s.LimitPages(60))(t) // beyond what is there, so the next few fit
	var mu sync.Mutex
	acknowledged, refused := map[int]bool{}, map[int]bool{}
	write := func() {
		var wg sync.WaitGroup
		for c := range crashers {
			wg.Go(func() {
				for i := range 40 {
					n := 2*roundSize + c*1000 + i
					err := arrive(s, n)
					mu.Lock()
					switch {
					case err == nil:
						acknowledged[n] = true
						delete(refused, n)
					case errors.Is(err, store.ErrUnavailable):
						refused[n] = true
					case !errors.Is(err, store.ErrConflict):
						t.Errorf("write %d: %v", n, err)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	}
	write()
	if len(refused) == 0 {
		t.Fatal("the database did not get full")
	}
	err := s.Check(context.Background())
	if reason, _ := store.CauseOf(err); !errors.Is(err, store.ErrUnavailable) || reason != v1alpha1.ReasonVolumeFull {
		t.Errorf("check: %s: %v", reason, err)
	}
	for n := range refused {
		if _, err := s.Get(context.Background(), store.User, storetest.BenchID(n)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("user %d was refused: %v", n, err)
		}
	}
	must(0, s.LimitPages(1<<30))(t)
	must(0, s.Check(context.Background()))(t)
	write()
	if len(refused) != 0 {
		t.Errorf("%d writes refused although there is room", len(refused))
	}
	total := must(s.Find(context.Background(), store.Query{Kind: store.User}))(t).Total
	must(0, s.Close())(t)
	if total != 50+len(acknowledged) {
		t.Errorf("%d users, %d acknowledged", total, 50+len(acknowledged))
	}
	checkCrashed(t, folder, acknowledged, 0)
}
