package clustertest

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// bug class 9: invalid input that is accepted.
func TestTheAPIServerRefusesATenantThatMakesNoSenseAndSaysWhatWould(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range map[string]struct {
		change func(*v1alpha1.ProvisioningTenant)
		want   string
	}{
		"a name that is too long": {named(strings.Repeat("a", 53)),
			"metadata.name must have at most 52 characters: the names of the tenant's objects add to it"},
		"a name that begins with a digit": {named("3com"),
			"metadata.name must be a DNS label that begins with a letter, of lower-case letters, digits and '-', because it becomes part of a host name and of a Service's name"},
		"a name with a dot": {named("contoso.com"), "metadata.name must be a DNS label that begins with a letter"},
		"a tenant ID that is no GUID": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Entra().TenantID = strings.Repeat("x", 36) },
			"spec.identityProvider.entra.tenantID: Invalid value: must be a GUID such as 8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11, the directory (tenant) ID in the Microsoft Entra admin center"},
		"a tenant's domain in place of its ID": {
			func(p *v1alpha1.ProvisioningTenant) { p.Spec.Entra().TenantID = "contoso.onmicrosoft.com" }, "spec.identityProvider.entra.tenantID: Invalid value: must be a GUID"},
		"an unknown cloud": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Entra().Cloud = "Mars" },
			`spec.identityProvider.entra.cloud: Unsupported value: "Mars": supported values: "Public", "USGovernment", "China"`},
		"a switch that is neither": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Provisioning.Users = "Maybe" },
			`spec.provisioning.users: Unsupported value: "Maybe": supported values: "Enabled", "Disabled"`},
		"a state of provisioning that there is not": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Provisioning.State = "Disabled" },
			`spec.provisioning.state: Unsupported value: "Disabled": supported values: "Active", "Suspended"`},
		"a state of access that there is not": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Access.State = "Off" },
			`spec.access.state: Unsupported value: "Off": supported values: "Active", "Suspended"`},
		"a company twice": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Catalog.Companies = []string{"a", "a"} },
			`spec.catalog.companies[1]: Duplicate value: "a"`},
		"a company without a name": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Catalog.Companies = []string{""} },
			"spec.catalog.companies[0]: Invalid value: \"\": spec.catalog.companies[0] in body should be at least 1 chars long"},
		"a host with a scheme": {withHost("https://contoso.example.com"),
			"spec.exposure.host: Invalid value: must be a DNS name in lower case such as contoso.scim.example.com, without scheme, port or path"},
		"a host in capitals": {withHost("Contoso.example.com"), "must be a DNS name in lower case"},
		"an additional host with a scheme": {withAdditional("https://contoso.example.com"),
			"spec.exposure.additionalHosts[0]: Invalid value: must be a DNS name in lower case such as contoso.scim.example.com, without scheme, port or path"},
		"an additional host that is none": {withAdditional(""), "spec.exposure.additionalHosts[0] in body should be at least 1 chars long"},
		"an additional host twice":        {withAdditional("a.example.com", "a.example.com"), `spec.exposure.additionalHosts[1]: Duplicate value: "a.example.com"`},
		"too many additional hosts": {withAdditional("a.test", "b.test", "c.test", "d.test", "e.test", "f.test", "g.test", "h.test", "i.test"),
			"spec.exposure.additionalHosts: Too many: 9: must have at most 8 items"},
		"the host as an additional one": {func(p *v1alpha1.ProvisioningTenant) {
			p.Spec.Exposure.Host, p.Spec.Exposure.AdditionalHosts = "a.example.com", []v1alpha1.HostName{"b.example.com", "a.example.com"}
		}, "spec.exposure: Invalid value: additionalHosts must not have host, which is the tenant's anyway"},
		"Ingress settings without an Ingress": {func(p *v1alpha1.ProvisioningTenant) {
			p.Spec.Exposure.Type, p.Spec.Exposure.Ingress = v1alpha1.ExposureNone, &v1alpha1.IngressExposure{ClassName: "x"}
		}, "spec.exposure: Invalid value: ingress may be specified only when type is Ingress"},
		"a Gateway without a name": {onGateway(v1alpha1.GatewayReference{Namespace: "edge"}), "spec.exposure.gateway.parentRefs[0].name: Required value"},
		"a route on a Service": {onGateway(v1alpha1.GatewayReference{Kind: "Service", Name: "public"}),
			`spec.exposure.gateway.parentRefs[0].kind: Unsupported value: "Service": supported values: "Gateway", "ListenerSet"`},
		"a Gateway of another group": {onGateway(v1alpha1.GatewayReference{Group: "networking.istio.io", Name: "public"}),
			`spec.exposure.gateway.parentRefs[0].group: Unsupported value: "networking.istio.io": supported values: "gateway.networking.k8s.io"`},
		"a port that cannot be": {onGateway(v1alpha1.GatewayReference{Name: "public", Port: 65536}),
			"spec.exposure.gateway.parentRefs[0].port: Invalid value: 65536: spec.exposure.gateway.parentRefs[0].port in body should be less than or equal to 65535"},
		"an identity provider that says nothing": {
			func(p *v1alpha1.ProvisioningTenant) { p.Spec.IdentityProvider = &v1alpha1.IdentityProvider{} },
			"spec.identityProvider: Invalid value: entra must be specified when type is Entra, and only then",
		},
		"an identity provider that is not known": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.IdentityProvider.Type = "Okta" },
			`spec.identityProvider.type: Unsupported value: "Okta": supported values: "Entra"`},
		"a label of the operator's on pods": {
			func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Server.Template.Metadata.Labels = map[string]v1alpha1.LabelValue{"app.kubernetes.io/name": "mine"}
			},
			"spec.server.template.metadata.labels: Invalid value: must not have labels of app.kubernetes.io or provisioning.tenantry.dev: " +
				"the tenant's Service and NetworkPolicy go by those",
		},
		"a label with a value that is none": {
			func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Server.Template.Metadata.Labels = map[string]v1alpha1.LabelValue{"team": "a b"}
			},
			"spec.server.template.metadata.labels[team]: Invalid value: must be the value of a label: letters, digits, '-', '_' and '.', with a letter or digit first and last",
		},
		"a label without a name": {
			func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Server.Template.Metadata.Labels = map[string]v1alpha1.LabelValue{"/team": "a"}
			},
			"spec.server.template.metadata.labels: Invalid value: must have names of labels, such as team or example.com/team",
		},
		"a label that a Job sets on pods": {
			func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Server.Template.Metadata.Labels = map[string]v1alpha1.LabelValue{"job-name": "mine"}
			},
			"spec.server.template.metadata.labels: Invalid value: must not have pod-template-hash, controller-revision-hash, job-name, controller-uid or " +
				"labels of apps, batch and statefulset.kubernetes.io: controllers of Kubernetes set those",
		},
		"a label that a StatefulSet sets on pods": {
			func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Server.Template.Metadata.Labels = map[string]v1alpha1.LabelValue{"statefulset.kubernetes.io/pod-name": "mine"}
			},
			"spec.server.template.metadata.labels: Invalid value: must not have pod-template-hash, controller-revision-hash, ",
		},
		"an annotation of the operator's on pods": {
			func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Server.Template.Metadata.Annotations = map[string]v1alpha1.AnnotationValue{v1alpha1.TenantLabel: "mine"}
			},
			"spec.server.template.metadata.annotations: Invalid value: must not have annotations of provisioning.tenantry.dev: those are the operator's",
		},
		"a Secret without a name to pull with": {
			func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Server.Template.Spec.ImagePullSecrets = []v1alpha1.SecretReference{{}}
			},
			"spec.server.template.spec.imagePullSecrets[0].name: Required value",
		},
		"a Secret to pull with that cannot be": {
			func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Server.Template.Spec.ImagePullSecrets = []v1alpha1.SecretReference{{Name: "Bad Name"}}
			},
			"spec.server.template.spec.imagePullSecrets[0].name: Invalid value: must be the name of a Secret, of lower-case letters, digits, '-' and '.' such as registry",
		},
		"a priority that cannot be": {
			func(p *v1alpha1.ProvisioningTenant) { p.Spec.Server.Template.Spec.PriorityClassName = "High!" },
			"spec.server.template.spec.priorityClassName: Invalid value: must be the name of a PriorityClass, of lower-case letters, digits, '-' and '.' such as tenants",
		},
		"servers spread twice in one way": {
			func(p *v1alpha1.ProvisioningTenant) {
				one := corev1.TopologySpreadConstraint{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.ScheduleAnyway}
				p.Spec.Server.Template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{one, one}
			},
			`spec.server.template.spec.topologySpreadConstraints[1]: Duplicate value: {"topologyKey":"zone",`,
		},
		"a class of Ingresses that cannot be": {withIngress(v1alpha1.IngressExposure{ClassName: "Traefik Proxy"}),
			"spec.exposure.ingress.className: Invalid value: must be the name of an IngressClass, of lower-case letters, digits, '-' and '.' such as traefik"},
		"an annotation of the operator's on the Ingress": {withIngress(v1alpha1.IngressExposure{Annotations: map[string]string{v1alpha1.TenantLabel: "mine"}}),
			"spec.exposure.ingress.annotations: Invalid value: must not have annotations of provisioning.tenantry.dev: those are the operator's"},
		"an annotation of the Ingress without a name": {withIngress(v1alpha1.IngressExposure{Annotations: map[string]string{"a b": "c"}}),
			"spec.exposure.ingress.annotations: Invalid value: must have names of annotations, such as team or example.com/team"},
		"a certificate in a Secret that cannot be": {withTLS(v1alpha1.IngressTLS{SecretName: "Contoso TLS"}),
			"spec.exposure.ingress.tls.secretName: Invalid value: must be the name of a Secret, of lower-case letters, digits, '-' and '.' such as contoso-tls"},
		"an issuer that cannot be": {withTLS(v1alpha1.IngressTLS{IssuerRef: &v1alpha1.IssuerReference{Name: "Let's Encrypt"}}),
			"spec.exposure.ingress.tls.issuerRef.name: Invalid value: must be the name of an issuer, of lower-case letters, digits, '-' and '.' such as letsencrypt"},
		"an issuer of a kind that cannot be": {withTLS(v1alpha1.IngressTLS{IssuerRef: &v1alpha1.IssuerReference{Name: "x", Kind: "cluster issuer"}}),
			"spec.exposure.ingress.tls.issuerRef.kind: Invalid value: must be a kind such as Issuer or ClusterIssuer"},
		"an issuer of a group that cannot be": {withTLS(v1alpha1.IngressTLS{IssuerRef: &v1alpha1.IssuerReference{Name: "x", Group: "cert-manager.io/v1"}}),
			"spec.exposure.ingress.tls.issuerRef.group: Invalid value: must be the group of a kind, a DNS name such as cert-manager.io"},
		"a certificate from nowhere": {withTLS(v1alpha1.IngressTLS{}), "spec.exposure.ingress.tls: Invalid value: secretName or issuerRef must be specified"},
		"a Gateway with a name that cannot be": {onGateway(v1alpha1.GatewayReference{Name: "Public Gateway"}),
			"spec.exposure.gateway.parentRefs[0].name: Invalid value: must be the name of a Gateway or ListenerSet, of lower-case letters, digits, '-' and '.' such as public"},
		"a Gateway in a namespace that cannot be": {onGateway(v1alpha1.GatewayReference{Name: "public", Namespace: "edge.example"}),
			"spec.exposure.gateway.parentRefs[0].namespace: Invalid value: must be the name of a namespace, a DNS label of lower-case letters, digits and '-' such as edge"},
		"a listener that cannot be": {onGateway(v1alpha1.GatewayReference{Name: "public", SectionName: "HTTPS"}),
			"spec.exposure.gateway.parentRefs[0].sectionName: Invalid value: must be the name of a listener, of lower-case letters, digits, '-' and '.' such as https"},
		"Gateway settings without a Gateway": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Gateway = &v1alpha1.GatewayExposure{} },
			"spec.exposure: Invalid value: gateway may be specified only when type is Gateway"},
		"a class of volumes that cannot be": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Storage.SQLite.StorageClassName = "Fast SSD" },
			"spec.storage.sqlite.storageClassName: Invalid value: must be the name of a StorageClass, of lower-case letters, digits, '-' and '.' such as fast"},
		"a database that does not exist": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Storage.Type = "Oracle" },
			`spec.storage.type: Unsupported value: "Oracle": supported values: "SQLite", "PostgreSQL"`},
		"a volume that is too small": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Storage.SQLite.Size = resource.MustParse("1Mi") },
			"spec.storage.sqlite.size: Invalid value: must be at least 16Mi"},
		"a log kept for minutes": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.Retention.ProvisioningLog.Duration = time.Minute },
			"spec.retention.provisioningLog: Invalid value: must be a duration from 1h to 87600h, such as 720h or 36h30m"},
		"inactive users deleted within a day": {
			func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Retention.DeactivatedUsers = &metav1.Duration{Duration: 24*time.Hour - time.Second}
			},
			"spec.retention.deactivatedUsers: Invalid value: must be a duration from 24h to 87600h such as 2160h: users that are inactive for so long are deleted",
		},
		"a limit that lets nobody in": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.RateLimit.RequestsPerSecond = ptr.To[int32](0) },
			"spec.rateLimit.requestsPerSecond: Invalid value: 0: spec.rateLimit.requestsPerSecond in body should be greater than or equal to 1"},
		"a burst beyond all measure": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.RateLimit.Burst = ptr.To[int32](100001) },
			"spec.rateLimit.burst: Invalid value: 100001: spec.rateLimit.burst in body should be less than or equal to 100000"},
		"an unknown policy": {func(p *v1alpha1.ProvisioningTenant) { p.Spec.DeletionPolicy = "Archive" },
			`spec.deletionPolicy: Unsupported value: "Archive": supported values: "Retain", "Delete"`},
		"a schema of the core": {declaring(v1alpha1.SchemaExtension{ID: "urn:ietf:params:scim:schemas:core:2.0:User", Attributes: badge}),
			"spec.schema.extensions[0].id: Invalid value: must be a URN of your own: core schemas, messages and the schema of Tenantry cannot be declared"},
		"a schema twice, in another case": {
			declaring(v1alpha1.SchemaExtension{ID: "urn:contoso:hr", Attributes: badge}, v1alpha1.SchemaExtension{ID: "urn:contoso:HR", Attributes: badge}),
			"spec.schema.extensions: Invalid value: must have each id once: URNs are compared without regard to case"},
		"an attribute of no known type": {declaring(v1alpha1.SchemaExtension{ID: "urn:contoso:hr", Attributes: []v1alpha1.SchemaAttribute{{Name: "badge", Type: "number"}}}),
			`spec.schema.extensions[0].attributes[0].type: Unsupported value: "number": supported values: "string", "boolean", "decimal", "integer", "dateTime", "reference", "binary", "complex"`},
		"a complex attribute without parts": {declaring(v1alpha1.SchemaExtension{ID: "urn:contoso:hr", Attributes: []v1alpha1.SchemaAttribute{{Name: "badge", Type: "complex"}}}),
			"spec.schema.extensions[0].attributes[0]: Invalid value: subAttributes must be given when type is complex, and only then"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w.Create(t.Context(), w.tenant(named("refused"), test.change), client.DryRunAll), test.want)
		})
	}
}

