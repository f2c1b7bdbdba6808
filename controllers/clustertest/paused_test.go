package clustertest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/ownership"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/scimserver/settings/kubernetes"
	"github.com/tenantry/tenantry/test/race"
)

// keeping is a change of spec.deletionPolicy.
func keeping(policy v1alpha1.DeletionPolicy) func(*v1alpha1.ProvisioningTenant) {
	return func(p *v1alpha1.ProvisioningTenant) { p.Spec.DeletionPolicy = policy }
}

// paused has the operator keep its hands off the tenant.
func paused(p *v1alpha1.ProvisioningTenant) {
	metav1.SetMetaDataAnnotation(&p.ObjectMeta, v1alpha1.ReconcileAnnotation, v1alpha1.ReconcileDisabled)
}

// pausedTenant makes a tenant, and pauses it once it is ready.
func (w *world) pausedTenant(changes ...func(*v1alpha1.ProvisioningTenant)) *v1alpha1.ProvisioningTenant {
	w.Helper()
	tenant := create(w, w.tenant(changes...))
	w.until(tenant, ready)
	edit(w, tenant, paused)
	w.until(tenant, "Ready=Unknown/ReconcileDisabled")
	return tenant
}

// takesAlong tells whether the tenant's volume claim goes with it, as garbage collection finds it.
func (w *world) takesAlong(tenant *v1alpha1.ProvisioningTenant) bool {
	w.Helper()
	return slices.ContainsFunc(get(w, &corev1.PersistentVolumeClaim{}, "contoso-data").OwnerReferences, func(o metav1.OwnerReference) bool {
		return o.UID == tenant.UID
	})
}

// untilPolicy waits until the status says what becomes of the directory.
func (w *world) untilPolicy(tenant *v1alpha1.ProvisioningTenant, want v1alpha1.DeletionPolicy) {
	w.Helper()
	w.eventually("the status says "+string(want), func() string {
		if now := get(w, tenant, tenant.Name).Status.Storage; now == nil || now.DeletionPolicy != want {
			return "not yet"
		}
		return ""
	})
}

// said is an object without what each write changes.
func said(t *testing.T, claim *corev1.PersistentVolumeClaim) string {
	t.Helper()
	same := claim.DeepCopy()
	same.ResourceVersion, same.OwnerReferences, same.ManagedFields = "", nil, nil
	text, err := json.Marshal(same)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// In an incident somebody pauses a tenant, and then sees that its directory would go with it.
func TestRetainThatIsSetDuringAPauseKeepsTheDirectoryAndNothingElseOfThePausedTenantChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := w.pausedTenant(keeping(v1alpha1.DeletionPolicyDelete))
	before := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	server := get(w, &appsv1.Deployment{}, "contoso-scim")
	if err := w.Delete(t.Context(), get(w, &corev1.Service{}, "contoso-scim")); err != nil {
		t.Fatal(err)
	}
	requests := len(operator.Requests.In(w.namespace))
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.DeletionPolicy, p.Spec.Server.Template.Spec.PriorityClassName = v1alpha1.DeletionPolicyRetain, "high"
	})
	w.untilPolicy(tenant, v1alpha1.DeletionPolicyRetain)
	w.until(tenant, "Ready=Unknown/ReconcileDisabled")
	if w.takesAlong(tenant) {
		t.Error("the directory is deleted with the tenant, and the status says that it is kept")
	}
	if text := message(tenant, v1alpha1.ConditionReady); strings.Contains(text, "deletionPolicy") {
		t.Errorf("a deletionPolicy that is in force is told as %q", text)
	}
	if now := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data"); said(t, now) != said(t, before) {
		t.Errorf("the claim was\n%s\nand is\n%s", said(t, before), said(t, now))
	}
	for _, request := range operator.Requests.In(w.namespace)[requests:] {
		if request.IsWrite() && !strings.HasSuffix(request.Path, "/provisioningtenants/contoso/status") &&
			!strings.HasSuffix(request.Path, "/persistentvolumeclaims/contoso-data") {
			t.Errorf("%s %s of a tenant that is to be left alone", request.Method, request.Path)
		}
	}
	if now := get(w, &appsv1.Deployment{}, "contoso-scim"); now.ResourceVersion != server.ResourceVersion {
		t.Error("the Deployment of a tenant that is to be left alone was changed")
	}
	gone(w, &corev1.Service{}, "contoso-scim")
	if get(w, tenant, "contoso").Status.ObservedGeneration == tenant.Generation {
		t.Error("the rest of the spec is said to be in force")
	}
	requests = len(operator.Requests.In(w.namespace))
	w.look()
	if more := operator.Requests.In(w.namespace)[requests:]; len(more) > 0 {
		t.Errorf("a tenant whose directory is kept costs %v", more)
	}

	// The other way nothing is done before the pause ends. It would delete.
	edit(w, tenant, keeping(v1alpha1.DeletionPolicyDelete))
	w.until(tenant, "Ready=Unknown/ReconcileDisabled")
	if w.takesAlong(tenant) || get(w, tenant, "contoso").Status.Storage.DeletionPolicy != v1alpha1.DeletionPolicyRetain {
		t.Error("Delete is in force during the pause")
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Annotations = nil })
	w.until(tenant, ready)
	w.untilPolicy(tenant, v1alpha1.DeletionPolicyDelete)
	if !w.takesAlong(tenant) {
		t.Error("Delete is not in force after the pause")
	}
	get(w, &corev1.Service{}, "contoso-scim")
}

