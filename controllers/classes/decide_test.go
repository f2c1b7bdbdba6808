package classes

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// class reads the spec of class standard from YAML.
func class(t *testing.T, spec string) v1alpha1.ProvisioningTenantClass {
	t.Helper()
	class := v1alpha1.ProvisioningTenantClass{ObjectMeta: metav1.ObjectMeta{Name: "standard", UID: "u", Generation: 3}}
	if err := yaml.UnmarshalStrict([]byte(spec), &class.Spec); err != nil {
		t.Fatalf("%v in\n%s", err, spec)
	}
	return class
}

// tenant reads the spec of tenant contoso in namespace sales from YAML. It names class standard.
func tenant(t *testing.T, spec string) *v1alpha1.ProvisioningTenant {
	t.Helper()
	tenant := &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Name: "contoso", Namespace: "sales"}}
	if err := yaml.UnmarshalStrict([]byte(spec), &tenant.Spec); err != nil {
		t.Fatalf("%v in\n%s", err, spec)
	}
	tenant.Spec.ClassName = "standard"
	return tenant
}

func TestWhatATenantSaysWinsFieldByField(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ class, tenant, want string }{
		"the class says nothing": {"{}", "{}", "{exposure: {type: Ingress}, storage: {type: SQLite, sqlite: {size: 1Gi}}}"},
		"the class decides": {
			"defaults: {exposure: {baseDomain: x.test, ingress: {className: nginx, annotations: {a: class}, tls: {secretName: wild}}}, storage: {sqlite: {size: 5Gi, storageClassName: fast}}}",
			"{}",
			"{exposure: {type: Ingress, host: contoso.x.test, ingress: {className: nginx, annotations: {a: class}, tls: {secretName: wild}}}, storage: {type: SQLite, sqlite: {size: 5Gi, storageClassName: fast}}}",
		},
		"the tenant says otherwise": {
			"defaults: {exposure: {baseDomain: x.test, ingress: {className: nginx, annotations: {a: class, b: class}, tls: {secretName: wild}}}, storage: {sqlite: {size: 5Gi, storageClassName: fast}}}",
			"{exposure: {host: h.test, ingress: {className: traefik, annotations: {b: tenant}, tls: {issuerRef: {name: le}}}}, storage: {sqlite: {size: 2Gi}}}",
			"{exposure: {type: Ingress, host: h.test, ingress: {className: traefik, annotations: {a: class, b: tenant}, tls: {issuerRef: {name: le}}}}, storage: {type: SQLite, sqlite: {size: 2Gi, storageClassName: fast}}}",
		},
		"how an Ingress is known to work": {
			"defaults: {exposure: {ingress: {readiness: Assumed}}}", "{exposure: {ingress: {className: nginx}}}",
			"{exposure: {type: Ingress, ingress: {className: nginx, readiness: Assumed}}, storage: {type: SQLite, sqlite: {size: 1Gi}}}",
		},
		"the same, as the tenant says": {
			"defaults: {exposure: {ingress: {readiness: Assumed}}}", "{exposure: {ingress: {readiness: LoadBalancerStatus}}}",
			"{exposure: {type: Ingress, ingress: {readiness: LoadBalancerStatus}}, storage: {type: SQLite, sqlite: {size: 1Gi}}}",
		},
		"of a union the members of the type": {
			"defaults: {exposure: {type: Gateway, ingress: {className: nginx}, gateway: {parentRefs: [{name: public, namespace: edge}]}}}", "{}",
			"{exposure: {type: Gateway, gateway: {parentRefs: [{name: public, namespace: edge}]}}, storage: {type: SQLite, sqlite: {size: 1Gi}}}",
		},
		"of a union those of the tenant's type": {
			"defaults: {exposure: {type: Gateway, ingress: {className: nginx}, gateway: {parentRefs: [{name: public, namespace: edge}]}}}", "{exposure: {ingress: {annotations: {a: b}}}}",
			"{exposure: {type: Ingress, ingress: {className: nginx, annotations: {a: b}}}, storage: {type: SQLite, sqlite: {size: 1Gi}}}",
		},
		"no host where nothing is routed": {"defaults: {exposure: {type: None, baseDomain: x.test}}", "{}", "{exposure: {type: None}, storage: {type: SQLite, sqlite: {size: 1Gi}}}"},
		"a database": {
			"defaults: {storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db}}}, server: {replicas: 3}}", "{}",
			"{exposure: {type: Ingress}, storage: {type: PostgreSQL, sqlite: {size: 1Gi}, postgresql: {connectionSecretRef: {name: db}}}, server: {replicas: 3}}",
		},
		"no replicas on a volume": {
			"defaults: {storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db}}}, server: {replicas: 3}}", "{storage: {type: SQLite}}",
			"{exposure: {type: Ingress}, storage: {type: SQLite, sqlite: {size: 1Gi}}}",
		},
		"one way to say how many": {
			"defaults: {storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db}}}, server: {replicas: 3}}", "{server: {autoscaling: {minReplicas: 2, maxReplicas: 4}}}",
			"{exposure: {type: Ingress}, storage: {type: PostgreSQL, sqlite: {size: 1Gi}, postgresql: {connectionSecretRef: {name: db}}}, server: {autoscaling: {minReplicas: 2, maxReplicas: 4}}}",
		},
		"resources by their names": {
			"defaults: {server: {resources: {requests: {cpu: 50m, memory: 128Mi}, limits: {memory: 512Mi}}}}", "{server: {resources: {requests: {memory: 1Gi}}}}",
			"{exposure: {type: Ingress}, storage: {type: SQLite, sqlite: {size: 1Gi}}, server: {resources: {requests: {cpu: 50m, memory: 1Gi}}}}",
		},
		"a limit that nobody says is the bound": {
			"bounds: {server: {maxResources: {memory: 2Gi}}}", "{server: {resources: {requests: {memory: 1Gi}}}}",
			"{exposure: {type: Ingress}, storage: {type: SQLite, sqlite: {size: 1Gi}}, server: {resources: {requests: {memory: 1Gi}, limits: {memory: 2Gi}}}}",
		},
		"what nobody says of resources is within the bound": {
			"bounds: {server: {maxResources: {memory: 128Mi}}}", "{}",
			"{exposure: {type: Ingress}, storage: {type: SQLite, sqlite: {size: 1Gi}}, server: {resources: {requests: {cpu: 20m, memory: 64Mi, ephemeral-storage: 64Mi}, limits: {memory: 128Mi, ephemeral-storage: 1Gi}}}}",
		},
		"a request of the class beyond its own bound": {
			"{defaults: {server: {resources: {requests: {memory: 2Gi}}}}, bounds: {server: {maxResources: {memory: 1Gi}}}}", "{}",
			"{exposure: {type: Ingress}, storage: {type: SQLite, sqlite: {size: 1Gi}}, server: {resources: {requests: {memory: 2Gi}, limits: {memory: 2Gi}}}}",
		},
		"the pods": {
			"defaults: {server: {template: {metadata: {labels: {team: class, cost: a}}, spec: {nodeSelector: {disk: ssd}, priorityClassName: high, imagePullSecrets: [{name: a}]}}}}",
			"{server: {template: {metadata: {labels: {team: tenant}}, spec: {nodeSelector: {zone: b}, imagePullSecrets: [{name: b}]}}}}",
			"{exposure: {type: Ingress}, storage: {type: SQLite, sqlite: {size: 1Gi}}, server: {template: {metadata: {labels: {team: tenant, cost: a}}, spec: {nodeSelector: {disk: ssd, zone: b}, priorityClassName: high, imagePullSecrets: [{name: b}]}}}}",
		},
		"what nobody says is within the bounds": {
			"bounds: {exposure: {types: [Gateway, None]}, storage: {sqlite: {maxSize: 512Mi}}, rateLimit: {requestsPerSecond: 50}, retention: {maxProvisioningLog: 24h}}", "{}",
			"{exposure: {type: Gateway}, storage: {type: SQLite, sqlite: {size: 512Mi}}, rateLimit: {requestsPerSecond: 50, burst: 400}, retention: {provisioningLog: 24h}}",
		},
	} {
		all := []v1alpha1.ProvisioningTenantClass{class(t, test.class)}
		got := Decide(State{Tenant: tenant(t, test.tenant), Classes: all})
		want := tenant(t, test.want).Spec
		want.SetDefaults()
		if got.Problem != nil || got.Held || !equal(t, got.Spec, want) {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, got.Problem, text(t, got.Spec), text(t, want))
		}
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func equal(t *testing.T, a, b any) bool { t.Helper(); return text(t, a) == text(t, b) }

