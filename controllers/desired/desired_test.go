package desired

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/fields"
)

var update = flag.Bool("update", false, "write the golden files anew")

// plaintext is a well-formed token that opens nothing.
const plaintext = "tnt_0000000000000000000000000000000000000000000000000AAAA"

var issuedAt = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// plain is a tenant with the defaults that the API server fills in.
func plain() Tenant {
	t := Tenant{
		Resource: &v1alpha1.ProvisioningTenant{
			ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso", UID: "6c2f3b1a-0000-4000-8000-000000000001"},
			Spec: v1alpha1.ProvisioningTenantSpec{
				Provisioning:   v1alpha1.Provisioning{Users: v1alpha1.SwitchEnabled, Groups: v1alpha1.SwitchEnabled},
				Exposure:       v1alpha1.Exposure{Type: v1alpha1.ExposureIngress},
				Storage:        v1alpha1.Storage{Type: v1alpha1.StorageSQLite, SQLite: v1alpha1.SQLiteStorage{Size: resource.MustParse("1Gi")}},
				DeletionPolicy: v1alpha1.DeletionPolicyRetain,
			},
		},
		ServerImage: "tenantry/scimserver:v1",
		Host:        "contoso.scim.example.com",
		Engine:      v1alpha1.StorageSQLite,
	}
	t.Claim = NewClaim(t.Resource)
	return t
}

// full is a tenant that uses every field.
func full() Tenant {
	t := plain()
	t.IngressClass = "traefik"
	t.Gateways = []v1alpha1.GatewayReference{
		{Group: v1alpha1.GatewayAPI, Kind: v1alpha1.KindGateway, Namespace: "edge", Name: "public"},
		{Group: v1alpha1.GatewayAPI, Kind: v1alpha1.KindListenerSet, Namespace: "customers", Name: "own", SectionName: "https", Port: 8443},
	}
	t.EntraAuthority = "https://login.example.com:8443"
	t.UserDefaults = []string{"everybody", "finance"}
	spec := &t.Resource.Spec
	spec.DeletionPolicy = v1alpha1.DeletionPolicyDelete
	spec.Authentication.OAuth = &v1alpha1.OAuth{}
	spec.Authentication.Readers = []v1alpha1.Reader{{Name: "payroll"}}
	spec.Storage.SQLite.StorageClassName = "fast"
	spec.Exposure.Host = t.Host
	t.AdditionalHosts = []string{"alongside.example.com", "scim.contoso.example"}
	spec.Exposure.Ingress = &v1alpha1.IngressExposure{
		ClassName: "traefik", Annotations: map[string]string{"b": "2", "a": "1"}, Readiness: v1alpha1.ReadinessAssumed,
		TLS: &v1alpha1.IngressTLS{
			SecretName: "certificate",
			IssuerRef:  &v1alpha1.IssuerReference{Name: "letsencrypt", Kind: "ClusterIssuer", Group: "cert-manager.io"},
		},
	}
	spec.Server = v1alpha1.Server{
		Resources: &v1alpha1.ServerResources{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("0.1"), corev1.ResourceMemory: resource.MustParse("128Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
		},
		Template: v1alpha1.ServerTemplate{Metadata: v1alpha1.ServerTemplateMetadata{
			Labels:      map[string]v1alpha1.LabelValue{"cost-center": "42", "app.kubernetes.io/name": "mine"},
			Annotations: map[string]v1alpha1.AnnotationValue{"linkerd.io/inject": "enabled"},
		}, Spec: v1alpha1.ServerTemplateSpec{
			ImagePullSecrets: []v1alpha1.SecretReference{{Name: "registry"}},
			NodeSelector:     map[string]string{"pool": "tenants"},
			Tolerations:      []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: "tenants", Effect: corev1.TaintEffectNoSchedule}},
			Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "zone", Operator: corev1.NodeSelectorOpIn, Values: []string{"a", "b"}}}}},
			}}},
			PriorityClassName: "tenants",
		}},
	}
	return t
}

