package clustertest

import (
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/testenv"
)

const (
	otherEntraTenant = "0e1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c12"
	directory        = "11111111-1111-4111-8111-111111111111"
)

// retained is a claim as somebody made it, or an operator left it behind.
func (w *world) retained(change ...func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, Name: "contoso-data", Annotations: map[string]string{},
			Labels: map[string]string{v1alpha1.TenantLabel: "contoso", "app.kubernetes.io/managed-by": "tenantry-operator"},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
	for _, f := range change {
		f(claim)
	}
	return claim
}

// serves reports which directory is served, as the tenant's server does.
func (w *world) serves(tenant *v1alpha1.ProvisioningTenant, id string) {
	w.Helper()
	before := get(w, &v1alpha1.ProvisioningTenant{}, tenant.Name)
	after := before.DeepCopy()
	after.Status.Directory = &v1alpha1.DirectoryStatus{ID: id}
	if err := w.Status().Patch(w.Context(), after, client.MergeFrom(before), client.FieldOwner("tenantry-scimserver")); err != nil {
		w.Fatal(err)
	}
}

// adopt follows the message of StorageReady.
func (w *world) adopt(tenant *v1alpha1.ProvisioningTenant) (value string) {
	w.Helper()
	found := regexp.MustCompile(regexp.QuoteMeta(v1alpha1.AdoptDirectoryAnnotation) + `: (\S+)$`).FindStringSubmatch(message(tenant, "StorageReady"))
	if found == nil {
		w.Fatalf("the message does not say what to annotate: %s", message(tenant, "StorageReady"))
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Annotations = map[string]string{v1alpha1.AdoptDirectoryAnnotation: found[1]}
	})
	return found[1]
}

// again deletes the tenant as kubectl does, and makes another.
func (w *world) again(tenant *v1alpha1.ProvisioningTenant, change ...func(*v1alpha1.ProvisioningTenant)) *v1alpha1.ProvisioningTenant {
	w.Helper()
	if err := w.Delete(w.Context(), tenant); err != nil {
		w.Fatal(err)
	}
	gone(w, &v1alpha1.ProvisioningTenant{}, tenant.Name)
	w.collectGarbage(tenant.UID)
	gone(w, &appsv1.Deployment{}, tenant.Name+"-scim")
	return create(w, w.tenant(change...))
}

func entraTenant(id string) func(*v1alpha1.ProvisioningTenant) {
	return func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.IdentityProvider = v1alpha1.InEntra(v1alpha1.Entra{TenantID: id, Cloud: v1alpha1.EntraCloudPublic})
	}
}

func noEntra(p *v1alpha1.ProvisioningTenant) { p.Spec.IdentityProvider = nil }

// told waits for an event about the tenant that has the text in it.
func (w *world) told(reason, text string) {
	w.Helper()
	w.eventually("an event "+reason, func() string {
		var all eventsv1.EventList
		if err := w.List(w.Context(), &all, client.InNamespace(w.namespace)); err != nil {
			return err.Error()
		}
		said := ""
		for _, event := range all.Items {
			if event.Reason == reason && strings.Contains(event.Note, text) {
				return ""
			}
			said += event.Reason + ": " + event.Note + "\n"
		}
		return said
	})
}

