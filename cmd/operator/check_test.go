package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers"
)

// patience is how many looks at the lease a check gets.
const patience = 10

// checked runs checkCluster against a cluster in which every look at the lease sees what lease makes of it.
func checked(t *testing.T, namespaces []string, lease func(look int, lease *coordinationv1.Lease) error, forbidden string) error {
	t.Helper()
	scheme, err := controllers.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	looks := 0
	c := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
			if key != (client.ObjectKey{Namespace: "operators", Name: leaderElectionID}) {
				t.Errorf("looked at %s", key)
			}
			if looks++; looks == patience {
				cancel()
			}
			into, _ := object.(*coordinationv1.Lease)
			return lease(looks, into)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			asked := (&client.ListOptions{}).ApplyOptions(options)
			if forbidden != "" && asked.Namespace == forbidden {
				return apierrors.NewForbidden(schema.GroupResource{Group: v1alpha1.GroupName, Resource: "userdefaults"}, "", errors.New("no"))
			}
			return c.List(ctx, list, options...)
		},
	}).Build()
	return checkCluster(ctx, c, namespaces, "operators", time.Millisecond)
}

func heldAt(second int) func(int, *coordinationv1.Lease) error {
	return func(_ int, lease *coordinationv1.Lease) error {
		lease.Spec.HolderIdentity = new("one")
		lease.Spec.RenewTime = &metav1.MicroTime{Time: time.Unix(int64(second), 0)}
		return nil
	}
}

// renewed is renewed between the second look and the third.
func renewed(look int, lease *coordinationv1.Lease) error {
	return heldAt(look/3)(look, lease)
}

func TestACheckPassesWhileAnOperatorLeadsAndMayReadItsTenants(t *testing.T) {
	for name, namespaces := range map[string][]string{"of the cluster": nil, "of two namespaces": {"a", "b"}} {
		t.Run(name, func(t *testing.T) {
			if err := checked(t, namespaces, renewed, ""); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestACheckFailsWithWhatIsMissing(t *testing.T) {
	for name, test := range map[string]struct {
		lease     func(int, *coordinationv1.Lease) error
		forbidden string
		want      string
	}{
		"nobody leads":               {func(int, *coordinationv1.Lease) error { return nil }, "", "wait until an operator renews the lease"},
		"the leader is gone":         {heldAt(7), "", "wait until an operator renews the lease"},
		"there is no lease":          {func(int, *coordinationv1.Lease) error { return noLease() }, "", "wait until an operator renews the lease"},
		"the lease cannot be read":   {func(int, *coordinationv1.Lease) error { return errors.New("broken") }, "", "broken"},
		"a namespace cannot be read": {renewed, "b", `read what the operator follows in namespace "b"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := checked(t, []string{"a", "b"}, test.lease, test.forbidden)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func noLease() error {
	return apierrors.NewNotFound(schema.GroupResource{Group: coordinationv1.GroupName, Resource: "leases"}, leaderElectionID)
}

func TestACheckNeedsTheNamespaceOfTheLease(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"none":        {[]string{"check"}, "name the namespace of the lease with --lease-namespace"},
		"an argument": {[]string{"check", "x"}, `unexpected argument "x"; see check --help`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), test.args); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