// database is a tenant in PostgreSQL whose replicas an autoscaler decides.
func database() Tenant {
	t := plain()
	t.Engine, t.Claim = v1alpha1.StoragePostgreSQL, nil
	spec := &t.Resource.Spec
	spec.Storage.Type = v1alpha1.StoragePostgreSQL
	spec.Storage.PostgreSQL = &v1alpha1.PostgreSQLStorage{
		ConnectionSecretRef: v1alpha1.ConnectionSecretReference{Name: "contoso-database", Key: "url"}, Port: 6432,
	}
	spec.Server.Autoscaling = &v1alpha1.Autoscaling{MinReplicas: 2, MaxReplicas: 5, TargetCPUUtilizationPercentage: 80}
	spec.Server.Template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{
		{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.ScheduleAnyway},
		{MaxSkew: 2, TopologyKey: "node", WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}},
	}
	return t
}

// moving is the same tenant while its directory is copied from the volume.
func moving() Tenant {
	t := database()
	t.Engine, t.Claim, t.Stopped = v1alpha1.StorageSQLite, NewClaim(t.Resource), true
	return t
}

// moved is the same tenant after that, with a number of replicas of its own.
func moved() Tenant {
	t := database()
	t.Claim, t.Moved = NewClaim(t.Resource), true
	t.Resource.Spec.Server.Autoscaling, t.Resource.Spec.Server.Replicas = nil, new(int32(3))
	return t
}

// onOpenShift is the tenant that is being moved where the cluster gives pods their user and groups.
func onOpenShift() Tenant {
	t := moving()
	t.PlatformIDs = true
	return t
}

// build returns every object of the tenant as YAML, by kind.
func build(t *testing.T, tenant Tenant) map[string]string {
	t.Helper()
	var issued []Issued
	var verifiers []token.Verifier
	marks := map[string]token.Mark{}
	for _, credential := range token.Wanted(tenant.Resource) {
		one := Issued{Credential: credential, Plaintext: plaintext, Verifier: credential.Verifier(plaintext, issuedAt)}
		issued, verifiers = append(issued, one), append(verifiers, one.Verifier)
		marks[one.Key] = one.Mark()
	}
	verifier, err := Verifier(tenant.Resource, verifiers, marks, nil)
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := Credentials(tenant.Resource, issued, token.Obeyed{}, TenantURL(tenant.Resource, tenant.Host))
	if err != nil {
		t.Fatal(err)
	}
	deployment, err := Deployment(tenant)
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]any{
		"serviceaccount": ServiceAccount(tenant), "role": Role(tenant), "rolebinding": RoleBinding(tenant),
		"credentials": credentials, "verifier": verifier,
		"deployment": deployment, "service": Service(tenant),
		"ingress": Ingress(tenant), "httproute": HTTPRoute(tenant),
	}
	if policy := networkPolicy(t, tenant); policy != nil {
		objects["networkpolicy"] = policy
	}
	for _, one := range issued {
		if one.Reader == "" {
			continue
		}
		reader, err := ReaderCredentials(tenant.Resource, one, TenantURL(tenant.Resource, tenant.Host), issuedAt.Add(30*24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		objects["reader-"+one.Reader] = reader
	}
	if tenant.Claim != nil {
		objects["claim"] = DataClaim(tenant)
	}
	if autoscaler := Autoscaler(tenant); autoscaler != nil {
		objects["autoscaler"] = autoscaler
	}
	if budget := DisruptionBudget(tenant); budget != nil {
		objects["disruptionbudget"] = budget
	}
	if tenant.Stopped {
		if objects["connect"], err = Connect(tenant); err != nil {
			t.Fatal(err)
		}
		if objects["move"], err = Move(tenant); err != nil {
			t.Fatal(err)
		}
	}
	built := map[string]string{}
	for name, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		built[name] = string(text)
	}
	return built
}

