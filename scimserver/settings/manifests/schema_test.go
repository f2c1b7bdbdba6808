package manifests

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// crd is a kind as the API server has it.
type crd struct {
	structural *structuralschema.Structural
	validator  validation.SchemaValidator
}

func readCRD(t *testing.T, resource string) crd {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "crd", "bases", "provisioning.tenantry.dev_"+resource+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(data, &definition); err != nil {
		t.Fatal(err)
	}
	var schema apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(definition.Spec.Versions[0].Schema.OpenAPIV3Schema, &schema, nil); err != nil {
		t.Fatal(err)
	}
	structural, err := structuralschema.NewStructural(&schema)
	if err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(&schema)
	if err != nil {
		t.Fatal(err)
	}
	return crd{structural, validator}
}

// admit fills in the defaults of a manifest and returns it with what the API server would say.
func (c crd) admit(t *testing.T, manifest string) (map[string]any, field.ErrorList) {
	t.Helper()
	converted, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(converted, &object); err != nil {
		t.Fatal(err)
	}
	defaulting.Default(object, c.structural)
	list := validation.ValidateCustomResource(nil, object, c.validator)
	list = append(list, listtype.ValidateListSetsAndMaps(nil, c.structural, object)...)
	failures, _ := cel.NewValidator(c.structural, true, celconfig.PerCallLimit).
		Validate(t.Context(), nil, c.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return object, append(list, failures...)
}

func tenantManifest(name, spec string) string {
	return "apiVersion: provisioning.tenantry.dev/v1alpha1\nkind: ProvisioningTenant\nmetadata: {name: " + name + "}\nspec: " + spec + "\n"
}

func defaultsManifest(spec string) string {
	return "apiVersion: provisioning.tenantry.dev/v1alpha1\nkind: UserDefaults\nmetadata: {name: finance}\nspec: " + spec + "\n"
}

func TestDefaultsAreThoseOfTheCRD(t *testing.T) {
	for resource, manifests := range map[string][]string{
		"provisioningtenants": {
			tenantManifest("contoso", "{}"),
			tenantManifest("contoso", "{identityProvider: {entra: {tenantID: 8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11}}, provisioning: {users: Disabled}, exposure: {type: None}}"),
			tenantManifest("contoso", "{provisioning: {state: Suspended}}"),
			tenantManifest("contoso", "{access: {state: Suspended}}"),
			tenantManifest("contoso", "{rateLimit: {requestsPerSecond: 50}}"),
			tenantManifest("contoso", "{storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db}}}}"),
			tenantManifest("contoso", "{schema: {extensions: [{id: urn:contoso:hr, attributes: [{name: a, type: complex, subAttributes: [{name: value}]}, {name: b}]}]}}"),
			tenantManifest("contoso", "{storage: {sqlite: {size: 2Gi}}, deletionPolicy: Delete, provisioning: {groups: Disabled}, retention: {provisioningLog: 36h30m0s}}"),
			tenantManifest("contoso", "{identityProvider: {entra: {tenantID: 8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11}}, authentication: {entraToken: {}, oauth: {}, readers: [{name: payroll}]}}"),
			tenantManifest("contoso", "{identityProvider: {entra: {tenantID: 8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11}}, authentication: {entraToken: {audiences: [a], applications: [b]}, oauth: {accessTokenLifetime: 1h30m0s}}}"),
		},
		"userdefaults": {
			defaultsManifest("{tenantRef: {name: contoso}, companies: [A]}"),
			defaultsManifest("{tenantRef: {name: contoso}, companies: [A], apply: Always, priority: -3}"),
		},
	} {
		definition := readCRD(t, resource)
		for _, manifest := range manifests {
			want, failures := definition.admit(t, manifest)
			if len(failures) > 0 {
				t.Fatalf("%s: %v", manifest, failures)
			}
			found, err := split("a.yaml, document 1", []byte(manifest))
			if err != nil {
				t.Fatal(err)
			}
			var object any
			if resource == "userdefaults" {
				defaults := &v1alpha1.UserDefaults{}
				err = found[0].decode(defaults)
				setUserDefaultsDefaults(defaults)
				object = defaults
			} else {
				tenant := &v1alpha1.ProvisioningTenant{}
				err = found[0].decode(tenant)
				setTenantDefaults(tenant)
				object = tenant
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got["spec"], want["spec"]) {
				t.Errorf("%s\ngot  %v\nwant %v", manifest, got["spec"], want["spec"])
			}
		}
	}
}

func TestWhatAServerReadsIsRefusedOrTakenAsTheAPIServerDoes(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	many := func(n int) string { return "[" + strings.Repeat("A,", n) + "]" }
	ours := func(rest string) string {
		return defaultsManifest("{tenantRef: {name: contoso}, companies: [A]" + rest + "}")
	}
	authentication := func(rest string) string {
		return tenantManifest("contoso", "{identityProvider: {entra: {tenantID: 8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11}}, authentication: {"+rest+"}}")
	}
	attribute := func(path string) string { return ours(", attributes: [{path: '" + path + "', value: a}]") }
	for resource, manifests := range map[string][]string{
		"provisioningtenants": {
			tenantManifest("contoso", "{}"),
			tenantManifest("contoso.com", "{}"),
			tenantManifest("Contoso", "{}"),
			tenantManifest("contoso-", "{}"),
			tenantManifest("'1'", "{}"),
			tenantManifest(long(52), "{}"),
			tenantManifest(long(53), "{}"),
			tenantManifest("contoso", "{provisioning: {users: Disabled, groups: Enabled}}"),
			tenantManifest("contoso", "{provisioning: {users: disabled}}"),
			tenantManifest("contoso", "{provisioning: {groups: Closed}}"),
			tenantManifest("contoso", "{provisioning: {state: Suspended}, access: {state: Active}}"),
			tenantManifest("contoso", "{provisioning: {state: Disabled}}"),
			tenantManifest("contoso", "{access: {state: suspended}}"),
			tenantManifest("contoso", "{retention: {provisioningLog: 90m}}"),
			tenantManifest("contoso", "{retention: {provisioningLog: 59m}}"),
			tenantManifest("contoso", "{retention: {provisioningLog: 1.5h}}"),
			tenantManifest("contoso", "{retention: {provisioningLog: 87600h}}"),
			tenantManifest("contoso", "{retention: {provisioningLog: 87600h1s}}"),
			tenantManifest("contoso", "{retention: {provisioningLog: -1h}}"),
			tenantManifest("contoso", "{retention: {provisioningLog: 30d}}"),
			tenantManifest("contoso", "{retention: {provisioningLog: 3600}}"),
			tenantManifest("contoso", "{retention: {provisioningLog: 9999999999999h}}"),
			tenantManifest("contoso", "{retention: {deactivatedUsers: 24h}}"),
			tenantManifest("contoso", "{retention: {deactivatedUsers: 23h59m59s}}"),
			tenantManifest("contoso", "{retention: {deactivatedUsers: 87600h}}"),
			tenantManifest("contoso", "{retention: {deactivatedUsers: 87600h1s}}"),
			tenantManifest("contoso", "{retention: {deactivatedUsers: -48h}}"),
			tenantManifest("contoso", "{retention: {deactivatedUsers: 90d}}"),
			tenantManifest("contoso", "{catalog: {companies: [A, a], roles: [A]}}"),
			tenantManifest("contoso", "{catalog: {companies: [A, A]}}"),
			tenantManifest("contoso", "{catalog: {companies: ['']}}"),
			tenantManifest("contoso", "{catalog: {roles: ["+long(257)+"]}}"),
			tenantManifest("contoso", "{catalog: {roles: ["+strings.Repeat("å", 256)+"]}}"),
			tenantManifest("contoso", "{catalog: {roles: "+many(1001)+"}}"),
			tenantManifest("contoso", "{rateLimit: {requestsPerSecond: 100000, burst: 1}}"),
			tenantManifest("contoso", "{rateLimit: {requestsPerSecond: 0}}"),
			tenantManifest("contoso", "{rateLimit: {requestsPerSecond: 100001}}"),
			tenantManifest("contoso", "{rateLimit: {burst: 0}}"),
			tenantManifest("contoso", "{rateLimit: {burst: 100001}}"),
			tenantManifest("contoso", "{identityProvider: {entra: {tenantID: 8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11, cloud: China}}}"),
			tenantManifest("contoso", "{identityProvider: {entra: {tenantID: contoso.onmicrosoft.com}}}"),
			tenantManifest("contoso", "{identityProvider: {entra: {}}}"),
			tenantManifest("contoso", "{identityProvider: {entra: {tenantID: 8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11, cloud: Mars}}}"),
			tenantManifest("contoso", "{storage: {type: SQLite}}"),
			tenantManifest("contoso", "{storage: {type: Postgres}}"),
			tenantManifest("contoso", "{storage: {type: PostgreSQL}}"),
			tenantManifest("contoso", "{storage: {postgresql: {connectionSecretRef: {name: db}}}}"),
			tenantManifest("contoso", "{storage: {type: SQLite, postgresql: {connectionSecretRef: {name: db}}}}"),
			tenantManifest("contoso", "{storage: {type: PostgreSQL, postgresql: {}}}"),
			tenantManifest("contoso", "{storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {key: url}}}}"),
			tenantManifest("contoso", "{storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db, key: a.b}}}}"),
			tenantManifest("contoso", "{storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: Db}}}}"),
			tenantManifest("contoso", "{storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: d.b}}}}"),
			tenantManifest("contoso", "{storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db, key: .b}}}}"),
			tenantManifest("contoso", "{storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: "+long(254)+"}}}}"),
			tenantManifest("contoso", "{storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db}, port: 6432}}}"),
			tenantManifest("contoso", "{storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db}, port: 65536}}}"),
			authentication("oauth: {}"),
			authentication("oauth: {accessTokenLifetime: 1h}"),
			authentication("oauth: {accessTokenLifetime: 90m}"),
			authentication("oauth: {accessTokenLifetime: 6h0m0s}"),
			authentication("oauth: {accessTokenLifetime: 1.5h}"),
			authentication("oauth: {accessTokenLifetime: 59m}"),
			authentication("oauth: {accessTokenLifetime: 6h1s}"),
			authentication("oauth: {accessTokenLifetime: -2h}"),
			authentication("workloadIdentity: {audiences: [a], subjects: [b]}"),
			authentication("workloadIdentity: {audiences: [a]}"),
			authentication("workloadIdentity: {audiences: [], subjects: [b]}"),
			authentication("workloadIdentity: {audiences: [a, a], subjects: [b]}"),
			authentication("workloadIdentity: {audiences: [''], subjects: [b]}"),
			authentication("workloadIdentity: {audiences: [" + long(257) + "], subjects: [b]}"),
			authentication("workloadIdentity: {audiences: [1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g,h], subjects: [b]}"),
			authentication("entraToken: {}"),
			authentication("entraToken: {audiences: []}"),
			authentication("entraToken: {applications: []}"),
			authentication("entraToken: {applications: [a]}"),
			authentication("userToken: {audiences: [a]}"),
			authentication("userToken: {}"),
			tenantManifest("contoso", "{authentication: {workloadIdentity: {audiences: [a], subjects: [b]}}}"),
			tenantManifest("contoso", "{authentication: {entraToken: {}}}"),
			tenantManifest("contoso", "{authentication: {userToken: {audiences: [a]}}}"),
			tenantManifest("contoso", "{authentication: {oauth: {}, readers: [{name: payroll}]}}"),
			authentication("readers: [{name: payroll}, {name: 2nd-app}]"),
			authentication("readers: [{name: payroll}, {name: payroll}]"),
			authentication("readers: [{name: Payroll}]"),
			authentication("readers: [{name: pay.roll}]"),
			authentication("readers: [{name: pay-}]"),
			authentication("readers: [{name: ''}]"),
			authentication("readers: [{name: " + long(56) + "}]"),
			authentication("readers: [{name: " + long(57) + "}]"),
			authentication("readers: [{name: payroll, serviceAccount: {name: payroll}}, {name: audit}]"),
			authentication("readers: [{name: payroll, serviceAccount: {name: pay.roll-2, namespace: apps}}]"),
			authentication("readers: [{name: payroll, serviceAccount: {name: " + long(253) + ", namespace: " + long(63) + "}}]"),
			authentication("readers: [{name: payroll, serviceAccount: {}}]"),
			authentication("readers: [{name: payroll, serviceAccount: {namespace: apps}}]"),
			authentication("readers: [{name: payroll, serviceAccount: {name: ''}}]"),
			authentication("readers: [{name: payroll, serviceAccount: {name: Payroll}}]"),
			authentication("readers: [{name: payroll, serviceAccount: {name: 'apps:payroll'}}]"),
			authentication("readers: [{name: payroll, serviceAccount: {name: pay..roll}}]"),
			authentication("readers: [{name: payroll, serviceAccount: {name: " + long(254) + "}}]"),
			authentication("readers: [{name: payroll, serviceAccount: {name: payroll, namespace: apps.example}}]"),
			authentication("readers: [{name: payroll, serviceAccount: {name: payroll, namespace: " + long(64) + "}}]"),
			authentication("readers: [{name: a, serviceAccount: {name: payroll}}, {name: b, serviceAccount: {name: payroll}}]"),
			authentication("readers: [{name: a, serviceAccount: {name: payroll, namespace: apps}}, {name: b, serviceAccount: {name: payroll, namespace: apps}}]"),
			authentication("readers: [{name: a, serviceAccount: {name: payroll, namespace: apps}}, {name: b, serviceAccount: {name: payroll, namespace: jobs}}]"),
			authentication("readers: [{name: a, serviceAccount: {name: payroll, namespace: apps}}, {name: b, serviceAccount: {name: payroll}}]"),
			authentication("readers: [{name: a, rotationInterval: 24h, serviceAccount: {name: payroll}}]"),
			authentication("readers: [{name: a, overlap: 24h, serviceAccount: {name: payroll}}]"),
		},
		"userdefaults": {
			ours(""),
			defaultsManifest("{companies: [A]}"),
			defaultsManifest("{tenantRef: {}, companies: [A]}"),
			defaultsManifest("{tenantRef: {name: " + long(53) + "}, companies: [A]}"),
			defaultsManifest("{tenantRef: {name: contoso}}"),
			defaultsManifest("{tenantRef: {name: Contoso}}"),
			defaultsManifest("{tenantRef: {name: 3com}}"),
			defaultsManifest("{tenantRef: {name: contoso}, companies: []}"),
			defaultsManifest("{tenantRef: {name: contoso}, companies: " + many(101) + "}"),
			ours(", roles: [A, A]"),
			ours(", roles: ['']"),
			ours(", priority: 1000000"),
			ours(", priority: 1000001"),
			ours(", priority: -1000001"),
			ours(", configurationFilter: " + long(256)),
			ours(", configurationFilter: " + long(257)),
			ours(", filter: " + long(4096)),
			ours(", filter: " + long(4097)),
			ours(", apply: Always"),
			ours(", apply: always"),
			ours(", locale: sv-SE"),
			ours(", locale: sv_SE"),
			ours(", locale: zh-Hant-TW"),
			ours(", locale: Swedish (Sweden)"),
			ours(", locale: s"),
			ours(", locale: sv" + strings.Repeat("-abcdefgh", 4)),
			ours(", preferredLanguage: sv" + strings.Repeat("-abcdefg", 15) + "-abcde"),
			ours(", preferredLanguage: sv" + strings.Repeat("-abcdefg", 15) + "-abcdef"),
			ours(", preferredLanguage: 'sv-SE, en;q=0.8,*;q=0'"),
			ours(", preferredLanguage: 'sv,'"),
			ours(", preferredLanguage: 'sv;q=2'"),
			ours(", preferredLanguage: Svenska (Sverige)"),
			ours(", preferredLanguage: " + long(129)),
			ours(", timezone: Europe/Stockholm"),
			ours(", timezone: America/Argentina/Buenos_Aires"),
			ours(", timezone: Etc/GMT+1"),
			ours(", timezone: UTC+01:00"),
			ours(", timezone: Europe/"),
			ours(", timezone: " + long(65)),
			ours(", attributes: [{path: title}]"),
			ours(", attributes: [{value: a}]"),
			ours(", attributes: [{path: title, value: a}, {path: title, value: b}]"),
			ours(", attributes: [{path: title, value: a}, {path: Title, value: b}]"),
			ours(", attributes: [{path: title, value: " + long(1025) + "}]"),
			attribute("title"), attribute("name.honorificPrefix"), attribute("metadata"), attribute(long(513)),
			attribute("id"), attribute("ID"), attribute("meta"), attribute("meta.version"), attribute("schemas"),
			attribute("userName"), attribute("externalId"), attribute("active"), attribute("password"),
			attribute("groups"), attribute("groups.value"), attribute("urn:ietf:params:scim:schemas:core:2.0:User:userName"),
			attribute("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter"),
		},
	} {
		definition := readCRD(t, resource)
		for _, manifest := range manifests {
			_, theirs := definition.admit(t, manifest)
			documents, unreadable := folder{{"a.yaml", []byte(manifest)}}.documents()
			if unreadable != nil {
				t.Fatal(unreadable)
			}
			_, ours := decodeAll(documents, "")
			if (len(theirs) > 0) != (ours != nil) {
				t.Errorf("%.300s\nthe API server: %v\nhere: %v", manifest, theirs, ours)
			}
		}
	}
}
