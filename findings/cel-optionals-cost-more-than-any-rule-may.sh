#!/usr/bin/env bash
# A CRD's rule may not compare two optional strings: the estimate of its cost is more than 100 times what a rule may cost.
#
# self.?class == oldSelf.?class is the shortest rule for an immutable optional field. The API server refuses the CRD, also
# where orValue('') makes a string of each, and though the schema bounds the string. "try … adding maxLength", as the error
# says, changes nothing: the estimate takes no bound through an optional. The same rule by hasValue() and a plain
# selection is cheap even with no maxLength at all, and so are optional integers.
# Why it matters: controller-gen writes such a rule without a warning, so the refusal comes when the CRD is installed.
# Tenantry's rule for an optional field that is immutable asks hasValue() on both sides, then compares by plain selection.
# Seen with k8s.io/apiextensions-apiserver v0.37.2. Needs go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >main.go <<'END'
package main

import (
	"context"
	"fmt"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type schema = apiextensions.JSONSchemaProps

// refusal returns the first reason why an API server refuses a CRD whose spec has this schema, or "".
func refusal(spec schema) string {
	keepUnknown := false
	for _, err := range validation.ValidateCustomResourceDefinition(context.Background(), &apiextensions.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "volumes.example.com"},
		Spec: apiextensions.CustomResourceDefinitionSpec{
			Group:                 "example.com",
			Scope:                 apiextensions.NamespaceScoped,
			PreserveUnknownFields: &keepUnknown,
			Names:                 apiextensions.CustomResourceDefinitionNames{Plural: "volumes", Singular: "volume", Kind: "Volume", ListKind: "VolumeList"},
			Versions:              []apiextensions.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true}},
			Conversion:            &apiextensions.CustomResourceConversion{Strategy: apiextensions.NoneConverter},
			Validation: &apiextensions.CustomResourceValidation{
				OpenAPIV3Schema: &schema{Type: "object", Properties: map[string]schema{"spec": spec}},
			},
		},
		Status: apiextensions.CustomResourceDefinitionStatus{StoredVersions: []string{"v1"}},
	}) {
		return err.Detail
	}
	return ""
}

func main() {
	one := int64(1)
	for _, c := range []struct {
		about string
		field schema
		rule  string
	}{
		{"string of one letter", schema{Type: "string", MaxLength: &one}, "self.?class == oldSelf.?class"},
		{"string of one letter", schema{Type: "string", MaxLength: &one}, "self.?class.orValue('') == oldSelf.?class.orValue('')"},
		{"string of any length", schema{Type: "string"}, "self.?class.hasValue() == oldSelf.?class.hasValue() && " +
			"(!self.?class.hasValue() || self.class == oldSelf.class)"},
		{"integer", schema{Type: "integer"}, "self.?class == oldSelf.?class"},
	} {
		fmt.Printf("%s, %s\n", c.about, c.rule)
		if refused := refusal(schema{
			Type:         "object",
			Properties:   map[string]schema{"class": c.field},
			XValidations: apiextensions.ValidationRules{{Rule: c.rule}},
		}); refused != "" {
			fmt.Println("  refused:", refused)
		} else {
			fmt.Println("  accepted")
		}
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
string of one letter, self.?class == oldSelf.?class
  refused: estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)
string of one letter, self.?class.orValue('') == oldSelf.?class.orValue('')
  refused: estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)
string of any length, self.?class.hasValue() == oldSelf.?class.hasValue() && (!self.?class.hasValue() || self.class == oldSelf.class)
  accepted
integer, self.?class == oldSelf.?class
  accepted
END
