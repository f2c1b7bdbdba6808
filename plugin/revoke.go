package plugin

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func (s *session) revoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke TENANT",
		Short: "End the Secret Token that is valid beside the newest since a rotation",
		Long: `End at once the Secret Token that is valid beside the newest since a rotation. The
newest stays valid: to end that one, rotate with --overlap 0s.`,
		Example:           `  kubectl tenantry revoke contoso`,
		Args:              oneTenant,
		ValidArgsFunction: s.completeTenants,
		RunE: func(command *cobra.Command, args []string) error {
			c, namespace, err := s.connect()
			if err != nil {
				return err
			}
			before, err := getTenant(command.Context(), c, namespace, args[0])
			if err != nil {
				return err
			}
			if err := annotate(command.Context(), c, before, map[string]*string{v1alpha1.RevokeAnnotation: s.now()}); err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "asked to end the Secret Token before the newest of tenant %s\n", before.Name)
			return nil
		},
	}
}
