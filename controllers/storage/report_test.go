package storage

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// lines are what a report tells: each problem and each condition with its message, and in how many seconds it may change.
func lines(told Report) string {
	var text []string
	for _, err := range told.Problems {
		var stalled *problem.Stalled
		var waiting *problem.Waiting
		switch {
		case errors.As(err, &stalled):
			text = append(text, fmt.Sprintf("stalled %s %s %s: %s", stalled.Condition, stalled.Reason, stalled.Recheck, stalled.Message))
		case errors.As(err, &waiting):
			text = append(text, fmt.Sprintf("waiting %s %s %s: %s", waiting.Condition, waiting.Reason, waiting.After, waiting.Message))
		default:
			text = append(text, "failed: "+err.Error())
		}
	}
	for _, c := range told.Conditions {
		text = append(text, fmt.Sprintf("%s=%s/%s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	for _, moment := range told.Changes {
		text = append(text, "changes in "+moment.Sub(noon).String())
	}
	return strings.Join(text, "\n")
}

const (
	bound   = "StorageReady=True/Bound: Volume claim contoso-data is bound."
	inPlace = "StorageReady=True/Configured: The directory is in schema tenantry_customers_contoso of the database that Secret contoso-database names."
	goesOnW = "StorageReady=True/Configured: The directory is in schema tenantry_customers_contoso, and the servers go on with the connection URL that they have."
	stays   = "The directory stays on its volume, and the tenant goes on with it, until the database that Secret contoso-database names under key url can be used: "
	moves   = "The directory is being moved to PostgreSQL by Job contoso-move. Clients are answered 503 until it is there."
)

// reported has a server and a Job that told of a problem ten seconds ago.
func reported(server, connection string) tenantChange {
	of := func(reason string) *v1alpha1.StorageProblem {
		if reason == "" {
			return nil
		}
		return &v1alpha1.StorageProblem{Reason: reason, Message: "no room", Pod: "a", ObservedTime: metav1.NewTime(noon.Add(-10 * time.Second))}
	}
	return func(tenant *v1alpha1.ProvisioningTenant) {
		tenant.Status.Storage = &v1alpha1.StorageStatus{Problem: of(server), ConnectionProblem: of(connection)}
	}
}

func TestAVolumeIsToldByItsClaimAndByWhatTheServerReports(t *testing.T) {
	t.Parallel()
	wants := func(size, class string) tenantChange {
		return func(tenant *v1alpha1.ProvisioningTenant) {
			tenant.Spec.Storage.SQLite = v1alpha1.SQLiteStorage{Size: resource.MustParse(size), StorageClassName: class}
		}
	}
	holds := func(size string) claimChange {
		return func(claim *corev1.PersistentVolumeClaim) {
			claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
		}
	}
	class := func(claim *corev1.PersistentVolumeClaim) { claim.Spec.StorageClassName = new("fast") }
	created := func(before time.Duration) tenantChange {
		return func(tenant *v1alpha1.ProvisioningTenant) {
			tenant.CreationTimestamp = metav1.NewTime(contosoData().CreationTimestamp.Add(before))
		}
	}
	const pending = "StorageReady=False/ClaimPending: Volume claim contoso-data is not bound yet. If this lasts, " +
		"kubectl describe pvc -n customers contoso-data tells why."
	pods := metav1.Condition{Type: v1alpha1.ConditionServerAvailable, Status: metav1.ConditionFalse, Message: "No node takes the server's pod: no memory"}
	refused, unschedulable := pods, pods
	refused.Reason, unschedulable.Reason, pods.Reason = v1alpha1.ReasonPodsRefused, v1alpha1.ReasonUnschedulable, v1alpha1.ReasonServerUnavailable
	for name, test := range map[string]struct {
		tenant    *v1alpha1.ProvisioningTenant
		claim     *corev1.PersistentVolumeClaim
		available metav1.Condition
		want      []string
	}{
		"it is bound":          {contoso(created(0)), contosoData(), metav1.Condition{}, []string{bound}},
		"it could not be read": {contoso(reported("VolumeFull", "")), nil, metav1.Condition{}, nil},
		"it is not there yet":  {contoso(), &corev1.PersistentVolumeClaim{}, metav1.Condition{}, []string{"StorageReady=False/Progressing: The volume claim is being made."}},
		"it has lost its volume": {contoso(), contosoData(phase(corev1.ClaimLost), func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = "pv" }), metav1.Condition{}, []string{
			"StorageReady=False/ClaimLost: Volume claim contoso-data has lost its volume pv, and the directory on it. " +
				"Restore the volume under that name, or delete the claim and restore it.",
		}},
		"it waits":                           {contoso(), contosoData(phase(corev1.ClaimPending)), pods, []string{pending}},
		"it waits for a pod that is refused": {contoso(), contosoData(phase(corev1.ClaimPending)), refused, []string{pending + " It may wait for the server's pod. " + pods.Message}},
		"it waits for a pod without a node":  {contoso(), contosoData(phase(corev1.ClaimPending)), unschedulable, []string{pending + " It may wait for the server's pod. " + pods.Message}},
		"it was there before the tenant": {contoso(created(time.Second)), contosoData(), metav1.Condition{}, []string{
			bound + " It was there before this ProvisioningTenant, since 2026-11-18T11:06:40Z: the directory on it is served on.",
		}},
		"it waits, and was there before": {contoso(created(time.Second)), contosoData(phase(corev1.ClaimPending)), pods, []string{pending}},

		"it is to be larger once it is bound": {contoso(wants("2Gi", "")), contosoData(phase(corev1.ClaimPending)), pods, []string{
			"StorageInEffect=False/ClaimPending: Volume claim contoso-data asks for 1Gi, and for 2Gi when it is bound.", pending,
		}},
		"it is about to be made larger": {contoso(wants("2Gi", "")), contosoData(), metav1.Condition{}, []string{bound}},
		"it grows": {contoso(wants("2Gi", "")), contosoData(sized("2Gi"), holds("1Gi")), metav1.Condition{}, []string{
			"StorageInEffect=False/Progressing: The volume of claim contoso-data grows from 1Gi to 2Gi. If this lasts, " +
				"kubectl describe pvc -n customers contoso-data tells why.", bound,
		}},
		"it has grown":                  {contoso(wants("2Gi", "")), contosoData(sized("2Gi"), holds("2Gi")), metav1.Condition{}, []string{bound}},
		"it has more than it asked for": {contoso(), contosoData(holds("5Gi")), metav1.Condition{}, []string{bound}},
		"it is larger than the spec says": {contoso(wants("500Mi", "")), contosoData(), metav1.Condition{}, []string{
			"StorageInEffect=True/InEffect: Volume claim contoso-data stays at 1Gi, which is more than spec.storage.sqlite.size: volumes cannot shrink.", bound,
		}},
		"it is of another class": {contoso(wants("1Gi", "slow")), contosoData(class), metav1.Condition{}, []string{
			`StorageInEffect=True/InEffect: Volume claim contoso-data was there with class "fast", and a claim cannot change its class.`, bound,
		}},
		"it is of no class": {contoso(wants("1Gi", "slow")), contosoData(), metav1.Condition{}, []string{
			`StorageInEffect=True/InEffect: Volume claim contoso-data was there with class "", and a claim cannot change its class.`, bound,
		}},
		"it is of the class":         {contoso(wants("1Gi", "fast")), contosoData(class), metav1.Condition{}, []string{bound}},
		"it is of the default class": {contoso(), contosoData(class), metav1.Condition{}, []string{bound}},

		"it is full": {contoso(reported("VolumeFull", "")), contosoData(), metav1.Condition{}, []string{
			"StorageReady=False/VolumeFull: Look-ups are answered, and changes are answered 503: no room", "changes in 1m20s",
		}},
		"it cannot be written": {contoso(reported("VolumeReadOnly", "")), contosoData(), metav1.Condition{}, []string{
			"StorageReady=False/VolumeReadOnly: Look-ups are answered, and changes are answered 503: no room", "changes in 1m20s",
		}},
		"the server found it damaged": {contoso(reported("StorageUnusable", "")), contosoData(), metav1.Condition{}, []string{
			"StorageReady=False/StorageUnusable: The server cannot use its storage: no room", "changes in 1m20s",
		}},
		"it is full and waits":               {contoso(reported("VolumeFull", "")), contosoData(phase(corev1.ClaimPending)), pods, []string{pending, "changes in 1m20s"}},
		"somebody tried a connection before": {contoso(reported("", "DatabaseUnreachable")), contosoData(), metav1.Condition{}, []string{bound}},
	} {
		d := Decision{Engine: v1alpha1.StorageSQLite}
		got := lines(d.Report(test.tenant, Seen{Claim: test.claim, Available: test.available, Now: noon}))
		if want := strings.Join(test.want, "\n"); got != want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestADatabaseIsToldByItsSecretAndByWhatServersReport(t *testing.T) {
	t.Parallel()
	published := func(tenant *v1alpha1.ProvisioningTenant) {
		tenant.Status.TenantURL = "https://contoso.example.com/scim/v2"
	}
	missing := ConnectionMissing(contoso(inDatabase), false, false, 30*time.Second)
	const (
		gone = "Secret contoso-database in spec.storage.postgresql.connectionSecretRef does not exist: " +
			"create it with the connection URL under the key url."
		told = "waiting StorageInEffect ConnectionSecretMissing 30s: The servers that run go on, and no other can start. " + gone
		down = "waiting StorageReady ConnectionSecretMissing 30s: " + gone
		read = "waiting StorageInEffect DatabaseURLInvalid 0s: The servers that run go on, and no other can start. no room"
		full = "StorageReady=False/DatabaseFull: Look-ups are answered, and changes are answered 503: no room"
	)
	for name, test := range map[string]struct {
		tenant    *v1alpha1.ProvisioningTenant
		hindrance error
		available metav1.ConditionStatus
		want      []string
	}{
		"all is well":                              {contoso(inDatabase, published), nil, metav1.ConditionTrue, []string{inPlace}},
		"no server runs":                           {contoso(inDatabase, published), nil, metav1.ConditionFalse, []string{inPlace}},
		"the Secret is gone":                       {contoso(inDatabase, published), missing, metav1.ConditionTrue, []string{told, goesOnW}},
		"the Secret is gone, and no server runs":   {contoso(inDatabase, published), missing, metav1.ConditionFalse, []string{down}},
		"nobody knows of a server":                 {contoso(inDatabase, published), missing, metav1.ConditionUnknown, []string{down}},
		"the tenant never was ready":               {contoso(inDatabase), missing, metav1.ConditionTrue, []string{down}},
		"the Secret cannot be looked for":          {contoso(inDatabase, published), errors.New("no answer"), metav1.ConditionTrue, []string{"failed: no answer"}},
		"the URL cannot be read":                   {contoso(inDatabase, published, reported("", "DatabaseURLInvalid")), nil, metav1.ConditionTrue, []string{read, inPlace, "changes in 1m20s"}},
		"the URL could not be read by what ran":    {contoso(inDatabase, published, reported("", "DatabaseURLInvalid")), nil, metav1.ConditionFalse, []string{inPlace}},
		"the Secret is gone, and a server says so": {contoso(inDatabase, published, reported("", "DatabaseURLInvalid")), missing, metav1.ConditionTrue, []string{told, read, goesOnW, "changes in 1m20s"}},
		"the database is full":                     {contoso(inDatabase, published, reported("DatabaseFull", "")), nil, metav1.ConditionTrue, []string{full, "changes in 1m20s"}},
		"the database is full, and no server runs": {contoso(inDatabase, published, reported("DatabaseFull", "")), nil, metav1.ConditionFalse, []string{full, "changes in 1m20s"}},
		"the Secret is gone, and it cannot be reached": {
			contoso(inDatabase, published, reported("DatabaseUnreachable", "")), missing, metav1.ConditionTrue,
			[]string{told, "StorageReady=False/DatabaseUnreachable: The server cannot use its storage: no room", "changes in 1m20s"},
		},
	} {
		d := Decision{Engine: v1alpha1.StoragePostgreSQL, Hindrance: test.hindrance}
		got := lines(d.Report(test.tenant, Seen{Available: metav1.Condition{Status: test.available}, Now: noon}))
		if want := strings.Join(test.want, "\n"); got != want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", name, got, want)
		}
		if d.LooksAtClaim() || d.LooksAtPods(test.tenant, nil, noon) != "" {
			t.Errorf("%s: a volume or Jobs are looked at", name)
		}
	}
}

func TestAMoveIsToldByItsJobsAndTheirPods(t *testing.T) {
	t.Parallel()
	copying := func(failed int32) *batchv1.Job {
		return jobOf(func(job *batchv1.Job) { job.Status.Failed = failed })
	}
	unschedulable, crashing := &Cause{"Unschedulable", "no node"}, &Cause{v1alpha1.ReasonServerCrashing, "it crashes"}
	missing := ConnectionMissing(contoso(inDatabase), false, false, 30*time.Second)
	stranger := Decision{}.Hindered(strangers).Hindrance
	const (
		inEffect, ready = v1alpha1.ConditionStorageInEffect, v1alpha1.ConditionStorageReady
		tries           = "waiting StorageInEffect Progressing 0s: Job contoso-connect tries the connection to the database. " +
			"The tenant goes on with its volume until there is one. If this lasts, kubectl describe job -n customers contoso-connect tells why."
		url    = "waiting StorageInEffect DatabaseURLInvalid 0s: " + stays + "no room"
		moving = "StorageReady=False/Moving: " + moves
	)
	failed := errors.New("no answer")
	for name, test := range map[string]struct {
		step      Step
		hindrance error
		tenant    []tenantChange
		seen      Seen
		pods      string
		want      []string
	}{
		"it waits for the Secret": {StepNone, missing, nil, Seen{}, "", []string{
			"waiting StorageInEffect ConnectionSecretMissing 30s: " + missing.Error(), bound,
		}},
		"a Job of its name is in the way": {StepNone, stranger, nil, Seen{}, "", []string{
			"stalled StorageInEffect NameConflict 1m0s: " + stranger.Error(), bound,
		}},
		"it cannot be found out whether it may begin": {StepNone, failed, nil, Seen{}, "", []string{"failed: no answer", bound}},
		"the connection is tried":                     {StepConnecting, nil, nil, Seen{}, inEffect, []string{tries, bound}},
		"a pod tells why it cannot be tried": {
			StepConnecting, nil, nil, Seen{Cause: unschedulable}, inEffect, []string{"waiting StorageInEffect Unschedulable 0s: " + stays + "no node", bound},
		},
		"the pod that tries crashes": {
			StepConnecting, nil, nil, Seen{Cause: crashing}, inEffect, []string{"waiting StorageInEffect ServerCrashing 0s: " + stays + "it crashes", bound},
		},
		"its pods cannot be listed": {StepConnecting, nil, nil, Seen{CauseFailed: failed}, inEffect, []string{"failed: no answer", bound}},
		"the Job reports why": {
			StepConnecting, nil, []tenantChange{reported("", "DatabaseURLInvalid")}, Seen{}, "", []string{url, bound, "changes in 1m20s"},
		},
		"the volume is full meanwhile": {
			StepConnecting, nil, []tenantChange{reported("VolumeFull", "")}, Seen{}, inEffect,
			[]string{tries, "StorageReady=False/VolumeFull: Look-ups are answered, and changes are answered 503: no room", "changes in 1m20s"},
		},
		"another connection is to be tried": {StepReconnecting, nil, nil, Seen{}, inEffect, []string{tries, bound}},
		"and the Job before reported": {
			StepReconnecting, nil, []tenantChange{reported("", "DatabaseURLInvalid")}, Seen{}, inEffect, []string{tries, bound},
		},
		"the server is being stopped": {StepStopping, nil, nil, Seen{}, "", []string{moving}},
		"the Job is not seen yet":     {StepCopying, nil, nil, Seen{}, "", []string{moving}},
		"the Job copies":              {StepCopying, nil, nil, Seen{Copy: jobOf(func(job *batchv1.Job) { job.Status.Active = 1 })}, ready, []string{moving}},
		"the Job has no pod": {StepCopying, nil, nil, Seen{Copy: copying(0)}, ready, []string{
			moving + " It has no pod yet. If this lasts, kubectl describe job -n customers contoso-move tells why.",
		}},
		"the Job copies, and has failed once": {StepCopying, nil, nil, Seen{Copy: copying(1)}, ready, []string{
			moving + " Attempt 1 has failed, and there is another. Why it failed: kubectl logs -n customers job/contoso-move.",
		}},
		"its pod crashes": {StepCopying, nil, nil, Seen{Copy: copying(2), Cause: crashing}, ready, []string{
			moving + " Attempt 2 has failed, and there is another. Why it failed: kubectl logs -n customers job/contoso-move.",
		}},
		"its pod has no node": {StepCopying, nil, nil, Seen{Copy: copying(1), Cause: unschedulable}, ready, []string{
			"StorageReady=False/Unschedulable: The directory cannot be moved to PostgreSQL yet: no node",
		}},
		"its pods cannot be listed while it copies": {StepCopying, nil, nil, Seen{Copy: copying(1), CauseFailed: failed}, ready, []string{"failed: no answer"}},
		"it is copied": {StepCopied, nil, nil, Seen{Copy: copying(1)}, "", []string{moving}},
		"it has failed": {StepFailed, nil, nil, Seen{}, "", []string{
			"stalled StorageInEffect MoveFailed 0s: The directory could not be moved to PostgreSQL; the tenant goes on with SQLite. " +
				"kubectl logs -n customers job/contoso-move tells why. Mend that and delete Job contoso-move to try again, or set spec.storage.type back to SQLite.",
			bound,
		}},
		"it has failed, and the Secret is gone": {StepFailed, missing, nil, Seen{}, "", []string{
			"stalled StorageInEffect MoveFailed 0s: The directory could not be moved to PostgreSQL; the tenant goes on with SQLite. " +
				"kubectl logs -n customers job/contoso-move tells why. Mend that and delete Job contoso-move to try again, or set spec.storage.type back to SQLite.",
			bound,
		}},
	} {
		tenant := contoso(append([]tenantChange{inDatabase}, test.tenant...)...)
		d := Decision{Engine: v1alpha1.StorageSQLite, Moves: true, Step: test.step, Hindrance: test.hindrance}
		if d.LooksAtClaim() {
			test.seen.Claim = contosoData()
		}
		if d.LooksAtClaim() == test.step.Stopped() {
			t.Errorf("%s: the claim is looked at: %v", name, d.LooksAtClaim())
		}
		if pods := d.LooksAtPods(tenant, test.seen.Copy, noon); pods != test.pods {
			t.Errorf("%s: the pods of a Job are looked at for condition %q", name, pods)
		}
		test.seen.Now = noon
		if got, want := lines(d.Report(tenant, test.seen)), strings.Join(test.want, "\n"); got != want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", name, got, want)
		}
	}
}