func TestObjectsAreThoseInTheGoldenFiles(t *testing.T) {
	for name, tenant := range map[string]Tenant{"plain": plain(), "full": full(), "database": database(), "moving": moving(), "moved": moved(), "classed": classed(), "openshift": onOpenShift()} {
		built := build(t, tenant)
		var all bytes.Buffer
		for _, kind := range slices.Sorted(mapsKeys(built)) {
			all.WriteString("---\n# " + kind + "\n" + built[kind])
		}
		path := filepath.Join("testdata", name+".yaml")
		if *update {
			if err := os.WriteFile(path, all.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, all.Bytes()) {
			t.Errorf("the objects of the %s tenant are not those in %s; if that is meant, run go test -update.\n%s", name, path, all.String())
		}
	}
}

func mapsKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

// bug class 17: an upgrade or a restart of the operator that rolls every tenant.
func TestTheSameTenantGivesTheSameBytesEveryTime(t *testing.T) {
	first := build(t, full())
	for range 50 {
		if again := build(t, full()); !reflect.DeepEqual(first, again) {
			t.Fatalf("the objects differ between two builds:\n%v\n%v", first, again)
		}
	}
}

// bug class 5: a field that is ignored, or that cannot be unset again.
func TestEveryFieldOfTheSpecChangesAnObjectAndUnsettingItChangesItBack(t *testing.T) {
	// What the operator resolves, as it does in the reconcile.
	resolve := func(tenant Tenant) Tenant {
		spec := tenant.Resource.Spec
		if spec.Exposure.Host != "" {
			tenant.Host = spec.Exposure.Host
		}
		if spec.Exposure.Type == v1alpha1.ExposureNone {
			tenant.Host = ""
		}
		if spec.Exposure.Ingress != nil {
			tenant.IngressClass = spec.Exposure.Ingress.ClassName
		}
		if spec.Exposure.Gateway != nil {
			tenant.Gateways = spec.Exposure.Gateway.ParentRefs
		}
		for _, host := range spec.Exposure.AdditionalHosts {
			tenant.AdditionalHosts = append(tenant.AdditionalHosts, string(host))
		}
		tenant.Claim = NewClaim(tenant.Resource)
		return tenant
	}
	changes := map[string]func(*v1alpha1.ProvisioningTenantSpec){
		"authentication.oauth.accessTokenLifetime": func(s *v1alpha1.ProvisioningTenantSpec) { s.Authentication.OAuth = &v1alpha1.OAuth{} },
		"authentication.workloadIdentity.audiences": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Authentication.WorkloadIdentity = &v1alpha1.WorkloadIdentity{}
		},
		"authentication.readers": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Authentication.Readers = []v1alpha1.Reader{{Name: "payroll"}}
		},
		"exposure.type": func(s *v1alpha1.ProvisioningTenantSpec) { s.Exposure.Type = v1alpha1.ExposureNone },
		"exposure.additionalHosts": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Exposure.AdditionalHosts = []v1alpha1.HostName{"former.example.com"}
		},
		"exposure.host": func(s *v1alpha1.ProvisioningTenantSpec) { s.Exposure.Host = "other.example.com" },
		"exposure.ingress.className": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Exposure.Ingress = &v1alpha1.IngressExposure{ClassName: "other"}
		},
		"exposure.ingress.annotations": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Exposure.Ingress = &v1alpha1.IngressExposure{Annotations: map[string]string{"a": "b"}}
		},
		"exposure.ingress.readiness": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Exposure.Ingress = &v1alpha1.IngressExposure{Readiness: v1alpha1.ReadinessAssumed}
		},
		"exposure.gateway.parentRefs": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Exposure.Gateway = &v1alpha1.GatewayExposure{ParentRefs: []v1alpha1.GatewayReference{{Name: "public", Namespace: "edge"}}}
		},
		"exposure.ingress.tls.issuerRef.name": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Exposure.Ingress = issuer("ca", "Issuer", "cert-manager.io")
		},
		"exposure.ingress.tls.issuerRef.kind": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Exposure.Ingress = issuer("", "ClusterIssuer", "cert-manager.io")
		},
		"exposure.ingress.tls.issuerRef.group": func(s *v1alpha1.ProvisioningTenantSpec) { s.Exposure.Ingress = issuer("", "Issuer", "example.com") },
		"exposure.ingress.tls.secretName": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Exposure.Ingress = &v1alpha1.IngressExposure{TLS: &v1alpha1.IngressTLS{SecretName: "tls"}}
		},
		"storage.sqlite.size": func(s *v1alpha1.ProvisioningTenantSpec) { s.Storage.SQLite.Size = resource.MustParse("2Gi") },
		"storage.sqlite.storageClassName": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Storage.SQLite.StorageClassName = "fast"
		},
		"server.resources.requests": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Server.Resources = &v1alpha1.ServerResources{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}
		},
		"server.resources.limits": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Server.Resources = &v1alpha1.ServerResources{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}
		},
		"server.template.metadata.labels": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Server.Template.Metadata.Labels = map[string]v1alpha1.LabelValue{"cost-center": "42"}
		},
		"server.template.metadata.annotations": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Server.Template.Metadata.Annotations = map[string]v1alpha1.AnnotationValue{"linkerd.io/inject": "enabled"}
		},
		"server.template.spec.imagePullSecrets": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Server.Template.Spec.ImagePullSecrets = []v1alpha1.SecretReference{{Name: "registry"}}
		},
		"server.template.spec.nodeSelector": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Server.Template.Spec.NodeSelector = map[string]string{"pool": "tenants"}
		},
		"server.template.spec.tolerations": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Server.Template.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		},
		"server.template.spec.affinity": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Server.Template.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{}}
		},
		"storage.postgresql.port": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Storage.PostgreSQL = &v1alpha1.PostgreSQLStorage{Port: 5433}
		},
		"server.template.spec.topologySpreadConstraints": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Server.Template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{TopologyKey: "zone"}}
		},
		"server.template.spec.priorityClassName": func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Template.Spec.PriorityClassName = "high" },
		"deletionPolicy":                         func(s *v1alpha1.ProvisioningTenantSpec) { s.DeletionPolicy = v1alpha1.DeletionPolicyDelete },
	}
	// Fields that a tenant in PostgreSQL has.
	ofDatabases := map[string]func(*v1alpha1.ProvisioningTenantSpec){
		"storage.postgresql.connectionSecretRef.name": func(s *v1alpha1.ProvisioningTenantSpec) { s.Storage.PostgreSQL.ConnectionSecretRef.Name = "other" },
		"storage.postgresql.connectionSecretRef.key":  func(s *v1alpha1.ProvisioningTenantSpec) { s.Storage.PostgreSQL.ConnectionSecretRef.Key = "dsn" },
		"server.replicas":                func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Autoscaling, s.Server.Replicas = nil, new(int32(4)) },
		"server.autoscaling.minReplicas": func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Autoscaling.MinReplicas = 1 },
		"server.autoscaling.maxReplicas": func(s *v1alpha1.ProvisioningTenantSpec) { s.Server.Autoscaling.MaxReplicas = 9 },
		"server.autoscaling.targetCPUUtilizationPercentage": func(s *v1alpha1.ProvisioningTenantSpec) {
			s.Server.Autoscaling.TargetCPUUtilizationPercentage = 200
		},
	}
	// The SCIM server reads these from the resource, and what follows from the type of the storage the operator resolves.
	elsewhere := []string{
		"className", "displayName", "identityProvider.type", "identityProvider.entra.tenantID", "identityProvider.entra.cloud", "provisioning.state", "provisioning.users", "provisioning.groups", "access.state",
		"catalog.companies", "catalog.roles",
		"authentication.secretToken.rotationInterval", "authentication.secretToken.overlap",
		"authentication.oauth.rotationInterval", "authentication.oauth.overlap",
		"authentication.workloadIdentity.subjects", "authentication.entraToken.audiences", "authentication.entraToken.applications",
		"authentication.userToken.audiences",
		"retention.deactivatedUsers", "retention.provisioningLog", "rateLimit.requestsPerSecond", "rateLimit.burst", "schema.extensions", "storage.type",
	}
	known := slices.Concat(elsewhere, slices.Collect(mapsKeys(changes)), slices.Collect(mapsKeys(ofDatabases)))
	for _, leaf := range fields.Leaves(reflect.TypeFor[v1alpha1.ProvisioningTenantSpec]()) {
		if !slices.Contains(known, leaf) {
			t.Errorf("spec.%s is new: say here what it changes", leaf)
		}
	}

	follow := func(base func() Tenant, changes map[string]func(*v1alpha1.ProvisioningTenantSpec)) {
		before := build(t, resolve(base()))
		for field, change := range changes {
			tenant := base()
			change(&tenant.Resource.Spec)
			if changed := build(t, resolve(tenant)); reflect.DeepEqual(before, changed) {
				t.Errorf("spec.%s changes no object", field)
			}
		}
		if again := build(t, resolve(base())); !reflect.DeepEqual(before, again) {
			t.Error("unsetting a field leaves something behind")
		}
	}
	follow(plain, changes)
	follow(database, ofDatabases)
}

