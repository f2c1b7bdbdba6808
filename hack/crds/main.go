// Command crds finishes the CustomResourceDefinitions that controller-gen wrote.
//
// It takes the descriptions of the elements of lists and maps away, which are those of Go's types: kubectl explain would print them behind the
// description of the field.
//
// It adds to ProvisioningTenant the fields that had another name before the API was frozen, each with a rule that refuses it and says what it is
// called now. An API server drops a field that it does not know, and only some clients warn of that: a tenant would be without its Entra tenant
// ID, or without the nodes that it was meant for, and nobody would be told. The Go types do not have them.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// former is a field that was renamed.
type former struct {
	// path from the root of the object.
	path string
	// kind of JSON value that it had. A rule cannot stand where any kind may be.
	kind string
	// now says what to write instead.
	now string
}

func formers() []former {
	found := []former{
		{"spec.entra", "object", "is called spec.identityProvider.entra now"},
		{"spec.paused", "boolean", "is called spec.provisioning.state now, which is Active or Suspended"},
		{"spec.limits", "object", "is called spec.rateLimit now"},
		{"spec.exposure.tls", "object", "is called spec.exposure.ingress.tls now"},
		{"spec.retention.purgeDeactivatedAfter", "string", "is called spec.retention.deactivatedUsers now"},
	}
	for _, of := range [][2]string{
		{"nodeSelector", "object"},
		{"tolerations", "array"},
		{"affinity", "object"},
		{"topologySpreadConstraints", "array"},
		{"priorityClassName", "string"},
	} {
		found = append(found, former{"spec.server." + of[0], of[1], "is called spec.server.template.spec." + of[0] + " now"})
	}
	return found
}

// tenants is the definition that has former fields.
const tenants = "provisioningtenants.provisioning.tenantry.dev"

func main() {
	files, err := filepath.Glob("config/crd/bases/*.yaml")
	for _, file := range files {
		if err == nil {
			err = finish(file)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "finish the CRDs:", err)
		os.Exit(1)
	}
}

// definition is a CustomResourceDefinition without its status, which is the API server's to write.
type definition struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec apiextensionsv1.CustomResourceDefinitionSpec `json:"spec"`
}

func finish(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var crd definition
	if err := yaml.UnmarshalStrict(content, &crd); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, version := range crd.Spec.Versions {
		root := version.Schema.OpenAPIV3Schema
		describeFields(root)
		if crd.Name != tenants {
			continue
		}
		for _, f := range formers() {
			if err := refuse(root, strings.Split(f.path, "."), f); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	changed, err := yaml.Marshal(crd)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append([]byte("---\n"), changed...), 0o600)
}

// describeFields leaves descriptions to fields, and takes those of elements away.
func describeFields(schema *apiextensionsv1.JSONSchemaProps) {
	for name, field := range schema.Properties {
		describeFields(&field)
		schema.Properties[name] = field
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		schema.Items.Schema.Description = ""
		describeFields(schema.Items.Schema)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		schema.AdditionalProperties.Schema.Description = ""
		describeFields(schema.AdditionalProperties.Schema)
	}
}

// refuse adds a former field below a schema, where steps lead to it.
func refuse(schema *apiextensionsv1.JSONSchemaProps, steps []string, f former) error {
	field, ok := schema.Properties[steps[0]]
	switch {
	case len(steps) > 1 && !ok:
		return fmt.Errorf("%s is below a field that does not exist", f.path)
	case len(steps) > 1:
		if err := refuse(&field, steps[1:], f); err != nil {
			return err
		}
	case ok:
		return fmt.Errorf("%s is a field of the API", f.path)
	default:
		field = f.refused()
	}
	schema.Properties[steps[0]] = field
	return nil
}

// refused is the schema of a former field.
func (f former) refused() apiextensionsv1.JSONSchemaProps {
	anything := apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: new(true)}
	field := apiextensionsv1.JSONSchemaProps{Type: f.kind}
	switch f.kind {
	case "object":
		field = anything
	case "array":
		field.Items = &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &anything}
	}
	field.Description = "Refused: it " + f.now + "."
	field.XValidations = apiextensionsv1.ValidationRules{{Rule: "false", Message: f.now}}
	return field
}