func withIngress(ingress v1alpha1.IngressExposure) func(*v1alpha1.ProvisioningTenant) {
	return func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Ingress = &ingress }
}

func withTLS(tls v1alpha1.IngressTLS) func(*v1alpha1.ProvisioningTenant) {
	return withIngress(v1alpha1.IngressExposure{TLS: &tls})
}

func declaring(extensions ...v1alpha1.SchemaExtension) func(*v1alpha1.ProvisioningTenant) {
	return func(p *v1alpha1.ProvisioningTenant) { p.Spec.Schema.Extensions = extensions }
}

// badge is the one attribute of a declared schema.
var badge = []v1alpha1.SchemaAttribute{{Name: "badge"}}

func TestTheOwnerIsToldOfASchemaThatContradictsWhatIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(declaring(v1alpha1.SchemaExtension{ID: "urn:contoso:hr:1.0:User", Name: "HR", Attributes: []v1alpha1.SchemaAttribute{
		{Name: "badge", Type: "integer"}, {Name: "desk", Type: "complex", SubAttributes: []v1alpha1.SchemaSubAttribute{{Name: "value"}}},
	}})))
	w.until(tenant, ready)
	report := func(refused ...v1alpha1.RefusedSchema) {
		patch := client.MergeFrom(tenant.DeepCopy())
		tenant.Status.Directory = &v1alpha1.DirectoryStatus{RefusedSchemas: refused}
		if err := w.Status().Patch(t.Context(), tenant, patch); err != nil {
			t.Fatal(err)
		}
	}
	report(v1alpha1.RefusedSchema{ID: "urn:contoso:hr:1.0:User", Message: "attribute badge must stay of type string: values are stored"})
	w.until(tenant, "SchemaInEffect=False/SchemaContradictsData", "Stalled=True/SchemaContradictsData", ready)
	condition := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionSchemaInEffect)
	if want := `spec.schema.extensions["urn:contoso:hr:1.0:User"]: attribute badge must stay of type string: values are stored.`; condition.Message != want {
		t.Errorf("got:  %s\nwant: %s", condition.Message, want)
	}
	if tenant.Status.TenantURL == "" {
		t.Error("the tenant lost its URL")
	}
	report()
	w.until(tenant, ready)
}