func issuer(name, kind, group string) *v1alpha1.IngressExposure {
	return &v1alpha1.IngressExposure{TLS: &v1alpha1.IngressTLS{IssuerRef: &v1alpha1.IssuerReference{Name: name, Kind: kind, Group: group}}}
}

func TestTheServerIsLetOutToTheLoginAuthority(t *testing.T) {
	for authority, want := range map[string]int{
		"": 0, "https://login.example.com": 0, "https://login.example.com:443/": 0, "https://login.example.com:6443": 0,
		"https://login.example.com:8443": 8443, "https://login.example.com:8443/base": 8443, "https://[2001:db8::1]:9443": 9443,
		"http://login.example.com": 80, "http://login.example.com:443": 0, "http://127.0.0.1:34127": 34127,
	} {
		tenant := plain()
		tenant.EntraAuthority = authority
		// Two rules are for DNS and the Kubernetes API.
		rules := networkPolicy(t, tenant).Spec.Egress[2:]
		if want == 0 && len(rules) == 0 {
			continue
		}
		if len(rules) != 1 || len(rules[0].To) != 0 || len(rules[0].Ports) != 1 || rules[0].Ports[0].Port.IntValue() != want {
			t.Errorf("%q: egress %+v, want port %d", authority, rules, want)
		}
	}
}

