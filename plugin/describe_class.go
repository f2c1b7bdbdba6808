package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/advice"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// ClassDiagnosis is what describe found of a class, as JSON and YAML have it.
type ClassDiagnosis struct {
	Name string `json:"name"`
	// Default tells whether tenants that name no class follow it.
	Default bool `json:"default"`
	// Namespace is the only one whose tenants were looked at, "" where those of the cluster were.
	Namespace string `json:"namespace,omitempty"`
	// Tenants that follow the class.
	Tenants []ClassTenant `json:"tenants"`
}

// ClassTenant is a tenant that follows a class.
type ClassTenant struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Ready     bool   `json:"ready"`
	// Refused says why the tenant does not have what its spec and its class say together; nil where it has.
	Refused *Finding `json:"refused,omitempty"`
}

// describedClass is a class with those of the tenants that follow it.
type describedClass struct {
	class *v1alpha1.ProvisioningTenantClass
	// newer is the default class in its place, "" where there is none.
	newer   string
	tenants []v1alpha1.ProvisioningTenant
	// namespace is the only one whose tenants could be listed, "" where all could.
	namespace string
}

func lookAtClass(ctx context.Context, c client.Client, namespace, name string) (described, error) {
	var classes v1alpha1.ProvisioningTenantClassList
	if err := c.List(ctx, &classes); err != nil {
		return nil, explain(err)
	}
	var names []string
	found := &describedClass{}
	for i := range classes.Items {
		names = append(names, classes.Items[i].Name)
		if classes.Items[i].Name == name {
			found.class = &classes.Items[i]
		}
	}
	switch {
	case found.class == nil && len(names) == 0:
		return nil, errors.New("there is no ProvisioningTenantClass")
	case found.class == nil:
		return nil, fmt.Errorf("there is no ProvisioningTenantClass %q; there is %s", name, strings.Join(names, ", "))
	}
	if inForce := defaultClass(classes.Items); inForce != name {
		found.newer = inForce
	}
	var tenants v1alpha1.ProvisioningTenantList
	all, err := everywhere(ctx, c, &tenants, namespace)
	if err != nil {
		return nil, err
	}
	if !all {
		found.namespace = namespace
	}
	found.tenants = slices.DeleteFunc(tenants.Items, func(t v1alpha1.ProvisioningTenant) bool { return !follows(&t, name) })
	return found, nil
}

// defaultClass is the newest default class, "" where there is none.
func defaultClass(classes []v1alpha1.ProvisioningTenantClass) string {
	var newest *v1alpha1.ProvisioningTenantClass
	for i := range classes {
		class := &classes[i]
		if class.IsDefault() && (newest == nil || class.ComparePrecedence(newest) < 0) {
			newest = class
		}
	}
	if newest == nil {
		return ""
	}
	return newest.Name
}

// follows tells whether a tenant follows the class of that name: it names it, or it names none and has its values. One that has no values of a class
// yet, because the default one refuses it, has that class in the message alone.
func follows(tenant *v1alpha1.ProvisioningTenant, class string) bool {
	switch asked := tenant.Spec.ClassName; {
	case asked != "":
		return asked == class
	case classInEffect(tenant) != "":
		return classInEffect(tenant) == class
	default:
		refused := refusedByClass(tenant)
		return refused != nil && slices.Contains(strings.FieldsFunc(refused.Message, func(r rune) bool { return strings.ContainsRune(" :;,()", r) }), class)
	}
}

// refusedByClass is the condition by which a class refuses a tenant; nil where it does not.
func refusedByClass(tenant *v1alpha1.ProvisioningTenant) *metav1.Condition {
	for _, conditionType := range []string{v1alpha1.ConditionClassInEffect, v1alpha1.ConditionAccepted} {
		c := meta.FindStatusCondition(tenant.Status.Conditions, conditionType)
		if c == nil || c.Status != metav1.ConditionFalse {
			continue
		}
		switch c.Reason {
		case v1alpha1.ReasonOutOfBounds, v1alpha1.ReasonClassInvalid, v1alpha1.ReasonClassMissing:
			return c
		}
	}
	return nil
}

