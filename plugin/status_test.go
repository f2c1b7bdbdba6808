package plugin

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/config/crd"
)

// leading is a Lease that was renewed so long ago.
func leading(ago time.Duration) map[string]coordinationv1.LeaseSpec {
	return map[string]coordinationv1.LeaseSpec{"tenantry-system": {
		HolderIdentity: new("tenantry-operator-7d"), LeaseDurationSeconds: new(int32(15)), RenewTime: &metav1.MicroTime{Time: now.Add(-ago)},
	}}
}

func running(ready int32) []appsv1.Deployment {
	d := deployed("tenantry-system", "tenantry-operator", v1alpha1.OperatorContainer, "operator:v1.3.0", "--max-upgrades=3")
	d.Spec.Replicas, d.Status.ReadyReplicas = new(int32(2)), ready
	return []appsv1.Deployment{d}
}

func TestTheStatusSaysWhatIsWrongWithTheOperatorAndItsTenants(t *testing.T) {
	t.Parallel()
	waiting, paused := contoso(), suspended()
	waiting.Status.Conditions = append(waiting.Status.Conditions, condition("RolledOut", "False", "UpgradePending", ""))
	paused.Annotations = map[string]string{v1alpha1.ReconcileAnnotation: v1alpha1.ReconcileDisabled}
	server := deployed("customers", "contoso-scim", v1alpha1.ServerContainer, "scimserver:v1.3.0")
	server.Annotations = map[string]string{v1alpha1.UpgradeAnnotation: "abc"}
	settled := *server.DeepCopy()
	settled.Status = appsv1.DeploymentStatus{UpdatedReplicas: 1, AvailableReplicas: 1, Replicas: 1}
	for name, c := range map[string]struct {
		found *Status
		want  string
	}{
		"all well": {
			judge(running(2), leading(2*time.Second), []appsv1.Deployment{settled}, []v1alpha1.ProvisioningTenant{*contoso(), *paused}, nil, now),
			`Operator:  tenantry-system/tenantry-operator v1.3.0, 2 of 2 replicas ready
Leader:    tenantry-operator-7d, renewed 2s ago
Upgrades:  0 in flight of at most 3, 0 tenants wait
Tenants:   2, 2 ready, 1 paused

Nothing is wrong.
`,
		},
		"much is wrong": {
			judge(running(1), leading(time.Minute), []appsv1.Deployment{server, settled}, []v1alpha1.ProvisioningTenant{*waiting, *fabrikam(), *unseen()},
				[]crd.Outdated{{Name: "userdefaults.provisioning.tenantry.dev", Lacks: []string{"spec.apply", "status"}}}, now),
			`Operator:  tenantry-system/tenantry-operator v1.3.0, 1 of 2 replicas ready
Leader:    tenantry-operator-7d, renewed 60s ago
Upgrades:  1 in flight of at most 3, 1 tenant waits
Tenants:   3, 1 ready, 0 paused

What is wrong:
  1 of 2 replicas of operator tenantry-system/tenantry-operator are ready
  the leader in namespace tenantry-system has not renewed its Lease for 60s
  1 tenant is not ready: HostTaken
  1 tenant is not ready: no operator has looked at it
  CRD userdefaults.provisioning.tenantry.dev lacks spec.apply, status, which this plugin knows
`,
		},
		"no leader": {judge(running(2), nil, nil, nil, nil, now), `Operator:  tenantry-system/tenantry-operator v1.3.0, 2 of 2 replicas ready
Upgrades:  0 in flight of at most 3, 0 tenants wait
Tenants:   0, 0 ready, 0 paused

What is wrong:
  no operator leads in namespace tenantry-system
`},
		"no operator": {judge(nil, nil, nil, nil, nil, now), `Upgrades:  0 in flight, 0 tenants wait
Tenants:   0, 0 ready, 0 paused

What is wrong:
  there is no Deployment with label app.kubernetes.io/name=tenantry-operator
`},
	} {
		var out bytes.Buffer
		if err := c.found.write(&session{Options: options(&out, &out)}); err != nil || out.String() != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, &out, c.want)
		}
	}
	earlier := judge(running(2), leading(4*time.Second), nil, nil, nil, now)
	if later := judge(running(2), leading(2*time.Second), nil, nil, nil, now); earlier.constant() != later.constant() {
		t.Error("with --watch the status is shown again whenever the leader renews its Lease")
	}
}

func TestExitCodesTellWhatIsWrongFromWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tenant *v1alpha1.ProvisioningTenant
		args   string
		want   int
	}{
		"ready":                    {contoso(), "describe contoso --exit-code", ExitFine},
		"not ready":                {named(fabrikam()), "describe contoso --exit-code", ExitWrong},
		"not ready, without":       {named(fabrikam()), "describe contoso", ExitFine},
		"not known":                {named(unseen()), "describe contoso --exit-code", ExitUnknown},
		"no tenant":                {contoso(), "describe another --exit-code", ExitUnknown},
		"no tenant, without":       {contoso(), "describe another", ExitWrong},
		"no tenant to check":       {contoso(), "check another --exit-code", ExitUnknown},
		"no credential to check":   {contoso(), "check contoso --exit-code", ExitUnknown},
		"no operator can be found": {contoso(), "status --exit-code --operator-namespace none", ExitUnknown},
	} {
		k := newCluster(t, c.tenant)
		if code, out, errOut := k.run(Options{}, strings.Fields(c.args)...); code != c.want {
			t.Errorf("%s: exit %d, want %d\n%s%s", name, code, c.want, out, errOut)
		}
	}
	var out, errOut bytes.Buffer
	code := Run(t.Context(), []string{"status", "-w", "--exit-code", "--kubeconfig", filepath.Join(t.TempDir(), "none")}, options(&out, &errOut))
	if code != ExitUsage || !strings.Contains(errOut.String(), "--watch goes on") {
		t.Errorf("exit %d\n%s", code, &errOut)
	}
}

// named is a tenant under the name and namespace of contoso.
func named(tenant *v1alpha1.ProvisioningTenant) *v1alpha1.ProvisioningTenant {
	tenant.Namespace, tenant.Name = "customers", "contoso"
	return tenant
}

func TestAWatchShowsWhatChangedAndEndsWhenItIsInterrupted(t *testing.T) {
	t.Parallel()
	shown := map[types.UID]string{}
	list := func(versions ...string) *v1alpha1.ProvisioningTenantList {
		var tenants v1alpha1.ProvisioningTenantList
		for i, version := range versions {
			tenants.Items = append(tenants.Items, v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{UID: types.UID(rune('a' + i)), ResourceVersion: version}})
		}
		keepChanged(&tenants, shown)
		return &tenants
	}
	for i, c := range []struct {
		versions []string
		want     int
	}{{[]string{"1", "1"}, 2}, {[]string{"1", "1"}, 0}, {[]string{"1", "2"}, 1}, {[]string{"1", "2", "1"}, 1}} {
		if got := len(list(c.versions...).Items); got != c.want {
			t.Errorf("look %d shows %d tenants, want %d", i, got, c.want)
		}
	}

	ctx, interrupt := context.WithCancel(t.Context())
	s := &session{}
	if err := s.repeat(ctx, true, func(context.Context) error { interrupt(); return nil }); err != nil {
		t.Errorf("an interrupted watch ends with %v", err)
	}
	failed := errors.New("away")
	if err := s.repeat(t.Context(), true, func(context.Context) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("a watch that fails ends with %v", err)
	}
}
