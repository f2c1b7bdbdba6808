package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/tenantry/tenantry/internal/panicked"
)

// controller-runtime recovers what a reconciler panics with and logs it, so nothing may be in it that no log may have.
func TestAReconcilerPanicsWithoutItsValue(t *testing.T) {
	t.Parallel()
	const secret = "the password of a database"
	exploding := reconcile.Func(func(context.Context, ctrl.Request) (ctrl.Result, error) { panic(secret) })
	defer func() {
		err, _ := recover().(error)
		var told *panicked.Error
		if !errors.As(err, &told) || told.Type != "string" || strings.Contains(err.Error(), secret) {
			t.Errorf("panicked with %v", err)
		}
	}()
	_, _ = discreet{exploding}.Reconcile(t.Context(), ctrl.Request{})
	t.Error("no panic")
}
