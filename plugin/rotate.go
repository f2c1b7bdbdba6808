package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// pollInterval is how often the status is read while a command waits for the operator.
const pollInterval = 500 * time.Millisecond

// request is a wish that the operator fulfils.
type request struct {
	wait    bool
	timeout time.Duration
}

func (r *request) flags(command *cobra.Command) {
	command.Flags().BoolVar(&r.wait, "wait", true, "wait until the operator has done it")
	command.Flags().DurationVar(&r.timeout, "timeout", time.Minute, "how long to wait, such as 30s or 2m")
}

func (s *session) rotate() *cobra.Command {
	var r request
	var overlap time.Duration
	command := &cobra.Command{
		Use:   "rotate TENANT",
		Short: "Issue a new Secret Token; the one before stays valid for a while",
		Long: `Issue a new Secret Token. The one before stays valid for the overlap, within which
the new one must be pasted into Entra.

The overlap is that of spec.authentication.secretToken unless --overlap says
another. With --overlap 0s the token before ends at once, and provisioning stops
until the new one was pasted.`,
		Example: `  # Both tokens are valid for a day
  kubectl tenantry rotate contoso --overlap 24h
  kubectl tenantry token contoso

  # Once the new one was pasted into Entra
  kubectl tenantry revoke contoso`,
		Args:              oneTenant,
		ValidArgsFunction: s.completeTenants,
		RunE: func(command *cobra.Command, args []string) error {
			if overlap < 0 {
				return usage(command, "--overlap must be 0s or more, not %s", overlap)
			}
			c, namespace, err := s.connect()
			if err != nil {
				return err
			}
			before, err := getTenant(command.Context(), c, namespace, args[0])
			if err != nil {
				return err
			}
			annotations := map[string]*string{v1alpha1.RotateAnnotation: s.now(), v1alpha1.RotateOverlapAnnotation: nil}
			if command.Flags().Changed("overlap") {
				text := overlap.String()
				annotations[v1alpha1.RotateOverlapAnnotation] = &text
			}
			if err := annotate(command.Context(), c, before, annotations); err != nil {
				return err
			}
			if !r.wait {
				fmt.Fprintf(s.Out, "asked for a new Secret Token of tenant %s\n", before.Name)
				return nil
			}
			after, err := r.await(command.Context(), c, before, func(now *v1alpha1.ProvisioningTenant) bool {
				return fingerprint(now) != "" && fingerprint(now) != fingerprint(before)
			})
			if err != nil {
				return fmt.Errorf("wait for the new Secret Token of tenant %q: %w", before.Name, err)
			}
			fmt.Fprintf(s.Out, "tenant %s has a new Secret Token, fingerprint %s\n", after.Name, fingerprint(after))
			fmt.Fprintf(s.Out, "print it with 'kubectl tenantry token %s' and paste it into Entra\n", after.Name)
			return nil
		},
	}
	command.Flags().DurationVar(&overlap, "overlap", 0,
		"how long the token before stays valid, such as 24h; 0s ends it at once (default: what the tenant's spec says)")
	r.flags(command)
	return command
}

// now is a time for an annotation. Two requests never have the same.
func (s *session) now() *string {
	text := s.Clock.Now().UTC().Format(time.RFC3339Nano)
	return &text
}

func fingerprint(tenant *v1alpha1.ProvisioningTenant) string {
	if tenant.Status.Credentials == nil {
		return ""
	}
	return tenant.Status.Credentials.Fingerprint
}

// annotate sets annotations of a tenant, and removes those that are nil.
func annotate(ctx context.Context, c client.Client, tenant *v1alpha1.ProvisioningTenant, annotations map[string]*string) error {
	changed := tenant.DeepCopy()
	for name, value := range annotations {
		if value == nil {
			delete(changed.Annotations, name)
		} else {
			metav1.SetMetaDataAnnotation(&changed.ObjectMeta, name, *value)
		}
	}
	if err := c.Patch(ctx, changed, client.MergeFrom(tenant)); err != nil {
		return fmt.Errorf("annotate tenant %q: %w", tenant.Name, err)
	}
	return nil
}

// await reads the tenant until the operator has done what was asked.
func (r *request) await(
	ctx context.Context, c client.Client, before *v1alpha1.ProvisioningTenant, done func(*v1alpha1.ProvisioningTenant) bool,
) (*v1alpha1.ProvisioningTenant, error) {
	after := &v1alpha1.ProvisioningTenant{}
	err := wait.PollUntilContextTimeout(ctx, pollInterval, r.timeout, true, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(before), after); err != nil {
			return false, err
		}
		return done(after), nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the operator has not done it within %s, and may yet; 'kubectl tenantry describe %s' says how the tenant is", r.timeout, before.Name)
	}
	return after, err
}
