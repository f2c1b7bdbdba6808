package clustertest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
	"github.com/tenantry/tenantry/test/testenv"
)

// class creates a class with that spec, in YAML, for the time of the test. It is named after the test's namespace.
func (w *world) class(spec string, change ...func(*v1alpha1.ProvisioningTenantClass)) *v1alpha1.ProvisioningTenantClass {
	w.Helper()
	class := &v1alpha1.ProvisioningTenantClass{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	if err := yaml.UnmarshalStrict([]byte(spec), &class.Spec); err != nil {
		w.Fatal(err)
	}
	for _, f := range change {
		f(class)
	}
	create(w, class)
	w.Cleanup(func() { _ = w.Delete(context.Background(), class) })
	return class
}

// asking is a tenant of the test's class with that spec, in YAML, beside a display name and an Entra tenant ID.
func (w *world) asking(name, spec string) *v1alpha1.ProvisioningTenant {
	w.Helper()
	tenant := &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	if err := yaml.UnmarshalStrict([]byte(spec), &tenant.Spec); err != nil {
		w.Fatal(err)
	}
	tenant.Spec.ClassName, tenant.Spec.DisplayName = w.namespace, "Contoso Ltd"
	tenant.Spec.IdentityProvider = v1alpha1.InEntra(v1alpha1.Entra{TenantID: knownEntraTenant, Cloud: v1alpha1.EntraCloudPublic})
	return tenant
}

// It runs alone: a default class concerns every tenant of the cluster.
func TestATenantOfTwoFieldsBecomesReadyByTheDefaultClass(t *testing.T) { //nolint:paralleltest // see above
	w := newWorld(t)
	w.class(`
defaults:
  exposure: {baseDomain: `+w.namespace+`.example.com, ingress: {className: nginx, annotations: {team: platform}, tls: {secretName: wildcard}}}
  storage: {sqlite: {size: 64Mi}}
  server: {resources: {limits: {memory: 512Mi}}, template: {metadata: {labels: {cost: a}}, spec: {nodeSelector: {disk: ssd}}}}
  rateLimit: {requestsPerSecond: 50}
  retention: {provisioningLog: 48h}
`, func(class *v1alpha1.ProvisioningTenantClass) {
		class.Annotations = map[string]string{v1alpha1.DefaultClassAnnotation: "true"}
	})
	create(w, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "wildcard"}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{"tls.crt": []byte("c"), "tls.key": []byte("k")},
	})
	tenant := w.asking("contoso", "{}")
	tenant.Spec.ClassName = ""
	create(w, tenant)
	w.until(tenant, ready, "ClassInEffect=True/InEffect")
	now := get(w, &v1alpha1.ProvisioningTenant{}, "contoso")
	class := now.Status.Class
	if class == nil || class.Name != w.namespace || *class.RateLimit.RequestsPerSecond != 50 || *class.RateLimit.Burst != 400 ||
		class.Retention.ProvisioningLog.Hours() != 48 {
		t.Errorf("status.class is %+v", class)
	}
	if url := "https://contoso." + w.namespace + ".example.com/scim/v2"; now.Status.TenantURL != url {
		t.Errorf("the Tenant URL is %s, want %s", now.Status.TenantURL, url)
	}
	if now.Spec.Exposure.Type != "" || !now.Spec.Storage.SQLite.Size.IsZero() {
		t.Error("the class was written into the spec")
	}
	ingress := get(w, &networkingv1.Ingress{}, "contoso-scim")
	if *ingress.Spec.IngressClassName != "nginx" || ingress.Annotations["team"] != "platform" || ingress.Spec.TLS[0].SecretName != "wildcard" {
		t.Errorf("the Ingress is %+v", ingress.Spec)
	}
	pod := get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Template
	if pod.Labels["cost"] != "a" || pod.Spec.NodeSelector["disk"] != "ssd" || pod.Spec.Containers[0].Resources.Limits.Memory().String() != "512Mi" {
		t.Errorf("the pods are %+v", pod)
	}
	if claim := get(w, &corev1.PersistentVolumeClaim{}, "contoso-data"); claim.Spec.Resources.Requests.Storage().String() != "64Mi" {
		t.Errorf("the claim is %+v", claim.Spec)
	}
}

