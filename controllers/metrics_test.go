package controllers

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/config/crd"
)

func TestMetricsTellOfTenantsByConditionAndOfTokensThatEnd(t *testing.T) {
	t.Parallel()
	at := metav1.NewTime(time.Unix(1764000000, 0))
	ready := func(status metav1.ConditionStatus) func(*v1alpha1.ProvisioningTenant) {
		return func(p *v1alpha1.ProvisioningTenant) {
			p.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, LastTransitionTime: at}}
		}
	}
	s := simulate(t,
		contoso(ready(metav1.ConditionTrue), func(p *v1alpha1.ProvisioningTenant) {
			p.Status.Credentials = &v1alpha1.CredentialsStatus{ExpiresAt: &at, PreviousExpiresAt: &at}
		}),
		contoso(ready(metav1.ConditionTrue), func(p *v1alpha1.ProvisioningTenant) {
			p.Name, p.Status.Credentials = "fabrikam", &v1alpha1.CredentialsStatus{}
			p.Status.Conditions = append(p.Status.Conditions,
				metav1.Condition{Type: v1alpha1.ConditionServerAvailable, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonUpgradePending},
				metav1.Condition{Type: v1alpha1.ConditionRolledOut, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonUpgradePending},
				metav1.Condition{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonUpgradePending})
		}),
		contoso(ready(metav1.ConditionFalse), func(p *v1alpha1.ProvisioningTenant) { p.Name = "northwind" }),
		contoso(ready(metav1.ConditionUnknown), func(p *v1alpha1.ProvisioningTenant) {
			p.Name, p.Status.Conditions[0].Reason = "paused", v1alpha1.ReasonReconcileDisabled
		}),
	)
	registry := prometheus.NewPedanticRegistry()
	m, err := newMetrics(registry, s, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	m.applied("Deployment", nil)
	m.applied("Deployment", errors.New("refused"))
	m.rotated("age")
	m.outdated([]crd.Outdated{{Name: "gone"}})
	m.outdated([]crd.Outdated{{Name: "userdefaults.provisioning.tenantry.dev", Lacks: []string{"spec.priority", "status"}}})
	want := `
# HELP tenantry_applies_total Server-side applies of tenants' objects by kind and result.
# TYPE tenantry_applies_total counter
tenantry_applies_total{kind="Deployment",result="error"} 1
tenantry_applies_total{kind="Deployment",result="success"} 1
# HELP tenantry_crd_missing_fields Fields that a CRD of the cluster lacks because it is older than the operator, for each that lacks some.
# TYPE tenantry_crd_missing_fields gauge
tenantry_crd_missing_fields{crd="userdefaults.provisioning.tenantry.dev"} 2
# HELP tenantry_rotations_total Credentials that were replaced, by what asked for it: age or request.
# TYPE tenantry_rotations_total counter
tenantry_rotations_total{cause="age"} 1
# HELP tenantry_secret_token_expiry_timestamp_seconds When a tenant's Secret Token ends: the current one if it is rotated by age, and the previous one while it is valid too.
# TYPE tenantry_secret_token_expiry_timestamp_seconds gauge
tenantry_secret_token_expiry_timestamp_seconds{name="contoso",namespace="customers",token="current"} 1.764e+09
tenantry_secret_token_expiry_timestamp_seconds{name="contoso",namespace="customers",token="previous"} 1.764e+09
# HELP tenantry_tenant_unready_since_timestamp_seconds Since when a tenant is not ready, for each that is not and that the operator looks after.
# TYPE tenantry_tenant_unready_since_timestamp_seconds gauge
tenantry_tenant_unready_since_timestamp_seconds{name="northwind",namespace="customers"} 1.764e+09
# HELP tenantry_tenants Tenants by the status of each of their conditions.
# TYPE tenantry_tenants gauge
tenantry_tenants{condition="Ready",status="False"} 1
tenantry_tenants{condition="Ready",status="True"} 2
tenantry_tenants{condition="Ready",status="Unknown"} 1
tenantry_tenants{condition="Reconciling",status="True"} 1
tenantry_tenants{condition="RolledOut",status="False"} 1
tenantry_tenants{condition="ServerAvailable",status="True"} 1
# HELP tenantry_upgrades_waiting Tenants whose server waits for its upgrade until others are done with theirs.
# TYPE tenantry_upgrades_waiting gauge
tenantry_upgrades_waiting 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
