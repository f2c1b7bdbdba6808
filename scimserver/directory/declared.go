package directory

import (
	"cmp"

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
