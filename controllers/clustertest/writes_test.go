package clustertest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
	"github.com/tenantry/tenantry/test/testenv"
)

// bug class 12 and 7: needless writes, also against what the API server fills in.
func TestASettledTenantIsLookedAtAgainWithoutARequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(everySetting))
	create(w, w.defaults("everybody"))
	w.until(tenant, ready, "EntraTenantVerified=True/Verified")
	w.settled()

	requests := len(operator.Requests.In(w.namespace))
	w.look()
	if more := operator.Requests.In(w.namespace)[requests:]; len(more) > 0 {
		t.Errorf("looking at a settled tenant cost %d requests, want none: %v", len(more), more)
	}
}

// settled waits until the last event of what the operator and the cluster did has been looked at: until the fake kubelet
// has nothing left to do, and two looks one after the other write nothing.
func (w *world) settled() {
	w.Helper()
	w.eventually("the cluster comes to rest", func() string {
		if err := testenv.AtRest(w.Context(), w.Client, w.namespace); err != nil {
			return err.Error()
		}
		return ""
	})
	quiet := 0
	w.eventually("the operator comes to rest", func() string {
		before := len(w.writes())
		w.look()
		if written := w.writes()[before:]; len(written) > 0 {
			quiet = 0
			return fmt.Sprintf("it still writes: %v", written)
		}
		if quiet++; quiet < 2 {
			return "it was quiet only once"
		}
		return ""
	})
}

// writes are the operator's requests in the namespace that could change something.
func (w *world) writes() []testenv.Request {
	return slices.DeleteFunc(operator.Requests.In(w.namespace), func(r testenv.Request) bool { return !r.IsWrite() })
}

// look has the operator look at the namespace's tenants again, and waits until it looked at one.
func (w *world) look() {
	w.Helper()
	looks := logs.reconciles(w.namespace)
	var tenants v1alpha1.ProvisioningTenantList
	if err := w.List(w.Context(), &tenants, client.InNamespace(w.namespace)); err != nil {
		w.Fatal(err)
	}
	for i := range tenants.Items {
		patch := client.MergeFrom(tenants.Items[i].DeepCopy())
		metav1.SetMetaDataAnnotation(&tenants.Items[i].ObjectMeta, "test/look", strconv.Itoa(looks))
		if err := w.Patch(w.Context(), &tenants.Items[i], patch); err != nil {
			w.Fatal(err)
		}
	}
	w.eventually("a look at a tenant", func() string {
		if logs.reconciles(w.namespace) == looks {
			return "not yet"
		}
		return ""
	})
}

func everySetting(p *v1alpha1.ProvisioningTenant) {
	p.Spec.Exposure.Ingress = &v1alpha1.IngressExposure{ClassName: "traefik", Annotations: map[string]string{"example.com/a": "1"}}
	p.Spec.Server = v1alpha1.Server{
		Resources: &v1alpha1.ServerResources{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("0.5"), corev1.ResourceMemory: resource.MustParse("1024Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
		},
		Template: v1alpha1.ServerTemplate{Spec: v1alpha1.ServerTemplateSpec{
			NodeSelector:      map[string]string{"pool": "tenants"},
			Tolerations:       []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}},
			Affinity:          &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 1, PodAffinityTerm: corev1.PodAffinityTerm{TopologyKey: "zone"}}}}},
			PriorityClassName: "tenants",
		}},
	}
	p.Spec.DeletionPolicy = v1alpha1.DeletionPolicyDelete
	p.Spec.Authentication.OAuth = &v1alpha1.OAuth{}
	reading("payroll")(p)
}

// bug class 17 and 19: a restart that writes, and two operators that fight.
func TestAnOperatorThatJustStartedWritesNothingToASettledTenant(t *testing.T) {
	race.Meets(t) // two operators of one process side by side
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(everySetting))
	create(w, w.defaults("everybody"))
	w.until(tenant, ready, "EntraTenantVerified=True/Verified")
	w.settled()

	w.restartWritesNothing()
}

// restartWritesNothing starts another operator, and demands that it looks at the world's tenant and sends no request for it.
func (w *world) restartWritesNothing() {
	w.Helper()
	log := &buffer{}
	second, err := cluster.StartOperator(w.Context(), testenv.Options(entra.URL), logTo(log))
	if err != nil {
		w.Fatal(err)
	}
	w.eventually("the new operator looks at the tenant", func() string {
		if log.reconciles(w.namespace) == 0 {
			return "not yet"
		}
		return ""
	})
	if err := second.Stop(); err != nil {
		w.Error(err)
	}
	if requests := second.Requests.In(w.namespace); len(requests) > 0 {
		w.Errorf("the new operator made %d requests, want none: %v", len(requests), requests)
	}
}