func TestARetainedDirectoryGoesOnlyToTheTenantItIsOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, second func(*v1alpha1.ProvisioningTenant)
		refused       bool
	}{
		"made again":                          {entraTenant(knownEntraTenant), entraTenant(knownEntraTenant), false},
		"made again, with the ID in capitals": {entraTenant(knownEntraTenant), entraTenant(strings.ToUpper(knownEntraTenant)), false},
		"another Entra tenant":                {entraTenant(knownEntraTenant), entraTenant(otherEntraTenant), true},
		"no Entra tenant any more":            {entraTenant(knownEntraTenant), noEntra, false},
		"an Entra tenant where none was":      {noEntra, entraTenant(otherEntraTenant), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			first := create(w, w.tenant(c.first))
			w.until(first, ready)
			claim := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
			second := w.again(first, c.second)
			if !c.refused {
				w.until(second, ready)
				w.told("VolumeTakenUp", "Takes up volume claim contoso-data, of 1Gi and from "+claim.CreationTimestamp.UTC().Format("2006-01-02T15:04:05Z07:00")+
					", which tenant "+w.namespace+"/contoso")
				return
			}
			w.until(second, "StorageReady=False/ForeignDirectory", "Ready=False/ForeignDirectory", "Stalled=True/ForeignDirectory")
			gone(w, &appsv1.Deployment{}, "contoso-scim") // no pod has begun with it
			if before := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data"); before.ResourceVersion != claim.ResourceVersion {
				t.Errorf("the claim of another was changed: %+v", before)
			}

			// It names this claim.
			edit(w, second, func(p *v1alpha1.ProvisioningTenant) {
				p.Annotations = map[string]string{v1alpha1.AdoptDirectoryAnnotation: w.namespace + "/contoso/" + knownEntraTenant + "/" + directory}
				p.Spec.DisplayName = "another claim"
			})
			w.until(second, "StorageReady=False/ForeignDirectory")
			adopted := w.adopt(second)
			if want := w.namespace + "/contoso/" + knownEntraTenant + "/" + string(claim.UID); adopted != want {
				t.Errorf("to adopt it is %s, want %s", adopted, want)
			}
			w.until(second, ready)
			w.told("VolumeTakenUp", knownEntraTenant+" left behind")
			if from := second.Status.Storage.AdoptedFrom; from != w.namespace+"/contoso/"+knownEntraTenant {
				t.Errorf("the server is told that it was adopted from %q", from)
			}
			w.serves(second, directory)
			edit(w, second, func(p *v1alpha1.ProvisioningTenant) { p.Spec.DisplayName = "served" })
			w.eventually("it is forgotten once the directory is served", func() string {
				return get(w, &v1alpha1.ProvisioningTenant{}, "contoso").Status.Storage.AdoptedFrom
			})

			// The one that it was taken from does not get it back by its name, and the annotation has had its effect.
			third := w.again(second, c.first, func(p *v1alpha1.ProvisioningTenant) {
				p.Annotations = map[string]string{v1alpha1.AdoptDirectoryAnnotation: adopted}
			})
			w.until(third, "StorageReady=False/ForeignDirectory")
		})
	}
}

func TestAnotherEntraTenantIDOfATenantThatRunsIsToldAndHealsWhenItGoesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(entraTenant(knownEntraTenant)))
	w.until(tenant, ready)
	w.serves(tenant, directory)
	deployment := get(w, &appsv1.Deployment{}, "contoso-scim")

	edit(w, tenant, entraTenant(otherEntraTenant))
	w.until(tenant, "StorageReady=False/ForeignDirectory", "Ready=False/ForeignDirectory", "Stalled=True/ForeignDirectory")
	if got, want := message(tenant, "StorageReady"), "Volume claim contoso-data holds what Entra tenant "+knownEntraTenant+" has provisioned, and spec.identityProvider.entra.tenantID is "+otherEntraTenant+
		" now. It is not served, so that nobody reads the people of another organisation. Set spec.identityProvider.entra.tenantID back; or to hand over the directory with its users and groups, "+
		"annotate the ProvisioningTenant with provisioning.tenantry.dev/adopt-directory: "+w.namespace+"/contoso/"+knownEntraTenant+"/"+directory; got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
	if now := get(w, &appsv1.Deployment{}, "contoso-scim"); now.ResourceVersion != deployment.ResourceVersion {
		t.Error("the server was touched")
	}
	edit(w, tenant, entraTenant(knownEntraTenant))
	w.until(tenant, ready)

	edit(w, tenant, entraTenant(otherEntraTenant))
	w.until(tenant, "StorageReady=False/ForeignDirectory")
	w.adopt(tenant)
	w.until(tenant, ready)
	edit(w, tenant, entraTenant(knownEntraTenant)) // which it is no more
	w.until(tenant, "StorageReady=False/ForeignDirectory")
}

