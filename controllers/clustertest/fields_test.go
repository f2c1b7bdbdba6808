package clustertest

import (
	"encoding/json"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// live is what follows from spec.storage and spec.server on the API server, without what the cluster adds by itself.
func (w *world) live() string {
	w.Helper()
	key := client.ObjectKey{Namespace: w.namespace, Name: "contoso-scim"}
	var deployment appsv1.Deployment
	var policy networkingv1.NetworkPolicy
	for _, object := range []client.Object{&deployment, &policy} {
		if err := w.Get(w.Context(), key, object); err != nil {
			return err.Error()
		}
	}
	parts := []any{deployment.Spec, policy.Spec.Egress}
	var autoscaler autoscalingv2.HorizontalPodAutoscaler
	if w.Get(w.Context(), key, &autoscaler) == nil {
		parts = append(parts, "autoscaler", autoscaler.Spec)
	}
	var budget policyv1.PodDisruptionBudget
	if w.Get(w.Context(), key, &budget) == nil {
		parts = append(parts, "budget", budget.Spec)
	}
	var claim corev1.PersistentVolumeClaim
	if w.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: "contoso-data"}, &claim) == nil {
		parts = append(parts, "claim", claim.Spec)
	}
	text, err := json.Marshal(parts)
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

// bug class 5: a field that is ignored, cannot be changed, or cannot be unset.
func TestEveryFieldOfStorageAndServerIsFollowedWhenItIsSetChangedAndUnset(t *testing.T) {
	t.Parallel()
	type change = func(*v1alpha1.ProvisioningTenantSpec)
	cpu := func(request, limit string) change {
		return func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Server.Resources = &v1alpha1.ServerResources{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(request)}, Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(limit)},
			}
		}
	}
	autoscaling := func(least, most, target int32) change {
		return func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Server.Autoscaling = &v1alpha1.Autoscaling{MinReplicas: least, MaxReplicas: most, TargetCPUUtilizationPercentage: target}
		}
	}
	for field, steps := range map[string]struct{ set, change, unset change }{
		"storage.postgresql.connectionSecretRef.key": {
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Storage.PostgreSQL.ConnectionSecretRef.Key = "a" },
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Storage.PostgreSQL.ConnectionSecretRef.Key = "b" },
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Storage.PostgreSQL.ConnectionSecretRef.Key = "" },
		},
		"storage.postgresql.connectionSecretRef.name": {
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Storage.PostgreSQL.ConnectionSecretRef.Name = "other" },
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Storage.PostgreSQL.ConnectionSecretRef.Name = "third" },
			func(s *v1alpha1.ProvisioningTenantSpec) {
				s.Storage.PostgreSQL.ConnectionSecretRef.Name = "contoso-database"
			},
		},
		"storage.postgresql.port": {
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Storage.PostgreSQL.Port = 6432 },
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Storage.PostgreSQL.Port = 26257 },
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Storage.PostgreSQL.Port = 0 },
		},
		"server.replicas": {
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Replicas = ptr.To[int32](2) },
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Replicas = ptr.To[int32](3) },
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Replicas = nil },
		},
		"server.autoscaling.minReplicas":                    {autoscaling(1, 9, 80), autoscaling(3, 9, 80), func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Autoscaling = nil }},
		"server.autoscaling.maxReplicas":                    {autoscaling(2, 4, 80), autoscaling(2, 6, 80), func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Autoscaling = nil }},
		"server.autoscaling.targetCPUUtilizationPercentage": {autoscaling(2, 4, 50), autoscaling(2, 4, 300), func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Autoscaling = nil }},
		"server.resources.requests":                         {cpu("100m", "9"), cpu("200m", "9"), func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Resources = nil }},
		"server.resources.limits":                           {cpu("100m", "1"), cpu("100m", "2"), func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Resources = nil }},
		"server.template.metadata.labels": {
			func(s *v1alpha1.ProvisioningTenantSpec) {
				s.Server.Template.Metadata.Labels = map[string]v1alpha1.LabelValue{"a": "1", "b": "1"}
			},
			func(s *v1alpha1.ProvisioningTenantSpec) {
				s.Server.Template.Metadata.Labels = map[string]v1alpha1.LabelValue{"b": "1"}
			},
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Template.Metadata.Labels = nil },
		},
		"server.template.metadata.annotations": {
			func(s *v1alpha1.ProvisioningTenantSpec) {
				s.Server.Template.Metadata.Annotations = map[string]v1alpha1.AnnotationValue{"a": "1", "b": "1"}
			},
			func(s *v1alpha1.ProvisioningTenantSpec) {
				s.Server.Template.Metadata.Annotations = map[string]v1alpha1.AnnotationValue{"b": "1"}
			},
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Template.Metadata.Annotations = nil },
		},
		"server.template.spec.imagePullSecrets": {
			func(s *v1alpha1.ProvisioningTenantSpec) {
				s.Server.Template.Spec.ImagePullSecrets = []v1alpha1.SecretReference{{Name: "a"}, {Name: "b"}}
			},
			func(s *v1alpha1.ProvisioningTenantSpec) {
				s.Server.Template.Spec.ImagePullSecrets = []v1alpha1.SecretReference{{Name: "b"}}
			},
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Template.Spec.ImagePullSecrets = nil },
		},
		"server.template.spec.nodeSelector": {
			func(s *v1alpha1.ProvisioningTenantSpec) {
				s.Server.Template.Spec.NodeSelector = map[string]string{"a": "1", "b": "1"}
			},
			func(s *v1alpha1.ProvisioningTenantSpec) {
				s.Server.Template.Spec.NodeSelector = map[string]string{"a": "2"}
			},
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Template.Spec.NodeSelector = nil },
		},
		"server.template.spec.tolerations": {
			func(s *v1alpha1.ProvisioningTenantSpec) {
				s.Server.Template.Spec.Tolerations = []corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists}, {Key: "b", Operator: corev1.TolerationOpExists}}
			},
			func(s *v1alpha1.ProvisioningTenantSpec) {
				s.Server.Template.Spec.Tolerations = []corev1.Toleration{{Key: "b", Operator: corev1.TolerationOpExists}}
			},
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Template.Spec.Tolerations = nil },
		},
		"server.template.spec.affinity": {
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Template.Spec.Affinity = apart("zone") },
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Template.Spec.Affinity = apart("node") },
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Template.Spec.Affinity = nil },
		},
		"server.template.spec.topologySpreadConstraints": {
			func(s *v1alpha1.ProvisioningTenantSpec) {
				s.Server.Template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{
					{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.ScheduleAnyway}, {MaxSkew: 1, TopologyKey: "node", WhenUnsatisfiable: corev1.DoNotSchedule},
				}
			},
			func(s *v1alpha1.ProvisioningTenantSpec) {
				s.Server.Template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 2, TopologyKey: "zone", WhenUnsatisfiable: corev1.ScheduleAnyway}}
			},
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Template.Spec.TopologySpreadConstraints = nil },
		},
		"server.template.spec.priorityClassName": {
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Template.Spec.PriorityClassName = "high" },
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Template.Spec.PriorityClassName = "low" },
			func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Template.Spec.PriorityClassName = "" },
		},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			secret := w.connectionSecret()
			secret.StringData["a"], secret.StringData["b"] = "postgres://", "postgres://"
			create(w, secret)
			for _, name := range []string{"other", "third"} {
				another := w.connectionSecret()
				another.Name = name
				create(w, another)
			}
			tenant := create(w, w.tenant(inDatabase))
			w.until(tenant, ready)
			baseline := w.live()
			seen := map[string]string{"nothing": baseline}
			for _, step := range []struct {
				name string
				do   change
			}{{"set", steps.set}, {"changed", steps.change}} {
				edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { step.do(&p.Spec) })
				w.until(tenant, ready)
				now := w.live()
				for before, objects := range seen {
					if objects == now {
						t.Errorf("when it is %s the objects are as when it was %s", step.name, before)
					}
				}
				seen[step.name] = now
			}
			edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { steps.unset(&p.Spec) })
			w.until(tenant, ready)
			w.eventually("unset it and be as before", func() string {
				if now := w.live(); now != baseline {
					return fmt.Sprintf("got:  %s\nwant: %s", now, baseline)
				}
				return ""
			})
		})
	}
}

