package storage

import (
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/ownership"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

const (
	entraID = "11111111-1111-4111-8111-111111111111"
	otherID = "22222222-2222-4222-8222-222222222222"
)

type (
	tenantChange = func(*v1alpha1.ProvisioningTenant)
	claimChange  = func(*corev1.PersistentVolumeClaim)
)

func contoso(change ...tenantChange) *v1alpha1.ProvisioningTenant {
	tenant := &v1alpha1.ProvisioningTenant{
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso", UID: "uid-contoso", Generation: 1},
		Spec: v1alpha1.ProvisioningTenantSpec{
			DeletionPolicy:   v1alpha1.DeletionPolicyRetain,
			IdentityProvider: v1alpha1.InEntra(v1alpha1.Entra{TenantID: entraID}),
			Storage:          v1alpha1.Storage{Type: v1alpha1.StorageSQLite, SQLite: v1alpha1.SQLiteStorage{Size: resource.MustParse("1Gi")}},
		},
	}
	for _, f := range change {
		f(tenant)
	}
	return tenant
}

func inDatabase(tenant *v1alpha1.ProvisioningTenant) {
	tenant.Spec.Storage.Type = v1alpha1.StoragePostgreSQL
	tenant.Spec.Storage.PostgreSQL = &v1alpha1.PostgreSQLStorage{
		ConnectionSecretRef: v1alpha1.ConnectionSecretReference{Name: "contoso-database", Key: "url"}, Port: 5432,
	}
}

// served has a status that says where the directory was.
func served(engine v1alpha1.StorageType) tenantChange {
	return func(tenant *v1alpha1.ProvisioningTenant) {
		tenant.Status.Storage = &v1alpha1.StorageStatus{Type: engine, DeletionPolicy: v1alpha1.DeletionPolicyRetain}
	}
}

func lookedAt(tenant *v1alpha1.ProvisioningTenant) {
	tenant.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
}

// counted has a server that reported a directory.
func counted(users, groups int64) tenantChange {
	return func(tenant *v1alpha1.ProvisioningTenant) {
		tenant.Status.Directory = &v1alpha1.DirectoryStatus{
			ID: "d5f4", ObservedTime: &metav1.Time{Time: tenant.CreationTimestamp.Time}, Users: users, Groups: groups,
		}
	}
}

func annotated(value string) tenantChange {
	return func(tenant *v1alpha1.ProvisioningTenant) {
		tenant.Annotations = map[string]string{v1alpha1.AdoptDirectoryAnnotation: value}
	}
}

// contosoData is a claim of 1Gi that is bound and has the mark of contoso.
func contosoData(change ...claimChange) *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "customers", Name: "contoso-data", UID: "uid-claim", CreationTimestamp: metav1.Unix(1_795_000_000, 0),
			Annotations: map[string]string{desired.AnnotationOwner: ownership.Volume{Identity: ownership.Of(contoso())}.Encode()},
		},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound},
	}
	sized("1Gi")(claim)
	for _, f := range change {
		f(claim)
	}
	return claim
}

func sized(size string) claimChange {
	return func(claim *corev1.PersistentVolumeClaim) {
		claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
	}
}

func phase(phase corev1.PersistentVolumeClaimPhase) claimChange {
	return func(claim *corev1.PersistentVolumeClaim) { claim.Status.Phase = phase }
}

func marked(mark ownership.Volume) claimChange {
	return func(claim *corev1.PersistentVolumeClaim) {
		claim.Annotations[desired.AnnotationOwner] = mark.Encode()
	}
}

func unmarked(claim *corev1.PersistentVolumeClaim) {
	delete(claim.Annotations, desired.AnnotationOwner)
}

func moved(claim *corev1.PersistentVolumeClaim) {
	claim.Annotations[desired.AnnotationMovedTo] = "PostgreSQL"
}

func deleted(claim *corev1.PersistentVolumeClaim) { claim.DeletionTimestamp = &metav1.Time{} }

// of is the mark of another tenant.
func of(namespace, name, entra, uid string) ownership.Volume {
	return ownership.Volume{Identity: ownership.Identity{EntraTenantID: entra, Namespace: namespace, Name: name, UID: uid}}
}