func TestRetainDuringAPauseTouchesNoClaimThatIsAnothersOrIsBeingDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := w.pausedTenant(keeping(v1alpha1.DeletionPolicyDelete))
	claim := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	edit(w, claim, func(c *corev1.PersistentVolumeClaim) { c.Finalizers = append(c.Finalizers, "test/hold") })
	if err := w.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	edit(w, tenant, keeping(v1alpha1.DeletionPolicyRetain))
	w.until(tenant, "Ready=Unknown/ReconcileDisabled")
	w.look()
	if get(w, tenant, "contoso").Status.Storage.DeletionPolicy != v1alpha1.DeletionPolicyDelete || !w.takesAlong(tenant) {
		t.Error("a claim that is being deleted is said to be kept")
	}
	if text := message(tenant, v1alpha1.ConditionReady); !strings.Contains(text, "Volume claim contoso-data is being deleted") {
		t.Errorf("that it goes is told as %q", text)
	}

	// Somebody else's has its name from now on, of which nothing goes with the tenant.
	edit(w, claim, func(c *corev1.PersistentVolumeClaim) { c.Finalizers = nil })
	gone(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	another := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
		Namespace: w.namespace, Name: "contoso-data", Labels: claim.Labels, // copied, and so its events are heard of
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "another", UID: "another", Controller: new(true)}},
	}, Spec: claim.Spec}
	another.Spec.VolumeName = ""
	create(w, another)
	w.untilPolicy(tenant, v1alpha1.DeletionPolicyRetain)
	now := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	if len(now.OwnerReferences) != 1 || slices.ContainsFunc(now.ManagedFields, apply.IsOwn) || len(now.Annotations) > 0 {
		t.Errorf("the claim of another was changed: %+v", now.ObjectMeta)
	}
}

// A finalizer of somebody's keeps the tenant, and nothing of it has gone yet.
func TestRetainThatIsSetWhileATenantIsHeldByAFinalizerKeepsTheDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(keeping(v1alpha1.DeletionPolicyDelete), func(p *v1alpha1.ProvisioningTenant) { p.Finalizers = []string{"test/hold"} }))
	w.until(tenant, ready)
	if err := w.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "Ready=False/Terminating")
	if !w.takesAlong(tenant) {
		t.Fatal("the directory is not the tenant's")
	}
	edit(w, tenant, keeping(v1alpha1.DeletionPolicyRetain))
	w.untilPolicy(tenant, v1alpha1.DeletionPolicyRetain)
	if w.takesAlong(tenant) {
		t.Error("the directory is deleted with the tenant, and the status says that it is kept")
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Finalizers = nil })
	gone(w, &v1alpha1.ProvisioningTenant{}, "contoso")
}

// A person who mistypes the Entra tenant ID, and then makes the tenant anew, would lose what the first one held.
func TestRetainKeepsADirectoryThatTheTenantMayNotWorkWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(keeping(v1alpha1.DeletionPolicyDelete)))
	w.until(tenant, ready)
	claim := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	another := ownership.Volume{Identity: ownership.Identity{EntraTenantID: "another", Namespace: w.namespace, Name: "contoso"}}
	edit(w, claim, func(c *corev1.PersistentVolumeClaim) { c.Annotations[desired.AnnotationOwner] = another.Encode() })
	w.until(tenant, "StorageReady=False/ForeignDirectory")
	if !w.takesAlong(tenant) {
		t.Fatal("the directory is not the tenant's")
	}
	edit(w, tenant, keeping(v1alpha1.DeletionPolicyRetain))
	w.untilPolicy(tenant, v1alpha1.DeletionPolicyRetain)
	w.until(tenant, "StorageReady=False/ForeignDirectory")
	if w.takesAlong(tenant) {
		t.Error("the directory is deleted with the tenant, and the status says that it is kept")
	}
	if now := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data"); now.Annotations[desired.AnnotationOwner] != another.Encode() {
		t.Errorf("the claim has another mark: %v", now.Annotations)
	}
}

