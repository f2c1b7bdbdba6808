package controllers

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Gateways and their classes are the platform's. An operator that serves single namespaces has no right to read them.
//
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=gateways;gatewayclasses,verbs=get

// gatewayClasses remembers for a while which controller a Gateway has. A controller that was taken away leaves its entries in the
// status of every route, and only the Gateway's class tells that they count for nothing.
type gatewayClasses struct {
	live   client.Reader
	recent recent[client.ObjectKey, gatewayState]
}

// gatewayState is what is known of a Gateway.
type gatewayState struct {
	// controller that its class names; empty where that is not known.
	controller string
	// missing tells that there is no such Gateway.
	missing bool
}

// of looks the Gateway up.
func (g *gatewayClasses) of(ctx context.Context, reference v1alpha1.GatewayReference) (gatewayState, error) {
	key := client.ObjectKey{Namespace: reference.Namespace, Name: reference.Name}
	return g.recent.of(key, func() (gatewayState, error) { return g.read(ctx, key) })
}

func (g *gatewayClasses) read(ctx context.Context, key client.ObjectKey) (gatewayState, error) {
	var gateway gatewayv1.Gateway
	err := g.live.Get(ctx, key, &gateway)
	switch {
	case apierrors.IsNotFound(err):
		return gatewayState{missing: true}, nil
	case apierrors.IsForbidden(err), meta.IsNoMatchError(err):
		return gatewayState{}, nil
	case err != nil:
		return gatewayState{}, fmt.Errorf("get Gateway %s: %w", key, err)
	}
	var class gatewayv1.GatewayClass
	err = g.live.Get(ctx, client.ObjectKey{Name: string(gateway.Spec.GatewayClassName)}, &class)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err), meta.IsNoMatchError(err):
		return gatewayState{}, nil
	case err != nil:
		return gatewayState{}, fmt.Errorf("get the class of Gateway %s: %w", key, err)
	}
	return gatewayState{controller: string(class.Spec.ControllerName)}, nil
}