// told is the condition and the reason of a typed error, and when to look again.
func told(err error) string {
	var stalled *problem.Stalled
	var waiting *problem.Waiting
	switch {
	case err == nil:
		return ""
	case errors.As(err, &stalled):
		return fmt.Sprintf("stalled %s %s %s", stalled.Condition, stalled.Reason, stalled.Recheck)
	case errors.As(err, &waiting):
		return fmt.Sprintf("waiting %s %s %s", waiting.Condition, waiting.Reason, waiting.After)
	}
	return err.Error()
}

var (
	strangers = &apply.NotOursError{Kind: "PersistentVolumeClaim", Namespace: "customers", Name: "contoso-data"}
	going     = &apply.GoingError{Kind: "PersistentVolumeClaim", Name: "contoso-data"}
)

func TestWhereTheDirectoryIsFollowsFromTheSpecTheStatusAndTheClaim(t *testing.T) {
	t.Parallel()
	missing := &problem.Waiting{Condition: v1alpha1.ConditionStorageReady, Reason: v1alpha1.ReasonConnectionSecretMissing}
	another := marked(of("elsewhere", "fabrikam", otherID, "uid-fabrikam"))
	for name, test := range map[string]struct {
		state   State
		engine  v1alpha1.StorageType
		moves   bool
		claim   bool
		refused string
	}{
		"a new tenant":       {State{Tenant: contoso()}, "SQLite", false, true, ""},
		"no engine is named": {State{Tenant: contoso(func(t *v1alpha1.ProvisioningTenant) { t.Spec.Storage.Type = "" })}, "SQLite", false, true, ""},
		"it has its volume":  {State{Tenant: contoso(lookedAt, counted(3, 1)), Claim: contosoData()}, "SQLite", false, true, ""},
		"a claim of somebody else": {
			State{Tenant: contoso(), Taken: strangers}, "", false, false, "stalled StorageReady NameConflict 1m0s",
		},
		"a claim that goes, before anybody was served": {
			State{Tenant: contoso(), Taken: going}, "", false, false, "waiting StorageReady Progressing 5s",
		},
		"a claim that an owner of before takes with it": {
			State{Tenant: contoso(counted(3, 1)), Taken: going}, "", false, false, "waiting StorageReady ClaimTerminating 5s",
		},
		"a claim of somebody else, where a directory was served": {
			State{Tenant: contoso(counted(3, 1)), Taken: strangers}, "", false, false, "stalled StorageReady NameConflict 1m0s",
		},
		"the claim is being deleted": {
			State{Tenant: contoso(), Claim: contosoData(deleted)}, "", false, false, "waiting StorageReady ClaimTerminating 5s",
		},
		"the claim is another tenant's": {
			State{Tenant: contoso(), Claim: contosoData(another)}, "", false, false, "stalled StorageReady ForeignDirectory 0s",
		},
		"the directory has left the volume": {
			State{Tenant: contoso(), Claim: contosoData(moved)}, "", false, true, "stalled StorageReady Moved 0s",
		},
		"another tenant's directory has left the volume": {
			State{Tenant: contoso(), Claim: contosoData(another, moved)}, "", false, false, "stalled StorageReady ForeignDirectory 0s",
		},
		"the directory is gone with its volume": {
			State{Tenant: contoso(counted(3, 1))}, "", false, false, "stalled StorageReady DirectoryMissing 1m0s",
		},

		"a new tenant in a database":                  {State{Tenant: contoso(inDatabase)}, "PostgreSQL", false, false, ""},
		"it is in the database":                       {State{Tenant: contoso(inDatabase, served("PostgreSQL"))}, "PostgreSQL", false, false, ""},
		"it is there, and so is a claim":              {State{Tenant: contoso(inDatabase, served("PostgreSQL")), Claim: contosoData()}, "PostgreSQL", false, true, ""},
		"it has just arrived":                         {State{Tenant: contoso(inDatabase, served("SQLite")), Claim: contosoData(moved)}, "PostgreSQL", false, true, ""},
		"it is to move":                               {State{Tenant: contoso(inDatabase, served("SQLite")), Claim: contosoData()}, "SQLite", true, true, ""},
		"it is to move, and nobody has looked before": {State{Tenant: contoso(inDatabase), Claim: contosoData()}, "SQLite", true, true, ""},
		"it is to move to a database that is missing": {
			State{Tenant: contoso(inDatabase), Claim: contosoData(), Connection: missing}, "SQLite", true, true, "",
		},
		"the claim that it has left is being deleted": {
			State{Tenant: contoso(inDatabase, served("PostgreSQL")), Claim: contosoData(moved, deleted)}, "PostgreSQL", false, false, "",
		},
		"the claim beside the database is another's": {
			State{Tenant: contoso(inDatabase, served("PostgreSQL")), Claim: contosoData(another)}, "PostgreSQL", false, false, "",
		},
		"somebody else has a claim of the name": {State{Tenant: contoso(inDatabase), Taken: strangers}, "PostgreSQL", false, false, ""},
		"it is to move and another's": {
			State{Tenant: contoso(inDatabase), Claim: contosoData(another)}, "", false, false, "stalled StorageReady ForeignDirectory 0s",
		},
		"it is to move and the claim is being deleted": {
			State{Tenant: contoso(inDatabase), Claim: contosoData(deleted)}, "", false, false, "waiting StorageReady ClaimTerminating 5s",
		},
		"the database is not named": {
			State{Tenant: contoso(inDatabase, func(t *v1alpha1.ProvisioningTenant) { t.Spec.Storage.PostgreSQL = nil }), Claim: contosoData()},
			"", false, false, "stalled StorageReady ConnectionSecretMissing 0s",
		},
		"an engine of a newer version": {
			State{Tenant: contoso(func(t *v1alpha1.ProvisioningTenant) { t.Spec.Storage.Type = "Oracle" }), Claim: contosoData()}, "", false, false, "",
		},
	} {
		d := Decide(test.state)
		if d.Engine != test.engine || d.Moves != test.moves || (d.Claim != nil) != test.claim || told(d.Refused) != test.refused || d.Step != StepNone {
			t.Errorf("%s: engine %q, moves %v, a claim %v, step %d, refused %q", name, d.Engine, d.Moves, d.Claim != nil, d.Step, told(d.Refused))
		}
		if wants := d.Engine != "" && WantsDatabase(test.state.Tenant); wants && d.Hindrance != test.state.Connection { //nolint:errorlint // as it was given
			t.Errorf("%s: hindered by %v", name, d.Hindrance)
		}
		if inDatabase := d.Engine == "PostgreSQL"; d.InDatabase() != inDatabase {
			t.Errorf("%s: in a database: %v", name, d.InDatabase())
		}
		if known := test.state.Tenant.Spec.Storage.Type != "Oracle" && told(d.Refused) != "stalled StorageReady ConnectionSecretMissing 0s"; known && d.Found != test.state.Claim {
			t.Errorf("%s: found %v", name, d.Found)
		}
	}
	if d := (Decision{Engine: v1alpha1.StorageSQLite, Step: StepCopied}); !d.InDatabase() {
		t.Error("the whole directory was copied, and is not in the database")
	}
}