// Mistyped, before Entra has provisioned anybody. Its server looks whether anybody was there before.
func TestAnotherEntraTenantIDOfATenantWhoseServerCountsNobodyIsUpToTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(entraTenant(otherEntraTenant)))
	w.until(tenant, ready)
	counts := func(users, groups int64) {
		t.Helper()
		before := get(w, &v1alpha1.ProvisioningTenant{}, tenant.Name)
		after := before.DeepCopy()
		now := metav1.Now()
		after.Status.Directory = &v1alpha1.DirectoryStatus{ID: directory, ObservedTime: &now, Users: users, Groups: groups}
		if err := w.Status().Patch(t.Context(), after, client.MergeFrom(before), client.FieldOwner("tenantry-scimserver")); err != nil {
			t.Fatal(err)
		}
	}
	correct := func(id string) {
		t.Helper()
		edit(w, tenant, entraTenant(id))
		w.until(tenant, ready)
		w.eventually("the claim is that Entra tenant's", func() string {
			mark := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data").Annotations["provisioning.tenantry.dev/owner"]
			if !strings.Contains(mark, id) {
				return mark
			}
			return ""
		})
	}
	correct(knownEntraTenant) // before the server has reported anything
	correct(otherEntraTenant)
	counts(0, 0)
	correct(knownEntraTenant)
	for _, here := range [][2]int64{{1, 0}, {0, 1}} {
		counts(here[0], here[1])
		edit(w, tenant, entraTenant(otherEntraTenant))
		w.until(tenant, "StorageReady=False/ForeignDirectory")
		edit(w, tenant, entraTenant(knownEntraTenant))
		w.until(tenant, ready)
	}
}

// A directory must not get into another tenant's schema on the way through a move.
func TestAClaimOfAnotherTenantIsNotMovedToPostgreSQL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := create(w, w.tenant(entraTenant(knownEntraTenant)))
	w.until(first, ready)
	create(w, w.connectionSecret())
	second := w.again(first, entraTenant(otherEntraTenant), inDatabase)
	w.until(second, "StorageReady=False/ForeignDirectory", "Stalled=True/ForeignDirectory")
	gone(w, &appsv1.Deployment{}, "contoso-scim")
	w.adopt(second)
	w.connects()
	w.moveJob()
}

func TestAClaimWithoutAMarkIsTheTenantsAndGetsOne(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*corev1.PersistentVolumeClaim){
		"made by a person":                 func(*corev1.PersistentVolumeClaim) {},
		"with a mark that nobody can read": func(c *corev1.PersistentVolumeClaim) { c.Annotations["provisioning.tenantry.dev/owner"] = "{" },
		// As it is when a snapshot goes to another cluster.
		"with another class and access mode": func(c *corev1.PersistentVolumeClaim) {
			c.Spec.StorageClassName, c.Spec.AccessModes = new("theirs"), []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			claim := create(w, w.retained(change))
			tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Storage.SQLite.StorageClassName = "ours" }))
			w.until(tenant, ready, "StorageReady=True/Bound")
			w.told("VolumeTakenUp", "Takes up volume claim contoso-data, of 1Gi")
			now := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
			if now.UID != claim.UID || !strings.Contains(now.Annotations["provisioning.tenantry.dev/owner"], string(tenant.UID)) {
				t.Errorf("the claim has %v", now.Annotations)
			}
			second := w.again(tenant, entraTenant(otherEntraTenant))
			w.until(second, "StorageReady=False/ForeignDirectory")
		})
	}
}

func TestAServerDoesNotBeginWithAClaimThatIsNotTheTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(w, w.retained(func(c *corev1.PersistentVolumeClaim) { c.Labels = nil }))
	tenant := create(w, w.tenant())
	w.until(tenant, "StorageReady=False/NameConflict", "Stalled=True/NameConflict")
	gone(w, &appsv1.Deployment{}, "contoso-scim")
}

func TestAClaimThatWaitsGrowsWhenItIsBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testenv.HoldLabel)
	tenant := create(w, w.tenant())
	w.until(tenant, "StorageReady=False/ClaimPending", "Reconciling=True/ClaimPending")
	for _, size := range []string{"2Gi", "1Gi", "3Gi"} { // and it may go back
		edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Storage.SQLite.Size = resource.MustParse(size) })
		w.until(tenant, "StorageReady=False/ClaimPending", "Ready=False/ClaimPending", "Reconciling=True/ClaimPending")
		if got := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data").Spec.Resources.Requests.Storage().String(); got != "1Gi" {
			t.Errorf("with a size of %s the claim that waits asks for %s", size, got)
		}
	}
}

func TestAClaimThatGoesOrIsLostIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	w.serves(tenant, directory)
	claim := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	deployment := get(w, &appsv1.Deployment{}, "contoso-scim")

	// Its finalizer keeps it for as long as a pod uses it. Nothing may restart the server now.
	if err := w.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "StorageReady=False/ClaimTerminating", "Ready=False/ClaimTerminating", "Reconciling=True/ClaimTerminating")
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Template.Spec.PriorityClassName = "other" })
	w.until(tenant, "StorageReady=False/ClaimTerminating")
	if now := get(w, &appsv1.Deployment{}, "contoso-scim"); now.Generation != deployment.Generation {
		t.Error("the server was changed, and its restart would end the directory")
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Template.Spec.PriorityClassName = "" })

	removeFinalizers(w, claim)
	w.until(tenant, "StorageReady=False/DirectoryMissing", "Ready=False/DirectoryMissing", "Stalled=True/DirectoryMissing")
	if got, want := message(tenant, "StorageReady"), "Volume claim contoso-data is gone, and directory "+directory+" with it. Restore the claim; or to begin with an empty directory, "+
		"annotate the ProvisioningTenant with provisioning.tenantry.dev/adopt-directory: new/"+directory; got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
	gone(w, &corev1.PersistentVolumeClaim{}, "contoso-data") // none is made in its place
	create(w, w.retained())
	w.until(tenant, ready)

	before := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	lost := before.DeepCopy()
	lost.Status.Phase = corev1.ClaimLost
	if err := w.Status().Patch(t.Context(), lost, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	w.told("ClaimLost", "has lost its volume")
}

// Tools that restore and replicate make themselves the controller of a claim, or keep the owner that it had: the garbage collector takes it
// with an owner that is gone.
func TestAClaimWithTheOwnerOfAnotherIsToldWithoutHarmToTheDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	w.serves(tenant, directory)
	claim := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	owned := func(name string) {
		t.Helper()
		edit(w, claim, func(c *corev1.PersistentVolumeClaim) {
			c.OwnerReferences = []metav1.OwnerReference{{
				APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ProvisioningTenant", Name: name, UID: "11111111-1111-4111-8111-111111111111",
				Controller: new(true),
			}}
		})
	}
	owned("fabrikam")
	w.until(tenant, "StorageReady=False/NameConflict")
	text := message(tenant, v1alpha1.ConditionStorageReady)
	if !strings.Contains(text, "is controlled by ProvisioningTenant fabrikam") || strings.Contains(strings.ToLower(text), "delete") {
		t.Errorf("the way out is %q", text)
	}
	owned("contoso")
	w.until(tenant, "StorageReady=False/ClaimTerminating")
	edit(w, claim, func(c *corev1.PersistentVolumeClaim) { c.OwnerReferences = nil })
	w.until(tenant, ready)
}

func TestAnEmptyDirectoryIsBegunInPlaceOfALostClaimWhereAnAnnotationSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	w.serves(tenant, directory)
	claim := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	if err := w.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	removeFinalizers(w, claim)
	w.until(tenant, "StorageReady=False/DirectoryMissing")
	lost := tenant.DeepCopy()
	lost.Status.Directory = nil
	if err := w.Status().Patch(t.Context(), lost, client.MergeFrom(tenant)); err != nil {
		t.Fatal(err)
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.IdentityProvider = v1alpha1.InEntra(v1alpha1.Entra{TenantID: "11111111-1111-4111-8111-111111111111"})
	})
	w.until(tenant, "StorageReady=False/DirectoryMissing") // of the new generation
	gone(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	w.adopt(tenant)
	w.until(tenant, ready)
	if now := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data"); now.UID == claim.UID {
		t.Error("it is the claim of before")
	}
}
