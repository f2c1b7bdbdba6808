package controllers

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/exposure"
)

// Gateways, their ListenerSets and their classes are the platform's. An operator that serves single namespaces has no right to read those
// of others.
//
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=gateways;gatewayclasses;listenersets,verbs=get

// gatewayClasses remembers for a while which controller a Gateway has. A controller that was taken away leaves its entries in the
// status of every route, and only the Gateway's class tells that they count for nothing.
type gatewayClasses struct {
	live   client.Reader
	recent recent[v1alpha1.GatewayReference, exposure.Gateway]
}

// of looks the Gateway or ListenerSet up.
func (g *gatewayClasses) of(ctx context.Context, reference v1alpha1.GatewayReference) (exposure.Gateway, error) {
	reference.SectionName, reference.Port = "", 0
	return g.recent.of(reference, func() (exposure.Gateway, error) {
		key := client.ObjectKey{Namespace: reference.Namespace, Name: reference.Name}
		if reference.Kind == v1alpha1.KindListenerSet {
			return g.readSet(ctx, key)
		}
		return g.read(ctx, key)
	})
}

// readSet reads a ListenerSet and the Gateway that it adds to.
func (g *gatewayClasses) readSet(ctx context.Context, key client.ObjectKey) (exposure.Gateway, error) {
	var set gatewayv1.ListenerSet
	err := g.live.Get(ctx, key, &set)
	switch {
	case meta.IsNoMatchError(err):
		return exposure.Gateway{Unknown: true}, nil
	case apierrors.IsNotFound(err):
		return exposure.Gateway{Missing: true}, nil
	case apierrors.IsForbidden(err):
		return exposure.Gateway{}, nil
	case err != nil:
		return exposure.Gateway{}, fmt.Errorf("get ListenerSet %s: %w", key, err)
	}
	parent := set.Spec.ParentRef
	state, err := g.read(ctx, client.ObjectKey{
		Namespace: string(ptr.Deref(parent.Namespace, gatewayv1.Namespace(key.Namespace))), Name: string(parent.Name),
	})
	state.Refused = exposure.RefusalOf(&set)
	return state, err
}

func (g *gatewayClasses) read(ctx context.Context, key client.ObjectKey) (exposure.Gateway, error) {
	var gateway gatewayv1.Gateway
	err := g.live.Get(ctx, key, &gateway)
	switch {
	case apierrors.IsNotFound(err):
		return exposure.Gateway{Missing: true}, nil
	case apierrors.IsForbidden(err), meta.IsNoMatchError(err):
		return exposure.Gateway{}, nil
	case err != nil:
		return exposure.Gateway{}, fmt.Errorf("get Gateway %s: %w", key, err)
	}
	var class gatewayv1.GatewayClass
	err = g.live.Get(ctx, client.ObjectKey{Name: string(gateway.Spec.GatewayClassName)}, &class)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err), meta.IsNoMatchError(err):
		return exposure.Gateway{}, nil
	case err != nil:
		return exposure.Gateway{}, fmt.Errorf("get the class of Gateway %s: %w", key, err)
	}
	return exposure.Gateway{Controller: string(class.Spec.ControllerName)}, nil
}