func TestEachBoundIsToldWithFieldValueAndWhatIsAllowed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ bounds, tenant, want string }{
		"type of exposure":                    {"exposure: {types: [Ingress]}", "exposure: {type: None}", "spec.exposure.type is None, and class standard allows Ingress (spec.bounds.exposure.types of the class)."},
		"host":                                {`exposure: {hosts: [{patterns: ["*.{namespace}.x.test"]}]}`, "exposure: {host: evil.test}", "spec.exposure.host is evil.test, and class standard allows *.sales.x.test (spec.bounds.exposure.hosts of the class)."},
		"host of others":                      {`exposure: {hosts: [{namespaceSelector: {matchLabels: {team: b}}, patterns: ["*"]}]}`, "exposure: {host: h.test}", "spec.exposure.host is h.test, and class standard allows none (spec.bounds.exposure.hosts of the class)."},
		"additional host":                     {`exposure: {hosts: [{patterns: ["*.x.test"]}]}`, "exposure: {host: a.x.test, additionalHosts: [b.x.test, evil.test]}", "spec.exposure.additionalHosts is evil.test, and class standard allows *.x.test (spec.bounds.exposure.hosts of the class)."},
		"Ingress class":                       {"exposure: {ingress: {classNames: [nginx, traefik]}}", "exposure: {ingress: {className: other}}", "spec.exposure.ingress.className is other, and class standard allows nginx, traefik (spec.bounds.exposure.ingress.classNames of the class)."},
		"annotation":                          {"exposure: {ingress: {annotationPrefixes: [nginx.ingress.kubernetes.io/proxy-]}}", "exposure: {ingress: {annotations: {nginx.ingress.kubernetes.io/proxy-body-size: 1m, nginx.ingress.kubernetes.io/x: y}}}", "spec.exposure.ingress.annotations nginx.ingress.kubernetes.io/x is given, and class standard allows those that begin with nginx.ingress.kubernetes.io/proxy- (spec.bounds.exposure.ingress.annotationPrefixes of the class)."},
		"an annotation in place of a class":   {"exposure: {ingress: {classNames: [nginx]}}", "exposure: {ingress: {annotations: {kubernetes.io/ingress.class: internal}}}", "spec.exposure.ingress.annotations kubernetes.io/ingress.class is given, and class standard allows none (spec.bounds.exposure.ingress.classNames of the class)."},
		"an annotation in place of an issuer": {"exposure: {ingress: {issuers: []}}", "exposure: {ingress: {annotations: {cert-manager.io/cluster-issuer: root}, tls: {secretName: x}}}", "spec.exposure.ingress.annotations cert-manager.io/cluster-issuer is given, and class standard allows none (spec.bounds.exposure.ingress.issuers of the class)."},
		"no annotation":                       {"exposure: {ingress: {annotationPrefixes: []}}", "exposure: {ingress: {annotations: {a: b}}}", "spec.exposure.ingress.annotations a is given, and class standard allows none (spec.bounds.exposure.ingress.annotationPrefixes of the class)."},
		"issuer":                              {"exposure: {ingress: {issuers: [{kind: ClusterIssuer, name: le}]}}", "exposure: {ingress: {tls: {issuerRef: {name: le}}}}", "spec.exposure.ingress.tls.issuerRef is Issuer le, and class standard allows ClusterIssuer le (spec.bounds.exposure.ingress.issuers of the class)."},
		"Gateway":                             {"exposure: {gateway: {parentRefs: [{name: public, namespace: edge}]}}", "exposure: {type: Gateway, gateway: {parentRefs: [{name: public}]}}", "spec.exposure.gateway.parentRefs is Gateway sales/public, and class standard allows Gateway edge/public (spec.bounds.exposure.gateway.parentRefs of the class)."},
		"type of storage":                     {"storage: {types: [SQLite]}", "storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db}}}", "spec.storage.type is PostgreSQL, and class standard allows SQLite (spec.bounds.storage.types of the class)."},
		"size":                                {"storage: {sqlite: {maxSize: 10Gi}}", "storage: {sqlite: {size: 11Gi}}", "spec.storage.sqlite.size is 11Gi, and class standard allows at most 10Gi (spec.bounds.storage.sqlite.maxSize of the class)."},
		"StorageClass":                        {"storage: {sqlite: {storageClassNames: [fast]}}", "storage: {sqlite: {storageClassName: slow}}", "spec.storage.sqlite.storageClassName is slow, and class standard allows fast (spec.bounds.storage.sqlite.storageClassNames of the class)."},
		"replicas":                            {"server: {maxReplicas: 2}", "{storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db}}}, server: {replicas: 3}}", "spec.server.replicas is 3, and class standard allows at most 2 (spec.bounds.server.maxReplicas of the class)."},
		"autoscaling":                         {"server: {maxReplicas: 2}", "{storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db}}}, server: {autoscaling: {minReplicas: 1, maxReplicas: 3}}}", "spec.server.autoscaling.maxReplicas is 3, and class standard allows at most 2 (spec.bounds.server.maxReplicas of the class)."},
		"request":                             {"server: {maxResources: {memory: 1Gi}}", "server: {resources: {requests: {memory: 2Gi}}}", "spec.server.resources.requests.memory is 2Gi, and class standard allows at most 1Gi (spec.bounds.server.maxResources.memory of the class)."},
		"limit":                               {"server: {maxResources: {cpu: '1'}}", "server: {resources: {limits: {cpu: '2'}}}", "spec.server.resources.limits.cpu is 2, and class standard allows at most 1 (spec.bounds.server.maxResources.cpu of the class)."},
		"label":                               {"server: {labelPrefixes: [sales.example.com/]}", "server: {template: {metadata: {labels: {team: a}}}}", "spec.server.template.metadata.labels team is given, and class standard allows those that begin with sales.example.com/ (spec.bounds.server.labelPrefixes of the class)."},
		"annotation of a pod":                 {"server: {annotationPrefixes: [sales.example.com/]}", "server: {template: {metadata: {annotations: {a: b}}}}", "spec.server.template.metadata.annotations a is given, and class standard allows those that begin with sales.example.com/ (spec.bounds.server.annotationPrefixes of the class)."},
		"pull Secret":                         {"server: {imagePullSecrets: [registry]}", "server: {template: {spec: {imagePullSecrets: [{name: other}]}}}", "spec.server.template.spec.imagePullSecrets is other, and class standard allows registry (spec.bounds.server.imagePullSecrets of the class)."},
		"priority":                            {"server: {priorityClassNames: [low]}", "server: {template: {spec: {priorityClassName: system-node-critical}}}", "spec.server.template.spec.priorityClassName is system-node-critical, and class standard allows low (spec.bounds.server.priorityClassNames of the class)."},
		"scheduling":                          {"server: {scheduling: Refused}", "server: {template: {spec: {tolerations: [{operator: Exists}]}}}", "spec.server.template.spec.tolerations is given, and class standard allows none (spec.bounds.server.scheduling of the class)."},
		"rate":                                {"rateLimit: {requestsPerSecond: 100}", "rateLimit: {requestsPerSecond: 101}", "spec.rateLimit.requestsPerSecond is 101, and class standard allows at most 100 (spec.bounds.rateLimit.requestsPerSecond of the class)."},
		"burst":                               {"rateLimit: {burst: 100}", "rateLimit: {burst: 101}", "spec.rateLimit.burst is 101, and class standard allows at most 100 (spec.bounds.rateLimit.burst of the class)."},
		"log":                                 {"retention: {maxProvisioningLog: 720h}", "retention: {provisioningLog: 721h}", "spec.retention.provisioningLog is 721h, and class standard allows at most 720h (spec.bounds.retention.maxProvisioningLog of the class)."},
		"more than can be told": {
			"{server: {scheduling: Refused, maxReplicas: 1}, rateLimit: {requestsPerSecond: 1, burst: 1}}", "{rateLimit: {requestsPerSecond: 2, burst: 2}, server: {template: {spec: {priorityClassName: a, nodeSelector: {a: b}, tolerations: [{operator: Exists}]}}}}",
			"; and 1 more.",
		},
	} {
		bounds := test.bounds
		if !strings.HasPrefix(bounds, "{") {
			bounds = "{" + bounds + "}"
		}
		all := []v1alpha1.ProvisioningTenantClass{class(t, "bounds: "+bounds)}
		asking := tenant(t, test.tenant)
		got := Decide(State{Tenant: asking, Classes: all, Namespace: labels.Set{"team": "a"}})
		if got.Problem == nil || !got.Held || got.Problem.Condition != v1alpha1.ConditionAccepted || got.Problem.Reason != v1alpha1.ReasonOutOfBounds ||
			!strings.Contains(got.Problem.Message, test.want) {
			t.Errorf("%s:\ngot  %v\nwant %s", name, got.Problem, test.want)
		}
		unbounded := all[0].DeepCopy()
		unbounded.Spec.Bounds = v1alpha1.ClassBounds{}
		if got := Decide(State{Tenant: asking, Classes: []v1alpha1.ProvisioningTenantClass{*unbounded}}); got.Problem != nil {
			t.Errorf("%s: without a bound: %v", name, got.Problem)
		}
	}
}

