package desired

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// TestNoToolTakesAnObjectOfATenantForItsOwn: Argo CD takes an object without an owner for one of the Application that its label
// app.kubernetes.io/instance names. Every object can lose its owner, by an orphaning deletion or a restore.
func TestNoToolTakesAnObjectOfATenantForItsOwn(t *testing.T) {
	for name, tenant := range map[string]Tenant{"plain": plain(), "full": full(), "database": database(), "moving": moving(), "moved": moved()} {
		for kind, text := range build(t, tenant) {
			if strings.Contains(text, "app.kubernetes.io/instance") {
				t.Errorf("%s of the %s tenant says that it is part of an instance that a person named:\n%s", kind, name, text)
			}
		}
	}
}

func TestNoToolDeletesADirectory(t *testing.T) {
	for name, tenant := range map[string]Tenant{"plain": plain(), "full": full(), "moving": moving(), "moved": moved()} {
		var claim metav1.PartialObjectMetadata
		if err := yaml.Unmarshal([]byte(build(t, tenant)["claim"]), &claim); err != nil {
			t.Fatal(err)
		}
		for annotation, want := range map[string]string{
			"argocd.argoproj.io/sync-options":    "Prune=false,Delete=false",
			"argocd.argoproj.io/compare-options": "IgnoreExtraneous",
			"kustomize.toolkit.fluxcd.io/prune":  "disabled",
			"helm.sh/resource-policy":            "keep",
		} {
			if got := claim.Annotations[annotation]; got != want {
				t.Errorf("the claim of the %s tenant has %s %q, want %q", name, annotation, got, want)
			}
		}
	}
}
