package plugin

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestATenantIsPausedByOneAnnotationAndResumedWithoutIt(t *testing.T) {
	t.Parallel()
	key := v1alpha1.ReconcileAnnotation
	for name, c := range map[string]struct {
		before    map[string]string
		value     string
		unchanged bool
		words     string
	}{
		"pause":             {nil, "disabled", false, "is paused until 'kubectl tenantry resume contoso -n customers'"},
		"pause beside":      {map[string]string{"a": "b"}, "disabled", false, "is paused until"},
		"pause again":       {map[string]string{key: "disabled"}, "disabled", true, "was paused before"},
		"pause a misspelt":  {map[string]string{key: "Disabled"}, "disabled", false, "is paused until"},
		"resume":            {map[string]string{"a": "b", key: "disabled"}, "", false, "is resumed"},
		"resume a misspelt": {map[string]string{key: ""}, "", false, "is resumed"},
		"resume again":      {map[string]string{"a": "b"}, "", true, "was not paused"},
	} {
		tenant := contoso()
		tenant.Annotations = c.before
		unchanged := isReconciled(tenant, c.value)
		if unchanged != c.unchanged {
			t.Errorf("%s: unchanged is %t", name, unchanged)
		}
		if words := handsOffWords(tenant, c.value, !unchanged); !strings.HasPrefix(words, "tenant contoso of namespace customers ") || !strings.Contains(words, c.words) {
			t.Errorf("%s: %q", name, words)
		}
	}
}

// Somebody may ask for another thing between the look at a tenant and the patch.
func TestNothingButTheAnnotationIsPatched(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"disabled": `{"metadata":{"annotations":{"provisioning.tenantry.dev/reconcile":"disabled"}}}`,
		"":         `{"metadata":{"annotations":{"provisioning.tenantry.dev/reconcile":null}}}`,
	} {
		patch, err := reconcilePatch(value)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := patch.Data(contoso()); err != nil || string(got) != want || patch.Type() != types.MergePatchType {
			t.Errorf("to %q: %s (%v), want %s", value, got, err, want)
		}
	}
}

func TestASelectionIsRefusedWhereItMakesNoSense(t *testing.T) {
	t.Parallel()
	const both = "kubectl tenantry pause takes names of tenants or --selector and --all-namespaces, not both"
	const none = "kubectl tenantry pause takes the names of tenants, or --selector"
	for args, want := range map[string]string{
		"pause": none, "pause contoso -A": both, "pause contoso -l a=b": both,
		"pause -l a=b=c": `--selector: found '=', expected: ',' or 'end of string'`,
	} {
		var out, errOut bytes.Buffer
		code := Run(t.Context(), append(strings.Fields(args), "--kubeconfig", filepath.Join(t.TempDir(), "none")), options(&out, &errOut))
		if code != ExitUsage || errOut.String() != "error: "+want+"\nSee 'kubectl tenantry pause --help'.\n" {
			t.Errorf("%s: exit %d\n%s", args, code, &errOut)
		}
	}
}
