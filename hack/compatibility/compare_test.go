package main

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

const tenants = "provisioningtenants.provisioning.tenantry.dev"

// definition is the real one.
func definition(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	all, err := read("../../config/crd/bases")
	if err != nil {
		t.Fatal(err)
	}
	if all[tenants] == nil {
		t.Fatalf("there is no %s", tenants)
	}
	return all[tenants]
}

// at changes the schema at a path below the root, such as "spec.exposure".
func at(path string, change func(*apiextensionsv1.JSONSchemaProps)) func(*apiextensionsv1.CustomResourceDefinition) {
	return func(d *apiextensionsv1.CustomResourceDefinition) {
		alter(d.Spec.Versions[0].Schema.OpenAPIV3Schema, strings.Split(path, "."), change)
	}
}

func alter(schema *apiextensionsv1.JSONSchemaProps, path []string, change func(*apiextensionsv1.JSONSchemaProps)) {
	if len(path) == 0 {
		change(schema)
		return
	}
	field := schema.Properties[path[0]]
	alter(&field, path[1:], change)
	schema.Properties[path[0]] = field
}

func text() apiextensionsv1.JSONSchemaProps { return apiextensionsv1.JSONSchemaProps{Type: "string"} }

func TestWhatCouldBreakSomebodyIsRefused(t *testing.T) {
	t.Parallel()
	released := definition(t)
	if found := compare(released, definition(t)); len(found) > 0 {
		t.Fatalf("no change breaks %q", found)
	}
	for name, test := range map[string]struct {
		change func(*apiextensionsv1.CustomResourceDefinition)
		want   string
	}{
		"a field that is gone": {
			at("spec.exposure", func(s *apiextensionsv1.JSONSchemaProps) { delete(s.Properties, "host") }), "v1alpha1.spec.exposure.host: the field is gone",
		},
		"a field of the status that is gone": {
			at("status", func(s *apiextensionsv1.JSONSchemaProps) { delete(s.Properties, "tenantURL") }), "v1alpha1.status.tenantURL: the field is gone",
		},
		"a field with another name": {at("spec", func(s *apiextensionsv1.JSONSchemaProps) {
			s.Properties["name"] = s.Properties["displayName"]
			delete(s.Properties, "displayName")
		}), "v1alpha1.spec.displayName: the field is gone"},
		"another type": {
			at("spec.displayName", func(s *apiextensionsv1.JSONSchemaProps) { s.Type = "integer" }), `v1alpha1.spec.displayName: type was "string" and is "integer"`,
		},
		"a field that must be given": {at("spec", func(s *apiextensionsv1.JSONSchemaProps) { s.Required = append(s.Required, "displayName") }),
			"v1alpha1.spec.displayName: must be given now"},
		"a new field that must be given": {at("spec", func(s *apiextensionsv1.JSONSchemaProps) {
			s.Properties["className"] = text()
			s.Required = append(s.Required, "className")
		}), "v1alpha1.spec.className: must be given now"},
		"a field that may be missing": {at("spec.identityProvider.entra", func(s *apiextensionsv1.JSONSchemaProps) { s.Required = nil }),
			"v1alpha1.spec.identityProvider.entra.tenantID: may be missing now"},
		"a value that is gone": {at("spec.deletionPolicy", func(s *apiextensionsv1.JSONSchemaProps) { s.Enum = s.Enum[:1] }),
			"v1alpha1.spec.deletionPolicy: "},
		"a value that came to a closed enum": {at("spec.provisioning.users", func(s *apiextensionsv1.JSONSchemaProps) {
			s.Enum = append(s.Enum, apiextensionsv1.JSON{Raw: []byte(`"Closed"`)})
		}), `v1alpha1.spec.provisioning.users: takes "Closed" now`},
		"an enum that became a text": {at("spec.deletionPolicy", func(s *apiextensionsv1.JSONSchemaProps) { s.Enum = nil }),
			"v1alpha1.spec.deletionPolicy: takes any value now"},
		"a text that became an enum": {at("spec.displayName", func(s *apiextensionsv1.JSONSchemaProps) { s.Enum = []apiextensionsv1.JSON{{Raw: []byte(`"x"`)}} }),
			`v1alpha1.spec.displayName: takes "x" now`},
		"another default": {at("spec.deletionPolicy", func(s *apiextensionsv1.JSONSchemaProps) { s.Default = &apiextensionsv1.JSON{Raw: []byte(`"Delete"`)} }),
			`v1alpha1.spec.deletionPolicy: default was not given and is "Delete"`},
		"a default where there was none": {at("spec.displayName", func(s *apiextensionsv1.JSONSchemaProps) { s.Default = &apiextensionsv1.JSON{Raw: []byte(`"x"`)} }),
			`v1alpha1.spec.displayName: default was not given and is "x"`},
		"a narrower bound": {at("spec.displayName", func(s *apiextensionsv1.JSONSchemaProps) { s.MaxLength = new(int64(255)) }),
			"v1alpha1.spec.displayName: maxLength was 256 and is 255"},
		"a wider bound": {at("spec.displayName", func(s *apiextensionsv1.JSONSchemaProps) { s.MaxLength = new(int64(257)) }),
			"v1alpha1.spec.displayName: maxLength was 256 and is 257"},
		"a new pattern": {at("spec.displayName", func(s *apiextensionsv1.JSONSchemaProps) { s.Pattern = "^x" }),
			`v1alpha1.spec.displayName: pattern was not given and is "^x"`},
		"a new rule about an old field": {at("spec", func(s *apiextensionsv1.JSONSchemaProps) {
			s.XValidations = append(s.XValidations, apiextensionsv1.ValidationRule{Rule: "!has(self.displayName) || self.displayName != 'x'"})
		}), "v1alpha1.spec: x-kubernetes-validations: !has(self.displayName) || self.displayName != 'x' came"},
		"a rule that is gone": {at("spec", func(s *apiextensionsv1.JSONSchemaProps) { s.XValidations = s.XValidations[1:] }),
			"v1alpha1.spec: x-kubernetes-validations: "},
		"elements of another kind": {at("spec.catalog.roles", func(s *apiextensionsv1.JSONSchemaProps) { s.Items.Schema.Type = "integer" }),
			`v1alpha1.spec.catalog.roles[]: type was "string" and is "integer"`},
		"values of another kind": {at("spec.exposure.ingress.annotations", func(s *apiextensionsv1.JSONSchemaProps) { s.AdditionalProperties.Schema.Type = "integer" }),
			`v1alpha1.spec.exposure.ingress.annotations[*]: type was "string" and is "integer"`},
		"a set that became a list": {at("spec.catalog.roles", func(s *apiextensionsv1.JSONSchemaProps) { s.XListType = new("atomic") }),
			`v1alpha1.spec.catalog.roles: x-kubernetes-list-type was "set" and is "atomic"`},
		"null in the place of a value": {at("spec.displayName", func(s *apiextensionsv1.JSONSchemaProps) { s.Nullable = true }),
			"v1alpha1.spec.displayName: nullable was not given and is true"},
		"another kind":                 {func(d *apiextensionsv1.CustomResourceDefinition) { d.Spec.Names.Kind = "Tenant" }, `names.kind: was "ProvisioningTenant" and is "Tenant"`},
		"no namespaces":                {func(d *apiextensionsv1.CustomResourceDefinition) { d.Spec.Scope = apiextensionsv1.ClusterScoped }, `scope: was "Namespaced" and is "Cluster"`},
		"a short name that is gone":    {func(d *apiextensionsv1.CustomResourceDefinition) { d.Spec.Names.ShortNames = nil }, "names.shortNames: ptenant is gone"},
		"a version that is not served": {func(d *apiextensionsv1.CustomResourceDefinition) { d.Spec.Versions[0].Served = false }, "v1alpha1: the version is no longer served"},
		"a version that is gone":       {func(d *apiextensionsv1.CustomResourceDefinition) { d.Spec.Versions[0].Name = "v1" }, "v1alpha1: the version is gone"},
		"a status that anybody writes who writes the spec": {
			func(d *apiextensionsv1.CustomResourceDefinition) { d.Spec.Versions[0].Subresources = nil }, "v1alpha1: its subresources were changed",
		},
		"a new version with another schema": {func(d *apiextensionsv1.CustomResourceDefinition) {
			next := *d.Spec.Versions[0].DeepCopy()
			next.Name, next.Storage = "v1beta1", false
			d.Spec.Versions = append(d.Spec.Versions, next)
			alter(next.Schema.OpenAPIV3Schema, []string{"spec"}, func(s *apiextensionsv1.JSONSchemaProps) { delete(s.Properties, "storage") })
		}, "v1beta1.spec.storage: the field is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := released.DeepCopy()
			test.change(now)
			if found := strings.Join(compare(released, now), "\n"); !strings.Contains(found, test.want) {
				t.Errorf("got %q, want %q", found, test.want)
			}
		})
	}
}