// bug class 19: two leaders, or none after one went.
func TestOfTwoOperatorsOneLeadsAndTheOtherTakesOver(t *testing.T) {
	race.Meets(t) // operators start and end
	t.Parallel()
	elect := func(o *manager.Options) {
		o.LeaderElection, o.LeaderElectionReleaseOnCancel = true, true
		o.LeaderElectionID, o.LeaderElectionNamespace = "operator.provisioning.tenantry.dev", "tenantry-system"
	}
	log := &buffer{}
	first, err := cluster.StartOperator(t.Context(), testenv.Options(entra.URL), logTo(log), elect)
	if err != nil {
		t.Fatal(err)
	}
	leads := func(o *testenv.Operator) string {
		select {
		case <-o.Elected:
			return ""
		default:
			return "it does not lead"
		}
	}
	w := newWorld(t)
	w.eventually("the first operator is elected", func() string { return leads(first) })
	second, err := cluster.StartOperator(t.Context(), testenv.Options(entra.URL), logTo(log), elect)
	if err != nil {
		t.Fatal(err)
	}
	if leads(second) == "" {
		t.Error("both operators lead")
	}
	if err := first.Stop(); err != nil {
		t.Error(err)
	}
	w.eventually("the second operator takes over", func() string { return leads(second) })
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), "forbidden") {
		t.Errorf("the operator lacks a right to elect a leader:\n%s", log.String())
	}
}

func TestTransitionsAreToldByEventsOnce(t *testing.T) {
	race.Meets(t) // events
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	w.settled()
	told := func() map[string]int {
		var list eventsv1.EventList
		if err := w.List(t.Context(), &list, client.InNamespace(w.namespace)); err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, event := range list.Items {
			if event.Regarding.Name == "contoso" && event.Regarding.Kind == "ProvisioningTenant" {
				count[event.Type+" "+event.Reason]++
			}
		}
		return count
	}
	w.eventually("the events arrive", func() string {
		if got := told(); got["Normal Ready"] == 0 || got["Normal Issued"] == 0 {
			return fmt.Sprint(got)
		}
		return ""
	})
	for event, n := range told() {
		if n != 1 {
			t.Errorf("%q was told %d times", event, n)
		}
	}
}

// bug class 3, 6 and 7: what others delete, change or add.
func TestWhatOthersDoToATenantsObjectsIsUndone(t *testing.T) {
	race.Meets(t) // watches of children
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)

	stranger := client.FieldOwner("stranger")
	deployment := get(w, &appsv1.Deployment{}, "contoso-scim")
	patch := client.MergeFrom(deployment.DeepCopy())
	deployment.Spec.Template.Spec.Containers[0].Image = "evil:latest"
	deployment.Labels[v1alpha1.TenantLabel] = "another"
	if err := w.Patch(t.Context(), deployment, patch, stranger); err != nil {
		t.Fatal(err)
	}
	w.eventually("the image comes back", func() string {
		if got := get(w, &appsv1.Deployment{}, "contoso-scim"); got.Spec.Template.Spec.Containers[0].Image != "scimserver:test" || got.Labels[v1alpha1.TenantLabel] != "contoso" {
			return "it is " + got.Spec.Template.Spec.Containers[0].Image
		}
		return ""
	})

	role := get(w, &rbacv1.Role{}, "contoso-scim")
	patch = client.MergeFrom(role.DeepCopy())
	delete(role.Labels, v1alpha1.TenantLabel)
	role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}})
	if err := w.Patch(t.Context(), role, patch, stranger); err != nil {
		t.Fatal(err)
	}
	w.eventually("the added right goes and the label comes back", func() string {
		if got := get(w, &rbacv1.Role{}, "contoso-scim"); len(got.Rules) != 3 || got.Labels[v1alpha1.TenantLabel] != "contoso" {
			return fmt.Sprintf("the Role has %d rules and labels %v", len(got.Rules), got.Labels)
		}
		return ""
	})

	service := get(w, &corev1.Service{}, "contoso-scim")
	if err := w.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	w.eventually("the Service comes back", func() string {
		var again corev1.Service
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(service), &again); err != nil {
			return err.Error()
		}
		if again.UID == service.UID {
			return "it is not deleted yet"
		}
		return ""
	})
}

// bug class 7: what an administrator or another controller adds beside our fields is theirs.
func TestWhatOthersAddBesideOurFieldsStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	deployment := get(w, &appsv1.Deployment{}, "contoso-scim")
	patch := client.MergeFrom(deployment.DeepCopy())
	deployment.Annotations = map[string]string{"backup.example.com/include": "yes"}
	if err := w.Patch(t.Context(), deployment, patch, client.FieldOwner("admin")); err != nil {
		t.Fatal(err)
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Template.Spec.PriorityClassName = "high" })
	w.until(tenant, ready)
	got := get(w, &appsv1.Deployment{}, "contoso-scim")
	if got.Annotations["backup.example.com/include"] != "yes" || got.Spec.Template.Spec.PriorityClassName != "high" {
		t.Errorf("annotations are %v, priorityClassName is %q", got.Annotations, got.Spec.Template.Spec.PriorityClassName)
	}
}

