package manifests

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// This file says again what the markers of the declared schemas say, as schema.go does of the rest.

const (
	enterpriseUser = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	mediusUser     = "urn:ietf:params:scim:schemas:extension:medius:2.0:User"
)

func setExtensionDefaults(extensions []v1alpha1.SchemaExtension) {
	for i := range extensions {
		e := &extensions[i]
		e.ResourceType = cmp.Or(e.ResourceType, v1alpha1.ExtendedUser)
		for j := range e.Attributes {
			a := &e.Attributes[j]
			a.Type = cmp.Or(a.Type, "string")
			a.Mutability = cmp.Or(a.Mutability, "readWrite")
			a.Returned = cmp.Or(a.Returned, "default")
			a.Uniqueness = cmp.Or(a.Uniqueness, "none")
			for k := range a.SubAttributes {
				s := &a.SubAttributes[k]
				s.Type = cmp.Or(s.Type, "string")
				s.Mutability = cmp.Or(s.Mutability, "readWrite")
				s.Returned = cmp.Or(s.Returned, "default")
			}
		}
	}
}

func validateExtensions(path *field.Path, extensions []v1alpha1.SchemaExtension) field.ErrorList {
	list := tooMany(path, len(extensions), 10)
	for i, e := range extensions {
		at := path.Index(i)
		id := at.Child("id")
		list = append(list, required(id, e.ID, 160)...)
		list = append(list, match(id, e.ID, `^urn:[a-z0-9][a-z0-9-]{1,30}(:[A-Za-z0-9._-]+)+$`,
			"must be a URN such as urn:contoso:scim:schemas:hr:1.0:User, of letters, digits, '.', '_' and '-' between colons")...)
		if matches(e.ID, `(?i)^urn:ietf:params:scim:(api|schemas:core|schemas:extension:tenantry):`) {
			list = append(list, field.Invalid(id, e.ID, "must be a URN of your own: core schemas, messages and the schema of Tenantry cannot be declared"))
		}
		if matches(e.ID, `(?i)^urn:ietf:params:scim:schemas:extension:(enterprise|medius):2[.]0:user(:|$)`) && e.ID != enterpriseUser && e.ID != mediusUser {
			list = append(list, field.Invalid(id, e.ID, "must be "+enterpriseUser+" or "+mediusUser+", exactly so, to add to one of these"))
		}
		for j, other := range extensions {
			switch {
			case j < i && strings.EqualFold(e.ID, other.ID):
				list = append(list, field.Duplicate(id, e.ID))
			case j != i && strings.HasPrefix(strings.ToLower(e.ID), strings.ToLower(other.ID)+":"):
				list = append(list, field.Invalid(id, e.ID, "must not continue the id of another after a colon: an attribute is named by id, colon and name"))
			}
		}
		list = append(list, atMost(at.Child("name"), e.Name, 128)...)
		list = append(list, atMost(at.Child("description"), e.Description, 1024)...)
		list = append(list, oneOf(at.Child("resourceType"), e.ResourceType, v1alpha1.ExtendedUser, v1alpha1.ExtendedGroup)...)
		if e.ResourceType != v1alpha1.ExtendedUser && matches(e.ID, `^urn:ietf:params:scim:schemas:extension:(enterprise|medius):`) {
			list = append(list, field.Invalid(at.Child("resourceType"), e.ResourceType, "must be User: the enterprise and medius schemas are of users"))
		}
		list = append(list, validateSchemaAttributes(at.Child("attributes"), e)...)
	}
	return list
}

// taken are the attributes that the schema of this URN has anyway.
func taken(id string) string {
	switch id {
	case enterpriseUser:
		return `(?i)^(employeeNumber|costCenter|organization|division|department|manager)$`
	case mediusUser:
		return `(?i)^(configurationFilter|identityProvider|nameIdentifier|customFieldText[1-5])$`
	}
	return `^$`
}

