package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/controllers/hosts"
)

// recheckHosts is how long the labels of a namespace count, and when a tenant asks again whose host no rule allows, where the
// options do not say.
const recheckHosts = 30 * time.Second

// namespaceLabels remembers the labels of namespaces for a while. The operator has no right to watch namespaces: with a Role in a
// namespace it may get that one alone.
type namespaceLabels struct {
	live   client.Reader
	recent recent[string, labels.Set]
}

func (n *namespaceLabels) of(ctx context.Context, name string) (labels.Set, error) {
	return n.recent.of(name, func() (labels.Set, error) {
		namespace := &metav1.PartialObjectMetadata{}
		namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
		if err := n.live.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
			return nil, fmt.Errorf("read the labels of namespace %q: %w", name, err)
		}
		return namespace.Labels, nil
	})
}

// allowedHosts are the patterns of the hosts that the tenant may claim; every host where there are no rules.
func (r *ProvisioningTenantReconciler) allowedHosts(ctx context.Context, tenant client.ObjectKey) ([]string, error) {
	if len(r.Options.HostRules) == 0 {
		return []string{"*"}, nil
	}
	of, err := r.namespaces.of(ctx, tenant.Namespace)
	if err != nil {
		return nil, err
	}
	return hosts.Patterns(r.Options.HostRules, tenant, of), nil
}