func TestWhatTheClassItselfSaysIsWithinItsBounds(t *testing.T) {
	t.Parallel()
	const said = `{exposure: {type: Ingress, baseDomain: x.test, ingress: {className: nginx, annotations: {a: b}, tls: {issuerRef: {name: le}}}, gateway: {parentRefs: [{name: g, namespace: e}]}},
storage: {type: SQLite, sqlite: {size: 9Gi, storageClassName: fast}}, rateLimit: {requestsPerSecond: 900, burst: 900}, retention: {provisioningLog: 999h},
server: {resources: {limits: {memory: 9Gi}}, template: {metadata: {labels: {a: b}, annotations: {a: b}}, spec: {priorityClassName: p, imagePullSecrets: [{name: s}], tolerations: [{operator: Exists}]}}}}`
	const bounds = `{exposure: {types: [], hosts: [], ingress: {classNames: [], annotationPrefixes: [], issuers: []}, gateway: {parentRefs: []}},
storage: {types: [], sqlite: {maxSize: 1Gi, storageClassNames: []}}, rateLimit: {requestsPerSecond: 1, burst: 1}, retention: {maxProvisioningLog: 1h},
server: {maxReplicas: 1, maxResources: {memory: 1Gi}, labelPrefixes: [], annotationPrefixes: [], imagePullSecrets: [], priorityClassNames: [], scheduling: Refused}}`
	all := []v1alpha1.ProvisioningTenantClass{class(t, "{defaults: "+said+", bounds: "+bounds+"}")}
	for name, spec := range map[string]string{
		"nothing is asked":             "{}",
		"what the class says is asked": "exposure: {type: Ingress, host: contoso.x.test, ingress: {className: nginx, annotations: {a: b}, tls: {issuerRef: {name: le}}}}",
	} {
		if got := Decide(State{Tenant: tenant(t, spec), Classes: all}); got.Problem != nil {
			t.Errorf("%s: %s", name, got.Problem.Message)
		}
	}
}

