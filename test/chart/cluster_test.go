package chart

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// startTimeout is generous: a busy machine with two cores needs far more than the default of 20 s.
const startTimeout = 120 * time.Second

// cluster is one real API server for all tests; nothing runs on it.
type cluster struct {
	environment *envtest.Environment
	config      *rest.Config
	client      client.Client
	kubeconfig  string
}

var shared cluster

func TestMain(m *testing.M) {
	// docs/install.md is run with this very program as helm.
	if filepath.Base(os.Args[0]) == "helm" {
		os.Exit(helm())
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	defer func() {
		if err := shared.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the control plane:", err)
		}
	}()
	if err := shared.start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func (c *cluster) start() error {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return fmt.Errorf("set KUBEBUILDER_ASSETS to a directory with kube-apiserver and etcd; `make test` does")
	}
	c.environment = &envtest.Environment{
		// The kinds of the Prometheus operator, with no more of their schemas than a test needs that has the types.
		CRDDirectoryPaths:        []string{"testdata/monitoring"},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  startTimeout,
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		c.stop()
		os.Exit(1)
	}()
	var err error
	if c.config, err = c.environment.Start(); err != nil {
		return fmt.Errorf("start the control plane: %w", err)
	}
	c.config.QPS = -1
	if c.client, err = client.New(c.config, client.Options{}); err != nil {
		return err
	}
	administrator, err := c.environment.AddUser(envtest.User{Name: "administrator", Groups: []string{"system:masters"}}, c.config)
	if err != nil {
		return err
	}
	content, err := administrator.KubeConfig()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "chart")
	if err != nil {
		return err
	}
	c.kubeconfig = filepath.Join(folder, "kubeconfig")
	return os.WriteFile(c.kubeconfig, content, 0o600)
}

func (c *cluster) stop() error {
	if c.kubeconfig != "" {
		os.RemoveAll(filepath.Dir(c.kubeconfig))
	}
	if c.environment == nil {
		return nil
	}
	return c.environment.Stop()
}

// object returns an empty object to read into.
func object(apiVersion, kind string) *unstructured.Unstructured {
	empty := &unstructured.Unstructured{}
	empty.SetAPIVersion(apiVersion)
	empty.SetKind(kind)
	return empty
}

// namespace makes one under the restricted Pod Security Standard.
func namespace(t *testing.T, name string) {
	t.Helper()
	err := shared.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}})
	if client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
}

// eventually waits for wrong to return "". It works in a cleanup too, when the test's own context has ended.
func eventually(t *testing.T, what string, wrong func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		problem := wrong()
		if problem == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %s", what, problem)
		case <-ticker.C:
		}
	}
}

// configuration is what Helm's actions share.
func configuration(t *testing.T, namespace string) *action.Configuration {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig, flags.Namespace = &shared.kubeconfig, &namespace
	// No throttling in the client: the tests are the only ones there.
	flags.WrapConfigFn = func(config *rest.Config) *rest.Config {
		config.QPS = -1
		return config
	}
	configuration := action.NewConfiguration()
	if err := configuration.Init(flags, namespace, "secret"); err != nil {
		t.Fatal(err)
	}
	return configuration
}

func install(t *testing.T, namespace string, values map[string]any) {
	t.Helper()
	install := action.NewInstall(configuration(t, namespace))
	install.ReleaseName, install.Namespace = releaseName, namespace
	install.WaitStrategy = kube.HookOnlyStrategy
	if _, err := install.RunWithContext(t.Context(), load(t), values); err != nil {
		t.Fatalf("install: %v", err)
	}
	t.Cleanup(func() { uninstall(t, namespace) })
}

func upgrade(t *testing.T, namespace string, values map[string]any) {
	t.Helper()
	upgrade := action.NewUpgrade(configuration(t, namespace))
	upgrade.Namespace = namespace
	upgrade.WaitStrategy = kube.HookOnlyStrategy
	if _, err := upgrade.RunWithContext(t.Context(), releaseName, load(t), values); err != nil {
		t.Fatalf("upgrade: %v", err)
	}
}

func uninstall(t *testing.T, namespace string) {
	t.Helper()
	uninstall := action.NewUninstall(configuration(t, namespace))
	uninstall.WaitStrategy = kube.HookOnlyStrategy
	uninstall.IgnoreNotFound = true
	if _, err := uninstall.Run(releaseName); err != nil {
		t.Fatalf("uninstall: %v", err)
	}
}

// removeCRDs makes the cluster as it was.
func removeCRDs(t *testing.T) {
	t.Helper()
	for _, name := range []string{"provisioningtenantclasses", "provisioningtenants", "userdefaults"} {
		crd := object("apiextensions.k8s.io/v1", "CustomResourceDefinition")
		crd.SetName(name + ".provisioning.tenantry.dev")
		if err := shared.client.Delete(context.Background(), crd); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		eventually(t, "the CRD goes", func() string {
			if err := shared.client.Get(context.Background(), client.ObjectKeyFromObject(crd), crd); !apierrors.IsNotFound(err) {
				return fmt.Sprint(err)
			}
			return ""
		})
	}
}

