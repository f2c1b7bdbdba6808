package gitops

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	root = "../.."
	// startTimeout is generous: a busy machine with two cores needs far more than the default of 20 s.
	startTimeout = 120 * time.Second
)

var (
	config  *rest.Config
	cluster client.Client
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	environment := &envtest.Environment{
		CRDDirectoryPaths: []string{root + "/config/crd/bases"}, ErrorIfCRDPathMissing: true,
		ControlPlaneStartTimeout: startTimeout, ControlPlaneStopTimeout: startTimeout,
	}
	defer func() {
		if err := environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the control plane:", err)
		}
	}()
	var err error
	if config, err = environment.Start(); err == nil {
		config.QPS = -1
		cluster, err = client.New(config, client.Options{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// namespace makes one.
func namespace(t *testing.T, name string) string {
	t.Helper()
	if err := cluster.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		t.Fatal(err)
	}
	return name
}

// read returns the objects of a file, in a namespace.
func read(t *testing.T, path, namespace string) (objects []*unstructured.Unstructured) {
	t.Helper()
	file, err := os.Open(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := yaml.NewYAMLOrJSONDecoder(file, 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if len(object.Object) > 0 {
			object.SetNamespace(namespace)
			objects = append(objects, object)
		}
	}
	if len(objects) == 0 {
		t.Fatalf("%s is empty", path)
	}
	return objects
}

// made are the objects that the operator makes for a tenant called contoso, none of which has an owner: as an orphaning deletion
// leaves them, or a restore. The kinds of the Gateway API are left out.
func made(t *testing.T, namespace string) (objects []*unstructured.Unstructured) {
	t.Helper()
	for _, object := range read(t, "controllers/desired/testdata/plain.yaml", namespace) {
		if object.GetKind() == "HTTPRoute" {
			continue
		}
		object.SetOwnerReferences(nil)
		if err := cluster.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	return objects
}

// claim is a volume claim that the operator has not made.
func claim(t *testing.T, namespace, name string, labels map[string]string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"spec": map[string]any{
			"accessModes": []any{"ReadWriteOnce"}, "resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}},
		},
	}}
	object.SetNamespace(namespace)
	object.SetName(name)
	object.SetLabels(labels)
	if err := cluster.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	return object
}

// ready writes the status that the operator writes when a resource is ready.
func ready(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	status := fmt.Appendf(nil, `{"status":{"observedGeneration":%d,"conditions":[{"type":"Ready","status":"True","reason":"Ready","message":"It is.",
		"observedGeneration":%[1]d,"lastTransitionTime":%q}]}}`, object.GetGeneration(), metav1.Now().UTC().Format(time.RFC3339))
	if err := cluster.Status().Patch(t.Context(), object, client.RawPatch(types.MergePatchType, status)); err != nil {
		t.Fatal(err)
	}
}

// there tells whether an object is still wanted: a claim that is deleted waits for its pods.
func there(t *testing.T, object *unstructured.Unstructured) bool {
	t.Helper()
	found := object.DeepCopy()
	err := cluster.Get(t.Context(), client.ObjectKeyFromObject(object), found)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return err == nil && found.GetDeletionTimestamp() == nil
}
