package plugin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func (s *session) describe() *cobra.Command {
	var output string
	var exitCode bool
	command := &cobra.Command{
		Use:   "describe TENANT",
		Short: "Say what is wrong with a tenant and what to do about it",
		Long: `Say how a tenant is: its URL and token, what its directory holds, its conditions,
and for each that is not as it should be what it means and what to do.

` + exitCodeHelp + ` All is well where
condition Ready is True.`,
		Example: `  kubectl tenantry describe contoso

  # What is wrong, for a script
  kubectl tenantry describe contoso -o json`,
		Args:              oneTenant,
		ValidArgsFunction: s.completeTenants,
		RunE: func(command *cobra.Command, args []string) error {
			write, err := s.structured(command, output)
			if err != nil {
				return err
			}
			c, tenant, err := s.tenant(command.Context(), args[0])
			if err != nil {
				return untold(exitCode, err)
			}
			var defaults v1alpha1.UserDefaultsList
			ofTenant := client.MatchingFields{"spec.tenantRef.name": tenant.Name}
			if err := c.List(command.Context(), &defaults, client.InNamespace(tenant.Namespace), ofTenant); err != nil {
				return untold(exitCode, explain(err))
			}
			if write != nil {
				err = write(diagnose(tenant, defaults.Items))
			} else {
				err = describeTenant(s.Out, tenant, defaults.Items, s.Clock.Now())
			}
			if err != nil || !exitCode {
				return err
			}
			return readiness(tenant)
		},
	}
	exitCodeFlag(command, &exitCode)
	outputFlag(command, &output)
	return command
}

// readiness is the exit code that condition Ready asks for.
func readiness(tenant *v1alpha1.ProvisioningTenant) error {
	ready := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil || ready.Status == metav1.ConditionUnknown:
		return &outcome{ExitUnknown, nil}
	case ready.Status == metav1.ConditionTrue:
		return nil
	default:
		return &outcome{ExitWrong, nil}
	}
}

