package admin_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// looking counts how often the log is read, and can stop the first read.
type looking struct {
	store.Store

	reads atomic.Int32
	stop  atomic.Pointer[chan struct{}] // the next read waits until it is closed
}

func (l *looking) Log(ctx context.Context, after int64, limit int) ([]store.Entry, error) {
	l.reads.Add(1)
	if stop := l.stop.Swap(nil); stop != nil {
		<-*stop
	}
	return l.Store.Log(ctx, after, limit)
}

func (l *looking) LogBack(ctx context.Context, before int64, limit int) ([]store.Entry, error) {
	l.reads.Add(1)
	return l.Store.LogBack(ctx, before, limit)
}

// A request looks at 20,000 entries, 500 at a time, whatever its filter finds among them.
func TestARequestForTheLogLooksAtSoManyEntriesAndSaysWhereToGoOn(t *testing.T) {
	database := &looking{Store: openSQLite(t)}
	f := newFixtureOn(t, database)
	const entries = 20_600
	err := database.Update(t.Context(), func(tx store.Tx) error {
		for n := range entries {
			client := "token-1"
			if n+1 == 20_001 {
				client = "token-2"
			}
			if err := tx.Append(t.Context(), store.Entry{Time: f.clock.Now(), Client: client, Operation: "patch", Outcome: "success"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	position := func(sequence int64) string {
		at, err := f.directory.PositionAt(t.Context(), sequence)
		if err != nil {
			t.Fatal(err)
		}
		return at.String()
	}
	next := func(sequence int64) string { return fmt.Sprintf(`{"next":%q}`, position(sequence)) }
	for query, want := range map[string]struct {
		lines int
		last  string
		reads int32
	}{
		"client=nobody":                {1, next(20000), 40},
		"client=token-2":               {1, next(20000), 40},
		"requestId=x&limit=2147483647": {1, next(20000), 40},
		"until=2000-01-01T00:00:00Z":   {1, next(20000), 40},
		"limit=1000000":                {20_001, next(20000), 40},
		"limit=20000":                  {20_000, `"sequence":20000`, 40},
		"":                             {1000, `"sequence":1000`, 2},
		"client=token-2&after=20000":   {1, `"sequence":20001`, 3}, // one to find the place
		"client=nobody&after=20000":    {0, "", 3},
		"client=nobody&after=599":      {1, next(20599), 41},

		"order=descending&client=nobody":                                {1, next(601), 40},
		"order=descending&limit=1":                                      {1, `"sequence":20600`, 1},
		"order=descending&client=token-2&limit=1":                       {1, `"sequence":20001`, 2},
		"order=descending&client=nobody&after=" + position(601):         {0, "", 2},
		"order=descending&client=nobody&after=" + position(20_001):      {1, next(1), 40},
		"order=descending&client=nobody&after=" + position(20_002):      {1, next(2), 40},
		"order=descending&outcome=success&limit=2&after=" + position(3): {2, `"sequence":1`, 1},

		"client=token-2&after=" + position(20_000): {1, `"sequence":20001`, 2},
		"client=nobody&after=" + position(599):     {1, next(20599), 40},
	} {
		before := database.reads.Load()
		answer := f.want("/log?"+query, f.reader, 200)
		lines := strings.Split(answer, "\n")
		if last := lines[max(len(lines)-2, 0)]; len(lines)-1 != want.lines || !strings.Contains(last, want.last) {
			t.Errorf("%q: %d lines, the last %s, want %d and %s", query, len(lines)-1, last, want.lines, want.last)
		}
		if reads := database.reads.Load() - before; reads != want.reads {
			t.Errorf("%q: %d reads, want %d", query, reads, want.reads)
		}
	}
}

func TestAClientThatReadsTheLogLeavesItToOthers(t *testing.T) {
	race.Meets(t)
	database := &looking{Store: openSQLite(t)}
	f := newFixtureOn(t, database)
	f.user("anna")
	stop := make(chan struct{})
	database.stop.Store(&stop)
	ended := make(chan int, 3)
	for range cap(ended) {
		go func() {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/log", http.NoBody)
			if err != nil {
				t.Error(err)
			}
			request.Header.Set("Authorization", "Bearer "+f.reader)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Error(err)
				ended <- 0
				return
			}
			defer response.Body.Close()
			_, _ = io.Copy(io.Discard, response.Body)
			ended <- response.StatusCode
		}()
	}
	if status := <-ended; status != http.StatusTooManyRequests {
		t.Errorf("of three requests at once one gets %d, want 429", status)
	}
	f.want("/log", f.provisioner, 200)
	close(stop)
	for range 2 {
		if status := <-ended; status != http.StatusOK {
			t.Errorf("one that waited for its turn gets %d", status)
		}
	}
	if got := fmt.Sprint(database.reads.Load()); got != "3" {
		t.Errorf("the log was read %s times for three requests", got)
	}
}
