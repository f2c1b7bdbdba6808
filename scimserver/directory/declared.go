package directory

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/schema"
)

// Users is the resource type of users of a tenant that declares these schemas, as long as nothing contradicts them.
func Users(declared v1alpha1.Schema) *schema.ResourceType {
	return schema.User(definitions(declared.Extensions, v1alpha1.ExtendedUser, false)...)
}

// definitions are the schemas of one resource type among declarations.
func definitions(declared []v1alpha1.SchemaExtension, of v1alpha1.ExtendedResourceType, undeclared bool) []*schema.Schema {
	var out []*schema.Schema
	for _, extension := range declared {
		if extends(extension) != of {
			continue
		}
		s := &schema.Schema{ID: extension.ID, Name: cmp.Or(extension.Name, extension.ID), Description: extension.Description}
		for _, a := range extension.Attributes {
			attribute := definition(a)
			attribute.Undeclared = undeclared
			s.Attributes = append(s.Attributes, attribute)
		}
		out = append(out, s)
	}
	return out
}

func extends(extension v1alpha1.SchemaExtension) v1alpha1.ExtendedResourceType {
	return cmp.Or(extension.ResourceType, v1alpha1.ExtendedUser)
}

// definition is a declared attribute. What may be left out, package schema fills in.
func definition(a v1alpha1.SchemaAttribute) *schema.Attribute {
	attribute := &schema.Attribute{
		Name: a.Name, Description: a.Description, Type: schema.Type(cmp.Or(a.Type, "string")), MultiValued: a.MultiValued, Required: a.Required,
		Mutability: schema.Mutability(a.Mutability), Returned: schema.Returned(a.Returned),
		CanonicalValues: a.CanonicalValues, ReferenceTypes: a.ReferenceTypes,
	}
	attribute.CaseExact = a.CaseExact || exact(attribute)
	for _, s := range a.SubAttributes {
		sub := &schema.Attribute{
			Name: s.Name, Description: s.Description, Type: schema.Type(cmp.Or(s.Type, "string")), Required: s.Required,
			Mutability: schema.Mutability(s.Mutability), Returned: schema.Returned(s.Returned),
			CanonicalValues: s.CanonicalValues, ReferenceTypes: s.ReferenceTypes,
		}
		sub.CaseExact = s.CaseExact || exact(sub)
		attribute.SubAttributes = append(attribute.SubAttributes, sub)
	}
	return attribute
}

// exact tells whether values are case-exact by their type (RFC 7643 sections 2.3.6 and 2.3.7).
func exact(a *schema.Attribute) bool {
	return a.Type == schema.TypeReference || a.Type == schema.TypeBinary
}

// maxRecalled bounds the attributes of all schemas that an export says were declared. A tenant declares 500 at most, but no
// server forgets those that it declared before.
const maxRecalled = 10_000

// check returns an error about the first schema that no tenant could declare: an export, which anybody may have written, has it.
// It does not look at descriptions and the like, which only the owner is shown.
func (d declarations) check() error {
	attributes := 0
	for _, extension := range slices.Concat(d.Declared, d.Former) {
		attributes += len(extension.Attributes)
		for _, a := range extension.Attributes {
			attributes += len(a.SubAttributes)
		}
		if attributes > maxRecalled {
			return fmt.Errorf("schemas: there are more than %d attributes", maxRecalled)
		}
		id := schema.Fold(extension.ID)
		if !strings.HasPrefix(id, "urn:") || !schema.IsName(extension.ID) || isOwn(id) {
			return errors.New("schemas: an id accepts the URN of an extension that a tenant can declare")
		}
		seen := map[string]bool{}
		for _, a := range extension.Attributes {
			if !isAttributeName(a.Name) || seen[schema.Fold(a.Name)] {
				return fmt.Errorf("schemas: %s: a name accepts letters, digits, '-' and '_' behind a letter, and stands once", extension.ID)
			}
			seen[schema.Fold(a.Name)] = true
			if detail := contradicts(definition(a)); detail != "" {
				return fmt.Errorf("schemas: %s:%s: %s", extension.ID, a.Name, detail)
			}
		}
	}
	return nil
}

// isOwn tells whether a folded URN is one of the server's own schemas, to which nobody adds.
func isOwn(id string) bool {
	return slices.ContainsFunc([]string{schema.CoreUser, schema.CoreGroup, schema.TenantryUser}, func(urn string) bool {
		return id == schema.Fold(urn)
	})
}

func isAttributeName(name string) bool {
	return schema.IsName(name) && !strings.ContainsAny(name, ":.$") && strings.Trim(name[:1], "-_") != ""
}

// contradicts says what is wrong with a declared attribute, "" for nothing.
func contradicts(a *schema.Attribute) string {
	switch a.Type {
	case schema.TypeString, schema.TypeBoolean, schema.TypeDecimal, schema.TypeInteger,
		schema.TypeDateTime, schema.TypeReference, schema.TypeBinary, schema.TypeComplex:
	default:
		return "a type accepts one of RFC 7643 section 2.3"
	}
	switch {
	case !slices.Contains([]schema.Mutability{"", schema.ReadWrite, schema.Immutable}, a.Mutability),
		!slices.Contains([]schema.Returned{"", schema.ReturnedDefault, schema.ReturnedAlways, schema.ReturnedRequest}, a.Returned):
		return "mutability accepts readWrite and immutable, returned default, always and request"
	case (a.Type == schema.TypeComplex) != (len(a.SubAttributes) > 0):
		return "subAttributes are those of an attribute of type complex, which has some"
	}
	for i, sub := range a.SubAttributes {
		switch {
		case sub.Name != "$ref" && !isAttributeName(sub.Name), sub.Type == schema.TypeComplex,
			slices.ContainsFunc(a.SubAttributes[:i], func(o *schema.Attribute) bool { return strings.EqualFold(o.Name, sub.Name) }):
			return "subAttributes have names of their own, and simple values"
		}
		if detail := contradicts(sub); detail != "" {
			return detail
		}
	}
	return ""
}
