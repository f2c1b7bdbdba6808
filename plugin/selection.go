package plugin

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// selection is which tenants a command is about: those that are named, or those that the flags select.
type selection struct {
	everywhere bool
	labels     string
}

func (x *selection) flags(command *cobra.Command) {
	command.Flags().BoolVarP(&x.everywhere, "all-namespaces", "A", false, "the tenants of all namespaces")
	command.Flags().StringVarP(&x.labels, "selector", "l", "", "the tenants with these `labels` only, such as stage=test")
}

// options are what lists the tenants of a namespace that are selected.
func (x *selection) options(command *cobra.Command, namespace string) ([]client.ListOption, error) {
	selector, err := labels.Parse(x.labels)
	if err != nil {
		return nil, usage(command, "--selector: %s", err)
	}
	which := []client.ListOption{client.MatchingLabelsSelector{Selector: selector}}
	if !x.everywhere {
		which = append(which, client.InNamespace(namespace))
	}
	return which, nil
}

// none is what stands behind "there is no" where no tenant is selected.
func (x *selection) none(namespace string) string {
	text := "tenant"
	if x.labels != "" {
		text += " with labels " + x.labels
	}
	if x.everywhere {
		return text + "."
	}
	return fmt.Sprintf("%s in namespace %q; -A lists those of all namespaces.", text, namespace)
}

// check refuses a command line with names and a selection, or with neither.
func (x *selection) check(command *cobra.Command, names []string) error {
	_, err := x.options(command, "")
	switch selected := x.everywhere || x.labels != ""; {
	case err != nil:
		return err
	case selected && len(names) > 0:
		return usage(command, "%s takes names of tenants or --selector and --all-namespaces, not both", command.CommandPath())
	case !selected && len(names) == 0:
		return usage(command, "%s takes the names of tenants, or --selector", command.CommandPath())
	default:
		return nil
	}
}

// selected reads the tenants of those names, or those that are selected, of which there must be one.
func (s *session) selected(ctx context.Context, command *cobra.Command, x *selection, names []string) (client.Client, []v1alpha1.ProvisioningTenant, error) {
	if err := x.check(command, names); err != nil {
		return nil, nil, err
	}
	c, namespace, err := s.connect()
	if err != nil {
		return nil, nil, err
	}
	var tenants v1alpha1.ProvisioningTenantList
	for _, name := range names {
		tenant, err := getTenant(ctx, c, namespace, name)
		if err != nil {
			return nil, nil, err
		}
		tenants.Items = append(tenants.Items, *tenant)
	}
	if len(names) > 0 {
		return c, tenants.Items, nil
	}
	which, err := x.options(command, namespace)
	if err != nil {
		return nil, nil, err
	}
	if err := c.List(ctx, &tenants, which...); err != nil {
		return nil, nil, explain(err)
	}
	if len(tenants.Items) == 0 {
		return nil, nil, errors.New("there is no " + x.none(namespace))
	}
	return c, tenants.Items, nil
}