func TestATenantIsOfTheClassThatItNamesOrOfTheNewestDefaultThatTakesIt(t *testing.T) {
	t.Parallel()
	at := func(name string, hour int, isDefault bool, team string) v1alpha1.ProvisioningTenantClass {
		class := v1alpha1.ProvisioningTenantClass{ObjectMeta: metav1.ObjectMeta{
			Name: name, CreationTimestamp: metav1.NewTime(time.Date(2026, 11, 30, hour, 0, 0, 0, time.UTC)),
		}}
		if isDefault {
			class.Annotations = map[string]string{v1alpha1.DefaultClassAnnotation: "true"}
		}
		if team != "" {
			class.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": team}}
		}
		return class
	}
	for name, test := range map[string]struct {
		named   string
		classes []v1alpha1.ProvisioningTenantClass
		want    string
		reason  string
	}{
		"there are none":                   {},
		"none is the default":              {classes: []v1alpha1.ProvisioningTenantClass{at("a", 1, false, "")}},
		"the default":                      {classes: []v1alpha1.ProvisioningTenantClass{at("a", 1, false, ""), at("b", 2, true, "")}, want: "b"},
		"the newest":                       {classes: []v1alpha1.ProvisioningTenantClass{at("a", 1, true, ""), at("b", 3, true, ""), at("c", 2, true, "")}, want: "b"},
		"of two of one moment the first":   {classes: []v1alpha1.ProvisioningTenantClass{at("b", 1, true, ""), at("a", 1, true, "")}, want: "a"},
		"the newest that takes it":         {classes: []v1alpha1.ProvisioningTenantClass{at("a", 1, true, ""), at("b", 3, true, "other")}, want: "a"},
		"no default takes it":              {classes: []v1alpha1.ProvisioningTenantClass{at("a", 1, true, "other")}, reason: v1alpha1.ReasonOutOfBounds},
		"the one that it names":            {named: "a", classes: []v1alpha1.ProvisioningTenantClass{at("a", 1, false, ""), at("b", 2, true, "")}, want: "a"},
		"the one that it names is missing": {named: "x", classes: []v1alpha1.ProvisioningTenantClass{at("b", 2, true, "")}, reason: v1alpha1.ReasonClassMissing},
		"the one that it names takes it":   {named: "a", classes: []v1alpha1.ProvisioningTenantClass{at("a", 1, false, "mine")}, want: "a"},
		"the one that it names is not its": {named: "a", classes: []v1alpha1.ProvisioningTenantClass{at("a", 1, false, "other")}, reason: v1alpha1.ReasonOutOfBounds},
	} {
		asking := tenant(t, "{}")
		asking.Spec.ClassName = test.named
		got, refused := Choose(asking, test.classes, labels.Set{"team": "mine"})
		gotName, reason := "", ""
		if got != nil {
			gotName = got.Name
		}
		if refused != nil {
			reason = refused.Reason
		}
		if gotName != test.want || reason != test.reason {
			t.Errorf("%s: class %q, %q; want %q, %q", name, gotName, reason, test.want, test.reason)
		}
	}
}