func TestARefusedVolumeIsToldWithTheWayOut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		state State
		want  string
	}{
		"the directory is gone": {State{Tenant: contoso(counted(3, 1))}, "Volume claim contoso-data is gone, and directory d5f4 with it. Restore the claim; " +
			"or to begin with an empty directory, annotate the ProvisioningTenant with provisioning.tenantry.dev/adopt-directory: new/d5f4"},
		"the directory has left": {State{Tenant: contoso(), Claim: contosoData(moved)}, "Volume claim contoso-data holds the directory as it was before it " +
			"moved to PostgreSQL. Set spec.storage.type to that, or remove annotation provisioning.tenantry.dev/moved-to from the claim to begin with the old state."},
		"the claim goes": {State{Tenant: contoso(), Claim: contosoData(deleted)}, "Volume claim contoso-data is being deleted, and the directory on it goes " +
			"when no pod uses it any more. That cannot be taken back: while the server runs, export the directory."},
		"the claim is another's": {
			State{Tenant: contoso(), Claim: contosoData(marked(of("elsewhere", "fabrikam", otherID, "uid-fabrikam")))},
			"Volume claim contoso-data, of 1Gi and from 2026-11-18T11:06:40Z, is of tenant elsewhere/fabrikam with the Entra tenant ID " + otherID +
				", and not of customers/contoso with the Entra tenant ID " + entraID + ". Nothing of it is read. Give this tenant another name; " +
				"or to hand over to it the directory with its users and groups, annotate the ProvisioningTenant with " +
				"provisioning.tenantry.dev/adopt-directory: elsewhere/fabrikam/" + otherID + "/uid-claim",
		},
		"the Entra tenant ID was edited": {
			State{Tenant: contoso(counted(3, 1)), Claim: contosoData(marked(of("customers", "contoso", otherID, "uid-contoso")))},
			"Volume claim contoso-data holds what Entra tenant " + otherID + " has provisioned, and spec.identityProvider.entra.tenantID is " + entraID +
				" now. It is not served, so that nobody reads the people of another organisation. Set spec.identityProvider.entra.tenantID back; " +
				"or to hand over the directory with its users and groups, annotate the ProvisioningTenant with " +
				"provisioning.tenantry.dev/adopt-directory: customers/contoso/" + otherID + "/d5f4",
		},
		"the database is not named": {
			State{Tenant: contoso(func(t *v1alpha1.ProvisioningTenant) { t.Spec.Storage.Type = "PostgreSQL" })},
			"Set spec.storage.postgresql: it names the Secret with the connection URL.",
		},
	} {
		if d := Decide(test.state); d.Refused == nil || d.Refused.Error() != test.want {
			t.Errorf("%s:\ngot  %v\nwant %s", name, d.Refused, test.want)
		}
	}
}

