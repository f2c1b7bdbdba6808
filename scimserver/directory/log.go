package directory

import (
	"context"
	"reflect"
	"slices"

	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// What the provisioning log calls the operations and their outcomes.
const (
	OperationCreate   = "create"
	OperationReplace  = "replace"
	OperationPatch    = "patch"
	OperationDelete   = "delete"
	OperationDefaults = "defaults"

	OutcomeSuccess = "success"
)

// log appends the row that a change owes to the provisioning log.
func (d *Directory) log(
	ctx context.Context, tx store.Tx, caller Caller, operation string, next *store.Record, names []string,
) error {
	return tx.Append(ctx, store.Entry{
		Time: next.Modified, Client: caller.Client, RequestID: caller.RequestID,
		Kind: next.Kind, ResourceID: next.ID, Operation: operation,
		Attributes: names, Defaults: next.Defaults, Outcome: OutcomeSuccess,
	})
}

// changedNames lists the attributes that differ, sorted. before is nil for a new resource.
func changedNames(rt *schema.ResourceType, before, after schema.Object) []string {
	var names []string
	add := func(prefix string, a, b schema.Object) {
		for name := range union(a, b) {
			if !reflect.DeepEqual(a[name], b[name]) {
				names = append(names, prefix+name)
			}
		}
	}
	add("", before, after)
	names = slices.DeleteFunc(names, func(name string) bool {
		return slices.ContainsFunc(rt.Extensions, func(s *schema.Schema) bool { return s.ID == name })
	})
	for _, extension := range rt.Extensions {
		a, _ := before[extension.ID].(schema.Object)
		b, _ := after[extension.ID].(schema.Object)
		add(extension.ID+":", a, b)
	}
	slices.Sort(names)
	return names
}

func union(a, b schema.Object) map[string]struct{} {
	names := make(map[string]struct{}, len(a)+len(b))
	for name := range a {
		names[name] = struct{}{}
	}
	for name := range b {
		names[name] = struct{}{}
	}
	return names
}