// The conditions tell a person who looks at the tenant meanwhile.
func TestAPauseSaysOfWhatWaitsThatItIsNotInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := w.pausedTenant(reading("payroll"))
	w.until(tenant, "Ready=Unknown/ReconcileDisabled", "RequestsObeyed=Unknown/ReconcileDisabled")
	if text := message(tenant, v1alpha1.ConditionReady); strings.Contains(text, "Changes") {
		t.Errorf("nothing was changed, and Ready says %q", text)
	}
	if text := message(tenant, v1alpha1.ConditionRequestsObeyed); !strings.Contains(text, "a credential that leaked stays valid") {
		t.Errorf("what a request to revoke comes to is told as %q", text)
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.Readers = nil })
	w.until(tenant, "Ready=Unknown/ReconcileDisabled")
	if text := message(tenant, v1alpha1.ConditionReady); !strings.Contains(text, "a credential that the spec does not ask for any more stays valid") {
		t.Errorf("a reader that was taken out is told as %q", text)
	}
	if len(w.verifiers().Verifiers) != 2 {
		t.Error("the credential of a reader that was taken out during the pause ended, which docs deny")
	}
}

// The server reads its tenant itself, so who is to be held back in an incident is held back during a pause.
func TestATenantsServerHoldsClientsBackDuringAPause(t *testing.T) {
	t.Parallel()
	race.Meets(t) // the source follows while the test edits
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	source, err := kubernetes.New(kubernetes.Options{
		Config: cluster.AsServiceAccount(w.namespace, "contoso-scim"), Namespace: w.namespace, Tenant: "contoso", TenantUID: tenant.UID,
		DataDir: t.TempDir(), Log: logr.Discard(), Pod: "contoso-scim-0", Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	running := make(chan error, 1)
	ctx, end := context.WithCancel(t.Context())
	go func() { running <- source.Run(ctx) }()
	defer func() {
		end()
		if err := <-running; err != nil {
			t.Error(err)
		}
	}()
	suspended := func(want bool) {
		t.Helper()
		w.eventually("the server follows its tenant", func() string {
			if now := source.Current(); now == nil || now.ProvisioningSuspended() != want || now.AccessSuspended() != want {
				return "not yet"
			}
			return ""
		})
	}
	suspended(false)
	edit(w, tenant, paused)
	w.until(tenant, "Ready=Unknown/ReconcileDisabled")
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Provisioning.State, p.Spec.Access.State = v1alpha1.StateSuspended, v1alpha1.StateSuspended
	})
	suspended(true)
}

func TestRetainThatAPolicyKeepsFromBeingInForceDuringAPauseIsToldAndTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := w.pausedTenant(keeping(v1alpha1.DeletionPolicyDelete))
	webhook := w.failing("", "persistentvolumeclaims", &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "probe"}, Spec: get(w, &corev1.PersistentVolumeClaim{}, "contoso-data").Spec,
	})
	edit(w, tenant, keeping(v1alpha1.DeletionPolicyRetain))
	w.until(tenant, "Ready=Unknown/ReconcileDisabled")
	if text := message(tenant, v1alpha1.ConditionReady); !strings.Contains(text, "spec.deletionPolicy is not in force yet") {
		t.Errorf("a deletionPolicy that is not in force is told as %q", text)
	}
	if tenant.Status.Storage.DeletionPolicy != v1alpha1.DeletionPolicyDelete || !w.takesAlong(tenant) {
		t.Error("the directory is said to be kept, and is not")
	}
	if err := w.Delete(t.Context(), webhook); err != nil {
		t.Fatal(err)
	}
	w.untilPolicy(tenant, v1alpha1.DeletionPolicyRetain)
	if w.takesAlong(tenant) || strings.Contains(message(tenant, v1alpha1.ConditionReady), "not in force") {
		t.Errorf("the directory is deleted with the tenant, and the status says\n%+v", tenant.Status)
	}
}