// apart is an affinity that keeps pods of one topology apart.
func apart(topology string) *corev1.Affinity {
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 1, PodAffinityTerm: corev1.PodAffinityTerm{TopologyKey: topology}}},
	}}
}

// bug class 7: fighting another writer, here the autoscaler over the number of replicas.
func TestTheOperatorLeavesTheNumberOfReplicasToTheAutoscaler(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create(w, w.connectionSecret())
	tenant := create(w, w.tenant(inDatabase, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Replicas = ptr.To[int32](5) }))
	w.until(tenant, ready)

	replicas := func(want int32) {
		t.Helper()
		w.eventually("the number of replicas", func() string {
			if got := *get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Replicas; got != want {
				return fmt.Sprintf("%d, want %d", got, want)
			}
			return ""
		})
	}
	for _, change := range w.replicasDuring(func() {
		edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
			p.Spec.Server.Replicas, p.Spec.Server.Autoscaling = nil, &v1alpha1.Autoscaling{MinReplicas: 2, MaxReplicas: 9}
		})
		w.until(tenant, ready)
		get(w, &autoscalingv2.HorizontalPodAutoscaler{}, "contoso-scim")
	}) {
		if change != 5 {
			t.Errorf("when the autoscaler took over, the Deployment had %d replicas for a moment, want 5", change)
		}
	}

	// The autoscaler writes the scale, and nobody else does.
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 7}}
	deployment := get(w, &appsv1.Deployment{}, "contoso-scim")
	if err := w.SubResource("scale").Update(t.Context(), deployment, client.WithSubResourceBody(scale), client.FieldOwner("kube-controller-manager")); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, ready)
	w.settled()
	writes := len(w.writes()) // the connection Secret is looked for now and then
	w.settled()
	if more := w.writes()[writes:]; len(more) > 0 {
		t.Errorf("beside an autoscaler a settled tenant costs %v, want no write", more)
	}
	replicas(7)

	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Autoscaling = nil })
	w.until(tenant, ready)
	gone(w, &autoscalingv2.HorizontalPodAutoscaler{}, "contoso-scim")
	replicas(1)
}

// replicasDuring returns every number of replicas that the Deployment was told to have while do ran.
func (w *world) replicasDuring(do func()) []int32 {
	w.Helper()
	watch, err := cluster.Client.Watch(w.Context(), &appsv1.DeploymentList{}, client.InNamespace(w.namespace))
	if err != nil {
		w.Fatal(err)
	}
	defer watch.Stop()
	do()
	// What marks the end comes after all that happened before.
	deployment := get(w, &appsv1.Deployment{}, "contoso-scim")
	patch := client.MergeFrom(deployment.DeepCopy())
	deployment.Annotations = map[string]string{"test/end": ""}
	if err := w.Patch(w.Context(), deployment, patch); err != nil {
		w.Fatal(err)
	}
	var seen []int32
	for event := range watch.ResultChan() {
		now, ok := event.Object.(*appsv1.Deployment)
		if !ok {
			w.Fatalf("the watch ended: %+v", event.Object)
		}
		seen = append(seen, *now.Spec.Replicas)
		if _, end := now.Annotations["test/end"]; end {
			break
		}
	}
	return seen
}
