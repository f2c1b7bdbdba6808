package directory

import (
	"context"
	"reflect"
	"slices"
	"strings"

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
	ctx context.Context, tx store.Tx, caller Caller, operation string, old, next *store.Record, members bool,
) error {
	names := changedNames(d.Type(next.Kind), old, next)
	if members {
		names = append(names, "members")
	}
	return tx.Append(ctx, store.Entry{
		Time: next.Modified, Client: caller.Client, RequestID: caller.RequestID,
		Kind: next.Kind, ResourceID: next.ID, Operation: operation,
		Attributes: names, Defaults: next.Defaults, Outcome: OutcomeSuccess,
	})
}

// changedNames lists the attributes that differ between two records, sorted. A record that cannot be read has none: the
// log must not stand in the way of mending it. old is nil for a new resource.
func changedNames(rt *schema.ResourceType, old, next *store.Record) []string {
	before := schema.Object{}
	if old != nil {
		if obj, err := effective(old); err == nil {
			before = obj
		}
	}
	after, err := effective(next)
	if err != nil {
		return nil
	}
	var names []string
	add := func(prefix string, a, b schema.Object) {
		for name := range union(a, b) {
			if !reflect.DeepEqual(a[name], b[name]) {
				names = append(names, prefix+name)
			}
		}
	}
	for _, extension := range rt.Extensions {
		a, _ := before[extension.ID].(schema.Object)
		b, _ := after[extension.ID].(schema.Object)
		add(extension.ID+":", a, b)
		delete(before, extension.ID)
		delete(after, extension.ID)
	}
	add("", before, after)
	slices.SortFunc(names, strings.Compare)
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