// bug class 5 and 6: fields that cannot be unset, and map keys that stay.
func TestSettingsFollowTheSpecAndGoWhenTheyAreUnset(t *testing.T) {
	race.Meets(t) // every setting
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	spec := func() string {
		pod := get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Template.Spec
		var ingresses networkingv1.IngressList
		if err := w.List(t.Context(), &ingresses, client.InNamespace(w.namespace)); err != nil || len(ingresses.Items) != 1 {
			t.Fatalf("the tenant has %d Ingresses, want one: %v", len(ingresses.Items), err)
		}
		ingress := ingresses.Items[0]
		text, err := json.Marshal([]any{pod, ingress.Spec, ingress.Annotations})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	baseline := spec()
	edit(w, tenant, everySetting)
	w.until(tenant, ready, "ExposureInEffect=True/InEffect")
	changed := get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Template.Spec
	ingress := get(w, &networkingv1.Ingress{}, "contoso-scim-2") // of another class
	switch {
	case changed.NodeSelector["pool"] != "tenants", len(changed.Tolerations) != 1, changed.Affinity == nil, changed.PriorityClassName != "tenants",
		changed.Containers[0].Resources.Limits.Memory().String() != "1Gi", ingress.Annotations["example.com/a"] != "1", *ingress.Spec.IngressClassName != "traefik":
		t.Errorf("the settings did not arrive: %+v %+v", changed, ingress)
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Server, p.Spec.Exposure.Ingress, p.Spec.Authentication = v1alpha1.Server{}, nil, v1alpha1.Authentication{}
	})
	w.until(tenant, ready, "ExposureInEffect=True/InEffect")
	if again := spec(); again != baseline {
		t.Errorf("after unsetting everything there is\n%s\nwant\n%s", again, baseline)
	}
}

// bug class 9: after a bad spec the good one must work again.
func TestWhatTheAPIServerRefusesIsToldAndCanBeCorrected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Server.Resources = &v1alpha1.ServerResources{
			Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
		}
	}))
	w.until(tenant, "ServerAvailable=False/Rejected", "Stalled=True/Rejected", "CredentialsReady=True/Issued", "StorageReady=True/Bound")
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Resources = nil })
	w.until(tenant, ready)
}

// bug class 14: an object of someone else with the name of one of ours.
func TestAStrangersObjectIsToldOfAndNeverTouched(t *testing.T) {
	t.Parallel()
	for kind, stranger := range map[string]client.Object{
		"Service":                       &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "contoso-scim"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1}}}},
		"Secret, credentials":           &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "contoso-credentials"}, StringData: map[string]string{"token": "theirs"}},
		"Secret, verifier":              &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "contoso-verifier"}, StringData: map[string]string{"a": "theirs"}},
		"Secret with our label":         &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "contoso-credentials", Labels: map[string]string{v1alpha1.TenantLabel: "contoso"}}},
		"ServiceAccount":                &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "contoso-scim"}},
		"Role":                          &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "contoso-scim"}},
		"RoleBinding":                   &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "contoso-scim"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "x"}},
		"NetworkPolicy":                 &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "contoso-scim"}},
		"PersistentVolumeClaim":         &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "contoso-data"}, Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}, Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}}},
		"Ingress":                       &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "contoso-scim"}, Spec: networkingv1.IngressSpec{DefaultBackend: &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "x", Port: networkingv1.ServiceBackendPort{Number: 1}}}}},
		"Ingress with our tenant label": &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "contoso-scim", Labels: map[string]string{v1alpha1.TenantLabel: "contoso"}}, Spec: networkingv1.IngressSpec{DefaultBackend: &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "x", Port: networkingv1.ServiceBackendPort{Number: 1}}}}},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testenv.HoldLabel)
			stranger.SetNamespace(w.namespace)
			create(w, stranger)
			before := stranger.GetResourceVersion()
			tenant := create(w, w.tenant())
			w.until(tenant, "Ready=False/NameConflict", "Stalled=True/NameConflict")
			if err := w.Get(t.Context(), client.ObjectKeyFromObject(stranger), stranger); err != nil {
				t.Fatal(err)
			}
			if stranger.GetResourceVersion() != before {
				t.Errorf("the stranger's object was changed: %+v", stranger)
			}
			if err := w.Delete(t.Context(), stranger, client.GracePeriodSeconds(0)); err != nil {
				t.Fatal(err)
			}
			removeFinalizers(w, stranger)
			// A new generation, so that the test need not wait for the next look of its own accord.
			edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.DisplayName = "Contoso" })
			w.eventually("the conflict is over", func() string {
				if err := w.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
					return err.Error()
				}
				return lacking(tenant.Status.Conditions, tenant.Generation, []string{"CredentialsReady=True/Issued"}) +
					present(tenant.Status.Conditions, "Stalled")
			})
		})
	}
}

// removeFinalizers does what the controllers that are missing here would: the API server protects claims.
func removeFinalizers(w *world, object client.Object) {
	w.Helper()
	if err := w.Get(w.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		return
	}
	patch := client.MergeFrom(object.DeepCopyObject().(client.Object))
	object.SetFinalizers(nil)
	if err := client.IgnoreNotFound(w.Patch(w.Context(), object, patch)); err != nil {
		w.Fatal(err)
	}
}

func present(conditions []metav1.Condition, conditionType string) string {
	for _, c := range conditions {
		if c.Type == conditionType {
			return fmt.Sprintf("%s is still %s: %s", c.Type, c.Status, c.Message)
		}
	}
	return ""
}
