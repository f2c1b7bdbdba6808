package storage

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

func TestAnExpansionThatIsRefusedKeepsTheSizeThatTheClaimHas(t *testing.T) {
	t.Parallel()
	const said = "only dynamically provisioned pvc can be resized."
	refusal := apierrors.NewForbidden(
		schema.GroupResource{Resource: "persistentvolumeclaims"}, "contoso-data", errors.New(said))
	larger := contoso(func(t *v1alpha1.ProvisioningTenant) { t.Spec.Storage.SQLite.Size = resource.MustParse("2Gi") })
	for name, test := range map[string]struct {
		state State
		err   error
		want  string
		size  string
	}{
		"it grows":                        {State{Tenant: larger, Claim: contosoData()}, nil, "", "2Gi"},
		"it may not grow":                 {State{Tenant: larger, Claim: contosoData()}, fmt.Errorf("apply it: %w", refusal), "stalled StorageInEffect ExpansionRefused 5m0s", "1Gi"},
		"it does not grow, and is denied": {State{Tenant: contoso(), Claim: contosoData()}, refusal, "", "1Gi"},
		"it is new, and is denied":        {State{Tenant: larger}, refusal, "", "2Gi"},
		"the API server failed":           {State{Tenant: larger, Claim: contosoData()}, errors.New("no answer"), "", "2Gi"},
		"it became another's":             {State{Tenant: larger, Claim: contosoData()}, strangers, "", "2Gi"},
		"it went":                         {State{Tenant: larger, Claim: contosoData()}, going, "", "2Gi"},
	} {
		before := Decide(test.state)
		wanted := before.Claim.Size.String()
		after, err := before.KeepsSize(test.err)
		if told(err) != test.want || after.Claim.Size.String() != test.size || before.Claim.Size.String() != wanted || after.Claim.Owner != before.Claim.Owner {
			t.Errorf("%s: %q, the size is %s", name, told(err), after.Claim.Size.String())
		}
		if want := "Volume claim contoso-data stays at 1Gi, because it cannot grow: " + `persistentvolumeclaims "contoso-data" is forbidden: ` +
			"only dynamically provisioned pvc can be resized. Set spec.storage.sqlite.size back to 1Gi, or let its StorageClass allow expansion."; err != nil && err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", name, err, want)
		}
	}
}

func TestAClaimThatIsThereStaysAsItIsButForItsSize(t *testing.T) {
	t.Parallel()
	applied := func(manager string, operation metav1.ManagedFieldsOperationType, fields ...string) claimChange {
		return func(claim *corev1.PersistentVolumeClaim) {
			claim.Spec.AccessModes, claim.Spec.StorageClassName = []corev1.PersistentVolumeAccessMode{"ReadWriteOncePod"}, new("fast")
			raw := metav1.NewFieldsV1(`{"f:spec":{` + strings.Join(fields, ",") + `}}`)
			claim.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: manager, Operation: operation, FieldsV1: raw}}
		}
	}
	wants := func(size, class string) tenantChange {
		return func(t *v1alpha1.ProvisioningTenant) {
			t.Spec.Storage.SQLite.Size, t.Spec.Storage.SQLite.StorageClassName = resource.MustParse(size), class
		}
	}
	const modes, class = `"f:accessModes":{}`, `"f:storageClassName":{}`
	for name, test := range map[string]struct {
		tenant *v1alpha1.ProvisioningTenant
		claim  *corev1.PersistentVolumeClaim
		want   string
	}{
		"none":                      {contoso(wants("2Gi", "slow")), nil, "2Gi [ReadWriteOnce] slow"},
		"it grows":                  {contoso(wants("2Gi", "slow")), contosoData(), "2Gi [] "},
		"it never shrinks":          {contoso(wants("500Mi", "slow")), contosoData(), "1Gi [] "},
		"it is not bound yet":       {contoso(wants("2Gi", "slow")), contosoData(phase(corev1.ClaimPending)), "1Gi [] "},
		"both fields were applied":  {contoso(wants("1Gi", "slow")), contosoData(applied(apply.FieldManager, "Apply", modes, class)), "1Gi [ReadWriteOncePod] fast"},
		"one was":                   {contoso(wants("1Gi", "slow")), contosoData(applied(apply.FieldManager, "Apply", modes)), "1Gi [ReadWriteOncePod] "},
		"the other was":             {contoso(wants("1Gi", "slow")), contosoData(applied(apply.FieldManager, "Apply", class)), "1Gi [] fast"},
		"another manager did":       {contoso(wants("1Gi", "slow")), contosoData(applied("velero", "Apply", modes, class)), "1Gi [] "},
		"it did not do so by apply": {contoso(wants("1Gi", "slow")), contosoData(applied(apply.FieldManager, "Update", modes, class)), "1Gi [] "},
	} {
		d := Decide(State{Tenant: test.tenant, Claim: test.claim})
		if got := fmt.Sprintf("%s %v %s", d.Claim.Size.String(), d.Claim.AccessModes, d.Claim.StorageClass); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
