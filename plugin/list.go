package plugin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
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
	var watch bool
	command := &cobra.Command{
		Use:   "list",
		Short: "List tenants, and whether each is ready",
		Example: `  # Those of the present namespace
  kubectl tenantry list

  # Those of all namespaces, with their tokens' fingerprints and last requests
  kubectl tenantry list -A -o wide

  # Those with a label, and each again that changes
  kubectl tenantry list -l stage=test -w`,
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
			shown := map[types.UID]string{}
			return s.repeat(command.Context(), watch, func(ctx context.Context) error {
				var tenants v1alpha1.ProvisioningTenantList
				if err := c.List(ctx, &tenants, which...); err != nil {
					return explain(err)
				}
				first := len(shown) == 0
				if len(tenants.Items) == 0 && !watch && (output == "table" || output == "wide") {
					fmt.Fprintln(s.ErrOut, "There is no "+x.none(namespace))
					return nil
				}
				if keepChanged(&tenants, shown); len(tenants.Items) == 0 && watch {
					return nil
				}
				return printer(&tenants, first)
			})
		},
	}
	x.flags(command)
	watchFlag(command, &watch)
	command.Flags().StringVarP(&output, "output", "o", "table", "`format`: table, wide, json, yaml or name")
	complete(command, "output", cobra.FixedCompletions([]string{"table", "wide", "json", "yaml", "name"}, cobra.ShellCompDirectiveNoFileComp))
	return command
}

// keepChanged leaves those tenants in the list that were not shown as they are, and takes notice that they are shown.
func keepChanged(tenants *v1alpha1.ProvisioningTenantList, shown map[types.UID]string) {
	tenants.Items = slices.DeleteFunc(tenants.Items, func(t v1alpha1.ProvisioningTenant) bool {
		before, there := shown[t.UID]
		shown[t.UID] = t.ResourceVersion
		return there && before == t.ResourceVersion
	})
}

// tenantPrinter returns what writes tenants in a format, a table with or without its head.
func (s *session) tenantPrinter(command *cobra.Command, output string, namespaces bool) (
	func(tenants *v1alpha1.ProvisioningTenantList, head bool) error, error,
) {
	switch output {
	case "table", "wide":
		return func(tenants *v1alpha1.ProvisioningTenantList, head bool) error {
			printer := printers.NewTablePrinter(printers.PrintOptions{Wide: output == "wide", WithNamespace: namespaces, NoHeaders: !head})
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
		return func(tenants *v1alpha1.ProvisioningTenantList, _ bool) error {
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
		fingerprint, issued := nothing, nothing
		if credentials := tenant.Status.Credentials; credentials != nil {
			fingerprint, issued = orNothing(credentials.Fingerprint), age(credentials.IssuedAt, now)
		}
		table.Rows = append(table.Rows, metav1.TableRow{
			Cells: []any{
				tenant.Name, status, reason, orNothing(tenant.Status.TenantURL), users, age(&tenant.CreationTimestamp, now),
				groups, orNothing(string(tenant.Spec.Provisioning.State)), orNothing(string(tenant.Spec.Access.State)), lastRequest(tenant, now),
				fingerprint, issued,
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

// lastRequest is how long ago a client asked at most: the server tells the minute, and none asks before the tenant is there.
func lastRequest(tenant *v1alpha1.ProvisioningTenant, now time.Time) string {
	activity := tenant.Status.Activity
	if activity == nil || activity.LastRequestTime.IsZero() {
		return nothing
	}
	if activity.LastRequestTime.Before(&tenant.CreationTimestamp) {
		return age(&tenant.CreationTimestamp, now)
	}
	return age(activity.LastRequestTime, now)
}
