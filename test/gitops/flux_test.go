package gitops

import (
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/pkg/ssa"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kustomizeController applies, waits and deletes as Flux's controller of that name.
func kustomizeController() *ssa.ResourceManager {
	return ssa.NewResourceManager(cluster, polling.NewStatusPoller(cluster, cluster.RESTMapper(), polling.Options{}),
		ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"})
}

func TestFluxWaitsForATenantAndAppliesItOnce(t *testing.T) {
	customers := namespace(t, "flux-waits")
	flux := kustomizeController()
	git := read(t, "config/samples/contoso.yaml", customers)
	changes, err := flux.ApplyAll(t.Context(), copied(git), ssa.DefaultApplyOptions())
	if err != nil {
		t.Fatal(err)
	}
	wait := ssa.WaitOptions{Interval: 50 * time.Millisecond, Timeout: time.Second}
	if err := flux.WaitForSet(changes.ToObjMetadataSet(), wait); err == nil || !strings.Contains(err.Error(), "InProgress") {
		t.Errorf("Flux takes a tenant for ready that nobody has looked at: %v", err)
	}
	for _, object := range git {
		live := object.DeepCopy()
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(object), live); err != nil {
			t.Fatal(err)
		}
		ready(t, live)
	}
	wait.Timeout = startTimeout
	if err := flux.WaitForSet(changes.ToObjMetadataSet(), wait); err != nil {
		t.Error(err)
	}
	again, err := flux.ApplyAll(t.Context(), copied(git), ssa.DefaultApplyOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range again.Entries {
		if entry.Action != ssa.UnchangedAction {
			t.Errorf("%s is %s when it is applied again", entry.Subject, entry.Action)
		}
	}
}

func TestFluxDoesNotPruneADirectory(t *testing.T) {
	customers := namespace(t, "flux-prunes")
	directory, strange := claimOf(t, made(t, customers)), claim(t, customers, "strange", nil)
	options := ssa.DefaultDeleteOptions()
	options.Exclusions = map[string]string{"kustomize.toolkit.fluxcd.io/prune": "disabled"} // as kustomize-controller has it
	if _, err := kustomizeController().DeleteAll(t.Context(), []*unstructured.Unstructured{directory, strange}, options); err != nil {
		t.Fatal(err)
	}
	if !there(t, directory) || there(t, strange) {
		t.Errorf("the directory is there: %t, another claim: %t", there(t, directory), there(t, strange))
	}
}

// TestForceDeletesATenantForATypo is why docs/gitops.md warns of it. Once it fails, that can be taken back.
func TestForceDeletesATenantForATypo(t *testing.T) {
	customers := namespace(t, "flux-forces")
	flux, tenant := kustomizeController(), read(t, "config/samples/contoso.yaml", customers)[0]
	if _, err := flux.Apply(t.Context(), tenant.DeepCopy(), ssa.DefaultApplyOptions()); err != nil {
		t.Fatal(err)
	}
	typo := tenant.DeepCopy()
	if err := unstructured.SetNestedField(typo.Object, "https://contoso.scim.example.com", "spec", "exposure", "host"); err != nil {
		t.Fatal(err)
	}
	if _, err := flux.Apply(t.Context(), typo.DeepCopy(), ssa.DefaultApplyOptions()); err == nil || !there(t, tenant) {
		t.Fatalf("without force a typo is refused and nothing happens, but got %v", err)
	}
	force := ssa.DefaultApplyOptions()
	force.Force = true
	if _, err := flux.Apply(t.Context(), typo, force); err == nil || there(t, tenant) {
		t.Errorf("Flux has left the tenant alone: %v", err)
	}
}

func copied(objects []*unstructured.Unstructured) (copies []*unstructured.Unstructured) {
	for _, object := range objects {
		copies = append(copies, object.DeepCopy())
	}
	return copies
}
