#!/usr/bin/env bash
# A CRD's default {} is checked as it stands, without the defaults inside of it: neither yes nor no of that check holds.
#
# An API server checks a default when the CRD is installed, and applies it to an object when that is written. The first
# looks at {} alone. The second fills in the defaults of the fields below, and then looks at the rules. So a rule that every
# object keeps makes the CRD refused; and a CRD is accepted though every object then breaks its rule, the empty one too.
# Why it matters: default={} is the usual way to have nested defaults, and a CRD that installs proves nothing about them.
# Tenantry's rules of the spec, which has such a default, hold with and without nested defaults: they read a field that may
# be absent by has() or orValue().
# Seen with k8s.io/apiextensions-apiserver v0.37.2. Needs go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >main.go <<'END'
package main

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

type schema = apiextensions.JSONSchemaProps

// install checks a CRD as an API server does when the CRD is installed.
func install(root *schema) error {
	keepUnknown := false
	return validation.ValidateCustomResourceDefinition(context.Background(), &apiextensions.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "volumes.example.com"},
		Spec: apiextensions.CustomResourceDefinitionSpec{
			Group:                 "example.com",
			Scope:                 apiextensions.NamespaceScoped,
			PreserveUnknownFields: &keepUnknown,
			Names:                 apiextensions.CustomResourceDefinitionNames{Plural: "volumes", Singular: "volume", Kind: "Volume", ListKind: "VolumeList"},
			Versions:              []apiextensions.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true}},
			Conversion:            &apiextensions.CustomResourceConversion{Strategy: apiextensions.NoneConverter},
			Validation:            &apiextensions.CustomResourceValidation{OpenAPIV3Schema: root},
		},
		Status: apiextensions.CustomResourceDefinitionStatus{StoredVersions: []string{"v1"}},
	}).ToAggregate()
}

// create fills in the defaults of an object and checks its rules, as an API server does when the object is created.
func create(root *schema, object map[string]any) error {
	of, err := structural.NewStructural(root)
	if err != nil {
		return err
	}
	defaulting.Default(object, of)
	errs, _ := cel.NewValidator(of, true, celconfig.PerCallLimit).
		Validate(context.Background(), nil, of, object, nil, celconfig.RuntimeCELCostBudget)
	return errs.ToAggregate()
}

func main() {
	var empty, sqlite, nine apiextensions.JSON = map[string]any{}, "SQLite", int64(9)
	for _, rule := range []string{"has(self.type)", "!has(self.replicas)", "self.?type.orValue('SQLite') == 'SQLite'"} {
		root := &schema{Type: "object", Properties: map[string]schema{"storage": {
			Type:    "object",
			Default: &empty,
			Properties: map[string]schema{
				"type":     {Type: "string", Default: &sqlite},
				"replicas": {Type: "integer", Default: &nine},
			},
			XValidations: apiextensions.ValidationRules{{Rule: rule}},
		}}}
		fmt.Println(rule)
		fmt.Println("  the CRD:", install(root))
		object := map[string]any{}
		err := create(root, object)
		filled, _ := json.Marshal(object)
		fmt.Printf("  {} filled in to %s: %v\n", filled, err)
	}
}
END
export GOWORK=off GOFLAGS=-mod=mod
{
	go mod init finding
	go get k8s.io/apiextensions-apiserver@v0.37.2
} >/dev/null 2>&1
go list -m k8s.io/apiextensions-apiserver
go run . | tee seen

diff -u --label expected --label seen - seen <<'END'
has(self.type)
  the CRD: spec.validation.openAPIV3Schema.properties[storage].default: Invalid value: failed rule: has(self.type)
  {} filled in to {"storage":{"replicas":9,"type":"SQLite"}}: <nil>
!has(self.replicas)
  the CRD: <nil>
  {} filled in to {"storage":{"replicas":9,"type":"SQLite"}}: storage: Invalid value: failed rule: !has(self.replicas)
self.?type.orValue('SQLite') == 'SQLite'
  the CRD: <nil>
  {} filled in to {"storage":{"replicas":9,"type":"SQLite"}}: <nil>
END
