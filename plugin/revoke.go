package plugin

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

func (s *session) revoke() *cobra.Command {
	var r request
	command := &cobra.Command{
		Use:   "revoke TENANT",
		Short: "End the Secret Token that is valid beside the newest since a rotation",
		Long: `End at once the Secret Token, or another credential, that is valid beside the
newest since a rotation. The newest stays valid: to end that one, rotate with
--overlap 0s.

` + pausedHelp,
		Example:           `  kubectl tenantry revoke contoso`,
		Args:              oneTenant,
		ValidArgsFunction: s.completeTenants,
		RunE: func(command *cobra.Command, args []string) error {
			c, before, err := s.tenantWith(command.Context(), args[0], r.key)
			if err != nil {
				return err
			}
			if r.key == v1alpha1.CredentialsTokenKey && !twoTokens(before) {
				return fmt.Errorf("there is nothing to revoke: tenant %q has one valid Secret Token. "+
					"To end that one, %s", before.Name, commandLine("rotate", before, " --overlap 0s"))
			}
			asked := fmt.Sprintf("asked to end the %s before the newest of tenant %s", r.what(), before.Name)
			if err := r.ask(command.Context(), s, c, before, v1alpha1.RevokeAnnotationPrefix, token.Request{}, asked); err != nil || !r.wait {
				return err
			}
			after, err := r.await(command.Context(), c, before, func(now *v1alpha1.ProvisioningTenant, obeyed token.Obeyed) bool {
				if r.key == v1alpha1.CredentialsTokenKey {
					return !twoTokens(now)
				}
				return !obeyed.Revoke.Before(r.asked.At)
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "only the newest %s of tenant %s is valid\n", r.what(), after.Name)
			return nil
		},
	}
	s.credentialFlag(command, &r.key)
	r.flags(command)
	return command
}

// twoTokens tells whether the Secret Token before the newest is valid too.
func twoTokens(tenant *v1alpha1.ProvisioningTenant) bool {
	return tenant.Status.Credentials != nil && !tenant.Status.Credentials.PreviousExpiresAt.IsZero()
}
