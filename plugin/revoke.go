package plugin

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

func (s *session) revoke() *cobra.Command {
	var r request
	command := &cobra.Command{
		Use:   "revoke TENANT...",
		Short: "End the Secret Token that is valid beside the newest since a rotation",
		Long: `End at once the Secret Token, or another credential, that is valid beside the
newest since a rotation. The newest stays valid: to end that one, rotate with
--overlap 0s.

` + pausedHelp,
		Example: `  kubectl tenantry revoke contoso

  # One tenant after the other of a stage
  kubectl tenantry revoke -l stage=test`,
		ValidArgsFunction: s.completeMoreTenants,
		RunE: func(command *cobra.Command, args []string) error {
			return s.each(command, r, args, func(r *request) error { return r.endFormer(command.Context()) })
		},
	}
	r.flags(s, command)
	return command
}

// endFormer asks to end the credential before the newest of the tenant, and waits for that.
func (r *request) endFormer(ctx context.Context) error {
	if err := hasCredential(r.tenant, r.key); err != nil {
		return err
	}
	if r.key == v1alpha1.CredentialsTokenKey && !twoTokens(r.tenant) {
		return fmt.Errorf("there is nothing to revoke: tenant %q has one valid Secret Token. "+
			"To end that one, %s", r.tenant.Name, commandLine("rotate", r.tenant, " --overlap 0s"))
	}
	asked := fmt.Sprintf("asked to end the %s before the newest of tenant %s", r.what(), r.tenant.Name)
	if err := r.ask(ctx, v1alpha1.RevokeAnnotationPrefix, token.Request{}, asked); err != nil || !r.wait {
		return err
	}
	after, err := r.await(ctx, func(now *v1alpha1.ProvisioningTenant, obeyed token.Obeyed) bool {
		if r.key == v1alpha1.CredentialsTokenKey {
			return !twoTokens(now)
		}
		return !obeyed.Revoke.Before(r.asked.At)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(r.Out, "only the newest %s of tenant %s is valid\n", r.what(), after.Name)
	return nil
}

// twoTokens tells whether the Secret Token before the newest is valid too.
func twoTokens(tenant *v1alpha1.ProvisioningTenant) bool {
	return tenant.Status.Credentials != nil && !tenant.Status.Credentials.PreviousExpiresAt.IsZero()
}