func TestTheAPIServerRefusesUserDefaultsThatMakeNoSenseAndSaysWhatWould(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	attribute := func(path, value string) func(*v1alpha1.UserDefaults) {
		return func(d *v1alpha1.UserDefaults) {
			d.Spec.Attributes = []v1alpha1.AttributeDefault{{Path: path, Value: value}}
		}
	}
	const ours = "spec.attributes[0].path: Invalid value: must not be id, meta, schemas, userName, externalId, active, password or groups: these are the client's or the server's"
	for name, test := range map[string]struct {
		change func(*v1alpha1.UserDefaults)
		want   string
	}{
		"no tenant":                        {func(d *v1alpha1.UserDefaults) { d.Spec.TenantRef.Name = "" }, "spec.tenantRef: Required value"},
		"a tenant that cannot be":          {func(d *v1alpha1.UserDefaults) { d.Spec.TenantRef.Name = "Contoso" }, "spec.tenantRef.name: Invalid value: must be the name of a ProvisioningTenant, of lower-case letters, digits and '-' such as contoso"},
		"an unknown mode":                  {func(d *v1alpha1.UserDefaults) { d.Spec.Apply = "Never" }, `spec.apply: Unsupported value: "Never": supported values: "OnCreate", "Always"`},
		"a priority too far":               {func(d *v1alpha1.UserDefaults) { d.Spec.Priority = 1000001 }, "spec.priority in body should be less than or equal to 1000000"},
		"a locale in words":                {func(d *v1alpha1.UserDefaults) { d.Spec.Locale = "Swedish!" }, "spec.locale: Invalid value: must be a language tag such as sv-SE"},
		"a time zone offset":               {func(d *v1alpha1.UserDefaults) { d.Spec.Timezone = "+01:00" }, "spec.timezone: Invalid value: must be a name of the IANA time zone database such as Europe/Stockholm"},
		"the user's name":                  {attribute("userName", "x"), ours},
		"the user's name by its full path": {attribute("URN:ietf:params:scim:schemas:core:2.0:User:username", "x"), ours},
		"meta.location":                    {attribute("meta.location", "x"), ours},
		"an attribute without a value":     {attribute("title", ""), "spec.attributes[0].value: Required value"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w.Create(t.Context(), w.defaults("refused", test.change), client.DryRunAll), test.want)
		})
	}
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("it was accepted, want: %s", want)
	}
	// The API server shows the value between quotes or by its type; the message is what matters. Kubernetes 1.31 has other words for two of them.
	text := strings.NewReplacer(`Invalid value: "object": `, "Invalid value: ", "map[string]interface {}{", "{").Replace(err.Error())
	text = longerThan.ReplaceAllString(text, "may not be more than $1 bytes")
	if !strings.Contains(text, want) && !strings.Contains(withoutValue(text), want) {
		t.Errorf("got: %s\nwant: %s", text, want)
	}
}

