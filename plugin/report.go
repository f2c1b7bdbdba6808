package plugin

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/plugin/redact"
)

func (s *session) report() *cobra.Command {
	var output, operatorNamespace string
	var tail int
	command := &cobra.Command{
		Use:   "report [TENANT]",
		Short: "Write all that a maintainer needs to know of a tenant or of the operator, without secrets",
		Long: `Write a bundle for a bug report: of one tenant, or without a name of the operator. It
has the objects, events, the ends of the logs, what the server answers about itself, and
the versions. INDEX.md in it says what is there, and what could not be read and why.

Of Secrets it has the names, keys and lengths. Of objects it has the fields that are
known to hold no secret and no person's or customer's data; in texts, such as messages
and logs, everything is taken out that is neither a plain word, an amount nor the name of
an object. Names of objects and hosts stay. Read it before you send it.

It reads what you may read, and forwards a port of the pods (create pods/portforward)
for the server's readiness and metrics.`,
		Example: `  # A file tenantry-report-NAMESPACE-contoso-TIME.tar.gz
  kubectl tenantry report contoso

  # Of the operator, into a folder
  kubectl tenantry report -o report/

  # To look at what would be sent
  kubectl tenantry report contoso -o - | tar tzf -`,
		Args: func(command *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage(command, "%s takes the name of one tenant, or none for the operator", command.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: s.completeTenants,
		RunE: func(command *cobra.Command, args []string) error {
			if tail < 1 {
				return usage(command, "--tail must be 1 or more, not %d", tail)
			}
			b, err := s.newBundle(tail)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				err = b.ofOperator(command.Context(), operatorNamespace)
			} else {
				err = b.ofTenant(command.Context(), args[0], operatorNamespace)
			}
			if err != nil {
				return err
			}
			return b.write(output)
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "",
		"write to this `file`, to a folder where it ends with /, or to standard output where it is - (default: a file with the tenant's name and the time)")
	command.Flags().IntVar(&tail, "tail", 2000, "how many lines of each log")
	s.operatorNamespaceFlag(command, &operatorNamespace)
	return command
}

// bundle is what a report is made of.
type bundle struct {
	*session
	client.Client

	config    *rest.Config
	namespace string
	tail      int
	redact    *redact.Redactor
	at        time.Time
	// name of the bundle, and what it is about.
	name, about string

	objects []objectFile
	texts   []textFile
	unread  []unread
	// missing is what there is not, as it may be.
	missing []string
}

// objectFile has objects that are still to be redacted.
type objectFile struct {
	name, about string
	objects     []map[string]any
}

// textFile has lines that are still to be shown.
type textFile struct {
	name, about string
	lines       []string
	show        func(line string) string
}

// unread is what could not be read.
type unread struct {
	what string
	err  error
}

func (s *session) newBundle(tail int) (*bundle, error) {
	c, namespace, err := s.connect()
	if err != nil {
		return nil, err
	}
	config, err := s.flags.ToRESTConfig()
	return &bundle{session: s, Client: c, config: config, namespace: namespace, tail: tail, redact: redact.New(), at: s.Clock.Now().UTC()}, err
}

// lacks takes notice of what could not be read. That something does not exist is no failure.
func (b *bundle) lacks(what string, err error) {
	if err != nil && client.IgnoreNotFound(err) != nil {
		b.unread = append(b.unread, unread{what, err})
	}
}

// ofTenant collects what there is about a tenant.
func (b *bundle) ofTenant(ctx context.Context, name, operatorNamespace string) error {
	tenant, err := getTenant(ctx, b.Client, b.namespace, name)
	if err != nil {
		return err
	}
	b.name = fmt.Sprintf("tenantry-report-%s-%s-%s", tenant.Namespace, tenant.Name, b.at.Format("20060102T150405Z"))
	b.about = fmt.Sprintf("tenant %s of namespace %s", tenant.Name, tenant.Namespace)
	b.redact.Know(tenant.Name, tenant.Namespace, tenant.Namespace+"/"+tenant.Name)
	pods := b.tenantObjects(ctx, tenant)
	b.secrets(ctx, tenant)
	for _, pod := range pods {
		b.logs(ctx, &pod, "", func(string) bool { return true })
		b.admin(ctx, &pod)
	}
	if operatorNamespace == "" {
		operatorNamespace = tenant.Status.OperatorNamespace
	}
	b.operator(ctx, operatorNamespace, []v1alpha1.ProvisioningTenant{*tenant}, func(line string) bool { return concerns(line, tenant) })
	b.leases(ctx, operatorNamespace, tenant)
	b.cluster(ctx)
	return nil
}

// ofOperator collects what there is about the operator.
func (b *bundle) ofOperator(ctx context.Context, namespace string) error {
	var tenants v1alpha1.ProvisioningTenantList
	if _, err := everywhere(ctx, b.Client, &tenants, b.namespace); err != nil {
		return err
	}
	for i := range tenants.Items {
		t := &tenants.Items[i]
		b.redact.Know(t.Name, t.Namespace, t.Namespace+"/"+t.Name)
	}
	b.name = "tenantry-report-operator-" + b.at.Format("20060102T150405Z")
	b.about = "the operator"
	b.operator(ctx, namespace, tenants.Items, func(string) bool { return true })
	b.cluster(ctx)
	return nil
}

// write redacts what was collected and writes it where output says.
func (b *bundle) write(output string) error {
	files, err := b.files()
	if err != nil {
		return err
	}
	switch {
	case output == "-":
		if err := archive(b.Out, b.name, files, b.at); err != nil {
			return err
		}
		output = "standard output"
	case strings.HasSuffix(output, "/"):
		if err := folder(output, files); err != nil {
			return err
		}
	default:
		if output == "" {
			output = b.name + ".tar.gz"
		}
		if err := whole(output, func(to io.Writer) error { return archive(to, b.name, files, b.at) }); err != nil {
			return err
		}
	}
	fmt.Fprintf(b.ErrOut, "Wrote %s about %s to %s.", counted(int64(len(files)), "file"), b.about, output)
	if n := len(b.unread); n > 0 {
		fmt.Fprintf(b.ErrOut, " %s could not be read: see INDEX.md.", counted(int64(n), "thing"))
	}
	fmt.Fprintln(b.ErrOut, " Read it before you send it.")
	return nil
}

// folder writes files into a new folder.
func folder(name string, files []file) error {
	if err := os.Mkdir(name, 0o700); err != nil {
		return fmt.Errorf("make the folder of the report: %w", err)
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for _, f := range files {
		if at := strings.LastIndex(f.name, "/"); at > 0 {
			if err := root.MkdirAll(f.name[:at], 0o700); err != nil {
				return err
			}
		}
		if err := root.WriteFile(f.name, f.content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