func TestATenantThatRunsGoesOnWithWhatItHad(t *testing.T) {
	t.Parallel()
	tight := class(t, "bounds: {storage: {sqlite: {maxSize: 1Gi}}}")
	larger := tenant(t, "{displayName: Contoso, storage: {sqlite: {size: 5Gi}}, exposure: {host: new.test}}")
	last := &Values{Class: "standard", Exposure: v1alpha1.Exposure{Type: v1alpha1.ExposureIngress, Host: "old.test"}}
	unnamed := larger.DeepCopy()
	unnamed.Spec.ClassName = ""
	for name, test := range map[string]struct {
		state     State
		condition string
		host      string
		values    *Values
	}{
		"a tightened bound":          {State{Tenant: larger, Classes: []v1alpha1.ProvisioningTenantClass{tight}, Last: last, Ran: true}, v1alpha1.ConditionClassInEffect, "old.test", last},
		"a class that is gone":       {State{Tenant: larger, Last: last, Ran: true}, v1alpha1.ConditionClassInEffect, "old.test", last},
		"a default that is gone":     {State{Tenant: unnamed, Last: last, Ran: true}, v1alpha1.ConditionClassInEffect, "old.test", last},
		"it ran without a class":     {State{Tenant: larger, Classes: []v1alpha1.ProvisioningTenantClass{tight}, Ran: true}, v1alpha1.ConditionClassInEffect, "new.test", nil},
		"it is new":                  {State{Tenant: larger, Classes: []v1alpha1.ProvisioningTenantClass{tight}}, v1alpha1.ConditionAccepted, "", nil},
		"it is new, and no class is": {State{Tenant: larger}, v1alpha1.ConditionAccepted, "", nil},
		"no class ever was":          {State{Tenant: unnamed, Ran: true}, "", "new.test", nil},
	} {
		got := Decide(test.state)
		condition := ""
		if got.Problem != nil {
			condition = got.Problem.Condition
		}
		if condition != test.condition || got.Held != (test.condition == v1alpha1.ConditionAccepted) || !got.Held && got.Spec.Exposure.Host != test.host {
			t.Errorf("%s: %+v", name, got)
		}
		if test.values != nil && !reflect.DeepEqual(got.Values, test.values) || name == "it ran without a class" && (got.Values == nil || got.Values.Class != "") {
			t.Errorf("%s: remembers %+v", name, got.Values)
		}
		if got.Spec.DisplayName != "Contoso" {
			t.Errorf("%s: what no class has a say in is not the tenant's", name)
		}
	}
}

