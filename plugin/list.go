package plugin

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// nothing stands in a table where there is no value, as kubectl has it.
const nothing = "<none>"

func (s *session) list() *cobra.Command {
	var x selection
	var output string
	command := &cobra.Command{
		Use:   "list",
		Short: "List tenants, and whether each is ready",
		Example: `  # Those of the present namespace
  kubectl tenantry list

  # Those of all namespaces, with their tokens' fingerprints and last requests
  kubectl tenantry list -A -o wide

  # Those with a label
  kubectl tenantry list -l stage=test`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, _ []string) error {
			printer, err := s.tenantPrinter(command, output, x.everywhere)
			if err != nil {
				return err
			}
			if _, err := x.options(command, ""); err != nil {
				return err
			}
			c, namespace, err := s.connect()
			if err != nil {
				return err
			}
			which, err := x.options(command, namespace)
			if err != nil {
				return err
			}
			var tenants v1alpha1.ProvisioningTenantList
			if err := c.List(command.Context(), &tenants, which...); err != nil {
				return explain(err)
			}
			if len(tenants.Items) == 0 && (output == "table" || output == "wide") {
				fmt.Fprintln(s.ErrOut, "There is no "+x.none(namespace))
				return nil
			}
			return printer(&tenants)
		},
	}
	x.flags(command)
	command.Flags().StringVarP(&output, "output", "o", "table", "`format`: table, wide, json, yaml or name")
	complete(command, "output", cobra.FixedCompletions([]string{"table", "wide", "json", "yaml", "name"}, cobra.ShellCompDirectiveNoFileComp))
	return command
}

// tenantPrinter returns what writes tenants in a format.
func (s *session) tenantPrinter(command *cobra.Command, output string, namespaces bool) (func(*v1alpha1.ProvisioningTenantList) error, error) {
	switch output {
	case "table", "wide":
		printer := printers.NewTablePrinter(printers.PrintOptions{Wide: output == "wide", WithNamespace: namespaces})
		return func(tenants *v1alpha1.ProvisioningTenantList) error {
			return printer.PrintObj(tenantTable(tenants, s.Clock.Now()), s.Out)
		}, nil
	case "json", "yaml", "name":
		scheme, err := newScheme()
		if err != nil {
			return nil, err
		}
		flags := genericclioptions.NewPrintFlags("").WithDefaultOutput(output).WithTypeSetter(scheme)
		printer, err := flags.ToPrinter()
		if err != nil {
			return nil, err
		}
		return func(tenants *v1alpha1.ProvisioningTenantList) error {
			for i := range tenants.Items {
				tenants.Items[i].SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("ProvisioningTenant"))
			}
			if output != "name" {
				return printer.PrintObj(tenants, s.Out)
			}
			for i := range tenants.Items {
				if err := printer.PrintObj(&tenants.Items[i], s.Out); err != nil {
					return err
				}
			}
			return nil
		}, nil
	default:
		return nil, usage(command, "--output must be table, wide, json, yaml or name, not %q", output)
	}
}

// tenantTable has a row for each tenant. Columns of priority 1 are shown with -o wide only.
func tenantTable(tenants *v1alpha1.ProvisioningTenantList, now time.Time) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string"},
		{Name: "Ready", Type: "string"},
		{Name: "Reason", Type: "string"},
		{Name: "Tenant URL", Type: "string"},
		{Name: "Users", Type: "string"},
		{Name: "Age", Type: "string"},
		{Name: "Groups", Type: "string", Priority: 1},
		{Name: "Provisioning", Type: "string", Priority: 1},
		{Name: "Access", Type: "string", Priority: 1},
		{Name: "Last Request", Type: "string", Priority: 1},
		{Name: "Token", Type: "string", Priority: 1},
		{Name: "Token Age", Type: "string", Priority: 1},
	}}
	for i := range tenants.Items {
		tenant := &tenants.Items[i]
		status, reason := "Unknown", nothing
		if ready := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
			status, reason = string(ready.Status), ready.Reason
		}
		users, groups := nothing, nothing
		if directory := tenant.Status.Directory; directory != nil {
			users, groups = fmt.Sprint(directory.Users), fmt.Sprint(directory.Groups)
		}
		lastRequest, fingerprint, issued := nothing, nothing, nothing
		if activity := tenant.Status.Activity; activity != nil {
			lastRequest = age(activity.LastRequestTime, now)
		}
		if credentials := tenant.Status.Credentials; credentials != nil {
			fingerprint, issued = orNothing(credentials.Fingerprint), age(credentials.IssuedAt, now)
		}
		table.Rows = append(table.Rows, metav1.TableRow{
			Cells: []any{
				tenant.Name, status, reason, orNothing(tenant.Status.TenantURL), users, age(&tenant.CreationTimestamp, now),
				groups, orNothing(string(tenant.Spec.Provisioning.State)), orNothing(string(tenant.Spec.Access.State)), lastRequest, fingerprint, issued,
			},
			Object: runtime.RawExtension{Object: tenant},
		})
	}
	return table
}

func orNothing(text string) string {
	if text == "" {
		return nothing
	}
	return text
}

// age is how long ago a moment is, as kubectl tells ages.
func age(at *metav1.Time, now time.Time) string {
	if at.IsZero() {
		return nothing
	}
	return duration.HumanDuration(now.Sub(at.Time))
}
