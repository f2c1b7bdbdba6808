package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/openapi"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/config/crd"
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
			if key != (client.ObjectKey{Namespace: "operators", Name: v1alpha1.LeaderLease}) {
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
	for name, namespaces := range map[string][]string{"of the cluster": {metav1.NamespaceAll}, "of two namespaces": {"a", "b"}} {
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

func TestACheckNamesTheRightsThatTheOperatorLacks(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		namespaces []string
		metrics    bool
		refuse     func(authorizationv1.ResourceAttributes) bool
		want       []string
	}{
		"none": {namespaces: []string{metav1.NamespaceAll}, metrics: true, refuse: func(authorizationv1.ResourceAttributes) bool { return false }},
		"on the Leases of hosts": {
			namespaces: []string{metav1.NamespaceAll},
			refuse: func(r authorizationv1.ResourceAttributes) bool {
				return r.Resource == "leases" && r.Namespace == "operators" && (r.Verb == "watch" || r.Verb == "delete")
			},
			want: []string{"the operator lacks rights in namespace operators, which config/rbac/hosts.yaml grants: watch leases.coordination.k8s.io, delete leases.coordination.k8s.io"},
		},
		"on the lease of the leader": {
			namespaces: []string{metav1.NamespaceAll},
			refuse: func(r authorizationv1.ResourceAttributes) bool {
				return r.Name == v1alpha1.LeaderLease && r.Verb == "update"
			},
			want: []string{"the operator lacks rights in namespace operators, which config/rbac/leader_election.yaml grants: update leases.coordination.k8s.io " + v1alpha1.LeaderLease},
		},
		"in one of two namespaces": {
			namespaces: []string{"a", "b"},
			refuse: func(r authorizationv1.ResourceAttributes) bool {
				return r.Namespace == "b" && (r.Resource == "pods" || r.Subresource == "finalizers")
			},
			want: []string{"the operator lacks rights in namespace b, which config/rbac/role.yaml grants: list pods, update provisioningtenants/finalizers.provisioning.tenantry.dev"},
		},
		"on the cluster": {
			namespaces: []string{metav1.NamespaceAll}, metrics: true,
			refuse: func(r authorizationv1.ResourceAttributes) bool {
				return r.Resource == "tokenreviews" || r.Resource == "ingresses" && r.Verb == "patch"
			},
			want: []string{
				"the operator lacks rights on the cluster, which config/rbac/role.yaml grants: patch ingresses.networking.k8s.io",
				"the operator lacks rights on the cluster, which config/rbac/metrics.yaml grants: create tokenreviews.authentication.k8s.io",
			},
		},
		"of which it has no need": {
			namespaces: []string{metav1.NamespaceAll},
			refuse:     func(r authorizationv1.ResourceAttributes) bool { return r.Resource == "tokenreviews" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
				Create: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
					review, _ := object.(*authorizationv1.SelfSubjectAccessReview)
					review.Status.Allowed = !test.refuse(*review.Spec.ResourceAttributes)
					return nil
				},
			}).Build()
			got := ""
			if err := checkRights(t.Context(), c, test.namespaces, "operators", test.metrics); err != nil {
				got = err.Error()
			}
			if want := strings.Join(test.want, "\n"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// olderSchemas are those of an API server whose CRDs have nothing but a status.
type olderSchemas struct{}

func (olderSchemas) PathsWithContext(context.Context) (map[string]openapi.GroupVersionWithContext, error) {
	return map[string]openapi.GroupVersionWithContext{"apis/" + v1alpha1.SchemeGroupVersion.String(): olderSchemas{}}, nil
}

func (olderSchemas) ServerRelativeURL() string { return "" }

func (olderSchemas) SchemaWithContext(context.Context, string) ([]byte, error) {
	return []byte(`{"components": {"schemas": {"UserDefaults": {
		"properties": {"apiVersion": {}, "kind": {}, "metadata": {}, "status": {"x-kubernetes-preserve-unknown-fields": true}},
		"x-kubernetes-group-version-kind": [{"group": "provisioning.tenantry.dev", "version": "v1alpha1", "kind": "UserDefaults"}]}}}}`), nil
}

func TestACheckNamesTheCRDsThatAreOlder(t *testing.T) {
	t.Parallel()
	const want = "the CRD userdefaults.provisioning.tenantry.dev of the cluster is older than this operator, so the API server drops spec: " +
		"kubectl apply --server-side -f config/crd/bases/provisioning.tenantry.dev_userdefaults.yaml of this version"
	if err := checkCRDs(t.Context(), &crd.Follower{API: olderSchemas{}}); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func noLease() error {
	return apierrors.NewNotFound(schema.GroupResource{Group: coordinationv1.GroupName, Resource: "leases"}, v1alpha1.LeaderLease)
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
