package plugin

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func (s *session) url() *cobra.Command {
	var tokenURL bool
	command := &cobra.Command{
		Use:   "url TENANT",
		Short: "Print the Tenant URL, which is pasted into Entra",
		Long: `Print the Tenant URL, which is pasted into Entra.

It is published once the server and the route to it are ready for the first time.`,
		Example: `  kubectl tenantry url contoso

  # Where an OAuth client gets access tokens
  kubectl tenantry url contoso --token-url`,
		Args:              oneTenant,
		ValidArgsFunction: s.completeTenants,
		RunE: func(command *cobra.Command, args []string) error {
			_, tenant, err := s.tenant(command.Context(), args[0])
			if err != nil {
				return err
			}
			published, err := tenantURL(tenant)
			if tokenURL {
				if authentication := tenant.Spec.Authentication; authentication.OAuth == nil && authentication.WorkloadIdentity == nil {
					return fmt.Errorf("tenant %q has no token URL: its spec.authentication has neither oauth nor workloadIdentity", tenant.Name)
				}
				published, err = publishedURL(tenant, "token URL", tenant.Status.TokenURL)
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(s.Out, published)
			return nil
		},
	}
	command.Flags().BoolVar(&tokenURL, "token-url", false, "print the URL of the OAuth 2.0 token endpoint instead")
	return command
}

// tenantURL returns the Tenant URL, or why there is none yet.
func tenantURL(tenant *v1alpha1.ProvisioningTenant) (string, error) {
	return publishedURL(tenant, "Tenant URL", tenant.Status.TenantURL)
}

func publishedURL(tenant *v1alpha1.ProvisioningTenant, what, published string) (string, error) {
	if published == "" {
		return "", fmt.Errorf("tenant %q has no %s yet%s; %s says what to do",
			tenant.Name, what, whyNotReady(tenant), commandLine("describe", tenant, ""))
	}
	return published, nil
}

// whyNotReady says what the condition Ready says, to stand behind "not yet".
func whyNotReady(tenant *v1alpha1.ProvisioningTenant) string {
	ready := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return ": no operator has looked at it"
	case ready.Message == "":
		return ": " + ready.Reason
	default:
		return fmt.Sprintf(": %s: %s", ready.Reason, ready.Message)
	}
}
