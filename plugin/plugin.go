// Package plugin is kubectl tenantry: what people do with tenants from a shell. It is a client of the Kubernetes API and of a
// tenant's own server like any other, and knows of the operator and of the server what api/ says and no more.
//
// Each verb is a file. No verb but token writes a credential anywhere, and no error holds one.
package plugin

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/internal/version"
)

// The exit codes.
const (
	// ExitFine is for what was done, and found to be well.
	ExitFine = 0
	// ExitWrong is for what could not be done, and for a check that found something wrong.
	ExitWrong = 1
	// ExitUsage is for a command line that makes no sense; nothing was asked or changed. With --exit-code it is for what could not be found out, too.
	ExitUsage = 2
)

// Options are what the commands need of their surroundings. All of it but Token is required.
type Options struct {
	genericiooptions.IOStreams
	// Clock tells how old things are, and stamps requests to rotate.
	Clock clock.Clock
	// Forward reaches a port of a pod; [PortForward] does it as kubectl does.
	Forward Forward
	// Token that a tenant's server is asked with, as [TokenVariable] has it; "" where it is read from elsewhere.
	Token string
}

// Run runs the command line args and returns the exit code. An error is written to o.ErrOut.
func Run(ctx context.Context, args []string, o Options) int {
	root := New(o)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitFine
	}
	ended, told := errors.AsType[*outcome](err)
	if told && ended.error == nil {
		return ended.code
	}
	fmt.Fprintln(printing{o.ErrOut}, "error:", err)
	if told {
		return ended.code
	}
	if wrong, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprintf(o.ErrOut, "See '%s --help'.\n", wrong.command)
		return ExitUsage
	}
	return ExitWrong
}

// New returns the command kubectl tenantry.
func New(o Options) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-tenantry",
		Short: "Look after provisioning tenants for Microsoft Entra ID",
		Long: `Look after provisioning tenants for Microsoft Entra ID.

Exit codes: 0 where all is well, 1 where something is wrong with what was asked
for, 2 where the command line makes no sense, or with --exit-code where it could not
be found out how things are.`,
		Example: `  # Which tenants are there, and are they ready?
  kubectl tenantry list -A

  # What is wrong with this one, and what is there to do?
  kubectl tenantry describe contoso

  # What to paste into Entra
  kubectl tenantry url contoso
  kubectl tenantry token contoso

  # Will Entra's Test Connection succeed?
  kubectl tenantry check contoso`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl tenantry"},
		Version:       version.Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArguments,
		RunE:          func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	root.SetVersionTemplate("kubectl tenantry {{.Version}}\n")
	root.SetIn(o.In)
	root.SetOut(o.Out)
	root.SetErr(o.ErrOut)
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error { return usage(command, "%s", err) })

	s := &session{Options: o, flags: genericclioptions.NewConfigFlags(true)}
	// A person who gives --token the Secret Token would send it to the API server.
	s.flags.BearerToken = nil
	s.flags.WrapConfigFn = func(config *rest.Config) *rest.Config {
		config.QPS = -1 // the API server's own fairness limits a person; a wait that is cut short by this one tells of nothing else
		config.WarningHandler = rest.NewWarningWriter(o.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
		return config
	}
	s.flags.AddFlags(root.PersistentFlags())
	complete(root, "namespace", s.completeNamespaces)
	root.AddCommand(
		s.create(), s.list(), s.describe(), s.url(), s.token(), s.rotate(), s.revoke(), s.check(), s.log(), s.export(), s.importing(),
		s.version(), s.status(), s.pause(), s.resume(), s.report(), s.completion(),
	)
	return root
}

// session is one run of a command.
type session struct {
	Options
	flags *genericclioptions.ConfigFlags
}

// connect returns a client for the cluster and the namespace that the flags name.
func (s *session) connect() (client.Client, string, error) {
	config, err := s.flags.ToRESTConfig()
	if err != nil {
		return nil, "", err
	}
	c, err := newClient(config)
	if err != nil {
		return nil, "", err
	}
	namespace, _, err := s.flags.ToRawKubeConfigLoader().Namespace()
	return c, namespace, err
}

// commandLine is what runs a verb for a tenant, with flags behind it, for a person to copy. It names the namespace, because theirs may be another.
func commandLine(verb string, tenant *v1alpha1.ProvisioningTenant, flags string) string {
	return fmt.Sprintf("'kubectl tenantry %s %s -n %s%s'", verb, tenant.Name, tenant.Namespace, flags)
}

// usageError is for a command line that makes no sense.
type usageError struct {
	command string
	error
}

func (e *usageError) Unwrap() error { return e.error }

func usage(command *cobra.Command, format string, args ...any) error {
	return &usageError{command.CommandPath(), fmt.Errorf(format, args...)}
}

func noArguments(command *cobra.Command, args []string) error {
	if len(args) > 0 {
		if command.HasSubCommands() {
			return usage(command, "there is no command %q", args[0])
		}
		return usage(command, "%s takes no arguments", command.CommandPath())
	}
	return nil
}

func oneTenant(command *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage(command, "%s takes the name of one tenant", command.CommandPath())
	}
	return nil
}
