package plugin

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func (s *session) create() *cobra.Command {
	var d draft
	command := &cobra.Command{
		Use:   "create NAME",
		Short: "Write the YAML of a new tenant, for you to apply",
		Long: `Write the YAML of a new tenant to standard output, with what the flags say and nothing
that is a default. No cluster is asked and nothing is applied: keep the file where you
keep such files. 'kubectl explain provisioningtenant.spec' has what else a tenant can
have.`,
		Example: `  kubectl tenantry create contoso -n customers --display-name "Contoso Ltd" \
    --entra-tenant-id 8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11 --host contoso.scim.example.com \
    --companies "Contoso AB,Contoso Oy" --roles approver,viewer > contoso.yaml

  # Its directory in PostgreSQL; Secret contoso-database has the connection URL
  kubectl tenantry create contoso --postgresql-secret contoso-database > contoso.yaml

  # A company with a comma in its name
  kubectl tenantry create fabrikam --companies '"Fabrikam, Inc.",Fabrikam Robotics'`,
		Args: func(command *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(command, "%s takes the name of the new tenant", command.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, args []string) error {
			d.name, d.namespace = args[0], *s.flags.Namespace
			if err := noneEmpty(command); err != nil {
				return err
			}
			tenant, err := d.tenant()
			if err != nil {
				return usage(command, "%s", err)
			}
			text, err := yaml.Marshal(tenant)
			if err != nil {
				return err
			}
			if _, err := s.Out.Write(text); err != nil {
				return err
			}
			fmt.Fprintln(printing{s.ErrOut}, s.applyHint(tenant))
			return nil
		},
	}
	d.flags(command)
	return command
}

// noneEmpty refuses a flag that was given without a value, as by a variable of a script that is not set: the tenant would have a default instead.
func noneEmpty(command *cobra.Command) error {
	var empty error
	own := command.LocalNonPersistentFlags()
	command.Flags().Visit(func(flag *pflag.Flag) {
		value := flag.Value.String()
		if (value == "" || value == "[]") && (own.Lookup(flag.Name) != nil || flag.Name == "namespace") {
			empty = usage(command, "--%s is empty", flag.Name)
		}
	})
	return empty
}

// applyHint says how to apply the tenant. It names the namespace that kubectl would take where the tenant has none, because theirs may be another.
func (s *session) applyHint(tenant *v1alpha1.ProvisioningTenant) string {
	namespace := tenant.Namespace
	if named, _, err := s.flags.ToRawKubeConfigLoader().Namespace(); namespace == "" && err == nil {
		namespace = named
	}
	hint := fmt.Sprintf("Nothing was applied. Save it as %s.yaml, then: kubectl apply -f %[1]s.yaml", tenant.Name)
	if namespace != "" {
		hint += " -n " + namespace
	}
	return hint
}

func (d *draft) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&d.displayName, "display-name", "", "the customer's `name` as people write it; otherwise that of the tenant")
	flags.StringVar(&d.entraTenantID, "entra-tenant-id", "", "the directory (tenant) `ID` in the Microsoft Entra admin center")
	flags.StringVar(&d.cloud, "cloud", "", "the Microsoft `cloud` of the Entra tenant: Public, USGovernment or China; otherwise Public")
	flags.StringVar(&d.host, "host", "", "the tenant's DNS `name`; otherwise its name under the operator's base domain")
	flags.StringVar(&d.ingressClass, "ingress-class", "", "the `name` of the IngressClass; otherwise the operator's")
	flags.StringVar(&d.storageClass, "storage-class", "", "the `name` of the StorageClass; otherwise the cluster's default")
	flags.StringVar(&d.storageSize, "storage-size", "", "the `size` of the volume, such as 2Gi; otherwise "+defaultSize)
	flags.StringVar(&d.postgresqlSecret, "postgresql-secret", "",
		"the `name` of a Secret whose key url has a connection URL: the directory is in PostgreSQL; otherwise it is on a volume")
	flags.StringSliceVar(&d.companies, "companies", nil, "the `names` of the application's companies, with commas between them")
	flags.StringSliceVar(&d.roles, "roles", nil, "the `names` of the application's roles, with commas between them")
	for _, flag := range []string{
		"display-name", "entra-tenant-id", "host", "ingress-class", "storage-class", "storage-size", "postgresql-secret", "companies", "roles",
	} {
		complete(command, flag, cobra.NoFileCompletions)
	}
	complete(command, "cloud", cobra.FixedCompletions([]string{"Public", "USGovernment", "China"}, cobra.ShellCompDirectiveNoFileComp))
}
