// Command renamed adds to the CRD of ProvisioningTenant the fields that had another name before the API was frozen, each with a rule that
// refuses it and says what it is called now. An API server drops a field that it does not know, and only some clients warn of that: a tenant
// would be without its Entra tenant ID, or without the nodes that it was meant for, and nobody would be told. The Go types do not have them.
package main

import (
	"fmt"
	"os"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// former is a field that was renamed.
type former struct {
	// path from the root of the object.
	path string
	// kind of JSON value that it had.
	kind string
	// now is the path of the field of today, from the same root.
	now string
}

func formers() []former {
	found := []former{
		{"spec.entra", "object", "spec.identityProvider.entra"},
		{"spec.paused", "boolean", "spec.provisioning.state"},
		{"spec.limits", "object", "spec.rateLimit"},
		{"spec.exposure.tls", "object", "spec.exposure.ingress.tls"},
		{"spec.retention.purgeDeactivatedAfter", "string", "spec.retention.deactivatedUsers"},
	}
	for _, of := range [][2]string{
		{"nodeSelector", "object"},
		{"tolerations", "array"},
		{"affinity", "object"},
		{"topologySpreadConstraints", "array"},
		{"priorityClassName", "string"},
	} {
		found = append(found, former{"spec.server." + of[0], of[1], "spec.server.template.spec." + of[0]})
	}
	return found
}

// file has the CRD, from the repository's root.
const file = "config/crd/bases/provisioning.tenantry.dev_provisioningtenants.yaml"

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "add the fields that were renamed to %s: %v\n", file, err)
		os.Exit(1)
	}
}

// definition is a CustomResourceDefinition without its status, which is the API server's to write.
type definition struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec apiextensionsv1.CustomResourceDefinitionSpec `json:"spec"`
}

func run() error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var crd definition
	if err := yaml.UnmarshalStrict(content, &crd); err != nil {
		return err
	}
	for i := range crd.Spec.Versions {
		for _, f := range formers() {
			if err := refuse(crd.Spec.Versions[i].Schema.OpenAPIV3Schema, f); err != nil {
				return err
			}
		}
	}
	changed, err := yaml.Marshal(crd)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append([]byte("---\n"), changed...), 0o600)
}

// refuse adds a former field to the schema of an object.
func refuse(root *apiextensionsv1.JSONSchemaProps, f former) error {
	steps := strings.Split(f.path, ".")
	last := len(steps) - 1
	if last == 0 {
		return add(root, steps[0], f)
	}
	child, ok := root.Properties[steps[0]]
	if !ok {
		return fmt.Errorf("%s is below a field that does not exist", f.path)
	}
	if err := refuse(&child, former{strings.Join(steps[1:], "."), f.kind, f.now}); err != nil {
		return err
	}
	root.Properties[steps[0]] = child
	return nil
}

func add(parent *apiextensionsv1.JSONSchemaProps, name string, f former) error {
	if _, ok := parent.Properties[name]; ok {
		return fmt.Errorf("%s is a field of the API", name)
	}
	message := "is called " + f.now + " now"
	field := apiextensionsv1.JSONSchemaProps{
		Description:  "Refused: it " + message + ".",
		Type:         f.kind,
		XValidations: apiextensionsv1.ValidationRules{{Rule: "false", Message: message}},
	}
	switch f.kind {
	case "object":
		field.XPreserveUnknownFields = new(true)
	case "array":
		field.MaxItems = new(int64(1000))
		field.Items = &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &apiextensionsv1.JSONSchemaProps{
			Type: "object", XPreserveUnknownFields: new(true),
		}}
	}
	parent.Properties[name] = field
	return nil
}
