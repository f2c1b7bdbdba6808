package controllers

import (
	"context"
	"errors"
	"testing"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/classes"
)

// The class that the operator is given is tried again where that may help, and nowhere else: a person or another value of the chart must help there.
func TestTheClassOfTheOperatorIsTriedAgainWhereThatMayHelp(t *testing.T) {
	t.Parallel()
	class, err := classes.Read("{metadata: {name: standard}, spec: {bounds: {server: {annotationPrefixes: []}}}}")
	if err != nil {
		t.Fatal(err)
	}
	resource := schema.GroupResource{Group: v1alpha1.GroupName, Resource: "provisioningtenantclasses"}
	for name, test := range map[string]struct {
		err  error
		done bool
	}{
		"it is made":              {nil, true},
		"a person has changed it": {apierrors.NewConflict(resource, "standard", errors.New("1 conflict")), true},
		"it cannot be":            {apierrors.NewInvalid(schema.GroupKind{}, "standard", nil), true},
		"the kind is not known":   {&meta.NoKindMatchError{}, false},
		"a right is missing":      {apierrors.NewForbidden(resource, "standard", errors.New("no")), false},
		"the API server is away":  {errors.New("connection refused"), false},
	} {
		applied := 0
		c := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
			Apply: func(_ context.Context, _ client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
				applied++
				o := (&client.ApplyOptions{}).ApplyOptions(options)
				if o.FieldManager != defaultClassManager || o.Force != nil && *o.Force {
					t.Errorf("%s: it is applied by %s, and by force: %v", name, o.FieldManager, o.Force)
				}
				return test.err
			},
		}).Build()
		d := defaultClass{client: c, class: class, every: retryDefaultClass, log: logr.Discard()}
		if done := d.done(t.Context()); done != test.done || applied != 1 {
			t.Errorf("%s: done is %t after %d tries, want %t after one", name, done, applied, test.done)
		}
	}
}