func (d *describedClass) found() ClassDiagnosis {
	found := ClassDiagnosis{
		Name: d.class.Name, Default: d.class.IsDefault() && d.newer == "", Namespace: d.namespace, Tenants: []ClassTenant{},
	}
	for i := range d.tenants {
		tenant := &d.tenants[i]
		follower := ClassTenant{
			Namespace: tenant.Namespace, Name: tenant.Name, Ready: meta.IsStatusConditionTrue(tenant.Status.Conditions, v1alpha1.ConditionReady),
		}
		if c := refusedByClass(tenant); c != nil {
			known, _ := advice.For(c.Reason)
			follower.Refused = &Finding{
				Condition: c.Type, Status: string(c.Status), Reason: c.Reason, Message: c.Message, Meaning: known.Meaning, Action: known.Action,
			}
		}
		found.Tenants = append(found.Tenants, follower)
	}
	return found
}

func (d *describedClass) diagnosis() any { return d.found() }

func (d *describedClass) outcome() error {
	if slices.ContainsFunc(d.found().Tenants, func(t ClassTenant) bool { return t.Refused != nil }) {
		return &outcome{ExitWrong, nil}
	}
	return nil
}

func (d *describedClass) write(out io.Writer, now time.Time) error {
	found := d.found()
	ready, refusedOnes, refused := 0, 0, map[string][]ClassTenant{}
	var reasons []string
	for _, t := range found.Tenants {
		if t.Ready {
			ready++
		}
		if t.Refused != nil {
			refusedOnes++
			if refused[t.Refused.Reason] == nil {
				reasons = append(reasons, t.Refused.Reason)
			}
			refused[t.Refused.Reason] = append(refused[t.Refused.Reason], t)
		}
	}
	facts := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(facts, "Name:\t%s\n", found.Name)
	fmt.Fprintf(facts, "Default:\t%s\n", d.describeDefault())
	fmt.Fprintf(facts, "Namespaces:\t%s\n", describeSelector(d.class.Spec.NamespaceSelector))
	fmt.Fprintf(facts, "Tenants:\t%d, %d ready, %d refused\n", len(found.Tenants), ready, refusedOnes)
	if d.namespace != "" {
		fmt.Fprintf(facts, "\tof namespace %s only, because those of others may not be listed\n", d.namespace)
	}
	if err := facts.Flush(); err != nil {
		return err
	}
	if len(d.tenants) > 0 {
		fmt.Fprintln(out)
		printer := printers.NewTablePrinter(printers.PrintOptions{WithNamespace: true})
		if err := printer.PrintObj(classTable(d.tenants, now), out); err != nil {
			return err
		}
	}
	if len(reasons) == 0 {
		fmt.Fprintln(out, "\nNothing is wrong.")
		return nil
	}
	fmt.Fprintln(out, "\nWhat there is to know and to do:")
	for _, reason := range reasons {
		tenants := refused[reason]
		fmt.Fprintf(out, "\n  %s %s refused: %s\n", counted(int64(len(tenants)), "tenant"), verb(len(tenants), "is", "are"), reason)
		for _, t := range tenants {
			fmt.Fprintf(out, "    %s/%s: %s\n", t.Namespace, t.Name, t.Refused.Message)
		}
		fmt.Fprintf(out, "    → %s\n", tenants[0].Refused.Action)
	}
	return nil
}

func (d *describedClass) describeDefault() string {
	switch {
	case !d.class.IsDefault():
		return "no"
	case d.newer != "":
		return "yes, and class " + d.newer + " is newer and goes before it"
	default:
		return "yes: tenants that name no class follow it"
	}
}

// describeSelector says of which namespaces the tenants may be.
func describeSelector(selector *metav1.LabelSelector) string {
	if selector == nil {
		return "all"
	}
	return "those with labels " + metav1.FormatLabelSelector(selector)
}

// classTable has a row for each tenant that follows a class.
func classTable(tenants []v1alpha1.ProvisioningTenant, now time.Time) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string"}, {Name: "Ready", Type: "string"}, {Name: "As the class says", Type: "string"}, {Name: "Age", Type: "string"},
	}}
	for i := range tenants {
		tenant := &tenants[i]
		ready, in := string(metav1.ConditionUnknown), "yes"
		if c := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionReady); c != nil {
			ready = string(c.Status)
		}
		switch refused := refusedByClass(tenant); {
		case refused != nil:
			in = "no: " + refused.Reason
		case classInEffect(tenant) == "":
			in = "not yet"
		}
		table.Rows = append(table.Rows, metav1.TableRow{
			Cells: []any{tenant.Name, ready, in, age(&tenant.CreationTimestamp, now)}, Object: runtime.RawExtension{Object: tenant},
		})
	}
	return table
}
