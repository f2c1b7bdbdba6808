package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// defaultClassManager is the field manager of the class that the operator is given. It is not the operator's own: what that applied is the tenants'.
	defaultClassManager = "tenantry-default-class"
	// retryDefaultClass is when it is tried again to make it.
	retryDefaultClass = 5 * time.Second
)

// defaultClass makes the class that the operator is given, such as that of the values of its chart. Helm cannot make it: it asks the API server for the
// kinds of all objects of a release before it makes the first, and the CRD is one of them.
type defaultClass struct {
	*tenantClasses
	client client.Client
	class  *unstructured.Unstructured
	every  time.Duration
	log    logr.Logger
}

// Start makes the class before it is looked which classes there are: no tenant is to be judged without it.
func (d *defaultClass) Start(ctx context.Context) error {
	d.begin(ctx)
	return d.tenantClasses.Start(ctx)
}

// begin makes the class. It goes on trying in the background where that cannot be done now.
func (d *defaultClass) begin(ctx context.Context) {
	if d.class == nil || d.done(ctx) {
		return
	}
	go func() {
		_ = wait.PollUntilContextCancel(ctx, d.every, false, func(ctx context.Context) (bool, error) { return d.done(ctx), nil })
	}()
}

// done applies the class, and tells whether nothing is left to be tried. It takes no field from somebody else, who decided otherwise since.
func (d *defaultClass) done(ctx context.Context) bool {
	err := d.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(d.class.DeepCopy()), client.FieldOwner(defaultClassManager))
	name := d.class.GetName()
	switch {
	case err == nil:
		d.log.Info("The class that the operator was given is as it was given", "class", name)
		return true
	case ctx.Err() != nil:
		return true
	case apierrors.IsConflict(err):
		d.log.Error(err, "Somebody else has changed the class that the operator was given, so it stays as it is: give the operator the same, or delete "+
			"the class and restart the operator", "class", name)
		return true
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		d.log.Error(err, "The API server refuses the class that the operator was given: correct it, as in the value defaultClass of the chart", "class", name)
		return true
	default:
		d.log.Error(fmt.Errorf("apply the class: %w", err), "Cannot make the class that the operator was given; it is tried again", "class", name)
		return false
	}
}
