package plugin

import (
	"context"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Forward makes a port of a pod reachable for as long as ctx lives, and returns the address.
type Forward func(ctx context.Context, config *rest.Config, pod client.ObjectKey, port int) (string, error)