// bug class 2: acting on an old cache.
func TestTheClaimIsReadPastTheCacheWhereAnOldOneWouldDoHarm(t *testing.T) {
	t.Parallel()
	owned := func(t *v1alpha1.ProvisioningTenant) {
		t.Status.Storage = &v1alpha1.StorageStatus{Type: "SQLite", DeletionPolicy: v1alpha1.DeletionPolicyDelete}
	}
	deletes := func(t *v1alpha1.ProvisioningTenant) { t.Spec.DeletionPolicy = v1alpha1.DeletionPolicyDelete }
	for name, test := range map[string]struct {
		state State
		want  bool
	}{
		"a new tenant": {State{Tenant: contoso()}, false},
		"a tenant that was looked at, and no claim":      {State{Tenant: contoso(lookedAt)}, true},
		"a new tenant, and somebody else's claim":        {State{Tenant: contoso(), Taken: strangers}, true},
		"a tenant with its claim":                        {State{Tenant: contoso(lookedAt), Claim: contosoData()}, false},
		"the claim is to be retained from now on":        {State{Tenant: contoso(lookedAt, owned), Claim: contosoData()}, true},
		"the claim goes with the tenant":                 {State{Tenant: contoso(lookedAt, owned, deletes), Claim: contosoData()}, false},
		"the claim was retained, and is to go":           {State{Tenant: contoso(lookedAt, served("SQLite"), deletes), Claim: contosoData()}, false},
		"no engine is named, and no claim":               {State{Tenant: contoso(lookedAt, func(t *v1alpha1.ProvisioningTenant) { t.Spec.Storage.Type = "" })}, true},
		"a new tenant in a database":                     {State{Tenant: contoso(inDatabase)}, true},
		"a tenant that is to move":                       {State{Tenant: contoso(inDatabase, served("SQLite")), Claim: contosoData()}, true},
		"a tenant that has just arrived":                 {State{Tenant: contoso(inDatabase, served("SQLite")), Claim: contosoData(moved)}, false},
		"a tenant in a database":                         {State{Tenant: contoso(inDatabase, lookedAt, served("PostgreSQL"))}, false},
		"a tenant in a database, and a claim of another": {State{Tenant: contoso(inDatabase, lookedAt, served("PostgreSQL")), Taken: strangers}, false},
		"a database that is not named":                   {State{Tenant: contoso(lookedAt, func(t *v1alpha1.ProvisioningTenant) { t.Spec.Storage.Type = "PostgreSQL" })}, false},
		"an engine of a newer version":                   {State{Tenant: contoso(lookedAt, func(t *v1alpha1.ProvisioningTenant) { t.Spec.Storage.Type = "Oracle" })}, false},
	} {
		if got := test.state.PastCache(); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
