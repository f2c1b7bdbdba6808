package plugin

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func (s *session) pause() *cobra.Command {
	return s.handsOff(&cobra.Command{
		Use:   "pause TENANT...",
		Short: "Have the operator keep its hands off tenants",
		Long: `Have the operator keep its hands off tenants: it changes none of their objects, issues
and rotates no credential, and upgrades no server, until resume. What runs goes on
running, and clients are served: to hold clients back, set spec.provisioning.state and
spec.access.state instead.

It sets the annotation ` + v1alpha1.ReconcileAnnotation + `: ` + v1alpha1.ReconcileDisabled + `,
which takes the right to patch provisioningtenants.`,
		Example: `  # While somebody looks at the Deployment and changes it by hand
  kubectl tenantry pause contoso

  # All tenants of a stage, in every namespace
  kubectl tenantry pause -A -l stage=test`,
	}, v1alpha1.ReconcileDisabled)
}

func (s *session) resume() *cobra.Command {
	return s.handsOff(&cobra.Command{
		Use:   "resume TENANT...",
		Short: "Have the operator look after tenants again that were paused",
		Long: `Have the operator look after tenants again that were paused. It brings them to what
their specs say at once, so what was changed by hand meanwhile is undone.`,
		Example: `  kubectl tenantry resume contoso

  # All that are paused
  kubectl tenantry resume -A`,
	}, "")
}

// handsOff completes a command that sets the annotation to a value, or takes it off where that is "".
func (s *session) handsOff(command *cobra.Command, value string) *cobra.Command {
	var x selection
	x.flags(command)
	command.ValidArgsFunction = s.completeMoreTenants
	command.RunE = func(command *cobra.Command, names []string) error {
		c, tenants, err := s.selected(command.Context(), command, &x, names)
		if err != nil {
			return err
		}
		patch, err := reconcilePatch(value)
		if err != nil {
			return err
		}
		var failed []error
		for i := range tenants {
			tenant := &tenants[i]
			changes := !isReconciled(tenant, value)
			if changes {
				if err := c.Patch(command.Context(), tenant, patch); err != nil {
					failed = append(failed, fmt.Errorf("annotate tenant %q of namespace %q: %w", tenant.Name, tenant.Namespace, err))
					continue
				}
			}
			if changes || len(names) > 0 { // of those that were selected and are so already there is nothing to say
				fmt.Fprintln(printing{s.Out}, handsOffWords(tenant, value, changes))
			}
		}
		return errors.Join(failed...)
	}
	return command
}

// isPaused tells whether the operator keeps its hands off a tenant.
func isPaused(tenant *v1alpha1.ProvisioningTenant) bool {
	return isReconciled(tenant, v1alpha1.ReconcileDisabled)
}

// isReconciled tells whether the annotation of the tenant has a value, or is not there where that is "".
func isReconciled(tenant *v1alpha1.ProvisioningTenant, value string) bool {
	found, there := tenant.Annotations[v1alpha1.ReconcileAnnotation]
	return found == value && there == (value != "")
}

// reconcilePatch sets the annotation to a value, or takes it off where that is "". It names this annotation alone: a difference of two tenants would
// take off all of them with the last one that is known, also what somebody asks for by another meanwhile.
func reconcilePatch(value string) (client.Patch, error) {
	annotations := map[string]*string{v1alpha1.ReconcileAnnotation: nil}
	if value != "" {
		annotations[v1alpha1.ReconcileAnnotation] = &value
	}
	content, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	return client.RawPatch(types.MergePatchType, content), err
}

func handsOffWords(tenant *v1alpha1.ProvisioningTenant, value string, changed bool) string {
	switch {
	case value == "" && changed:
		return fmt.Sprintf("tenant %s of namespace %s is resumed", tenant.Name, tenant.Namespace)
	case value == "":
		return fmt.Sprintf("tenant %s of namespace %s was not paused", tenant.Name, tenant.Namespace)
	case changed:
		return fmt.Sprintf("tenant %s of namespace %s is paused until %s", tenant.Name, tenant.Namespace, commandLine("resume", tenant, ""))
	default:
		return fmt.Sprintf("tenant %s of namespace %s was paused before, until %s", tenant.Name, tenant.Namespace, commandLine("resume", tenant, ""))
	}
}
