// Package fields lists the fields of the API, for tests that must leave none out.
package fields

import (
	"reflect"
	"strings"
)

// Leaves lists the fields of our own structs by their JSON paths; types of Kubernetes and lists count as one field.
func Leaves(of reflect.Type) []string { return leaves(of, "") }

func leaves(of reflect.Type, prefix string) []string {
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of.NumField() == 0 || !strings.Contains(of.PkgPath(), "tenantry") {
		return []string{strings.TrimSuffix(prefix, ".")}
	}
	var found []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" {
			name += "."
		}
		found = append(found, leaves(field.Type, prefix+name)...)
	}
	return found
}
