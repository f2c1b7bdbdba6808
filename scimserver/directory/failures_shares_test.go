package directory_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
)

// refused is what a reader's attempt to delete somebody leaves.
func refused(reader string, n int) directory.Failure {
	return directory.Failure{
		Caller: directory.Caller{Client: reader, RequestID: fmt.Sprint(reader, n)}, Kind: store.User, ID: id(n),
		Operation: directory.OperationDelete, Outcome: directory.OutcomeForbidden,
	}
}

// told reports whether the log has the failure, with who, what and which request.
func (b *logbook) told(f directory.Failure) bool {
	b.Helper()
	for _, e := range b.entries() {
		if e.Client == f.Caller.Client && e.RequestID == f.Caller.RequestID && e.ResourceID == f.ID {
			return true
		}
	}
	return false
}

// requests are how many the entries of a client stand for.
func (b *logbook) requests(client string) (rows int, requests int64) {
	b.Helper()
	for _, e := range b.entries() {
		if e.Client == client {
			rows++
			requests += e.Count
		}
	}
	return rows, requests
}

func TestNoReaderHidesWhatFailsForTheProvisioningClient(t *testing.T) {
	for name, readers := range map[string]int{"one reader": 1, "all that a tenant can have": 32} {
		b := newLogbook(t)
		for second := range 120 {
			for reader := range readers {
				for n := range 160 / readers {
					b.Failed(refused(fmt.Sprint("reader-", reader), second*1000+n))
				}
			}
			if second%10 == 0 {
				b.Failed(notFound(second))
			}
			b.now = b.now.Add(time.Second)
			b.write()
			if second%10 == 0 && !b.told(notFound(second)) {
				t.Fatalf("%s: second %d: what failed for the provisioning client is not in the log", name, second)
			}
		}
		for range 10 {
			b.now = b.now.Add(time.Hour)
			b.write()
		}
		rows, requests := 0, int64(0)
		for reader := range readers {
			r, n := b.requests(fmt.Sprint("reader-", reader))
			if rows, requests = rows+r, requests+n; r > 10+2+2*(10+1) {
				t.Errorf("%s: %d entries of one, want ten at once and one a minute, and what waited", name, r)
			}
		}
		if requests != 120*int64(readers*(160/readers)) || rows > 100+20+32*11 {
			t.Errorf("%s: %d entries stand for %d requests", name, rows, requests)
		}
	}
}

func TestNoClientHidesWhatFailsForAnother(t *testing.T) {
	b := newLogbook(t)
	another := notFound(1)
	another.Caller.Client = "token-2"
	for n := range 1000 {
		b.Failed(notFound(1000 + n))
	}
	b.Failed(another)
	b.write()
	if !b.told(another) {
		t.Error("what failed for another client is not in the log")
	}
	if rows, _ := b.requests("token-1"); rows != 100 {
		t.Errorf("%d entries of a client that does nothing but fail, want 100", rows)
	}
	b.now = b.now.Add(time.Minute)
	b.write()
	if _, requests := b.requests("token-1"); requests != 1000 {
		t.Errorf("its entries stand for %d requests, want 1000: they are not somebody else's", requests)
	}
}

// Memory and log are bounded however many clients fail, and every request is counted.
func TestThereIsAnEndToWhatFailuresTake(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 3))
	b := newLogbook(t)
	const minutes = 2
	total := int64(0)
	for second := range minutes * 60 {
		for range 300 {
			failure := notFound(random.IntN(100_000))
			failure.Caller.Client = fmt.Sprint("client-", random.IntN(500))
			failure.Kind = []store.Kind{store.User, store.Group}[random.IntN(2)]
			failure.Outcome = []string{"notFound", "invalidValue", directory.OutcomeForbidden}[random.IntN(3)]
			b.Failed(failure)
			total++
		}
		b.now = b.now.Add(time.Second)
		b.write()
		if waiting, clients := b.WaitingFailures(); waiting > 66*(100+2*2) || clients > 66 {
			t.Fatalf("second %d: %d rows wait, of %d clients", second, waiting, clients)
		}
	}
	if got, most := len(b.entries()), 400+minutes*40+100+minutes*10; got > most {
		t.Errorf("%d entries in %d minutes, want at most %d", got, minutes, most)
	}
	for range 30 {
		b.now = b.now.Add(time.Hour)
		b.write()
	}
	var requests int64
	for _, e := range b.entries() {
		requests += e.Count
	}
	if requests != total {
		t.Errorf("the entries stand for %d requests, want %d", requests, total)
	}
	b.Failed(notFound(1))
	if waiting, clients := b.WaitingFailures(); waiting != 1 || clients > 66 {
		t.Errorf("%d rows wait, of %d clients", waiting, clients)
	}
}