func validateSchemaAttributes(path *field.Path, e v1alpha1.SchemaExtension) field.ErrorList {
	list := tooMany(path, len(e.Attributes), 50)
	if len(e.Attributes) == 0 {
		list = append(list, field.Required(path, "at least one attribute"))
	}
	for i, a := range e.Attributes {
		at := path.Index(i)
		list = append(list, validateSubAttribute(at, v1alpha1.SchemaSubAttribute{
			Name: a.Name, Type: a.Type, Description: a.Description, CaseExact: a.CaseExact, CanonicalValues: a.CanonicalValues,
			Mutability: a.Mutability, Returned: a.Returned, ReferenceTypes: a.ReferenceTypes,
		}, `^[A-Za-z][A-Za-z0-9_-]*$`, "complex")...)
		list = append(list, oneOf(at.Child("uniqueness"), a.Uniqueness, "none")...)
		if matches(a.Name, taken(e.ID)) {
			list = append(list, field.Invalid(at.Child("name"), a.Name, "must be a new one: the schema has this attribute already"))
		}
		if slices.ContainsFunc(e.Attributes[:i], func(o v1alpha1.SchemaAttribute) bool { return strings.EqualFold(o.Name, a.Name) }) {
			list = append(list, field.Duplicate(at.Child("name"), a.Name))
		}
		subs := at.Child("subAttributes")
		list = append(list, tooMany(subs, len(a.SubAttributes), 10)...)
		if (a.Type == "complex") != (len(a.SubAttributes) > 0) {
			list = append(list, field.Invalid(subs, len(a.SubAttributes), "must be given when type is complex, and only then"))
		}
		for j, s := range a.SubAttributes {
			list = append(list, validateSubAttribute(subs.Index(j), s, `^([$]ref|[A-Za-z][A-Za-z0-9_-]*)$`)...)
			if s.Name == "primary" && s.Type != "boolean" {
				list = append(list, field.Invalid(subs.Index(j).Child("type"), s.Type,
					"must be boolean for primary, which marks the preferred value (RFC 7643 section 2.4)"))
			}
			if slices.ContainsFunc(a.SubAttributes[:j], func(o v1alpha1.SchemaSubAttribute) bool { return strings.EqualFold(o.Name, s.Name) }) {
				list = append(list, field.Duplicate(subs.Index(j).Child("name"), s.Name))
			}
		}
	}
	return list
}

// validateSubAttribute checks what attributes and their parts have in common.
func validateSubAttribute(at *field.Path, a v1alpha1.SchemaSubAttribute, name string, more ...v1alpha1.AttributeType) field.ErrorList {
	list := required(at.Child("name"), a.Name, 64)
	list = append(list, match(at.Child("name"), a.Name, name, "must begin with a letter and have only letters, digits, '-' and '_'")...)
	list = append(list, oneOf(at.Child("type"), a.Type,
		append([]v1alpha1.AttributeType{"string", "boolean", "decimal", "integer", "dateTime", "reference", "binary"}, more...)...)...)
	list = append(list, atMost(at.Child("description"), a.Description, 1024)...)
	list = append(list, oneOf(at.Child("mutability"), a.Mutability, "readWrite", "immutable")...)
	list = append(list, oneOf(at.Child("returned"), a.Returned, "default", "always", "request")...)
	list = append(list, set(at.Child("canonicalValues"), a.CanonicalValues, 50)...)
	list = append(list, set(at.Child("referenceTypes"), a.ReferenceTypes, 10)...)
	for i, reference := range a.ReferenceTypes {
		list = append(list, atMost(at.Child("referenceTypes").Index(i), reference, 64)...)
	}
	if (a.Type == "reference") != (len(a.ReferenceTypes) > 0) {
		list = append(list, field.Invalid(at.Child("referenceTypes"), a.ReferenceTypes, "must be given when type is reference, and only then"))
	}
	if a.Type != "string" && a.CanonicalValues != nil {
		list = append(list, field.Invalid(at.Child("canonicalValues"), a.CanonicalValues, "may be given only when type is string"))
	}
	if a.CaseExact && !slices.Contains([]v1alpha1.AttributeType{"string", "reference", "binary"}, a.Type) {
		list = append(list, field.Invalid(at.Child("caseExact"), a.CaseExact,
			"may be true only when type is string; references and binary values are case-exact always"))
	}
	return list
}

func matches(value, pattern string) bool { return regexp.MustCompile(pattern).MatchString(value) }

func tooMany(path *field.Path, n, most int) field.ErrorList {
	if n > most {
		return field.ErrorList{field.TooMany(path, n, most)}
	}
	return nil
}
