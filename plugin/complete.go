package plugin

import (
	"context"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// complete registers the completion of a flag, which must exist.
func complete(command *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := command.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // only a flag that is not there, or one that is completed already
	}
}

// completeTenants completes the name of a tenant where none was given.
func (s *session) completeTenants(command *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return s.names(func(ctx context.Context, c client.Client, namespace string) ([]string, error) {
		var tenants v1alpha1.ProvisioningTenantList
		err := c.List(ctx, &tenants, client.InNamespace(namespace))
		var names []string
		for i := range tenants.Items {
			names = append(names, tenants.Items[i].Name)
		}
		return names, err
	}, command)
}

// completeMoreTenants completes the names of tenants that were not given yet.
func (s *session) completeMoreTenants(command *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	names, directive := s.completeTenants(command, nil, word)
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(args, name) }), directive
}

func (s *session) completeNamespaces(command *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return s.names(func(ctx context.Context, c client.Client, _ string) ([]string, error) {
		var namespaces corev1.NamespaceList
		err := c.List(ctx, &namespaces)
		var names []string
		for i := range namespaces.Items {
			names = append(names, namespaces.Items[i].Name)
		}
		return names, err
	}, command)
}

// completeCredentials completes --credential with those of the tenant that was named and fit.
func (s *session) completeCredentials(fit func(key string) bool) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) != 1 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return s.names(func(ctx context.Context, c client.Client, namespace string) ([]string, error) {
			tenant, err := getTenant(ctx, c, namespace, args[0])
			if err != nil {
				return nil, err
			}
			return slices.DeleteFunc(credentialKeys(tenant), func(key string) bool { return !fit(key) }), nil
		}, command)
	}
}

// names answers a completion. The shell has no use for an error, so there is none.
func (s *session) names(list func(context.Context, client.Client, string) ([]string, error), command *cobra.Command) (
	[]cobra.Completion, cobra.ShellCompDirective,
) {
	c, namespace, err := s.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names, err := list(command.Context(), c, namespace)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
