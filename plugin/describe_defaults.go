package plugin

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// DefaultsDiagnosis is what describe found of UserDefaults, as JSON and YAML have it.
type DefaultsDiagnosis struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Tenant    string `json:"tenant"`
	Ready     bool   `json:"ready"`
	// Generation is the present one. The others are as status.directory.defaults of the tenant has them, 0 for none.
	Generation         int64 `json:"generation"`
	InEffectGeneration int64 `json:"inEffectGeneration"`
	PendingGeneration  int64 `json:"pendingGeneration,omitempty"`
	RefusedGeneration  int64 `json:"refusedGeneration,omitempty"`
	// MatchedUsers and AppliedUsers are those of the status.
	MatchedUsers int64     `json:"matchedUsers"`
	AppliedUsers int64     `json:"appliedUsers"`
	Findings     []Finding `json:"findings"`
}

// describedDefaults are UserDefaults with their tenant, which is nil where there is none.
type describedDefaults struct {
	defaults *v1alpha1.UserDefaults
	tenant   *v1alpha1.ProvisioningTenant
}

func lookAtDefaults(ctx context.Context, c client.Client, namespace, name string) (described, error) {
	d := &describedDefaults{&v1alpha1.UserDefaults{}, &v1alpha1.ProvisioningTenant{}}
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, d.defaults)
	if apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("there is no UserDefaults %q in namespace %q; 'kubectl get userdefaults -A' shows those of all namespaces", name, namespace)
	}
	if err != nil {
		return nil, explain(err)
	}
	err = c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: d.defaults.Spec.TenantRef.Name}, d.tenant)
	if apierrors.IsNotFound(err) {
		d.tenant = nil
		return d, nil
	}
	return d, err
}

// count is what the tenant's server told of the defaults, nil where it has told nothing.
func (d *describedDefaults) count() *v1alpha1.DefaultsCount {
	if d.tenant == nil || d.tenant.Status.Directory == nil {
		return nil
	}
	counts := d.tenant.Status.Directory.Defaults
	at := slices.IndexFunc(counts, func(c v1alpha1.DefaultsCount) bool { return c.Name == d.defaults.Name })
	if at < 0 {
		return nil
	}
	return &counts[at]
}

func (d *describedDefaults) found() DefaultsDiagnosis {
	status := d.defaults.Status
	found := DefaultsDiagnosis{
		Namespace: d.defaults.Namespace, Name: d.defaults.Name, Tenant: d.defaults.Spec.TenantRef.Name, Generation: d.defaults.Generation,
		Ready:        meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady),
		MatchedUsers: status.MatchedUsers, AppliedUsers: status.AppliedUsers,
		Findings: append([]Finding{}, findings("", d.defaults.Generation, status.ObservedGeneration, status.Conditions, notDealtWith())...),
	}
	if count := d.count(); count != nil {
		found.InEffectGeneration, found.PendingGeneration, found.RefusedGeneration = count.Generation, count.PendingGeneration, count.RefusedGeneration
	}
	return found
}

func (d *describedDefaults) diagnosis() any { return d.found() }

func (d *describedDefaults) outcome() error { return readiness(d.defaults.Status.Conditions) }

func (d *describedDefaults) write(out io.Writer, now time.Time) error {
	spec, found := d.defaults.Spec, d.found()
	facts := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fact := func(name, format string, args ...any) { fmt.Fprintf(facts, name+"\t"+format+"\n", args...) }
	fact("Name:", "%s", found.Name)
	fact("Namespace:", "%s", found.Namespace)
	fact("Tenant:", "%s", d.describeTenant())
	fact("For users with:", "%s", describeMatch(&spec))
	fact("Priority:", "%d", spec.Priority)
	fact("Apply:", "%s", orNothing(string(spec.Apply)))
	fact("In effect:", "%s", d.describeGeneration())
	fact("Users:", "%d for whom it is the first that matches, %d who have its values", found.MatchedUsers, found.AppliedUsers)
	if err := facts.Flush(); err != nil {
		return err
	}
	if err := writeConditions(out, d.defaults.Status.Conditions, found.Findings, now); err != nil {
		return err
	}
	writeFindings(out, found.Findings)
	return nil
}

func (d *describedDefaults) describeTenant() string {
	name := d.defaults.Spec.TenantRef.Name
	if d.tenant == nil {
		return name + ", which does not exist"
	}
	if meta.IsStatusConditionTrue(d.tenant.Status.Conditions, v1alpha1.ConditionReady) {
		return name + ", which is ready"
	}
	return fmt.Sprintf("%s, which is not ready: %s says why", name, commandLine("describe", d.tenant, ""))
}

// describeMatch says which users the defaults are for.
func describeMatch(spec *v1alpha1.UserDefaultsSpec) string {
	var conditions []string
	if spec.ConfigurationFilter != "" {
		conditions = append(conditions, "configurationFilter "+spec.ConfigurationFilter)
	}
	if spec.Filter != "" {
		conditions = append(conditions, spec.Filter)
	}
	if len(conditions) == 0 {
		return "anything: every user matches"
	}
	return strings.Join(conditions, ", and ")
}

// describeGeneration says which generation of the defaults the tenant's server works with.
func (d *describedDefaults) describeGeneration() string {
	present, count := d.defaults.Generation, d.count()
	if count == nil {
		return "nothing, as far as the tenant's server has told"
	}
	text := fmt.Sprintf("generation %d, and the present one is %d", count.Generation, present)
	switch count.Generation {
	case present:
		text = fmt.Sprintf("generation %d, the present one", present)
	case 0:
		text = fmt.Sprintf("no generation yet, and the present one is %d", present)
	}
	if count.PendingGeneration != 0 {
		text += fmt.Sprintf("; users are being held against generation %d", count.PendingGeneration)
	}
	if count.RefusedGeneration != 0 {
		text += fmt.Sprintf("; the server refuses generation %d", count.RefusedGeneration)
	}
	return text
}
