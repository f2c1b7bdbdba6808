#!/usr/bin/env bash
# gofmt changes the rule of a CRD: two single quotes above a type become one typographic quote. Above a field they stay.
#
# Since Go 1.19 gofmt formats the doc comments of declarations, and '' is written ” there. CEL's empty string is '', and a
# kubebuilder marker is part of the doc comment. controller-gen writes the changed rule without a warning, and as the same
# rule above a field is left alone, a look at the other markers does not show it.
# Why it matters: the rule is no longer CEL, so an API server refuses the CRD, long after an editor formatted the file.
# Tenantry's rules have no empty string: they ask has() or hasValue().
# Seen with gofmt of Go 1.26, sigs.k8s.io/controller-tools v0.23.0 and github.com/google/cel-go v0.29.2. Needs go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

export GOWORK=off GOFLAGS=-mod=mod
{
	go mod init finding
	go get sigs.k8s.io/controller-tools@v0.23.0 k8s.io/apimachinery@v0.37.0 github.com/google/cel-go@v0.29.2
} >/dev/null 2>&1
mkdir v1 rules
cat >v1/types.go <<'END'
// Package v1 has one kind.
// +groupName=example.com
package v1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Door is a resource.
type Door struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec Spec `json:"spec"`
}

// Spec says where the door is.
//
// +kubebuilder:validation:XValidation:rule="self.?above_the_type.orValue('') != 'localhost'"
type Spec struct {
	// +kubebuilder:validation:XValidation:rule="self.?above_the_field.orValue('') != 'localhost'"
	Host map[string]string `json:"host"`
}
END
cat >rules/main.go <<'END'
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/google/cel-go/cel"
)

// main reads a CRD and parses its rules.
func main() {
	env, err := cel.NewEnv(cel.OptionalTypes(), cel.Variable("self", cel.DynType))
	if err != nil {
		panic(err)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if _, rule, found := strings.Cut(lines.Text(), "rule: "); found {
			_, issues := env.Parse(rule)
			fmt.Printf("  %s\n    is CEL: %t\n", rule, issues.Err() == nil)
		}
	}
}
END
go build -o controller-gen sigs.k8s.io/controller-tools/cmd/controller-gen
go version
{
	for when in "as written" "after gofmt"; do
		[ "$when" = "as written" ] || gofmt -w v1/types.go
		./controller-gen crd paths=./v1 output:crd:stdout >crd.yaml 2>errors
		echo "$when, controller-gen ends with $? and $(wc -l <errors) warnings"
		go run ./rules <crd.yaml
	done
} | tee seen

diff -u --label expected --label seen - seen <<'END'
as written, controller-gen ends with 0 and 0 warnings
  self.?above_the_field.orValue('') != 'localhost'
    is CEL: true
  self.?above_the_type.orValue('') != 'localhost'
    is CEL: true
after gofmt, controller-gen ends with 0 and 0 warnings
  self.?above_the_field.orValue('') != 'localhost'
    is CEL: true
  self.?above_the_type.orValue(”) != 'localhost'
    is CEL: false
END
