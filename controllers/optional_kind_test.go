package controllers

import (
	"context"
	"errors"
	"testing"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	fakediscovery "k8s.io/client-go/discovery/fake"
	clienttesting "k8s.io/client-go/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// readingManager is a manager of which only the reader past the cache is asked for. Lists fail with its error.
type readingManager struct {
	ctrl.Manager
	client.Reader
	fails error
}

func (m readingManager) GetAPIReader() client.Reader { return m }

func (m readingManager) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return m.fails
}

func TestAKindThatTheClusterLacksOrKeepsFromTheOperatorIsDoneWithout(t *testing.T) {
	t.Parallel()
	group := v1alpha1.SchemeGroupVersion.WithKind("ProvisioningTenantClass")
	having := func(kinds ...string) []*metav1.APIResourceList {
		list := &metav1.APIResourceList{GroupVersion: group.GroupVersion().String()}
		for _, kind := range kinds {
			list.APIResources = append(list.APIResources, metav1.APIResource{Kind: kind})
		}
		return []*metav1.APIResourceList{list}
	}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "provisioningtenantclasses"}, "", errors.New("no"))
	for name, test := range map[string]struct {
		resources []*metav1.APIResourceList
		fails     error
		known     bool // whether it is known afterwards which objects there are: none
	}{
		"a cluster without the group":        {nil, nil, true},
		"a cluster of an older version":      {having("ProvisioningTenant"), nil, true},
		"an operator that may not list them": {having("ProvisioningTenantClass"), forbidden, true},
		"an API server that fails":           {having("ProvisioningTenantClass"), errors.New("away"), false},
	} {
		known := &fakediscovery.FakeDiscovery{Fake: &clienttesting.Fake{Resources: test.resources}}
		classes := &tenantClasses{optionalKind{
			mgr: readingManager{fails: test.fails}, kind: group, list: &v1alpha1.ProvisioningTenantClassList{}, log: logr.Discard(),
			changed: func(context.Context) error { t.Errorf("%s: tenants are looked at again", name); return nil },
		}}
		err := classes.look(t.Context(), known)
		if (err == nil) != test.known || classes.known() != test.known || classes.objects() != nil {
			t.Errorf("%s: %v, known: %v", name, err, classes.known())
		}
	}
	if !(*tenantClasses)(nil).known() {
		t.Error("without a follower nothing is known")
	}
}
