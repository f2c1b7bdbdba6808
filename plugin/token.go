package plugin

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func (s *session) token() *cobra.Command {
	var key string
	command := &cobra.Command{
		Use:   "token TENANT",
		Short: "Print the Secret Token, which is pasted into Entra",
		Long: `Print the Secret Token, which is pasted into Entra, or another credential.

It is read from the Secret TENANT-credentials, and that of a reader from the Secret
TENANT-reader.READER. A Secret may be deleted once it was copied: the token stays
valid, and nobody can read it any more. This is the only command that writes a
credential, and it writes nothing else.`,
		Example: `  kubectl tenantry token contoso

  # That of the reader payroll, and the secret of the OAuth client
  kubectl tenantry token contoso --credential reader.payroll
  kubectl tenantry token contoso --credential clientSecret`,
		Args:              oneTenant,
		ValidArgsFunction: s.completeTenants,
		RunE: func(command *cobra.Command, args []string) error {
			c, tenant, err := s.tenantWith(command.Context(), args[0], key)
			if err != nil {
				return err
			}
			found, err := credential(command.Context(), c, tenant, key)
			if err != nil {
				return err
			}
			fmt.Fprintln(s.Out, found)
			return nil
		},
	}
	s.credentialFlag(command, &key)
	return command
}

// credentialFlag lets a command speak of another credential than the Secret Token.
func (s *session) credentialFlag(command *cobra.Command, key *string) {
	command.Flags().StringVar(key, "credential", v1alpha1.CredentialsTokenKey,
		"`key` of the credential: token, clientSecret, or reader. and the name of a reader")
	complete(command, "credential", s.completeCredentials(func(string) bool { return true }))
}