var longerThan = regexp.MustCompile("may not be longer than ([0-9]+)")

// withoutValue takes the quoted value out of "Invalid value: \"…\": message".
func withoutValue(text string) string {
	const mark = `Invalid value: "`
	before, rest, ok := strings.Cut(text, mark)
	if !ok {
		return text
	}
	_, after, _ := strings.Cut(rest, `": `)
	return before + "Invalid value: " + after
}

func TestWhatCannotChangeLaterIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Storage.SQLite.StorageClassName = "fast" }))
	for want, change := range map[string]func(*v1alpha1.ProvisioningTenant){
		"storageClassName is immutable: a volume cannot change its class": func(p *v1alpha1.ProvisioningTenant) {
			p.Spec.Storage.SQLite.StorageClassName = "slow"
		},
		"storageClassName is immutable: a volume cannot change its class ": func(p *v1alpha1.ProvisioningTenant) {
			p.Spec.Storage.SQLite.StorageClassName = ""
		},
	} {
		fresh := get(w, &v1alpha1.ProvisioningTenant{}, tenant.Name)
		patch := client.MergeFrom(fresh.DeepCopy())
		change(fresh)
		refused(t, w.Patch(t.Context(), fresh, patch), strings.TrimSpace(want))
	}
	defaults := create(w, w.defaults("everybody"))
	patch := client.MergeFrom(defaults.DeepCopy())
	defaults.Spec.TenantRef.Name = "fabrikam"
	refused(t, w.Patch(t.Context(), defaults, patch), "tenantRef is immutable: make a new UserDefaults for the other tenant")
}

