package plugin

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
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

// completeDescribed completes what describe can be asked about: tenants, and behind the name of another kind and a slash those of that kind.
func (s *session) completeDescribed(command *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	kind, _, typed := strings.Cut(word, "/")
	if !typed || len(args) > 0 {
		return s.completeTenants(command, args, word)
	}
	asked, _, err := subject(command, []string{kind + "/any"})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return s.names(func(ctx context.Context, c client.Client, namespace string) ([]string, error) {
		list := map[string]client.ObjectList{
			tenantKind: &v1alpha1.ProvisioningTenantList{}, defaultsKind: &v1alpha1.UserDefaultsList{}, classKind: &v1alpha1.ProvisioningTenantClassList{},
		}[asked]
		var where []client.ListOption
		if asked != classKind {
			where = append(where, client.InNamespace(namespace))
		}
		if err := c.List(ctx, list, where...); err != nil {
			return nil, err
		}
		var names []string
		err := meta.EachListItem(list, func(object runtime.Object) error {
			named, err := meta.Accessor(object)
			if err == nil {
				names = append(names, kind+"/"+named.GetName())
			}
			return err
		})
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
