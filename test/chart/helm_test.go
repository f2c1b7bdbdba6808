package chart

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/kube"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// chartOf is a chart of somebody's own, with one template.
func chartOf(template string) *chartv2.Chart {
	return &chartv2.Chart{
		Metadata:  &chartv2.Metadata{APIVersion: "v2", Name: "customers", Version: "1.0.0"},
		Templates: []*common.File{{Name: "templates/objects.yaml", Data: []byte(template)}},
	}
}

// kubectl is what a person types.
func kubectl(t *testing.T, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), args...)
	command.Env = []string{"KUBECONFIG=" + shared.kubeconfig, "HOME=" + t.TempDir()}
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// TestAChangeByHandStopsTheNextUpgradeUntilItIsForced as docs/upgrade.md says.
func TestAChangeByHandStopsTheNextUpgradeUntilItIsForced(t *testing.T) {
	namespace(t, releaseNamespace)
	t.Cleanup(func() { removeCRDs(t) })
	install(t, releaseNamespace, nil)
	key := client.ObjectKey{Namespace: releaseNamespace, Name: "tenantry-operator"}
	var before appsv1.Deployment
	if err := shared.client.Get(t.Context(), key, &before); err != nil {
		t.Fatal(err)
	}
	kubectl(t, "scale", "deployment", "--namespace", key.Namespace, key.Name, "--replicas=0")
	kubectl(t, "set", "image", "deployment", "--namespace", key.Namespace, key.Name, "operator=example.com/operator:incident")

	upgrade := action.NewUpgrade(configuration(t, releaseNamespace))
	upgrade.Namespace, upgrade.WaitStrategy = releaseNamespace, kube.HookOnlyStrategy
	_, err := upgrade.RunWithContext(t.Context(), releaseName, load(t), nil)
	if err == nil || !strings.Contains(err.Error(), "conflict with") {
		t.Fatalf("got %v, want a conflict", err)
	}
	upgrade.ForceConflicts = true
	if _, err := upgrade.RunWithContext(t.Context(), releaseName, load(t), nil); err != nil {
		t.Fatal(err)
	}
	var after appsv1.Deployment
	if err := shared.client.Get(t.Context(), key, &after); err != nil {
		t.Fatal(err)
	}
	replicas, image := *before.Spec.Replicas, before.Spec.Template.Spec.Containers[0].Image
	if *after.Spec.Replicas != replicas || after.Spec.Template.Spec.Containers[0].Image != image {
		t.Errorf("there are %d replicas of %s, want %d of %s",
			*after.Spec.Replicas, after.Spec.Template.Spec.Containers[0].Image, replicas, image)
	}
}

// TestHelmWaitsForATenant that no operator has looked at, and for no other longer than its operator takes.
func TestHelmWaitsForATenant(t *testing.T) {
	const customers = "waiting"
	namespace(t, releaseNamespace)
	namespace(t, customers)
	t.Cleanup(func() { removeCRDs(t) })
	install(t, releaseNamespace, nil)
	chart := chartOf(`
apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenant
metadata: {name: contoso}
spec: {displayName: Contoso Ltd}
---
apiVersion: provisioning.tenantry.dev/v1alpha1
kind: UserDefaults
metadata: {name: everybody}
spec: {tenantRef: {name: contoso}, companies: [Contoso AB]}
`)
	t.Cleanup(func() { uninstall(t, customers) })
	install := action.NewInstall(configuration(t, customers))
	install.ReleaseName, install.Namespace, install.WaitStrategy, install.Timeout = releaseName, customers, kube.StatusWatcherStrategy, time.Second
	if _, err := install.RunWithContext(t.Context(), chart, nil); err == nil || !strings.Contains(err.Error(), "not ready") {
		t.Fatalf("Helm takes a tenant for ready that nobody has looked at: %v", err)
	}
	for kind, name := range map[string]string{"ProvisioningTenant": "contoso", "UserDefaults": "everybody"} {
		resource := object("provisioning.tenantry.dev/v1alpha1", kind)
		if err := shared.client.Get(t.Context(), client.ObjectKey{Namespace: customers, Name: name}, resource); err != nil {
			t.Fatal(err)
		}
		// As the operator writes it.
		seen := fmt.Appendf(nil, `{"status":{"observedGeneration":%d,"conditions":[{"type":"Ready","status":"True","reason":"Ready","message":"It is.",
			"observedGeneration":%[1]d,"lastTransitionTime":%q}]}}`, resource.GetGeneration(), metav1.Now().UTC().Format(time.RFC3339))
		if err := shared.client.Status().Patch(t.Context(), resource, client.RawPatch("application/merge-patch+json", seen)); err != nil {
			t.Fatal(err)
		}
	}
	upgrade := action.NewUpgrade(configuration(t, customers))
	upgrade.Namespace, upgrade.WaitStrategy, upgrade.Timeout = customers, kube.StatusWatcherStrategy, startTimeout
	if _, err := upgrade.RunWithContext(t.Context(), releaseName, chart, nil); err != nil {
		t.Fatal(err)
	}
}

// TestAReleaseThatNoLongerHasADirectoryLeavesIt: somebody had a claim in a chart to restore it, and the operator has taken it up since.
func TestAReleaseThatNoLongerHasADirectoryLeavesIt(t *testing.T) {
	const customers = "restored"
	namespace(t, customers)
	t.Cleanup(func() { uninstall(t, customers) })
	claim := `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %s}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`
	run := func(template string) {
		t.Helper()
		upgrade := action.NewUpgrade(configuration(t, customers))
		upgrade.Install, upgrade.Namespace, upgrade.WaitStrategy = true, customers, kube.HookOnlyStrategy
		if _, err := upgrade.RunWithContext(t.Context(), releaseName, chartOf(template), nil); err != nil {
			t.Fatal(err)
		}
	}
	install := action.NewInstall(configuration(t, customers))
	install.ReleaseName, install.Namespace, install.WaitStrategy = releaseName, customers, kube.HookOnlyStrategy
	if _, err := install.RunWithContext(t.Context(), chartOf(fmt.Sprintf(claim, "contoso-data")+"---"+fmt.Sprintf(claim, "scratch")), nil); err != nil {
		t.Fatal(err)
	}
	taken := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: customers, Name: "contoso-data"}}
	if err := shared.client.Get(t.Context(), client.ObjectKeyFromObject(taken), taken); err != nil {
		t.Fatal(err)
	}
	before := taken.DeepCopy()
	taken.Annotations = keptAnnotations(t)
	if err := shared.client.Patch(t.Context(), taken, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	run("")
	if err := shared.client.Get(t.Context(), client.ObjectKeyFromObject(taken), taken); err != nil || taken.DeletionTimestamp != nil {
		t.Errorf("the directory is gone: %v", err)
	}
	scratch := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: customers, Name: "scratch"}}
	if err := shared.client.Get(t.Context(), client.ObjectKeyFromObject(scratch), scratch); err == nil && scratch.DeletionTimestamp == nil {
		t.Error("Helm leaves what has no annotation too, so it proves nothing")
	}
}

// keptAnnotations are those of a tenant's claim, as the operator makes it.
func keptAnnotations(t *testing.T) map[string]string {
	t.Helper()
	for _, object := range parse(t, "golden", string(read(t, root+"/controllers/desired/testdata/plain.yaml"))) {
		if object.GetKind() == "PersistentVolumeClaim" {
			annotations, _, _ := unstructured.NestedStringMap(object.Object, "metadata", "annotations")
			return annotations
		}
	}
	t.Fatal("there is no claim")
	return nil
}