func TestARoleWithoutUserDefaultsDoesNotAllowAllOfThem(t *testing.T) {
	for _, rule := range Role(plain()).Rules {
		if len(rule.ResourceNames) == 0 {
			t.Errorf("the rule for %v has no resourceNames and so allows all of them", rule.Resources)
		}
	}
}

// bug class 21: a secret where it does not belong.
func TestTheTokenIsInTheSecretsThatHandItOutOnly(t *testing.T) {
	encoded := "dG50XzAwMDAw" // "tnt_00000" in base64
	for kind, text := range build(t, full()) {
		if has := strings.Contains(text, plaintext) || strings.Contains(text, encoded); has != (kind == "credentials" || strings.HasPrefix(kind, "reader-")) {
			t.Errorf("%s contains the token: %v", kind, has)
		}
	}
}

// bug class 14: names that are cut or collide.
func TestTheLongestNameGivesNamesThatKubernetesTakes(t *testing.T) {
	name := strings.Repeat("a", 52)
	for _, built := range []string{ServerName(name), DataName(name), VerifierName(name)} {
		if len(built) > 63 {
			t.Errorf("%s has %d characters, more than a DNS label", built, len(built))
		}
	}
}

func TestTheTenantURLNamesTheHostOrElseTheService(t *testing.T) {
	tenant := plain().Resource
	if got := TenantURL(tenant, "contoso.example.com"); got != "https://contoso.example.com/scim/v2" {
		t.Error(got)
	}
	if got := TenantURL(tenant, ""); got != "http://contoso-scim.customers.svc/scim/v2" {
		t.Error(got)
	}
}

func TestThePolicyIsOpenToThePortsThatTheClusterHas(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		ports     ClusterPorts
		authority string
		want      string
	}{
		"not known":        {want: "UDP/53 TCP/53 TCP/443 TCP/6443"},
		"as usual":         {ports: ClusterPorts{API: []int32{6443}, DNS: []int32{53}}, want: "UDP/53 TCP/53 TCP/443 TCP/6443"},
		"others":           {ports: ClusterPorts{API: []int32{8443}, DNS: []int32{5353}}, want: "UDP/53 TCP/53 UDP/5353 TCP/5353 TCP/443 TCP/8443"},
		"the API's at 443": {ports: ClusterPorts{API: []int32{443}}, want: "UDP/53 TCP/53 TCP/443"},
		"an authority of its own": {ports: ClusterPorts{API: []int32{8443}}, authority: "https://login.example.com:6443",
			want: "UDP/53 TCP/53 TCP/443 TCP/8443 TCP/6443"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := plain()
			tenant.Ports, tenant.EntraAuthority = row.ports, row.authority
			var open []string
			for _, rule := range networkPolicy(t, tenant).Spec.Egress {
				for _, port := range rule.Ports {
					open = append(open, fmt.Sprintf("%s/%s", *port.Protocol, port.Port))
				}
			}
			if got := strings.Join(open, " "); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}
