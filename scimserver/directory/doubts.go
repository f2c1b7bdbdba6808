package directory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// doubt is something in a declaration that stored values may contradict.
type doubt struct {
	// when a resource matches it, the declaration is contradicted.
	when   filter.Filter
	reason string
}

// doubts compares a declaration with what is known of its schema.
func doubts(b before, now v1alpha1.SchemaExtension) []doubt {
	if len(b.Attributes) == 0 {
		return nil
	}
	s := &schema.Schema{ID: b.ID}
	var values []filter.Filter // one for each attribute, that finds its values
	for _, a := range b.Attributes {
		values = append(values, filter.Present{Path: schema.Path{Schema: s, Attribute: definition(a)}})
	}
	if !b.same(now) {
		return []doubt{{filter.Or{Terms: values}, fmt.Sprintf(
			"id and resourceType must stay %s and %s: values are stored under them", b.ID, extends(b.SchemaExtension))}}
	}
	var all []doubt
	for _, a := range now.Attributes {
		was := b.attribute(a.Name)
		if was != nil {
			all = append(all, changes(s, *was, a)...)
		}
		if a.Required && (was == nil || !was.Required || !slices.Contains(b.declared, schema.Fold(a.Name))) {
			missing := filter.Not{Term: filter.Present{Path: schema.Path{Schema: s, Attribute: definition(a)}}}
			all = append(all, doubt{filter.And{Terms: []filter.Filter{filter.Or{Terms: values}, missing}}, fmt.Sprintf(
				"attribute %s must not be required yet: resources with values of this schema lack it; give them one first", a.Name)})
		}
	}
	return all
}

// changes compares two definitions of one attribute.
func changes(s *schema.Schema, was, now v1alpha1.SchemaAttribute) []doubt {
	before, after := definition(was), definition(now)
	path := schema.Path{Schema: s, Attribute: before}
	var all []doubt
	add := func(p schema.Path, format string, args ...any) {
		all = append(all, doubt{filter.Present{Path: p}, "attribute " + fmt.Sprintf(format, args...) + ": values are stored"})
	}
	switch {
	case before.Name != after.Name:
		add(path, "%s must be spelled %s", after.Name, before.Name)
	case before.Type != after.Type:
		add(path, "%s must stay of type %s; declare another attribute for type %s", after.Name, before.Type, after.Type)
	case before.MultiValued != after.MultiValued:
		add(path, "%s must keep multiValued %t", after.Name, before.MultiValued)
	case before.CaseExact != after.CaseExact:
		add(path, "%s must keep caseExact %t", after.Name, before.CaseExact)
	}
	for _, sub := range before.SubAttributes {
		path.Sub = sub
		i := slices.IndexFunc(after.SubAttributes, func(n *schema.Attribute) bool { return strings.EqualFold(n.Name, sub.Name) })
		switch {
		case i < 0:
			add(path, "%s must keep its sub-attribute %s", after.Name, sub.Name)
		case after.SubAttributes[i].Name != sub.Name:
			add(path, "%s must have its sub-attribute spelled %s", after.Name, sub.Name)
		case after.SubAttributes[i].Type != sub.Type:
			add(path, "%s.%s must stay of type %s", after.Name, sub.Name, sub.Type)
		case after.SubAttributes[i].CaseExact != sub.CaseExact:
			add(path, "%s.%s must keep caseExact %t", after.Name, sub.Name, sub.CaseExact)
		}
	}
	for _, sub := range after.SubAttributes {
		old := before.Sub(sub.Name)
		if sub.Required && (old == nil || !old.Required) {
			path.Sub = nil
			whole := path
			path.Sub = sub
			all = append(all, doubt{
				filter.Elements{Path: whole, Filter: filter.Not{Term: filter.Present{Path: path}}},
				fmt.Sprintf("attribute %s must not require %s yet: stored values lack it", after.Name, sub.Name),
			})
		}
	}
	return all
}
