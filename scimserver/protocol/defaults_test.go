package protocol_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/test/race"
)

// follower is a replica that follows defaults, and looks again when it is told to.
type follower struct {
	*directory.Directory

	again chan time.Time
}

func speaking(t *testing.T, generation int64, language string) []*directory.Defaults {
	t.Helper()
	defaults, err := directory.NewDefaults(&v1alpha1.UserDefaults{
		ObjectMeta: metav1.ObjectMeta{Name: "all", Generation: generation},
		Spec:       v1alpha1.UserDefaultsSpec{Apply: v1alpha1.ApplyAlways, Companies: []string{"Contoso AB"}, Locale: language},
	}, v1alpha1.Catalog{Companies: []string{"Contoso AB"}}, schema.User())
	if err != nil {
		t.Fatal(err)
	}
	return []*directory.Defaults{defaults}
}

// Replicas hear of new defaults one after the other, while each creates users by those that it knows.
func TestReplicasThatFollowNewDefaultsTogetherLeaveNoUserBehind(t *testing.T) {
	race.Meets(t)
	const each = 120
	f := newFixture(t)
	ctx, stop := context.WithCancel(t.Context())
	before, after := speaking(t, 1, "sv-SE"), speaking(t, 2, "fi-FI")
	replicas, ended := make([]follower, 3), make(chan error, 3)
	for i := range replicas {
		d := f.directory
		if i > 0 {
			d = directory.New(directory.Options{Store: f.openReplica(), Now: f.clock})
		}
		d.SetDefaults(before)
		replicas[i] = follower{d, make(chan time.Time)}
		go func() { ended <- d.Follow(ctx, replicas[i].again) }()
	}
	together(len(replicas), func(replica int) {
		for n := range each {
			if n == each/3 {
				replicas[replica].SetDefaults(after)
			}
			arrived := schema.Object{"userName": fmt.Sprintf("user%d.%d", replica, n)}
			if _, err := replicas[replica].Create(t.Context(), directory.Caller{Client: "test"}, store.User, arrived); err != nil {
				t.Error(err)
			}
		}
	})
	there := func() bool {
		for _, replica := range replicas {
			status, err := replica.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if count := status.Defaults[0]; status.DefaultsPending > 0 || count.Generation != 2 || count.PendingGeneration != 0 {
				return false
			}
		}
		return true
	}
	for look := 0; look < 20 && !there(); look++ {
		for _, replica := range replicas {
			select {
			case replica.again <- time.Time{}:
			case err := <-ended:
				t.Fatal(err)
			}
		}
	}
	stop()
	for range replicas {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if !there() {
		t.Error("the new defaults were never followed")
	}
	if got := f.field(f.expect("GET", `/Users?filter=locale eq "fi-FI"&count=0`, "", http.StatusOK, ""), "totalResults"); got != float64(3*each) {
		t.Errorf("%v users have the new value, want %d", got, 3*each)
	}
}
