package directory_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

func TestASecretIsMadeOnceForAllReplicas(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	if found, err := w.Secret(t.Context(), "key", nil); err != nil || found != nil {
		t.Fatalf("looking for a secret found %v, %v", found, err)
	}
	var replicas sync.WaitGroup
	made := make([][]byte, 8)
	for i := range made {
		replica := w.replica()
		replicas.Go(func() {
			var err error
			if made[i], err = replica.Secret(t.Context(), "key", bytes.Repeat([]byte{byte(i + 1)}, 32)); err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	for _, one := range made {
		if len(one) != 32 || !bytes.Equal(one, made[0]) {
			t.Fatalf("the replicas have different secrets: %v", made)
		}
	}
	if found, err := w.replica().Secret(t.Context(), "key", nil); err != nil || !bytes.Equal(found, made[0]) {
		t.Errorf("the next start finds another secret, or none (%v)", err)
	}
}

func TestASecretIsReadHoweverItWasStored(t *testing.T) {
	w := newWorld(t)
	keep := func(value string) {
		t.Helper()
		if err := w.store.Update(t.Context(), func(tx store.Tx) error { return tx.SetMeta(t.Context(), "key", value) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, stored := range []string{"c2hvcnQ", "c2hvcnQ="} { // as the signing key was, and as the cursors' key is
		keep(stored)
		if found, err := w.Secret(t.Context(), "key", []byte("another")); err != nil || string(found) != "short" {
			t.Errorf("%s is %q, %v", stored, found, err)
		}
	}
	keep("no base64!")
	if _, err := w.Secret(t.Context(), "key", []byte("another")); err == nil || strings.Contains(err.Error(), "no base64!") ||
		!strings.Contains(err.Error(), "secret key is damaged: delete it from the store's metadata and a new one is made") {
		t.Errorf("a damaged secret: %v", err)
	}
}
