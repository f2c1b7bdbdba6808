package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func (s *session) describe() *cobra.Command {
	var output string
	var exitCode bool
	command := &cobra.Command{
		Use:   "describe TENANT | userdefaults/NAME | class/NAME",
		Short: "Say what is wrong with a tenant, UserDefaults or a class, and what to do about it",
		Long: `Say how a tenant is: its class, URL and token, what its directory holds, its conditions,
and for each that is not as it should be what it means and what to do.

Of UserDefaults it says which users have them, and which generation of them is in effect.
Of a ProvisioningTenantClass it says which tenants follow it, of all namespaces or else of
the present one, and which of them it refuses. Instead of userdefaults and class a name
that kubectl knows is fine, such as udef or provisioningtenantclass.

` + exitCodeHelp + ` All is well where
condition Ready is True, and with a class where it refuses no tenant.`,
		Example: `  kubectl tenantry describe contoso

  # What is wrong, for a script
  kubectl tenantry describe contoso -o json

  # Who has these values, and since which change
  kubectl tenantry describe userdefaults/finance

  # Which tenants follow a class, and which ask for more than it allows
  kubectl tenantry describe class/standard`,
		Args: func(command *cobra.Command, args []string) error {
			_, _, err := subject(command, args)
			return err
		},
		ValidArgsFunction: s.completeDescribed,
		RunE: func(command *cobra.Command, args []string) error {
			write, err := s.structured(command, output)
			if err != nil {
				return err
			}
			kind, name, err := subject(command, args)
			if err != nil {
				return err
			}
			found, err := s.look(command.Context(), kind, name)
			if err != nil {
				return untold(exitCode, err)
			}
			if write != nil {
				err = write(found.diagnosis())
			} else {
				err = found.write(printing{s.Out}, s.Clock.Now())
			}
			if err != nil || !exitCode {
				return err
			}
			return found.outcome()
		},
	}
	exitCodeFlag(command, &exitCode)
	outputFlag(command, &output)
	return command
}

// described is what describe was asked about, as it was read.
type described interface {
	// diagnosis is what there is to say of it, for a program.
	diagnosis() any
	// write writes the text for a person.
	write(out io.Writer, now time.Time) error
	// outcome is the exit code for how it is, nil where it is well.
	outcome() error
}

// The kinds that describe can be asked about, as they are named before a slash.
const (
	tenantKind   = "provisioningtenant"
	defaultsKind = "userdefaults"
	classKind    = "provisioningtenantclass"
)

// subject is what a command line asks about: the name of a tenant alone, or a kind and a name as in kubectl, which writes the group behind a kind
// with -o name.
func subject(command *cobra.Command, args []string) (kind, name string, err error) {
	refused := usage(command, "%s takes the name of one tenant, userdefaults/NAME or class/NAME", command.CommandPath())
	if len(args) != 1 {
		return "", "", refused
	}
	kind, name, typed := strings.Cut(args[0], "/")
	if !typed {
		return tenantKind, args[0], nil
	}
	if name == "" || strings.Contains(name, "/") {
		return "", "", refused
	}
	switch strings.TrimSuffix(strings.ToLower(kind), "."+v1alpha1.GroupName) {
	case tenantKind, "provisioningtenants", "ptenant", "pt", "tenant":
		return tenantKind, name, nil
	case defaultsKind, "udef":
		return defaultsKind, name, nil
	case classKind, "provisioningtenantclasses", "ptenantclass", "class":
		return classKind, name, nil
	default:
		return "", "", refused
	}
}

// look reads what describe is asked about.
func (s *session) look(ctx context.Context, kind, name string) (described, error) {
	c, namespace, err := s.connect()
	if err != nil {
		return nil, err
	}
	switch kind {
	case defaultsKind:
		return lookAtDefaults(ctx, c, namespace, name)
	case classKind:
		return lookAtClass(ctx, c, namespace, name)
	default:
		return lookAtTenant(ctx, c, namespace, name)
	}
}

// readiness is the exit code that condition Ready asks for.
func readiness(conditions []metav1.Condition) error {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
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

// writeFindings writes what there is to say about each condition, or that nothing is wrong.
func writeFindings(out io.Writer, findings []Finding) {
	if len(findings) == 0 {
		fmt.Fprintln(out, "\nNothing is wrong.")
		return
	}
	fmt.Fprintln(out, "\nWhat there is to know and to do:")
	for _, t := range alike(findings) {
		fmt.Fprintf(out, "\n  %s\n", t.title())
		for _, message := range t.messages {
			fmt.Fprintf(out, "    %s\n", message)
		}
		if t.Action != "" {
			fmt.Fprintf(out, "    → %s\n", t.Action)
		}
	}
}

// writeConditions writes a table of the conditions, with the messages of those that no finding speaks of.
func writeConditions(out io.Writer, conditions []metav1.Condition, findings []Finding, now time.Time) error {
	if len(conditions) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	return printers.NewTablePrinter(printers.PrintOptions{}).PrintObj(conditionTable(conditions, findings, now), out)
}

// conditionTable has the messages of those conditions that no finding speaks of.
func conditionTable(conditions []metav1.Condition, findings []Finding, now time.Time) *metav1.Table {
	message := func(c metav1.Condition) string {
		says := func(f Finding) bool {
			follows := c.Status != metav1.ConditionTrue && f.Status == string(metav1.ConditionFalse)
			return f.UserDefaults == "" && f.Reason == c.Reason && (f.Message == c.Message || follows)
		}
		if slices.ContainsFunc(findings, says) || tellsOfDefaults(c, findings) {
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
