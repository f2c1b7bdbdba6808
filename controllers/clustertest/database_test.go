package clustertest

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
	"github.com/tenantry/tenantry/test/testenv"
)

// databasePassword must not be seen anywhere but in the Secret.
const databasePassword = "s3cret-pass"

// inDatabase puts a tenant into the database of connectionSecret.
func inDatabase(p *v1alpha1.ProvisioningTenant) {
	p.Spec.Storage.Type = v1alpha1.StoragePostgreSQL
	p.Spec.Storage.PostgreSQL = &v1alpha1.PostgreSQLStorage{ConnectionSecretRef: v1alpha1.ConnectionSecretReference{Name: "contoso-database"}}
}

func onVolume(p *v1alpha1.ProvisioningTenant) {
	p.Spec.Storage.Type, p.Spec.Storage.PostgreSQL = v1alpha1.StorageSQLite, nil
}

func (w *world) connectionSecret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "contoso-database"},
		StringData: map[string]string{"url": "postgres://contoso:" + databasePassword + "@database.example.com/scim"},
	}
}

// message is that of a condition.
func message(tenant *v1alpha1.ProvisioningTenant, conditionType string) string {
	if c := meta.FindStatusCondition(tenant.Status.Conditions, conditionType); c != nil {
		return c.Message
	}
	return ""
}

// bug class 16: references to what is not there.
func TestATenantInADatabaseWaitsForItsConnectionSecretAndSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.connectionSecret()
	secret.StringData = map[string]string{"dsn": "postgres://"}
	tenant := create(w, w.tenant(inDatabase))
	w.until(tenant, "StorageReady=False/ConnectionSecretMissing", "Ready=False/ConnectionSecretMissing", "Reconciling=True/ConnectionSecretMissing")
	if got, want := message(tenant, "StorageReady"), "Secret contoso-database in spec.storage.postgresql.connectionSecretRef does not exist: create it with the connection URL under the key url."; got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
	create(w, secret)
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.DisplayName = "look again" })
	w.eventually("the missing key is told of", func() string {
		w.until(tenant, "StorageReady=False/ConnectionSecretMissing")
		if got := message(tenant, "StorageReady"); got != "Secret contoso-database in spec.storage.postgresql.connectionSecretRef has no key url: put the connection URL there." {
			return got
		}
		return ""
	})
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Storage.PostgreSQL.ConnectionSecretRef.Key = "dsn" })
	w.until(tenant, ready, "StorageReady=True/Configured")
	want := "tenantry_" + w.namespace + "_contoso"
	if tenant.Status.Storage == nil || *tenant.Status.Storage != (v1alpha1.StorageStatus{Type: v1alpha1.StoragePostgreSQL, Schema: want, DeletionPolicy: v1alpha1.DeletionPolicyRetain}) {
		t.Errorf("status.storage is %+v, want schema %s", tenant.Status.Storage, want)
	}
	gone(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	args := get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Template.Spec.Containers[0].Args
	if !slices.Contains(args, "--database-url-file=/database/dsn") || !slices.Contains(args, "--database-schema="+want) {
		t.Errorf("the server has the arguments %v", args)
	}
}

func TestASecretThatAppearsLaterIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(inDatabase))
	w.until(tenant, "StorageReady=False/ConnectionSecretMissing")
	create(w, w.connectionSecret())
	w.until(tenant, ready)
}

