package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

func (s *session) rotate() *cobra.Command {
	var r request
	var overlap time.Duration
	command := &cobra.Command{
		Use:   "rotate TENANT...",
		Short: "Issue a new Secret Token; the one before stays valid for a while",
		Long: `Issue a new Secret Token, or another credential. The one before stays valid for the
overlap, within which the new one must be pasted into Entra.

The overlap is that of spec.authentication unless --overlap says another. With
--overlap 0s the token before ends at once, and provisioning stops until the new
one was pasted.

` + pausedHelp,
		Example: `  # Both tokens are valid for a day
  kubectl tenantry rotate contoso --overlap 24h
  kubectl tenantry token contoso

  # Once the new one was pasted into Entra
  kubectl tenantry revoke contoso

  # The token of the reader payroll
  kubectl tenantry rotate contoso --credential reader.payroll

  # End all access tokens; clients get new ones by themselves
  kubectl tenantry rotate contoso --credential accessTokens

  # One tenant after the other of a stage
  kubectl tenantry rotate -l stage=test`,
		ValidArgsFunction: s.completeMoreTenants,
		RunE: func(command *cobra.Command, args []string) error {
			if overlap < 0 {
				return usage(command, "--overlap must be 0s or more, not %s", overlap)
			}
			ask := token.Request{}
			if command.Flags().Changed("overlap") {
				ask.Overlap = &overlap
			}
			if r.key == v1alpha1.AccessTokensCredential && ask.Overlap != nil {
				return usage(command, "--overlap is not for access tokens: they end at once")
			}
			return s.each(command, r, args, func(r *request) error { return r.renew(command.Context(), ask) })
		},
	}
	command.Flags().DurationVar(&overlap, "overlap", 0,
		"how long the one before stays valid, such as 24h; 0s ends it at once (default: what the tenant's spec says)")
	r.flags(s, command)
	return command
}

// renew asks for a new credential of the tenant, and waits for it.
func (r *request) renew(ctx context.Context, ask token.Request) error {
	tokens := r.key == v1alpha1.AccessTokensCredential
	if !tokens {
		if err := hasCredential(r.tenant, r.key); err != nil {
			return err
		}
	}
	asked := fmt.Sprintf("asked for a new %s of tenant %s", r.what(), r.tenant.Name)
	if tokens {
		asked = "asked to end all access tokens of tenant " + r.tenant.Name
	}
	if err := r.ask(ctx, v1alpha1.RotateAnnotationPrefix, ask, asked); err != nil || !r.wait {
		return err
	}
	after, err := r.await(ctx, func(now *v1alpha1.ProvisioningTenant, obeyed token.Obeyed) bool {
		if r.key == v1alpha1.CredentialsTokenKey {
			return fingerprint(now) != "" && fingerprint(now) != fingerprint(r.tenant)
		}
		return !obeyed.Rotate.Before(r.asked.At)
	})
	if err != nil {
		return err
	}
	if tokens {
		fmt.Fprintf(r.Out, "all access tokens of tenant %s end; clients get new ones by themselves\n", after.Name)
		return nil
	}
	fmt.Fprintf(r.Out, "tenant %s has a new %s%s\n", after.Name, r.what(), r.overlapOf(after))
	fmt.Fprintf(r.Out, "print it with %s\n", commandLine("token", after, r.flag()))
	return nil
}