func TestWhatNobodyHasToKnowOfIsTaken(t *testing.T) {
	t.Parallel()
	released := definition(t)
	at("spec.exposure.type", func(s *apiextensionsv1.JSONSchemaProps) { s.Description += " " + openEnum })(released)
	for name, change := range map[string]func(*apiextensionsv1.CustomResourceDefinition){
		"an optional field": at("spec", func(s *apiextensionsv1.JSONSchemaProps) { s.Properties["className"] = text() }),
		"an optional field with a default and a bound": at("spec", func(s *apiextensionsv1.JSONSchemaProps) {
			s.Properties["apply"] = apiextensionsv1.JSONSchemaProps{Type: "string", MaxLength: new(int64(9)), Default: &apiextensionsv1.JSON{Raw: []byte(`"Apply"`)}}
		}),
		"a field that must be there, with a default": at("spec", func(s *apiextensionsv1.JSONSchemaProps) {
			s.Properties["apply"] = apiextensionsv1.JSONSchemaProps{Type: "string", Default: &apiextensionsv1.JSON{Raw: []byte(`"Apply"`)}}
			s.Required = append(s.Required, "apply")
		}),
		"a block with fields of its own that must be given": at("spec", func(s *apiextensionsv1.JSONSchemaProps) {
			s.Properties["backup"] = apiextensionsv1.JSONSchemaProps{Type: "object", Required: []string{"to"}, Properties: map[string]apiextensionsv1.JSONSchemaProps{"to": text()}}
		}),
		"a rule about a field that came with it": at("spec", func(s *apiextensionsv1.JSONSchemaProps) {
			s.Properties["className"] = text()
			s.XValidations = append(s.XValidations, apiextensionsv1.ValidationRule{Rule: "!has(self.className) || !has(self.exposure)"})
		}),
		"a field of the status": at("status", func(s *apiextensionsv1.JSONSchemaProps) { s.Properties["class"] = text() }),
		"other words":           at("spec.exposure", func(s *apiextensionsv1.JSONSchemaProps) { s.Description = "other" }),
		"other words of a rule": at("spec", func(s *apiextensionsv1.JSONSchemaProps) { s.XValidations[0].Message = "other" }),
		"a value to an open enum": at("spec.exposure.type", func(s *apiextensionsv1.JSONSchemaProps) {
			s.Enum = append(s.Enum, apiextensionsv1.JSON{Raw: []byte(`"Route"`)})
		}),
		"another short name": func(d *apiextensionsv1.CustomResourceDefinition) {
			d.Spec.Names.ShortNames = append(d.Spec.Names.ShortNames, "tn")
		},
		"another column": func(d *apiextensionsv1.CustomResourceDefinition) { d.Spec.Versions[0].AdditionalPrinterColumns = nil },
		"a version of the same shape": func(d *apiextensionsv1.CustomResourceDefinition) {
			next := *d.Spec.Versions[0].DeepCopy()
			next.Name, next.Storage = "v1beta1", false
			d.Spec.Versions = append(d.Spec.Versions, next)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := released.DeepCopy()
			change(now)
			if found := compare(released, now); len(found) > 0 {
				t.Errorf("it is said to break %q", found)
			}
		})
	}
}