// bug class 16: references to what is there no longer.
func TestAConnectionSecretThatIsDeletedOrLosesItsKeyIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := create(w, w.connectionSecret())
	tenant := create(w, w.tenant(inDatabase))
	w.until(tenant, ready, "StorageReady=True/Configured")
	url := tenant.Status.TenantURL
	missing := []string{"StorageInEffect=False/ConnectionSecretMissing", "Reconciling=True/ConnectionSecretMissing", "StorageReady=True/Configured", ready}

	remove := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"remove","path":"/data/url"}]`))
	if err := w.Patch(t.Context(), secret, remove); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, missing...)
	if got, want := message(tenant, "StorageInEffect"), "The servers that run go on, and no other can start. "+
		"Secret contoso-database in spec.storage.postgresql.connectionSecretRef has no key url: put the connection URL there."; got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
	if err := w.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	w.eventually("the missing Secret is told of", func() string {
		w.until(tenant, missing...)
		if got := message(tenant, "StorageInEffect"); !strings.Contains(got, "does not exist") {
			return got
		}
		return ""
	})
	if tenant.Status.TenantURL != url {
		t.Errorf("the Tenant URL is %q", tenant.Status.TenantURL)
	}
	create(w, w.connectionSecret())
	w.until(tenant, "StorageInEffect=True/InEffect", ready)
}

// bug class 9: invalid input that is accepted.
func TestTheAPIServerRefusesStorageAndServersThatMakeNoSense(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range map[string]struct {
		change func(*v1alpha1.ProvisioningTenant)
		want   string
	}{
		"PostgreSQL without a connection": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Storage.Type = v1alpha1.StoragePostgreSQL },
			"spec: Invalid value: storage.postgresql must be given when storage.type is PostgreSQL: it names the Secret with the connection URL"},
		"SQLite with a connection": {func(p *v1alpha1.ProvisioningTenant) { inDatabase(p); p.Spec.Storage.Type = v1alpha1.StorageSQLite },
			"spec.storage: Invalid value: postgresql may be given only when type is PostgreSQL"},
		"a connection and no type": {func(p *v1alpha1.ProvisioningTenant) { inDatabase(p); p.Spec.Storage.Type = "" },
			"spec.storage: Invalid value: postgresql may be given only when type is PostgreSQL"},
		"a connection without a Secret": {func(p *v1alpha1.ProvisioningTenant) {
			inDatabase(p)
			p.Spec.Storage.PostgreSQL.ConnectionSecretRef = v1alpha1.ConnectionSecretReference{}
		}, "spec.storage.postgresql.connectionSecretRef: Required value"},
		"a Secret that cannot be": {func(p *v1alpha1.ProvisioningTenant) {
			inDatabase(p)
			p.Spec.Storage.PostgreSQL.ConnectionSecretRef.Name = "Contoso Database"
		}, "spec.storage.postgresql.connectionSecretRef.name: Invalid value: must be the name of a Secret, of lower-case letters, digits, '-' and '.' such as contoso-database"},
		"a key that leads elsewhere": {func(p *v1alpha1.ProvisioningTenant) {
			inDatabase(p)
			p.Spec.Storage.PostgreSQL.ConnectionSecretRef.Key = "../url"
		}, "spec.storage.postgresql.connectionSecretRef.key: Invalid value: must be a key of a Secret: letters, digits, '-', '_' and '.', which it does not begin with"},
		"a port beyond all": {func(p *v1alpha1.ProvisioningTenant) { inDatabase(p); p.Spec.Storage.PostgreSQL.Port = 65536 },
			"spec.storage.postgresql.port: Invalid value: 65536: spec.storage.postgresql.port in body should be less than or equal to 65535"},
		"a schema that is to be deleted": {func(p *v1alpha1.ProvisioningTenant) {
			inDatabase(p)
			p.Spec.DeletionPolicy = v1alpha1.DeletionPolicyDelete
		}, "spec: Invalid value: deletionPolicy must be Retain where storage.type is PostgreSQL: the operator deletes nothing in your database"},
		"two servers on one volume": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Replicas = ptr.To[int32](2) },
			"spec: Invalid value: storage.type must be PostgreSQL for server.autoscaling or more than one of server.replicas: one server has a SQLite directory to itself"},
		"an autoscaler on a volume": {func(p *v1alpha1.ProvisioningTenant) {
			p.Spec.Server.Autoscaling = &v1alpha1.Autoscaling{MaxReplicas: 3}
		},
			"spec: Invalid value: storage.type must be PostgreSQL for server.autoscaling or more than one of server.replicas"},
		"no server": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Replicas = ptr.To[int32](0) },
			"spec.server.replicas: Invalid value: 0: spec.server.replicas in body should be greater than or equal to 1"},
		"a number of replicas and an autoscaler": {func(p *v1alpha1.ProvisioningTenant) {
			inDatabase(p)
			p.Spec.Server.Replicas, p.Spec.Server.Autoscaling = ptr.To[int32](2), &v1alpha1.Autoscaling{MaxReplicas: 3}
		}, "spec.server: Invalid value: replicas must be left out where autoscaling is given: it decides how many there are"},
		"fewer at most than at least": {func(p *v1alpha1.ProvisioningTenant) {
			inDatabase(p)
			p.Spec.Server.Autoscaling = &v1alpha1.Autoscaling{MaxReplicas: 1}
		}, "spec.server.autoscaling: Invalid value: maxReplicas must be at least minReplicas, which is 2 where it is left out"},
		"an autoscaler without a measure": {func(p *v1alpha1.ProvisioningTenant) {
			inDatabase(p)
			p.Spec.Server.Autoscaling = &v1alpha1.Autoscaling{MaxReplicas: 3}
			p.Spec.Server.Resources = &v1alpha1.ServerResources{Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}}
		}, "spec.server: Invalid value: resources must request cpu where autoscaling is given: the utilization is a share of that"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w.Create(t.Context(), w.tenant(named("refused"), test.change), client.DryRunAll), test.want)
		})
	}
}

// connects has the Job that tries the connection end well.
func (w *world) connects() {
	w.Helper()
	if err := testenv.EndJob(w.Context(), w, get(w, &batchv1.Job{}, "contoso-connect"), true); err != nil {
		w.Fatal(err)
	}
}

// moveJob waits for the Job that moves the directory.
func (w *world) moveJob() *batchv1.Job {
	w.Helper()
	return get(w, &batchv1.Job{}, "contoso-move")
}

// endMove ends that Job.
func (w *world) endMove(well bool) {
	w.Helper()
	if err := testenv.EndJob(w.Context(), w, w.moveJob(), well); err != nil {
		w.Fatal(err)
	}
}

// worksWith waits until a number of servers works with an engine.
func (w *world) worksWith(engine v1alpha1.StorageType, replicas int32) {
	w.Helper()
	w.eventually("the server works with "+string(engine), func() string {
		deployment := get(w, &appsv1.Deployment{}, "contoso-scim")
		args := strings.Join(deployment.Spec.Template.Spec.Containers[0].Args, " ")
		if database := strings.Contains(args, "--database-url-file="); database != (engine == v1alpha1.StoragePostgreSQL) || *deployment.Spec.Replicas != replicas {
			return args
		}
		return ""
	})
}

func TestADatabaseThatNoServerEverReachedMayBeGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(inDatabase))
	w.until(tenant, "StorageReady=False/ConnectionSecretMissing")
	edit(w, tenant, onVolume)
	w.until(tenant, ready, "StorageReady=True/Bound")
	w.worksWith(v1alpha1.StorageSQLite, 1)

	create(w, w.connectionSecret())
	other := create(w, w.tenant(inDatabase, func(p *v1alpha1.ProvisioningTenant) {
		p.Name, p.Spec.Exposure = "fabrikam", v1alpha1.Exposure{Type: v1alpha1.ExposureNone}
	}))
	w.until(other, ready)
	w.serves(other, "6c2f3b1a")
	patch := client.MergeFrom(other.DeepCopy())
	onVolume(other)
	refused(t, w.Patch(t.Context(), other, patch), "spec.storage.type must stay PostgreSQL: the directory is there.")
}

func TestADirectoryMovesToPostgreSQLAndItsVolumeStays(t *testing.T) {
	race.Meets(t) // Jobs
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	w.serves(tenant, "6c2f3b1a")
	url := tenant.Status.TenantURL

	// Nothing stops for a move that cannot begin.
	edit(w, tenant, inDatabase)
	w.until(tenant, "StorageInEffect=False/ConnectionSecretMissing", "Reconciling=True/ConnectionSecretMissing", ready)
	w.worksWith(v1alpha1.StorageSQLite, 1)

	create(w, w.connectionSecret())
	w.until(tenant, "StorageInEffect=False/Progressing", "StorageReady=True/Bound", ready)
	w.connects()
	w.until(tenant, "StorageReady=False/Moving", "ServerAvailable=False/Moving", "Ready=False/Moving", "Reconciling=True/Moving",
		"StorageInEffect=Unknown/Moving")
	w.moveJob()
	w.worksWith(v1alpha1.StorageSQLite, 0)
	if tenant.Status.TenantURL != url || tenant.Status.Storage.Type != v1alpha1.StorageSQLite {
		t.Errorf("while it moves the URL is %q and the status has %+v", tenant.Status.TenantURL, tenant.Status.Storage)
	}

	w.endMove(true)
	w.until(tenant, ready, "StorageReady=True/Configured")
	w.worksWith(v1alpha1.StoragePostgreSQL, 1)
	gone(w, &batchv1.Job{}, "contoso-move")
	claim := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
	if claim.Annotations["provisioning.tenantry.dev/moved-to"] != "PostgreSQL" || claim.DeletionTimestamp != nil {
		t.Errorf("the volume that was left has the annotations %v", claim.Annotations)
	}

	patch := client.MergeFrom(tenant.DeepCopy())
	for _, change := range []func(*v1alpha1.ProvisioningTenant){
		onVolume,
		func(p *v1alpha1.ProvisioningTenant) { p.Spec.Storage = v1alpha1.Storage{} }, // which would be SQLite
	} {
		change(tenant)
		refused(t, w.Patch(t.Context(), tenant, patch), "spec.storage.type must stay PostgreSQL: the directory is there. To go back to SQLite, export it and import it into a new tenant")
	}

	// Who no longer needs the old volume deletes it, and it does not come back.
	patch = client.MergeFrom(claim.DeepCopy())
	claim.Finalizers = nil // there is no controller here that would take away what protects it
	if err := w.Patch(t.Context(), claim, patch); err != nil {
		t.Fatal(err)
	}
	if err := w.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Replicas = ptr.To[int32](2) })
	w.worksWith(v1alpha1.StoragePostgreSQL, 2)
	w.until(tenant, ready)
	gone(w, &corev1.PersistentVolumeClaim{}, "contoso-data")
}

func TestADirectoryThatCannotBeMovedStaysWhereItIsUntilSomebodyTriesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(w, w.connectionSecret())
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	edit(w, tenant, inDatabase)
	w.connects()
	first := w.moveJob()
	w.endMove(false)
	failed := []string{"StorageInEffect=False/MoveFailed", "Stalled=True/MoveFailed", "StorageReady=True/Bound", ready}
	w.until(tenant, failed...)
	w.worksWith(v1alpha1.StorageSQLite, 1)
	if got, want := message(tenant, "StorageInEffect"), "The directory could not be moved to PostgreSQL; the tenant goes on with SQLite. kubectl logs -n "+w.namespace+" job/contoso-move tells why. Mend that and delete Job contoso-move to try again, or set spec.storage.type back to SQLite."; got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
	if tenant.Status.TenantURL == "" || tenant.Status.Storage.Type != v1alpha1.StorageSQLite {
		t.Errorf("the URL is %q, and status.storage %+v", tenant.Status.TenantURL, tenant.Status.Storage)
	}

	gone(w, &batchv1.Job{}, "contoso-connect") // which would tell of a connection that was tried
	w.settled()
	if err := w.Delete(t.Context(), first, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "StorageInEffect=False/Progressing", ready)
	w.connects()
	w.until(tenant, "StorageReady=False/Moving")
	w.eventually("another Job tries", func() string {
		if w.moveJob().UID == first.UID {
			return "it is the first one still"
		}
		return ""
	})
	w.endMove(false)
	w.until(tenant, failed...)

	// Another connection is another attempt.
	second := w.moveJob()
	other := w.connectionSecret()
	other.Name = "other"
	create(w, other)
	w.worksWith(v1alpha1.StorageSQLite, 1)
	served := get(w, &appsv1.Deployment{}, "contoso-scim").Generation
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Storage.PostgreSQL.ConnectionSecretRef.Name = "other" })
	w.until(tenant, "StorageInEffect=False/Progressing", ready)
	if get(w, &appsv1.Deployment{}, "contoso-scim").Generation != served {
		t.Error("the server stops before the other connection was tried")
	}
	if tries := get(w, &batchv1.Job{}, "contoso-connect").Spec.Template.Spec.Volumes[1].Secret.SecretName; tries != "other" {
		t.Errorf("the connection of Secret %s is tried", tries)
	}
	w.connects()
	w.eventually("a third Job has the other Secret", func() string {
		if job := w.moveJob(); job.UID == second.UID || job.Spec.Template.Spec.Volumes[1].Secret.SecretName != "other" {
			return "it is the second one still"
		}
		return ""
	})
	w.endMove(false)
	w.until(tenant, failed...)

	edit(w, tenant, onVolume)
	w.until(tenant, ready, "StorageReady=True/Bound")
	gone(w, &batchv1.Job{}, "contoso-move")
	w.worksWith(v1alpha1.StorageSQLite, 1)
}

func TestAMoveThatIsCalledOffLeavesTheTenantOnItsVolume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(w, w.connectionSecret())
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	edit(w, tenant, inDatabase)
	w.connects()
	w.moveJob()
	edit(w, tenant, onVolume)
	w.until(tenant, ready, "StorageReady=True/Bound")
	gone(w, &batchv1.Job{}, "contoso-connect")
	gone(w, &batchv1.Job{}, "contoso-move")
	w.worksWith(v1alpha1.StorageSQLite, 1)
}

// bug class 14: a stranger's object of the same name, for which the server must not stop in vain.
func TestAStrangersJobKeepsTheMoveFromBeginning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(w, w.connectionSecret())
	create(w, &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "contoso-move"},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "a", Image: "a"}},
		}}},
	})
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	edit(w, tenant, inDatabase)
	w.until(tenant, "StorageInEffect=False/NameConflict", "Stalled=True/NameConflict", ready)
	w.worksWith(v1alpha1.StorageSQLite, 1)
}

func TestAVolumeThatWasLeftIsNotTakenForTheDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(w, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, Name: "contoso-data",
			Labels:      map[string]string{v1alpha1.TenantLabel: "contoso", "app.kubernetes.io/managed-by": "tenantry-operator"},
			Annotations: map[string]string{"provisioning.tenantry.dev/moved-to": "PostgreSQL"},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	})
	tenant := create(w, w.tenant())
	w.until(tenant, "StorageReady=False/Moved", "Stalled=True/Moved")
	gone(w, &appsv1.Deployment{}, "contoso-scim")
	create(w, w.connectionSecret())
	edit(w, tenant, inDatabase)
	w.until(tenant, ready)
	w.worksWith(v1alpha1.StoragePostgreSQL, 1)
	gone(w, &batchv1.Job{}, "contoso-move")
}

// A tenant is served while nobody knows whether its database lets it in.
func TestAWrongPasswordIsFoundBeforeTheServerStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(w, w.connectionSecret())
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	edit(w, tenant, inDatabase)
	w.until(tenant, "StorageInEffect=False/Progressing", "StorageReady=True/Bound", ready)
	const why = "the server gets no connection: the database answered 28P01: password authentication failed"
	connection := func(problem *v1alpha1.StorageProblem) {
		w.Helper()
		if err := w.reports(tenant, func(storage *v1alpha1.StorageStatus) { storage.ConnectionProblem = problem }); err != nil {
			t.Fatal(err)
		}
	}
	// A long name is cut in that of a pod.
	refused := &v1alpha1.StorageProblem{Reason: "DatabaseRefused", Message: why, Pod: "contoso-connx2k4p", ObservedTime: metav1.Now()}
	connection(refused)
	w.until(tenant, "StorageInEffect=False/DatabaseRefused", "StorageReady=True/Bound", "ServerAvailable=True/Available", ready)
	want := "The directory stays on its volume, and the tenant goes on with it, until the database that Secret contoso-database names under key url can be used: " + why
	if got := message(tenant, "StorageInEffect"); got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
	w.worksWith(v1alpha1.StorageSQLite, 1)

	// The server has a problem of its own, of which the other says nothing.
	if err := w.troubled(tenant, &v1alpha1.StorageProblem{Reason: "VolumeFull", Pod: "contoso-scim-a", ObservedTime: metav1.Now()}); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "StorageInEffect=False/DatabaseRefused", "StorageReady=False/VolumeFull", "Ready=False/VolumeFull")
	if err := w.troubled(tenant, nil); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "StorageInEffect=False/DatabaseRefused", ready)

	// It is of a pod that is gone.
	former := refused.DeepCopy()
	former.Reason, former.ObservedTime = "DatabaseUnreachable", metav1.NewTime(time.Now().Add(-v1alpha1.StorageProblemLifetime+2*time.Second))
	connection(former)
	w.until(tenant, "StorageInEffect=False/Progressing", ready)
	if left := tenant.Status.Storage.ConnectionProblem; left != nil {
		t.Errorf("%+v is left", left)
	}
	refused.ObservedTime = metav1.Now()
	connection(refused)
	w.until(tenant, "StorageInEffect=False/DatabaseRefused")

	// The Secret was mended, of which nothing tells the operator but the Job. Its last report is over with it.
	w.connects()
	w.until(tenant, "StorageReady=False/Moving", "Ready=False/Moving")
	if left := tenant.Status.Storage.ConnectionProblem; left != nil {
		t.Errorf("%+v is left", left)
	}
	w.endMove(true)
	w.until(tenant, ready, "StorageReady=True/Configured", "StorageInEffect=True/InEffect")
	gone(w, &batchv1.Job{}, "contoso-connect")
}