func TestADirectoryStaysWhereItIs(t *testing.T) {
	t.Parallel()
	database := class(t, "defaults: {storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db}}}}")
	there := tenant(t, "{}")
	there.Status.Storage = &v1alpha1.StorageStatus{Type: v1alpha1.StorageSQLite}
	if got := Decide(State{Tenant: there, Classes: []v1alpha1.ProvisioningTenantClass{database}}); got.Spec.Storage.Type != v1alpha1.StorageSQLite || got.Problem != nil {
		t.Errorf("the class moves it: %+v, %v", got.Spec.Storage, got.Problem)
	}
	there.Spec.Storage.Type = v1alpha1.StoragePostgreSQL
	if got := Decide(State{Tenant: there, Classes: []v1alpha1.ProvisioningTenantClass{database}}); got.Spec.Storage.PostgreSQL == nil || got.Problem != nil {
		t.Errorf("the tenant cannot move it: %+v, %v", got.Spec.Storage, got.Problem)
	}
	moved := tenant(t, "storage: {type: SQLite}")
	moved.Status.Storage = &v1alpha1.StorageStatus{Type: v1alpha1.StoragePostgreSQL}
	if got := Decide(State{Tenant: moved, Classes: []v1alpha1.ProvisioningTenantClass{database}}); got.Problem != nil || got.Spec.Storage.Type != v1alpha1.StorageSQLite {
		t.Errorf("no server has told of a directory, and it cannot choose: %+v, %v", got.Spec.Storage, got.Problem)
	}
	moved.Status.Directory = &v1alpha1.DirectoryStatus{ID: "d"}
	last := &Values{Class: "standard", Storage: v1alpha1.Storage{Type: v1alpha1.StoragePostgreSQL}}
	got := Decide(State{Tenant: moved, Classes: []v1alpha1.ProvisioningTenantClass{database}, Last: last, Ran: true})
	if got.Problem == nil || got.Problem.Reason != v1alpha1.ReasonClassInvalid || got.Spec.Storage.Type != v1alpha1.StoragePostgreSQL {
		t.Errorf("it goes back: %+v, %v", got.Spec.Storage, got.Problem)
	}
}

