package gitops

import (
	"testing"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// instance is the label that names an object's Application where Argo CD tracks by label.
const instance = "app.kubernetes.io/instance"

// managed are the live objects that an Application takes for its own, beside those of Git.
func managed(t *testing.T, namespace, application string, git ...*unstructured.Unstructured) map[kube.ResourceKey]*unstructured.Unstructured {
	t.Helper()
	live := cache.NewClusterCache(config, cache.SetNamespaces([]string{namespace}),
		cache.SetPopulateResourceInfoHandler(func(object *unstructured.Unstructured, _ bool) (any, bool) {
			name := object.GetLabels()[instance]
			return name, name != ""
		}))
	t.Cleanup(func() { live.Invalidate() })
	if err := live.EnsureSynced(); err != nil {
		t.Fatal(err)
	}
	objects, err := live.GetManagedLiveObjs(git, func(r *cache.Resource) bool { return r.Info == application })
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestAnApplicationCalledAsTheTenantTakesNothingOfItForItsOwn(t *testing.T) {
	customers := namespace(t, "argo-tracks")
	made(t, customers)
	strange := claim(t, customers, "strange", map[string]string{instance: "contoso"})
	found := managed(t, customers, "contoso")
	if _, ok := found[kube.GetResourceKey(strange)]; !ok {
		t.Error("it does not find its own either, so this proves nothing")
	}
	delete(found, kube.GetResourceKey(strange))
	for key := range found {
		t.Errorf("it takes %s for its own, and deletes it if it may", key)
	}
}

func TestAnApplicationThatHadADirectoryInGitDoesNotDeleteIt(t *testing.T) {
	customers := namespace(t, "argo-prunes")
	directory, strange := claimOf(t, made(t, customers)), claim(t, customers, "strange", nil)
	kubectl := &kube.KubectlCmd{Log: klog.Background(), Tracer: tracing.NopTracer{}}
	live := map[kube.ResourceKey]*unstructured.Unstructured{kube.GetResourceKey(directory): directory, kube.GetResourceKey(strange): strange}
	syncing, end, err := sync.NewSyncContext("revision", sync.Reconcile(nil, live, customers, namespaced{}), config, config, kubectl, customers,
		sync.WithPrune(true), sync.WithLogr(klog.Background()))
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	for range 10 {
		syncing.Sync()
		if phase, _, _ := syncing.GetState(); phase.Completed() {
			break
		}
	}
	phase, message, results := syncing.GetState()
	if phase != common.OperationSucceeded {
		t.Errorf("the sync ended as %s: %s", phase, message)
	}
	for _, result := range results {
		want := common.ResultCodePruned
		if result.ResourceKey == kube.GetResourceKey(directory) {
			want = common.ResultCodePruneSkipped
		}
		if result.Status != want {
			t.Errorf("%s is %s, want %s: %s", result.ResourceKey, result.Status, want, result.Message)
		}
	}
	if !there(t, directory) || there(t, strange) {
		t.Errorf("the directory is there: %t, another claim: %t", there(t, directory), there(t, strange))
	}
}

// namespaced says that each kind is.
type namespaced struct{}

func (namespaced) IsNamespaced(schema.GroupKind) (bool, error) { return true, nil }

func TestArgoCDFindsNoDifferenceInWhatNobodyHasChanged(t *testing.T) {
	customers := namespace(t, "argo-compares")
	for _, file := range []string{"config/samples/contoso.yaml", "config/samples/fabrikam.yaml"} {
		for _, git := range read(t, file, customers) {
			if err := cluster.Create(t.Context(), git.DeepCopy()); err != nil {
				t.Fatal(err)
			}
			live := git.DeepCopy()
			for _, looked := range []bool{false, true} {
				if looked && git.GroupVersionKind().Group != "" {
					ready(t, live)
				}
				if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(git), live); err != nil {
					t.Fatal(err)
				}
				result, err := diff.Diff(git.DeepCopy(), live.DeepCopy())
				if err != nil {
					t.Fatal(err)
				}
				if result.Modified {
					t.Errorf("%s %s, looked at by the operator: %t, is out of sync:\n%s\n%s", git.GetKind(), git.GetName(), looked,
						result.NormalizedLive, result.PredictedLive)
				}
			}
			changed := live.DeepCopy()
			if err := unstructured.SetNestedField(changed.Object, "Somebody Else", "spec", "displayName"); err != nil {
				t.Fatal(err)
			}
			if git.GetKind() != "ProvisioningTenant" {
				continue
			}
			if result, err := diff.Diff(git.DeepCopy(), changed); err != nil || !result.Modified {
				t.Errorf("a change is no difference either, so this proves nothing: %v", err)
			}
		}
	}
}

func claimOf(t *testing.T, objects []*unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	for _, object := range objects {
		if object.GetKind() == "PersistentVolumeClaim" {
			return object
		}
	}
	t.Fatal("the operator makes no claim")
	return nil
}
