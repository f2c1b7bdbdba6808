package plugin

import (
	"bytes"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestATenantIsPausedByOneAnnotationAndResumedWithoutIt(t *testing.T) {
	t.Parallel()
	key := v1alpha1.ReconcileAnnotation
	for name, c := range map[string]struct {
		before      map[string]string
		value       string
		after       map[string]string
		unchanged   bool
		words, verb string
	}{
		"pause":             {nil, "disabled", map[string]string{key: "disabled"}, false, "is paused until 'kubectl tenantry resume contoso -n customers'", "pause"},
		"pause beside":      {map[string]string{"a": "b"}, "disabled", map[string]string{"a": "b", key: "disabled"}, false, "is paused until", "pause"},
		"pause again":       {map[string]string{key: "disabled"}, "disabled", nil, true, "was paused before", "pause"},
		"pause a misspelt":  {map[string]string{key: "Disabled"}, "disabled", map[string]string{key: "disabled"}, false, "is paused until", "pause"},
		"resume":            {map[string]string{"a": "b", key: "disabled"}, "", map[string]string{"a": "b"}, false, "is resumed", "resume"},
		"resume a misspelt": {map[string]string{key: ""}, "", map[string]string{}, false, "is resumed", "resume"},
		"resume again":      {map[string]string{"a": "b"}, "", nil, true, "was not paused", "resume"},
	} {
		tenant := contoso()
		tenant.Annotations = maps.Clone(c.before)
		changed := reconciled(tenant, c.value)
		if (changed == nil) != c.unchanged || changed != nil && !maps.Equal(changed.Annotations, c.after) || !maps.Equal(tenant.Annotations, c.before) {
			t.Errorf("%s: %v, want %v", name, changed, c.after)
		}
		if words := handsOffWords(tenant, c.value, changed != nil); !strings.HasPrefix(words, "tenant contoso of namespace customers ") || !strings.Contains(words, c.words) {
			t.Errorf("%s: %q", name, words)
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