// TestTheAPIServerTakesEverythingThatIsRendered applies as kubectl does, and a field that does not exist is an error.
func TestTheAPIServerTakesEverythingThatIsRendered(t *testing.T) {
	for _, name := range []string{releaseNamespace, "customers", "partners"} {
		namespace(t, name)
	}
	for name, values := range cases(t) {
		t.Run(name, func(t *testing.T) {
			for _, object := range render(t, values) {
				body, err := object.MarshalJSON()
				if err != nil {
					t.Fatal(err)
				}
				err = shared.client.Patch(t.Context(), object, client.RawPatch(types.ApplyPatchType, body),
					client.FieldOwner("chart-test"), client.ForceOwnership, client.DryRunAll, client.FieldValidation("Strict"))
				if err != nil {
					t.Errorf("%s: %v", id(object), err)
				}
			}
		})
	}
}

// TestPodsAreTakenWhereOnlyRestrictedOnesAre makes the operator's pods by hand, as Pod Security looks at pods.
func TestPodsAreTakenWhereOnlyRestrictedOnesAre(t *testing.T) {
	const restricted = "restricted"
	namespace(t, restricted)
	for name, values := range cases(t) {
		t.Run(name, func(t *testing.T) {
			for _, rendered := range render(t, values) {
				pod := rendered
				switch rendered.GetKind() {
				case "Deployment":
					spec, _, _ := unstructured.NestedMap(rendered.Object, "spec", "template", "spec")
					pod = object("v1", "Pod")
					pod.Object["spec"] = spec
					pod.SetName("operator")
				case "Pod":
				default:
					continue
				}
				pod.SetNamespace(restricted)
				if err := takePod(t, pod); err != nil {
					t.Errorf("%s: %v", id(rendered), err)
				}
				unstructured.RemoveNestedField(pod.Object, "spec", "securityContext", "runAsNonRoot")
				if err := takePod(t, pod); err == nil {
					t.Errorf("%s: this namespace takes a pod that may run as root, so it proves nothing", id(rendered))
				}
			}
		})
	}
}

func takePod(t *testing.T, pod *unstructured.Unstructured) error {
	t.Helper()
	account, _, _ := unstructured.NestedString(pod.Object, "spec", "serviceAccountName")
	err := shared.client.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: pod.GetNamespace(), Name: account}})
	if client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	return shared.client.Create(t.Context(), pod.DeepCopy(), client.DryRunAll)
}

// TestAReleaseIsInstalledUpgradedAndUninstalled by Helm itself, through every file of values.
func TestAReleaseIsInstalledUpgradedAndUninstalled(t *testing.T) {
	for _, name := range []string{releaseNamespace, "customers", "partners"} {
		namespace(t, name)
	}
	all := cases(t)
	t.Cleanup(func() { removeCRDs(t) })
	install(t, releaseNamespace, all["default"])
	tenant := object("provisioning.tenantry.dev/v1alpha1", "ProvisioningTenant")
	tenant.SetName("contoso")
	tenant.SetNamespace("customers")
	tenant.Object["spec"] = map[string]any{"displayName": "Contoso Ltd"}
	eventually(t, "a tenant is taken", func() string {
		if err := shared.client.Create(t.Context(), tenant.DeepCopy()); err != nil {
			return err.Error()
		}
		return ""
	})

	for _, name := range []string{"everything", "bare", "tags", "default"} {
		upgrade(t, releaseNamespace, all[name])
		for _, want := range render(t, all[name]) {
			if want.GetAnnotations()[hookAnnotation] != "" {
				continue
			}
			got := object(want.GetAPIVersion(), want.GetKind())
			if err := shared.client.Get(t.Context(), client.ObjectKeyFromObject(want), got); err != nil {
				t.Errorf("with values %s: %s: %v", name, id(want), err)
			}
		}
	}
	role := object("rbac.authorization.k8s.io/v1", "Role")
	if err := shared.client.Get(t.Context(), client.ObjectKey{Namespace: "customers", Name: "tenantry-operator"}, role); !apierrors.IsNotFound(err) {
		t.Errorf("the Role of a namespace that is no longer watched is still there: %v", err)
	}

	uninstall(t, releaseNamespace)
	for _, gone := range render(t, all["default"]) {
		kept := gone.GetAnnotations()[policyAnnotation] == "keep"
		err := shared.client.Get(t.Context(), client.ObjectKeyFromObject(gone), object(gone.GetAPIVersion(), gone.GetKind()))
		switch {
		case kept && err != nil:
			t.Errorf("%s must stay: %v", id(gone), err)
		case !kept && !apierrors.IsNotFound(err):
			t.Errorf("%s stays behind: %v", id(gone), err)
		}
	}
	if err := shared.client.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
		t.Errorf("the tenant went with the operator: %v", err)
	}
	// Who kept the CRDs can install again, and finds the tenants.
	install(t, releaseNamespace, nil)
	if err := shared.client.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
		t.Errorf("the tenant is gone: %v", err)
	}
}

// TestCRDsThatAreNotKeptGoWithTheirRelease, and every tenant with them.
func TestCRDsThatAreNotKeptGoWithTheirRelease(t *testing.T) {
	namespace(t, releaseNamespace)
	t.Cleanup(func() { removeCRDs(t) })
	install(t, releaseNamespace, map[string]any{"crds": map[string]any{"keep": false}})
	uninstall(t, releaseNamespace)
	crd := object("apiextensions.k8s.io/v1", "CustomResourceDefinition")
	eventually(t, "the CRD goes", func() string {
		err := shared.client.Get(t.Context(), client.ObjectKey{Name: "provisioningtenants.provisioning.tenantry.dev"}, crd)
		if !apierrors.IsNotFound(err) {
			return fmt.Sprint(err)
		}
		return ""
	})
}