func TestATenantThatNamesNothingGetsTheDefaultsThatAreDocumented(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	empty := &v1alpha1.ProvisioningTenant{}
	empty.Namespace, empty.Name = w.namespace, "documented" // by the name of another test's tenant it would get that one's host
	tenant := create(w, empty)
	// Nothing that a class of tenants may come to decide is written into the spec, or nobody could tell what the tenant asked for.
	want := v1alpha1.ProvisioningTenantSpec{
		Provisioning:   v1alpha1.Provisioning{State: v1alpha1.StateActive, Users: v1alpha1.SwitchEnabled, Groups: v1alpha1.SwitchEnabled},
		Access:         v1alpha1.Access{State: v1alpha1.StateActive},
		Authentication: v1alpha1.Authentication{SecretToken: &v1alpha1.SecretToken{}},
	}
	if diff := cmp.Diff(want, tenant.Spec); diff != "" {
		t.Errorf("the spec differs (-want +got):\n%s", diff)
	}
	w.until(tenant, ready, "EntraTenantVerified=Unknown/NotConfigured")
	claim := get(w, &corev1.PersistentVolumeClaim{}, "documented-data")
	if size := claim.Spec.Resources.Requests[corev1.ResourceStorage]; size.String() != "1Gi" || len(claim.OwnerReferences) > 0 {
		t.Errorf("the volume claim asks for %s and is owned by %v, want 1Gi and nobody", &size, claim.OwnerReferences)
	}
	if got, want := tenant.Status.Storage, v1alpha1.StorageSQLite; got.Type != want || got.DeletionPolicy != v1alpha1.DeletionPolicyRetain {
		t.Errorf("the storage is %+v, want %s that is retained", got, want)
	}
	get(w, &networkingv1.Ingress{}, "documented-scim")
	if want := "https://documented.scim.test/scim/v2"; tenant.Status.TenantURL != want {
		t.Errorf("status.tenantURL is %q, want %q under the operator's base domain", tenant.Status.TenantURL, want)
	}
}
