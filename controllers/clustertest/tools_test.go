package clustertest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/testenv"
)

// untyped is the object as a tool has it that does not know our kinds.
func (w *world) untyped(object client.Object) *unstructured.Unstructured {
	w.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		w.Fatal(err)
	}
	kind, err := w.GroupVersionKindFor(object)
	if err != nil {
		w.Fatal(err)
	}
	untyped := &unstructured.Unstructured{Object: content}
	untyped.SetGroupVersionKind(kind)
	return untyped
}

// kstatus is what Flux, Helm and all others that use this library take the object for.
func kstatus(t *testing.T, object *unstructured.Unstructured) status.Status {
	t.Helper()
	result, err := status.Compute(object)
	if err != nil {
		t.Fatalf("kstatus of %s: %v", object.GetName(), err)
	}
	return result.Status
}

// told is what the conditions of a status say: it is as its spec says, or on the way there, or it never will be.
func told(generation, observed int64, conditions []metav1.Condition) status.Status {
	switch {
	case observed != generation, meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling):
		return status.InProgressStatus
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled):
		return status.FailedStatus
	default:
		return status.CurrentStatus
	}
}

// health is what Argo CD takes the object for, with the check of docs/gitops.md.
func health(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	machine := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer machine.Close()
	// Argo CD gives a check of an administrator these libraries and no more.
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := machine.CallByParam(lua.P{Fn: machine.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	machine.SetGlobal("obj", luaValue(machine, object.Object))
	if err := machine.DoString(healthCheck(t, object.GroupVersionKind())); err != nil {
		t.Fatalf("the health check of %s: %v", object.GetName(), err)
	}
	answer, ok := machine.Get(-1).(*lua.LTable)
	if !ok || answer.RawGetString("message").Type() != lua.LTString {
		t.Fatalf("the health check of %s gives no message: %v", object.GetName(), machine.Get(-1))
	}
	return answer.RawGetString("status").String()
}

// healthCheck is the script that docs/gitops.md has for a kind.
func healthCheck(t *testing.T, kind schema.GroupVersionKind) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/gitops.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	var settings corev1.ConfigMap
	if err := yaml.UnmarshalStrict([]byte(block), &settings); err != nil {
		t.Fatal(err)
	}
	script := settings.Data["resource.customizations.health."+kind.Group+"_"+kind.Kind]
	if script == "" {
		t.Fatalf("docs/gitops.md has no health check for %s", kind)
	}
	return script
}

// luaValue is a value of JSON as Argo CD gives it to a check.
func luaValue(machine *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := machine.NewTable()
		for _, element := range value {
			table.Append(luaValue(machine, element))
		}
		return table
	case map[string]any:
		table := machine.NewTable()
		for name, element := range value {
			table.RawSetString(name, luaValue(machine, element))
		}
		return table
	default:
		return lua.LNil
	}
}

// healthFor is what Argo CD should take an object for that kstatus takes for this.
var healthFor = map[status.Status]string{
	status.InProgressStatus: "Progressing", status.FailedStatus: "Degraded", status.CurrentStatus: "Healthy",
}

// misread returns what tools take the object for where that is not what the operator told.
func (w *world) misread(object client.Object, observed int64, conditions []metav1.Condition) (wrong []string) {
	want, untyped := told(object.GetGeneration(), observed, conditions), w.untyped(object)
	if got := kstatus(w.T, untyped); got != want {
		wrong = append(wrong, fmt.Sprintf("%s: kstatus takes it for %s, want %s", object.GetName(), got, want))
	}
	if got := health(w.T, untyped); got != healthFor[want] {
		wrong = append(wrong, fmt.Sprintf("%s: Argo CD takes it for %s, want %s", object.GetName(), got, healthFor[want]))
	}
	return wrong
}

// TestToolsKnowEachStateOfAResource. Every other test ends by asking whether they know the state that it leaves.
func TestToolsKnowEachStateOfAResource(t *testing.T) {
	t.Parallel()
	expect := func(w *world, object client.Object, want status.Status) {
		t.Helper()
		untyped := w.untyped(object)
		if got := kstatus(t, untyped); got != want {
			t.Errorf("%s: kstatus takes it for %s, want %s", object.GetName(), got, want)
		}
		if got := health(t, untyped); got != healthFor[want] {
			t.Errorf("%s: Argo CD takes it for %s, want %s", object.GetName(), got, healthFor[want])
		}
	}

	held := newWorld(t, testenv.HoldLabel)
	waits := create(held, held.tenant())
	expect(held, waits, status.InProgressStatus) // as the API server returned it
	held.until(waits, "Reconciling=True/"+v1alpha1.ReasonClaimPending)
	expect(held, waits, status.InProgressStatus)

	w := newWorld(t)
	tenant := create(w, w.tenant())
	defaults := create(w, w.defaults("everybody", func(d *v1alpha1.UserDefaults) { d.Spec.Companies = []string{"Unknown Inc"} }))
	expect(w, defaults, status.InProgressStatus)
	w.until(tenant, ready)
	expect(w, tenant, status.CurrentStatus)
	w.untilDefaults(defaults, "Stalled=True/"+v1alpha1.ReasonUnknownCompany)
	expect(w, defaults, status.FailedStatus)
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Provisioning.State, p.Spec.Access.State = v1alpha1.StateSuspended, v1alpha1.StateSuspended
	})
	expect(w, tenant, status.InProgressStatus) // the spec is newer than what the status speaks of
	w.until(tenant, "Ready=True/"+v1alpha1.ReasonSuspended)
	expect(w, tenant, status.CurrentStatus)
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Exposure = v1alpha1.Exposure{Type: v1alpha1.ExposureGateway, Host: p.Spec.Exposure.Host}
	})
	w.until(tenant, "Stalled=True/"+v1alpha1.ReasonGatewayMissing)
	expect(w, tenant, status.FailedStatus)
}

func TestNoToolTakesAResourceForReadyBeforeTheOperatorHasSeenIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, object := range []client.Object{w.tenant(), w.defaults("everybody")} {
		created := w.untyped(object)
		unstructured.RemoveNestedField(created.Object, "status")
		if err := w.Create(t.Context(), created); err != nil {
			t.Fatal(err)
		}
		if got := kstatus(t, created); got != status.InProgressStatus {
			t.Errorf("kstatus takes a new %s for %s, want InProgress; its status is %v", created.GetKind(), got, created.Object["status"])
		}
	}
}

// A class has no status, and none is waited for: a tool that applies it first goes on at once.
func TestToolsTakeAClassForCurrentAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	class := create(w, &v1alpha1.ProvisioningTenantClass{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	t.Cleanup(func() { _ = w.Delete(context.Background(), class) })
	if got := kstatus(t, w.untyped(class)); got != status.CurrentStatus {
		t.Errorf("kstatus takes it for %s", got)
	}
}