func TestAContradictionThatOnlyTheClassMakesIsTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ class, tenant, want string }{
		"no database":           {"{}", "storage: {type: PostgreSQL}", "nobody says where the database is"},
		"a volume, and servers": {"{}", "server: {replicas: 2}", "spec.storage.type is SQLite"},
		"a deletion":            {"defaults: {storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db}}}}", "deletionPolicy: Delete", "must be Retain"},
		"a selector":            {"namespaceSelector: {matchExpressions: [{key: a, operator: Near}]}", "{}", "spec.namespaceSelector cannot be read"},
		"a selector of hosts":   {`bounds: {exposure: {hosts: [{namespaceSelector: {matchExpressions: [{key: a, operator: Near}]}, patterns: ["*"]}]}}`, "{}", "spec.bounds.exposure.hosts[0].namespaceSelector"},
	} {
		got := Decide(State{Tenant: tenant(t, test.tenant), Classes: []v1alpha1.ProvisioningTenantClass{class(t, test.class)}})
		if got.Problem == nil || got.Problem.Reason != v1alpha1.ReasonClassInvalid || !strings.Contains(got.Problem.Message, test.want) {
			t.Errorf("%s: %v", name, got.Problem)
		}
	}
}

func TestLabelsOfNamespacesAreReadOnlyWhereAClassGoesByThem(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]bool{
		"{}":                    false,
		"namespaceSelector: {}": true,
		`bounds: {exposure: {hosts: [{patterns: ["*"]}]}}`:                                                              false,
		`bounds: {exposure: {hosts: [{patterns: ["*"]}, {namespaceSelector: {matchLabels: {a: b}}, patterns: ["*"]}]}}`: true,
	} {
		if got := NeedNamespaces([]v1alpha1.ProvisioningTenantClass{class(t, "{}"), class(t, spec)}); got != want {
			t.Errorf("%s: %v", spec, got)
		}
	}
}

// The classes are the cache's, which others read meanwhile.
func TestADecisionWritesNothingIntoAClass(t *testing.T) {
	t.Parallel()
	all := []v1alpha1.ProvisioningTenantClass{class(t, "bounds: {storage: {sqlite: {maxSize: 1.5Gi}}, server: {maxResources: {memory: 1.5Gi}}}")}
	before := all[0].DeepCopy()
	Decide(State{Tenant: tenant(t, "{storage: {sqlite: {size: 11Gi}}, server: {resources: {limits: {memory: 11Gi}}}}"), Classes: all})
	if !reflect.DeepEqual(before, &all[0]) {
		t.Errorf("it is %#v, and was %#v", all[0].Spec.Bounds, before.Spec.Bounds)
	}
}
