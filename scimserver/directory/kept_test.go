package directory_test

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/tenantry/tenantry/test/race"
)

func TestReplicasThatChangeWhatIsKeptAtOnceLoseNothing(t *testing.T) {
	race.Meets(t)
	w := newWorld(t)
	var replicas sync.WaitGroup
	for range 8 {
		replica := w.replica()
		replicas.Go(func() {
			if err := replica.ChangeKept(t.Context(), []string{"count", "other"}, func(values []string) error {
				count, _ := strconv.Atoi(values[0])
				values[0] = strconv.Itoa(count + 1)
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	if kept, err := w.replica().Kept(t.Context(), "other", "count"); err != nil || !slices.Equal(kept, []string{"", "8"}) {
		t.Errorf("kept is %q (%v)", kept, err)
	}
}

func TestAChangeThatFailsKeepsWhatWasKept(t *testing.T) {
	w := newWorld(t)
	give := func(to string, failure error) error {
		return w.ChangeKept(t.Context(), []string{"one"}, func(values []string) error {
			values[0] = to
			return failure
		})
	}
	if err := give("first", nil); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("no")
	if err := give("second", refused); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	if kept, err := w.Kept(t.Context(), "one"); err != nil || kept[0] != "first" {
		t.Errorf("kept is %q (%v)", kept, err)
	}
}
