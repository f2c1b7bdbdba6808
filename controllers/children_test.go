package controllers

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/storage"
)

func TestTheRightsOfAServerComeBeforeItAndTheRouteToItLast(t *testing.T) {
	t.Parallel()
	gateways := func(t *desired.Tenant) { t.Gateways = []v1alpha1.GatewayReference{{Namespace: "edge", Name: "public"}} }
	claim := func(t *desired.Tenant) { t.Claim = &desired.Claim{} }
	const (
		before   = "Role ServerAvailable/Rejected, RoleBinding ServerAvailable/Rejected, NetworkPolicy ServerAvailable/Rejected, "
		volume   = "PersistentVolumeClaim StorageReady/InvalidStorage, "
		server   = "Deployment ServerAvailable/Rejected, Service ServerAvailable/Rejected"
		ingress  = ", Ingress Exposed/Rejected"
		connects = ", Job StorageInEffect/Rejected"
		moves    = ", Job StorageReady/Rejected"
	)
	for name, test := range map[string]struct {
		change     []func(*desired.Tenant)
		step       storage.Step
		gatewayAPI bool
		want       string
	}{
		"on a volume":   {change: []func(*desired.Tenant){claim}, want: before + volume + server + ingress},
		"in a database": {want: before + server + ingress},
		"without a host": {
			change: []func(*desired.Tenant){func(t *desired.Tenant) { t.Host = "" }}, gatewayAPI: true, want: before + server,
		},
		"on a Gateway": {change: []func(*desired.Tenant){gateways}, gatewayAPI: true, want: before + server + ", HTTPRoute Exposed/Rejected"},
		"on a Gateway of a cluster without HTTPRoutes": {change: []func(*desired.Tenant){gateways}, want: before + server},
		"autoscaled": {
			change: []func(*desired.Tenant){func(t *desired.Tenant) {
				t.Resource.Spec.Server.Autoscaling = &v1alpha1.Autoscaling{MinReplicas: 2, MaxReplicas: 3}
			}},
			want: before + server + ", HorizontalPodAutoscaler ServerAvailable/Rejected, PodDisruptionBudget ServerAvailable/Rejected" + ingress,
		},
		"with replicas": {
			change: []func(*desired.Tenant){func(t *desired.Tenant) { t.Resource.Spec.Server.Replicas = new(int32(2)) }},
			want:   before + server + ", PodDisruptionBudget ServerAvailable/Rejected" + ingress,
		},
		"before a move":          {step: storage.StepConnecting, want: before + server + connects + ingress},
		"on the way":             {step: storage.StepStopping, want: before + server + connects + ingress},
		"being moved":            {step: storage.StepCopying, want: before + server + connects + moves + ingress},
		"moved":                  {step: storage.StepCopied, want: before + server + moves + ingress},
		"whose move has failed":  {step: storage.StepFailed, want: before + server + moves + ingress},
		"before another attempt": {step: storage.StepReconnecting, want: before + server + ingress},
	} {
		tenant := desired.Tenant{Resource: contoso(), Engine: v1alpha1.StoragePostgreSQL, Host: "contoso.example.com", ServerImage: "scimserver:test"}
		tenant.Resource.Spec.Storage.PostgreSQL = &v1alpha1.PostgreSQLStorage{}
		for _, change := range test.change {
			change(&tenant)
		}
		deployment, err := desired.Deployment(tenant)
		if err != nil {
			t.Fatal(err)
		}
		all, err := parts(tenant, apply.New(deployment, &appsv1.Deployment{}), storage.Decision{Step: test.step}, test.gatewayAPI)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		for i, part := range all {
			if i > 0 {
				got += ", "
			}
			got += fmt.Sprintf("%s %s/%s", part.Kind(), part.condition, part.rejected)
		}
		if got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, test.want)
		}
	}
}
