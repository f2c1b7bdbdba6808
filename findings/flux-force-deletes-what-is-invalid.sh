#!/usr/bin/env bash
# With force, Flux deletes an object for any change that the API server calls invalid, not only for that of an immutable field.
#
# spec.force of a Kustomization, and the annotation kustomize.toolkit.fluxcd.io/force, say that objects are made anew where "patching fails due
# to an immutable field change". The library takes each error of the reason Invalid, and each conflict, for one. A value that no
# version of the object could have, such as a word that is not in an enumeration, is one too: the object is deleted, the new one is refused.
# Why it matters: with a custom resource goes what its operator made for it. A typo in a tenant takes its URL and its tokens, so docs/gitops.md
# tells people to leave force alone.
# Seen with github.com/fluxcd/pkg/ssa 0.78.0. Needs go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >main.go <<'END'
package main

import (
	"context"
	"fmt"

	"github.com/fluxcd/pkg/ssa"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func main() {
	kind := schema.GroupKind{Kind: "Service"}
	for _, refusal := range []struct {
		name string
		err  error
	}{
		{"immutable field", errors.NewInvalid(kind, "web", field.ErrorList{field.Invalid(field.NewPath("spec", "clusterIP"), "10.0.0.1", "field is immutable")})},
		{"unknown value  ", errors.NewInvalid(kind, "web", field.ErrorList{field.NotSupported(field.NewPath("spec", "type"), "Clusterip", []string{"ClusterIP"})})},
		{"forbidden      ", errors.NewForbidden(schema.GroupResource{Resource: "services"}, "web", fmt.Errorf("by a policy"))},
	} {
		for _, force := range []bool{false, true} {
			live := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
			refuse := func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error { return refusal.err }
			cluster := fake.NewClientBuilder().WithObjects(live).WithInterceptorFuncs(interceptor.Funcs{Patch: refuse}).Build()
			wanted := &unstructured.Unstructured{}
			wanted.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
			wanted.SetNamespace("shop")
			wanted.SetName("web")
			options := ssa.DefaultApplyOptions()
			options.Force = force
			_, err := ssa.NewResourceManager(cluster, nil, ssa.Owner{Field: "flux", Group: "flux"}).Apply(context.Background(), wanted, options)
			there := cluster.Get(context.Background(), client.ObjectKeyFromObject(live), live) == nil
			fmt.Printf("%s force: %-5v applied: %-5v the object is still there: %v\n", refusal.name, force, err == nil, there)
		}
	}
}
END
{
	go mod init finding
	go get github.com/fluxcd/pkg/ssa@v0.78.0
	go mod tidy
} >/dev/null 2>&1
go version; go list -m github.com/fluxcd/pkg/ssa
go run . 2>&1 | tee seen

diff -u --label expected --label seen - seen <<'END'
immutable field force: false applied: false the object is still there: true
immutable field force: true  applied: false the object is still there: false
unknown value   force: false applied: false the object is still there: true
unknown value   force: true  applied: false the object is still there: false
forbidden       force: false applied: false the object is still there: true
forbidden       force: true  applied: false the object is still there: true
END
