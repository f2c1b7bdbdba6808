package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

func inDatabase(t *v1alpha1.ProvisioningTenant) {
	t.Spec.Storage.Type = v1alpha1.StoragePostgreSQL
	t.Spec.Storage.PostgreSQL = &v1alpha1.PostgreSQLStorage{
		ConnectionSecretRef: v1alpha1.ConnectionSecretReference{Name: "contoso-database", Key: "url"}, Port: 5432,
	}
}

func connectionSecret() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso-database"}, Data: map[string][]byte{"url": []byte("postgres://")}}
}

// edit changes the spec as a person does.
func (s *simulated) edit(change func(*v1alpha1.ProvisioningTenant)) {
	s.Helper()
	tenant := s.tenant()
	change(tenant)
	tenant.Generation++
	s.must(s.WithWatch.Update(s.Context(), tenant))
}

// server returns the Deployment, and whether it works with a database.
func (s *simulated) server() (deployment *appsv1.Deployment, database bool) {
	s.Helper()
	deployment = &appsv1.Deployment{}
	if s.WithWatch.Get(s.Context(), client.ObjectKey{Namespace: "customers", Name: "contoso-scim"}, deployment) != nil {
		return nil, false
	}
	return deployment, slices.ContainsFunc(deployment.Spec.Template.Spec.Containers[0].Args, func(arg string) bool {
		return strings.HasPrefix(arg, "--database-schema=")
	})
}

// lookAtMove asserts what must be true whenever somebody looks: there is one directory, and no server works with the other.
func (s *simulated) lookAtMove() {
	s.Helper()
	deployment, database := s.server()
	var claim corev1.PersistentVolumeClaim
	if deployment == nil || s.WithWatch.Get(s.Context(), client.ObjectKey{Namespace: "customers", Name: "contoso-data"}, &claim) != nil {
		return
	}
	var job batchv1.Job
	copies := s.WithWatch.Get(s.Context(), client.ObjectKey{Namespace: "customers", Name: "contoso-move"}, &job) == nil && len(job.Status.Conditions) == 0
	marked, runs := claim.Annotations[desired.AnnotationMovedTo] != "", ptr.Deref(deployment.Spec.Replicas, 1) > 0
	switch {
	case runs && database && !marked:
		s.Error("a server works with the database before the directory is there")
	case runs && !database && marked:
		s.Error("a server works with the volume after the directory moved")
	case runs && copies:
		s.Error("a server runs while its directory is copied")
	}
}

// bug class 1: a crash between two writes, here with a directory that must neither be lost nor be in two places.
func TestWhateverGoesWrongWhileADirectoryMovesTheEndIsTheSame(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		move     batchv1.JobConditionType
		storage  string
		database bool
	}{
		{batchv1.JobComplete, v1alpha1.ReasonInEffect, true},
		{batchv1.JobFailed, v1alpha1.ReasonMoveFailed, false},
	} {
		t.Run(string(test.move), func(t *testing.T) {
			t.Parallel()
			begun := func() *simulated {
				s := simulate(t, contoso(), connectionSecret())
				s.move = test.move
				s.settle()
				s.check()
				s.edit(inDatabase)
				return s
			}
			ended := func(s *simulated, when string) {
				t.Helper()
				s.settle()
				s.check()
				if c := meta.FindStatusCondition(s.tenant().Status.Conditions, v1alpha1.ConditionStorageInEffect); c.Reason != test.storage {
					t.Errorf("%s: StorageInEffect is %+v, want reason %s", when, c, test.storage)
				}
				if deployment, database := s.server(); database != test.database || ptr.Deref(deployment.Spec.Replicas, 1) != 1 {
					t.Errorf("%s: the server works with a database: %v, want %v; it has %d replicas", when, database, test.database, *deployment.Spec.Replicas)
				}
			}
			undisturbed := begun()
			before := undisturbed.writes
			ended(undisturbed, "undisturbed")
			want, writes := undisturbed.state(), undisturbed.writes-before
			if writes < 7 {
				t.Fatalf("only %d writes: this test would prove nothing", writes)
			}
			for _, kind := range faults {
				for at := 1; at <= writes; at++ {
					s := begun()
					s.fault, s.failAt = kind, s.writes+at
					when := fmt.Sprintf("after %s at write %d", kind, at)
					ended(s, when)
					if got := s.state(); got != want {
						t.Errorf("%s the end is another:\n%s\nwant\n%s", when, got, want)
					}
				}
			}
		})
	}
}

func TestATenantInADatabaseThatIsSettledCostsNothing(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso(inDatabase, func(t *v1alpha1.ProvisioningTenant) { t.Spec.Server.Replicas = ptr.To[int32](3) }), connectionSecret())
	s.settle()
	s.check()
	s.writes, s.liveReads = 0, 0
	if _, err := s.reconcile(); err != nil || s.writes != 0 || s.liveReads != 0 {
		t.Errorf("%d writes, %d live reads, error %v", s.writes, s.liveReads, err)
	}
}

// bug class 2: acting on an old cache. The old volume is deleted after the reconcile saw it and before it is applied.
func TestAVolumeThatADirectoryHasLeftIsNotMadeAgainWhileItIsBeingDeleted(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso(), connectionSecret())
	s.settle()
	s.edit(inDatabase)
	s.settle()
	s.check()
	before, deleted := s.WithWatch, false
	s.WithWatch = interceptor.NewClient(before, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			err := c.Get(ctx, key, o, opts...)
			if claim, isClaim := o.(*corev1.PersistentVolumeClaim); isClaim && err == nil && !deleted {
				deleted = true
				s.must(before.Delete(ctx, claim.DeepCopy()))
			}
			return err
		},
	})
	if _, err := s.reconcile(); err != nil || !deleted {
		t.Fatalf("deleted: %v, error %v", deleted, err)
	}
	err := before.Get(t.Context(), client.ObjectKey{Namespace: "customers", Name: "contoso-data"}, &corev1.PersistentVolumeClaim{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("the volume claim came back: %v", err)
	}
}