// outputFlag is -o of a command that writes text, JSON or YAML.
func outputFlag(command *cobra.Command, output *string) {
	command.Flags().StringVarP(output, "output", "o", "text", "`format`: text, json or yaml")
	complete(command, "output", cobra.FixedCompletions([]string{"text", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
}

// structured returns what writes a value as JSON or YAML, nil where text was asked for.
func (s *session) structured(command *cobra.Command, output string) (func(any) error, error) {
	switch output {
	case "text":
		return nil, nil
	case "json":
		lines := json.NewEncoder(s.Out)
		lines.SetIndent("", "    ")
		lines.SetEscapeHTML(false)
		return lines.Encode, nil
	case "yaml":
		return func(value any) error {
			text, err := yaml.Marshal(value)
			if err != nil {
				return err
			}
			_, err = s.Out.Write(text)
			return err
		}, nil
	default:
		return nil, usage(command, "--output must be text, json or yaml, not %q", output)
	}
}

// describeTenant writes the text for a person.
func describeTenant(out io.Writer, tenant *v1alpha1.ProvisioningTenant, defaults []v1alpha1.UserDefaults, now time.Time) error {
	out = printing{out}
	facts := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fact := func(name, format string, args ...any) { fmt.Fprintf(facts, name+"\t"+format+"\n", args...) }
	fact("Name:", "%s", tenant.Name)
	fact("Namespace:", "%s", tenant.Namespace)
	fact("Display name:", "%s", orNothing(tenant.Spec.DisplayName))
	fact("Tenant URL:", "%s", orNothing(tenant.Status.TenantURL))
	for _, additional := range tenant.Status.AdditionalURLs {
		fact("", "also %s", additional)
	}
	if tenant.Status.TokenURL != "" {
		fact("Token URL:", "%s", tenant.Status.TokenURL)
	}
	fact("Secret Token:", "%s", describeToken(tenant.Status.Credentials, now))
	if twoTokens(tenant) {
		fact("", "the one before is valid for %s yet", duration.HumanDuration(tenant.Status.Credentials.PreviousExpiresAt.Sub(now)))
	}
	if c := tenant.Status.Credentials; c != nil && !c.ExpiresAt.IsZero() {
		fact("", "it is rotated by itself, and ends in %s", duration.HumanDuration(c.ExpiresAt.Sub(now)))
	}
	if d := tenant.Status.Directory; d != nil {
		fact("Directory:", "%s (%d active), %s, %s%s", counted(d.Users, "user"), d.ActiveUsers, counted(d.Groups, "group"),
			counted(d.Memberships, "membership"), asOf(d, now))
	}
	if a := tenant.Status.Activity; a != nil && !a.LastRequestTime.IsZero() {
		fact("Last request:", "at most %s ago", lastRequest(tenant, now))
	}
	if a := tenant.Status.Activity; a != nil && a.LastCycle != nil {
		c := a.LastCycle
		fact("Last cycle:", "%s: %s, %s, %s, %s", counted(c.Requests, "request"), counted(c.Creates, "create"), counted(c.Updates, "update"),
			counted(c.Deletes, "delete"), counted(c.Failures, "failure"))
	}
	var names []string
	for i := range defaults {
		names = append(names, defaults[i].Name)
	}
	fact("User defaults:", "%s", orNothing(strings.Join(names, ", ")))
	if err := facts.Flush(); err != nil {
		return err
	}

	found := diagnose(tenant, defaults)
	if len(tenant.Status.Conditions) > 0 {
		fmt.Fprintln(out)
		table := conditionTable(tenant.Status.Conditions, found.Findings, now)
		if err := printers.NewTablePrinter(printers.PrintOptions{}).PrintObj(table, out); err != nil {
			return err
		}
	}
	fmt.Fprintln(out)
	if len(found.Findings) == 0 {
		fmt.Fprintln(out, "Nothing is wrong.")
		return nil
	}
	fmt.Fprintln(out, "What there is to know and to do:")
	for _, f := range alike(found.Findings) {
		fmt.Fprintf(out, "\n  %s\n", f.title())
		if said := cmp.Or(f.Message, f.Meaning); said != "" { // the message says of this tenant what the reason means for all
			fmt.Fprintf(out, "    %s\n", said)
		}
		if f.Action != "" {
			fmt.Fprintf(out, "    → %s\n", f.Action)
		}
	}
	return nil
}

// asOf says when the server told what the directory has.
func asOf(d *v1alpha1.DirectoryStatus, now time.Time) string {
	if d.ObservedTime.IsZero() {
		return ""
	}
	return fmt.Sprintf(", as the server told %s ago; it tells what changes within a minute", age(d.ObservedTime, now))
}

// counted is a number of things that have a regular plural.
func counted(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

func describeToken(credentials *v1alpha1.CredentialsStatus, now time.Time) string {
	if credentials == nil || credentials.Fingerprint == "" {
		return nothing
	}
	text := "fingerprint " + credentials.Fingerprint
	if !credentials.IssuedAt.IsZero() {
		text += ", issued " + age(credentials.IssuedAt, now) + " ago"
	}
	if credentials.SecretName == "" {
		return text + ", its Secret was deleted, as one may after copying"
	}
	return text + ", in Secret " + credentials.SecretName
}

// conditionTable has the messages of those conditions that no finding speaks of.
func conditionTable(conditions []metav1.Condition, findings []Finding, now time.Time) *metav1.Table {
	message := func(c metav1.Condition) string {
		if slices.ContainsFunc(findings, func(f Finding) bool { return f.UserDefaults == "" && f.Reason == c.Reason && f.Message == c.Message }) {
			return "see below"
		}
		return c.Message
	}
	table := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{
		{Name: "Condition", Type: "string"}, {Name: "Status", Type: "string"}, {Name: "Reason", Type: "string"},
		{Name: "Since", Type: "string"}, {Name: "Message", Type: "string"},
	}}
	for _, c := range conditions {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{c.Type, string(c.Status), c.Reason, age(&c.LastTransitionTime, now), message(c)}})
	}
	return table
}
