package plugin

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func (s *session) export() *cobra.Command {
	var b bearer
	var file string
	var log bool
	command := &cobra.Command{
		Use:   "export TENANT",
		Short: "Write a tenant's whole directory, as a backup or to import it elsewhere",
		Long: `Write a tenant's whole directory at one moment as JSON Lines: the schemas that it
declares, users, groups, memberships and, with --log, the provisioning log. No token
and no key is in it; the people are, so treat it as you treat the tenant's volume.

A file is there only once it is complete and its checksum was found right: until
then the one before stays. What is written to standard output is complete where
the command ends with 0.

The server goes on working meanwhile. It is asked through the API server, which
takes the right to list pods and to create pods/portforward, and the Secret Token.`,
		Example: `  kubectl tenantry export contoso -o contoso.jsonl

  # With the provisioning log, and compressed; in a script, after set -o pipefail
  kubectl tenantry export contoso --log | gzip > contoso.jsonl.gz`,
		Args:              oneTenant,
		ValidArgsFunction: s.completeTenants,
		RunE: func(command *cobra.Command, args []string) error {
			given, err := b.given(s, command)
			if err != nil {
				return err
			}
			a, err := s.administer(command.Context(), &b, args[0], given)
			if err != nil {
				return err
			}
			query := url.Values{}
			if log {
				query.Set("log", "true")
			}
			if file == "-" {
				got, err := a.export(command.Context(), query, s.Out)
				if err != nil {
					return fmt.Errorf("%w; what was written is not the whole directory", err)
				}
				fmt.Fprintf(s.ErrOut, "exported %s\n", got)
				return nil
			}
			var got counts
			err = whole(file, func(out io.Writer) error {
				got, err = a.export(command.Context(), query, out)
				return err
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "exported %s to %s\n", got, file)
			return nil
		},
	}
	command.Flags().StringVarP(&file, "output", "o", "-", "write to this `file`, which only its owner can read; - is standard output")
	command.Flags().BoolVar(&log, "log", false, "with the provisioning log")
	b.flags(command)
	return command
}

// export writes what the server sends and checks that it is whole.
func (a *adminPort) export(ctx context.Context, query url.Values, to io.Writer) (counts, error) {
	from, err := a.get(ctx, v1alpha1.ExportPath, query)
	if err != nil {
		return counts{}, err
	}
	defer from.Close()
	return copyExport(to, from)
}