func TestATenantOutOfBoundsIsToldOfEachBoundByTheAPIServersWords(t *testing.T) {
	race.Meets(t)
	t.Parallel()
	const database = "storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db}}}, "
	bounds := map[string]struct{ bound, spec string }{
		"exposure.types":                      {"[Ingress]", "exposure: {type: None}"},
		"exposure.hosts":                      {`[{patterns: ["*.{namespace}.example.com"]}]`, "exposure: {host: evil.example.com}"},
		"exposure.ingress.classNames":         {"[nginx]", "exposure: {ingress: {className: other}}"},
		"exposure.ingress.annotationPrefixes": {"[good.example.com/]", "exposure: {ingress: {annotations: {bad.example.com/a: b}}}"},
		"exposure.ingress.issuers":            {"[{kind: ClusterIssuer, name: le}]", "exposure: {ingress: {tls: {issuerRef: {name: le}}}}"},
		"exposure.gateway.parentRefs":         {"[{name: public, namespace: edge}]", "exposure: {type: Gateway, gateway: {parentRefs: [{name: public}]}}"},
		"storage.types":                       {"[SQLite]", strings.TrimSuffix(database, ", ")},
		"storage.sqlite.maxSize":              {"1Gi", "storage: {sqlite: {size: 2Gi}}"},
		"storage.sqlite.storageClassNames":    {"[]", "storage: {sqlite: {storageClassName: fast}}"},
		"server.maxReplicas":                  {"2", database + "server: {replicas: 3}"},
		"server.maxResources":                 {"{memory: 1Gi}", "server: {resources: {limits: {memory: 2Gi}}}"},
		"server.labelPrefixes":                {"[]", "server: {template: {metadata: {labels: {a: b}}}}"},
		"server.annotationPrefixes":           {"[]", "server: {template: {metadata: {annotations: {a: b}}}}"},
		"server.imagePullSecrets":             {"[registry]", "server: {template: {spec: {imagePullSecrets: [{name: other}]}}}"},
		"server.priorityClassNames":           {"[low]", "server: {template: {spec: {priorityClassName: system-node-critical}}}"},
		"server.scheduling":                   {"Refused", "server: {template: {spec: {nodeSelector: {a: b}}}}"},
		"rateLimit.requestsPerSecond":         {"10", "rateLimit: {requestsPerSecond: 11}"},
		"rateLimit.burst":                     {"10", "rateLimit: {burst: 11}"},
		"retention.maxProvisioningLog":        {"24h", "retention: {provisioningLog: 25h}"},
	}
	w := newWorld(t)
	class := w.class("{}")
	for _, path := range slices.Sorted(maps.Keys(bounds)) {
		edit(w, class, func(class *v1alpha1.ProvisioningTenantClass) {
			class.Spec.Bounds = v1alpha1.ClassBounds{}
			text := nested(strings.Split(path, "."), bounds[path].bound)
			if err := yaml.UnmarshalStrict([]byte(text), &class.Spec.Bounds); err != nil {
				t.Fatalf("%v in %s", err, text)
			}
		})
		name := "asks-" + strings.ToLower(strings.ReplaceAll(path, ".", "-"))
		tenant := create(w, w.asking(name, "{"+bounds[path].spec+"}"))
		w.until(tenant, "Accepted=False/OutOfBounds", "Ready=False/OutOfBounds", "Stalled=True/OutOfBounds", "ServerAvailable=Unknown/OutOfBounds")
		message := meta.FindStatusCondition(get(w, &v1alpha1.ProvisioningTenant{}, name).Status.Conditions, v1alpha1.ConditionAccepted).Message
		if !strings.Contains(message, "(spec.bounds."+path) || !strings.Contains(message, "class "+class.Name+" allows") {
			t.Errorf("%s: told %q", path, message)
		}
		gone(w, &appsv1.Deployment{}, name+"-scim")
		if err := w.Delete(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
}

// nested is YAML of a value below a path.
func nested(path []string, value string) string {
	if len(path) == 0 {
		return value
	}
	return "{" + path[0] + ": " + nested(path[1:], value) + "}"
}

func TestATightenedOrDeletedClassPullsNobodyDown(t *testing.T) {
	race.Meets(t)
	t.Parallel()
	w := newWorld(t)
	class := w.class("defaults: {exposure: {baseDomain: " + w.namespace + ".example.com}, server: {template: {metadata: {labels: {v: one}}}}}")
	tenant := create(w, w.asking("contoso", "storage: {sqlite: {size: 64Mi}}"))
	w.until(tenant, ready, "ClassInEffect=True/InEffect")
	before := get(w, &appsv1.Deployment{}, "contoso-scim")
	url := get(w, &v1alpha1.ProvisioningTenant{}, "contoso").Status.TenantURL

	edit(w, class, func(class *v1alpha1.ProvisioningTenantClass) {
		class.Spec.Defaults.Server.Template.Metadata.Labels = map[string]v1alpha1.LabelValue{"v": "two"}
		class.Spec.Bounds.Storage.SQLite.MaxSize = new(resource.MustParse("32Mi"))
	})
	w.until(tenant, ready, "ClassInEffect=False/OutOfBounds", "Stalled=True/OutOfBounds")
	if err := w.Delete(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, ready, "ClassInEffect=False/ClassMissing")

	// The tenant's own matters are followed, and those in which a class has a say are not.
	edit(w, tenant, func(tenant *v1alpha1.ProvisioningTenant) {
		tenant.Spec.DisplayName = "Another"
		tenant.Spec.RateLimit.RequestsPerSecond = new(int32(99999))
		tenant.Spec.Server.Template.Spec.PriorityClassName = "system-node-critical"
		tenant.Spec.Exposure.Host = "evil.example.com"
	})
	w.until(tenant, ready, "ClassInEffect=False/ClassMissing")
	now := get(w, &v1alpha1.ProvisioningTenant{}, "contoso")
	if now.Status.TenantURL != url || *now.Status.Class.RateLimit.RequestsPerSecond != 200 || now.Status.Class.Name != class.Name {
		t.Errorf("the status is %+v, %+v", now.Status.TenantURL, now.Status.Class)
	}
	after := get(w, &appsv1.Deployment{}, "contoso-scim")
	if after.Generation != before.Generation {
		t.Errorf("the server was changed: %+v", after.Spec.Template)
	}

	another := create(w, w.asking("another", "{}"))
	w.until(another, "Accepted=False/ClassMissing", "Ready=False/ClassMissing")

	// The class comes back, and is followed again.
	edit(w, tenant, func(tenant *v1alpha1.ProvisioningTenant) {
		tenant.Spec.Exposure.Host, tenant.Spec.Server.Template.Spec.PriorityClassName = "", ""
	})
	w.class("defaults: {exposure: {baseDomain: " + w.namespace + ".example.com}, server: {template: {metadata: {labels: {v: three}}}}}")
	w.until(tenant, ready, "ClassInEffect=True/InEffect")
	w.until(another, ready)
	w.eventually("the pods of the class", func() string {
		if pod := get(w, &appsv1.Deployment{}, "contoso-scim").Spec.Template; pod.Labels["v"] != "three" {
			return fmt.Sprint(pod.Labels)
		}
		return ""
	})
}

func TestWhatAClassDecidedIsRememberedWithTheOperatorsMark(t *testing.T) {
	race.Meets(t)
	t.Parallel()
	w := newWorld(t)
	w.class("defaults: {exposure: {baseDomain: " + w.namespace + ".example.com}}")
	tenant := create(w, w.asking("contoso", "{}"))
	w.until(tenant, ready)
	account := get(w, &corev1.ServiceAccount{}, "contoso-scim")
	var remembered map[string]any
	if err := json.Unmarshal([]byte(account.Annotations[v1alpha1.GroupName+"/class"]), &remembered); err != nil || remembered["class"] != w.namespace {
		t.Errorf("the ServiceAccount says %v: %v", account.Annotations, err)
	}
}

func TestAChangeOfAClassTakesSomeTenantsAtATime(t *testing.T) {
	race.Meets(t) // tenants share a number of places
	t.Parallel()
	f := newFleet(t, 0)
	class := f.class("defaults: {server: {template: {metadata: {labels: {v: one}}}}}")
	var names []string
	for i := range 5 {
		tenant := f.tenant(named(fmt.Sprintf("tenant-%d", i)), withHost(fmt.Sprintf("tenant-%d.%s.example.com", i, f.namespace)))
		tenant.Labels, tenant.Spec.ClassName, tenant.Spec.IdentityProvider = map[string]string{testenv.OwnOperatorLabel: ""}, class.Name, nil
		create(f.world, tenant)
		names = append(names, tenant.Name)
	}
	f.run("scimserver:v1")
	f.untilUpgraded("scimserver:v1", 5, 0)
	f.becomeAvailable(names...)
	for _, name := range names {
		f.until(f.named(name), ready)
	}
	change := func(version string) {
		edit(f.world, class, func(class *v1alpha1.ProvisioningTenantClass) {
			class.Spec.Defaults.Server.Template.Metadata.Labels["v"] = v1alpha1.LabelValue(version)
		})
	}
	have := func(version string, want, waiting int) []string {
		t.Helper()
		var found []string
		f.eventually(fmt.Sprintf("%d tenants have %s and %d wait", want, version, waiting), func() string {
			found = nil
			for _, name := range names {
				if get(f.world, &appsv1.Deployment{}, name+"-scim").Spec.Template.Labels["v"] == version {
					found = append(found, name)
				}
			}
			if waits := f.waiting(); len(found) != want || len(waits) != waiting {
				return fmt.Sprintf("%s have it, %s wait", found, waits)
			}
			return ""
		})
		return found
	}
	change("two")
	f.becomeAvailable(have("two", 2, 3)[0])
	have("two", 3, 2)

	// Servers that do not start with a class hold no place once it is corrected.
	change("three")
	f.eventually("the class as it was corrected is everywhere", func() string {
		var with []string
		for _, name := range names {
			if get(f.world, &appsv1.Deployment{}, name+"-scim").Spec.Template.Labels["v"] == "three" {
				with = append(with, name)
			}
		}
		f.becomeAvailable(with...)
		if len(with) < len(names) {
			return fmt.Sprint(with)
		}
		return ""
	})
}

func TestAClassTakesTenantsOfTheNamespacesThatItSelects(t *testing.T) {
	race.Meets(t)
	t.Parallel()
	w := newWorld(t)
	w.class("{namespaceSelector: {matchLabels: {team: sales}}, defaults: {exposure: {baseDomain: " + w.namespace + ".example.com}}}")
	tenant := create(w, w.asking("contoso", "{}"))
	w.until(tenant, "Accepted=False/OutOfBounds", "Ready=False/OutOfBounds")
	if told := message(tenant, v1alpha1.ConditionAccepted); !strings.Contains(told, "takes no tenants of namespace "+w.namespace) {
		t.Errorf("told %q", told)
	}
	namespace := &corev1.Namespace{}
	if err := w.Get(t.Context(), client.ObjectKey{Name: w.namespace}, namespace); err != nil {
		t.Fatal(err)
	}
	edit(w, namespace, func(namespace *corev1.Namespace) { namespace.Labels["team"] = "sales" })
	w.until(tenant, ready, "ClassInEffect=True/InEffect")
}
