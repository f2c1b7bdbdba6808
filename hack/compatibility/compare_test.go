package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

func value(text string) apiextensionsv1.JSON {
	return apiextensionsv1.JSON{Raw: []byte(`"` + text + `"`)}
}

// ruled adds a rule, and gives a field that came to it where one is named.
func ruled(rule string, came ...string) func(*apiextensionsv1.JSONSchemaProps) {
	return func(s *apiextensionsv1.JSONSchemaProps) {
		for _, name := range came {
			s.Properties[name] = text()
		}
		s.XValidations = append(s.XValidations, apiextensionsv1.ValidationRule{Rule: rule})
	}
}

// another is a version of the same schema under another name.
func another(d *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.CustomResourceDefinitionVersion {
	next := *d.Spec.Versions[0].DeepCopy()
	next.Name, next.Storage = "v1beta1", false
	d.Spec.Versions = append(d.Spec.Versions, next)
	return &d.Spec.Versions[1]
}

func TestWhatCouldBreakSomebodyIsRefused(t *testing.T) {
	t.Parallel()
	type schema = apiextensionsv1.JSONSchemaProps
	type whole = apiextensionsv1.CustomResourceDefinition
	const (
		cameToo = `: take it away; where it is about a field that came, begin with !has(self.FIELD) ||, and about a value, with self.FIELD != 'VALUE' ||`
		lifted  = `: put it back; where a field came that lifts it, begin with has(self.FIELD) || and put the rule in parentheses`
		noHost  = `!has(self.host) || !has(self.additionalHosts) || !(self.host in self.additionalHosts)`
	)
	released := definition(t)
	if found := compare(released, definition(t)); len(found) > 0 {
		t.Fatalf("no change breaks %q", found)
	}
	for name, test := range map[string]struct {
		change func(*whole)
		want   string
	}{
		"a field that is gone": {
			at("spec.exposure", func(s *schema) { delete(s.Properties, "host") }), "v1alpha1.spec.exposure.host: the field is gone: put it back",
		},
		"a field of the status that is gone": {
			at("status", func(s *schema) { delete(s.Properties, "tenantURL") }), "v1alpha1.status.tenantURL: the field is gone: put it back",
		},
		"a field of elements that is gone": {
			at("spec.authentication.readers", func(s *schema) { delete(s.Items.Schema.Properties, "serviceAccount") }),
			"v1alpha1.spec.authentication.readers[].serviceAccount: the field is gone: put it back",
		},
		"a field with another name": {at("spec", func(s *schema) {
			s.Properties["name"] = s.Properties["displayName"]
			delete(s.Properties, "displayName")
		}), "v1alpha1.spec.displayName: the field is gone: put it back"},
		"another type": {at("spec.displayName", func(s *schema) { s.Type = "integer" }),
			`v1alpha1.spec.displayName: type was "string" and is "integer": put it back`},
		"a narrower type": {at("status.directory.users", func(s *schema) { s.Format = "int32" }),
			`v1alpha1.status.directory.users: format was "int64" and is "int32": put it back`},
		"a field that must be given": {at("spec", func(s *schema) { s.Required = append(s.Required, "displayName") }),
			"v1alpha1.spec.displayName: must be given now: let it be missing, with a default under which everything is as before"},
		"a new field that must be given": {at("spec", func(s *schema) {
			s.Properties["edition"] = text()
			s.Required = append(s.Required, "edition")
		}), "v1alpha1.spec.edition: must be given now: let it be missing, with a default under which everything is as before"},
		"a field that may be missing": {at("spec.identityProvider.entra", func(s *schema) { s.Required = nil }),
			"v1alpha1.spec.identityProvider.entra.tenantID: may be missing now: let it be required as before"},
		"a value that is gone": {at("spec.deletionPolicy", func(s *schema) { s.Enum = s.Enum[:1] }),
			`v1alpha1.spec.deletionPolicy: "Delete" is gone: put it back`},
		"a value that came to a closed enum": {at("spec.provisioning.users", func(s *schema) { s.Enum = append(s.Enum, value("Closed")) }),
			`v1alpha1.spec.provisioning.users: takes "Closed" now, and its description did not end with "More values may come.": give it a field of its own`},
		"a value that came to an enum that was opened with it": {at("spec.provisioning.users", func(s *schema) {
			s.Enum, s.Description = append(s.Enum, value("Closed")), s.Description+" "+openEnum
		}), `v1alpha1.spec.provisioning.users: takes "Closed" now, and its description did not end with "More values may come.": give it a field of its own`},
		"an enum that became a text": {at("spec.deletionPolicy", func(s *schema) { s.Enum = nil }),
			"v1alpha1.spec.deletionPolicy: takes any value now: put its values back"},
		"a text that became an enum": {at("spec.displayName", func(s *schema) { s.Enum = []apiextensionsv1.JSON{value("x")} }),
			`v1alpha1.spec.displayName: takes "x" now, and its description did not end with "More values may come.": give it a field of its own`},
		"another default": {at("spec.provisioning.state", func(s *schema) { s.Default = new(value("Suspended")) }),
			`v1alpha1.spec.provisioning.state: default was "Active" and is "Suspended": put it back`},
		"a default that is gone": {at("spec.provisioning.state", func(s *schema) { s.Default = nil }),
			`v1alpha1.spec.provisioning.state: default was "Active" and is not given: put it back`},
		"a default where there was none": {at("spec.displayName", func(s *schema) { s.Default = new(value("x")) }),
			`v1alpha1.spec.displayName: default was not given and is "x": put it back`},
		"a lower maximum": {at("spec.server.replicas", func(s *schema) { s.Maximum = new(float64(99)) }),
			"v1alpha1.spec.server.replicas: maximum was 100 and is 99: put it back"},
		"a higher minimum": {at("spec.server.replicas", func(s *schema) { s.Minimum = new(float64(2)) }),
			"v1alpha1.spec.server.replicas: minimum was 1 and is 2: put it back"},
		"a narrower bound": {at("spec.displayName", func(s *schema) { s.MaxLength = new(int64(255)) }),
			"v1alpha1.spec.displayName: maxLength was 256 and is 255: put it back"},
		"a wider bound": {at("spec.displayName", func(s *schema) { s.MaxLength = new(int64(257)) }),
			"v1alpha1.spec.displayName: maxLength was 256 and is 257: put it back"},
		"fewer elements": {at("spec.catalog.roles", func(s *schema) { s.MaxItems = new(int64(999)) }),
			"v1alpha1.spec.catalog.roles: maxItems was 1000 and is 999: put it back"},
		"fewer entries": {at("spec.exposure.ingress.annotations", func(s *schema) { s.MaxProperties = new(int64(63)) }),
			"v1alpha1.spec.exposure.ingress.annotations: maxProperties was 64 and is 63: put it back"},
		"shorter elements": {at("spec.catalog.roles", func(s *schema) { s.Items.Schema.MaxLength = new(int64(255)) }),
			"v1alpha1.spec.catalog.roles[]: maxLength was 256 and is 255: put it back"},
		"a new pattern": {at("spec.displayName", func(s *schema) { s.Pattern = "^x" }),
			`v1alpha1.spec.displayName: pattern was not given and is "^x": put it back`},
		"another pattern": {at("status.storage.problem.reason", func(s *schema) { s.Pattern = "^[A-Z][a-z]*$" }),
			`v1alpha1.status.storage.problem.reason: pattern was "^[A-Z][A-Za-z0-9]*$" and is "^[A-Z][a-z]*$": put it back`},
		"a new rule about an old field": {at("spec", ruled("!has(self.displayName) || self.displayName != 'x'")),
			`v1alpha1.spec: the rule "!has(self.displayName) || self.displayName != 'x'" came` + cameToo},
		"a new rule that asks for a field that came": {at("spec", ruled("has(self.edition)", "edition")),
			`v1alpha1.spec: the rule "has(self.edition)" came` + cameToo},
		"a new rule that only begins as one about a field that came": {at("spec", ruled("!has(self.edition) || true ? !has(self.exposure) : true", "edition")),
			`v1alpha1.spec: the rule "!has(self.edition) || true ? !has(self.exposure) : true" came` + cameToo},
		"a new rule about a field that came and is always there": {at("spec", func(s *schema) {
			ruled("!has(self.edition) || !has(self.exposure)", "edition")(s)
			field := s.Properties["edition"]
			field.Default = new(value("standard"))
			s.Properties["edition"] = field
		}), `v1alpha1.spec: the rule "!has(self.edition) || !has(self.exposure)" came` + cameToo},
		"a rule that is gone": {at("spec.exposure", func(s *schema) { s.XValidations = s.XValidations[:2] }),
			`v1alpha1.spec.exposure: the rule "` + noHost + `" is gone` + lifted},
		"a rule that asks for more": {at("spec.exposure", func(s *schema) { s.XValidations[2].Rule = "!has(self.additionalHosts)" }),
			`v1alpha1.spec.exposure: the rule "!has(self.additionalHosts)" came` + cameToo + "\n" +
				`v1alpha1.spec.exposure: the rule "` + noHost + `" is gone` + lifted},
		"a rule that is lifted by an old field": {at("spec.exposure", func(s *schema) { s.XValidations[2].Rule = "has(self.host) || (" + noHost + ")" }),
			`v1alpha1.spec.exposure: the rule "` + noHost + `" is gone` + lifted + "\n" +
				`v1alpha1.spec.exposure: the rule "has(self.host) || (` + noHost + `)" came` + cameToo},
		"elements of another kind": {at("spec.catalog.roles", func(s *schema) { s.Items.Schema.Type = "integer" }),
			`v1alpha1.spec.catalog.roles[]: type was "string" and is "integer": put it back`},
		"values of another kind": {at("spec.exposure.ingress.annotations", func(s *schema) { s.AdditionalProperties.Schema.Type = "integer" }),
			`v1alpha1.spec.exposure.ingress.annotations[*]: type was "string" and is "integer": put it back`},
		"a map that became an object": {at("spec.exposure.ingress.annotations", func(s *schema) { s.AdditionalProperties = nil }),
			`v1alpha1.spec.exposure.ingress.annotations[*]: the schema of its elements came or went: put it back as it was`},
		"a set that became a list": {at("spec.catalog.roles", func(s *schema) { s.XListType = new("atomic") }),
			`v1alpha1.spec.catalog.roles: x-kubernetes-list-type was "set" and is "atomic": put it back`},
		"another key of a map": {at("spec.authentication.readers", func(s *schema) { s.XListMapKeys = []string{"name", "serviceAccount"} }),
			`v1alpha1.spec.authentication.readers: x-kubernetes-list-map-keys was ["name"] and is ["name","serviceAccount"]: put it back`},
		"null in the place of a value": {at("spec.displayName", func(s *schema) { s.Nullable = true }),
			`v1alpha1.spec.displayName: nullable was not given and is true: put it back`},
		"fields that nobody knows": {at("spec.catalog", func(s *schema) { s.XPreserveUnknownFields = new(true) }),
			`v1alpha1.spec.catalog: x-kubernetes-preserve-unknown-fields was not given and is true: put it back`},
		"another group":        {func(d *whole) { d.Spec.Group = "tenantry.dev" }, `group: was "provisioning.tenantry.dev" and is "tenantry.dev": put it back`},
		"another kind":         {func(d *whole) { d.Spec.Names.Kind = "Tenant" }, `names.kind: was "ProvisioningTenant" and is "Tenant": put it back`},
		"another plural":       {func(d *whole) { d.Spec.Names.Plural = "tenants" }, `names.plural: was "provisioningtenants" and is "tenants": put it back`},
		"no namespaces":        {func(d *whole) { d.Spec.Scope = apiextensionsv1.ClusterScoped }, `scope: was "Namespaced" and is "Cluster": put it back`},
		"a short name is gone": {func(d *whole) { d.Spec.Names.ShortNames = nil }, "names.shortNames: ptenant is gone: put it back"},
		"a category is gone":   {func(d *whole) { d.Spec.Names.Categories = nil }, "names.categories: tenantry is gone: put it back"},
		"a conversion": {func(d *whole) {
			d.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.WebhookConverter}
		}, "conversion: was changed: put it back"},
		"a version that is not served": {func(d *whole) { d.Spec.Versions[0].Served = false }, "v1alpha1: the version is no longer served: serve it"},
		"a version that is gone":       {func(d *whole) { another(d); d.Spec.Versions = d.Spec.Versions[1:] }, "v1alpha1: the version is gone: put it back"},
		"a status that anybody writes who writes the spec": {
			func(d *whole) { d.Spec.Versions[0].Subresources = nil }, "v1alpha1: its subresources were changed: put them back",
		},
		"a new version with another schema": {func(d *whole) {
			alter(another(d).Schema.OpenAPIV3Schema, []string{"spec"}, func(s *schema) { delete(s.Properties, "storage") })
		}, "v1beta1.spec.storage: the field is gone: put it back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := released.DeepCopy()
			test.change(now)
			found := compare(released, now)
			slices.Sort(found)
			if diff := cmp.Diff(test.want, strings.Join(found, "\n")); diff != "" {
				t.Errorf("it is told otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatNobodyHasToKnowOfIsTaken(t *testing.T) {
	t.Parallel()
	type schema = apiextensionsv1.JSONSchemaProps
	type whole = apiextensionsv1.CustomResourceDefinition
	released := definition(t)
	for name, change := range map[string]func(*whole){
		"an optional field": at("spec", func(s *schema) { s.Properties["edition"] = text() }),
		"an optional field of elements": at("spec.authentication.readers", func(s *schema) {
			s.Items.Schema.Properties["scope"] = text()
		}),
		"an optional field with a default and a bound": at("spec", func(s *schema) {
			s.Properties["apply"] = schema{Type: "string", MaxLength: new(int64(9)), Default: new(value("Apply"))}
		}),
		"a field that must be there, with a default": at("spec", func(s *schema) {
			s.Properties["apply"] = schema{Type: "string", Default: new(value("Apply"))}
			s.Required = append(s.Required, "apply")
		}),
		"a block with fields of its own that must be given": at("spec", func(s *schema) {
			s.Properties["backup"] = schema{Type: "object", Required: []string{"to"}, Properties: map[string]schema{"to": text()}}
		}),
		"a rule about a field that came with it": at("spec", ruled("!has(self.edition) || !has(self.exposure)", "edition")),
		"a rule that a field which came with it lifts": at("spec.exposure", func(s *schema) {
			s.Properties["edition"] = text()
			s.XValidations[0].Rule = "has(self.edition) || (" + s.XValidations[0].Rule + ")"
		}),
		"a rule about a value that came with it": at("spec.identityProvider", func(s *schema) {
			s.Properties["okta"] = schema{Type: "object"}
			kinds := s.Properties["type"]
			kinds.Enum = append(slices.Clone(kinds.Enum), value("Okta"))
			s.Properties["type"] = kinds
			ruled("!has(self.okta) || self.type == 'Okta'")(s)
			ruled("self.type != 'Okta' || has(self.okta)")(s)
		}),
		"a field of the status":   at("status", func(s *schema) { s.Properties["edition"] = text() }),
		"other words":             at("spec.exposure", func(s *schema) { s.Description = "other" }),
		"other words of a rule":   at("spec", func(s *schema) { s.XValidations[0].Message = "other" }),
		"a value to an open enum": at("spec.exposure.type", func(s *schema) { s.Enum = append(s.Enum, value("Route")) }),
		"an enum that is declared open": at("spec.provisioning.users", func(s *schema) {
			s.Description += " " + openEnum
		}),
		"a former name that is told no more": at("spec", func(s *schema) { delete(s.Properties, "paused") }),
		"another short name":                 func(d *whole) { d.Spec.Names.ShortNames = append(d.Spec.Names.ShortNames, "tn") },
		"another category":                   func(d *whole) { d.Spec.Names.Categories = append(d.Spec.Names.Categories, "all") },
		"other columns":                      func(d *whole) { d.Spec.Versions[0].AdditionalPrinterColumns = nil },
		"an annotation of the definition":    func(d *whole) { d.Annotations["x"] = "y" },
		"a field to select by": func(d *whole) {
			d.Spec.Versions[0].SelectableFields = []apiextensionsv1.SelectableField{{JSONPath: ".spec.exposure.host"}}
		},
		"a version of the same shape": func(d *whole) { another(d) },
		"a version of the same shape that is stored": func(d *whole) {
			another(d).Storage = true
			d.Spec.Versions[0].Storage = false
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
