package schema

// URNs of the schemas of what discovery answers (RFC 7643 sections 5 to 7).
const (
	CoreServiceProviderConfig = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	CoreResourceType          = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	CoreSchema                = "urn:ietf:params:scim:schemas:core:2.0:Schema"
)

// Discovery returns the definitions of ServiceProviderConfig, ResourceType and Schema themselves (RFC 7643 section
// 8.7.2), with the pagination of RFC 9865 section 4. A client can read all of them and write none.
func Discovery() []*Schema {
	return []*Schema{
		{ID: CoreServiceProviderConfig, Name: "Service Provider Configuration", Description: "What the server can do",
			Attributes: published(serviceProviderConfig())},
		{ID: CoreResourceType, Name: "ResourceType", Description: "A kind of resource that the server offers",
			Attributes: published(resourceType())},
		{ID: CoreSchema, Name: "Schema", Description: "The definition of a schema",
			Attributes: published(schemaDefinition())},
	}
}

// published completes definitions of what only the server writes.
func published(attributes []*Attribute) []*Attribute {
	for _, a := range attributes {
		a.Mutability = ReadOnly
		a.SubAttributes = published(a.SubAttributes)
	}
	return completed(attributes)
}

func serviceProviderConfig() []*Attribute {
	feature := func(name, description string, more ...*Attribute) *Attribute {
		supported := &Attribute{Name: "supported", Type: TypeBoolean, Required: true, Description: "Whether the server does this."}
		return &Attribute{Name: name, Type: TypeComplex, Required: true, Description: description,
			SubAttributes: append([]*Attribute{supported}, more...)}
	}
	number := func(name, description string) *Attribute {
		return &Attribute{Name: name, Type: TypeInteger, Required: true, Description: description}
	}
	pagination := &Attribute{Name: "pagination", Type: TypeComplex, Description: "How lists are cut into pages.",
		SubAttributes: []*Attribute{
			{Name: "cursor", Type: TypeBoolean, Required: true, Description: "Whether pages can be asked for by cursor."},
			{Name: "index", Type: TypeBoolean, Required: true, Description: "Whether pages can be asked for by startIndex."},
			{Name: "defaultPaginationMethod", CanonicalValues: []string{"cursor", "index"},
				Description: "The method where the client chooses none."},
			{Name: "defaultPageSize", Type: TypeInteger, Description: "The size of a page where the client chooses none."},
			{Name: "maxPageSize", Type: TypeInteger, Description: "The greatest size of a page."},
			{Name: "cursorTimeout", Type: TypeInteger, Description: "For how many seconds a cursor is valid at least."},
		}}
	return []*Attribute{
		feature("patch", "Whether and how resources can be changed in part."),
		feature("bulk", "Whether and how several operations can be sent in one request.",
			number("maxOperations", "The greatest number of operations in one request."),
			number("maxPayloadSize", "The greatest size of a request in bytes.")),
		feature("filter", "Whether and how lists can be filtered.",
			number("maxResults", "The greatest number of resources in one answer.")),
		feature("changePassword", "Whether passwords can be changed."),
		feature("sort", "Whether lists can be sorted."),
		feature("etag", "Whether versions can be compared by entity tag."),
		pagination,
		{Name: "authenticationSchemes", Type: TypeComplex, MultiValued: true, Required: true,
			Description: "How a client can prove who it is.", SubAttributes: []*Attribute{
				{Name: "type", Required: true, Description: "The scheme.",
					CanonicalValues: []string{"oauth", "oauth2", "oauthbearertoken", "httpbasic", "httpdigest"}},
				{Name: "name", Required: true, Description: "The common name of the scheme."},
				{Name: "description", Required: true, Description: "What the scheme is."},
				{Name: "specUri", Type: TypeReference, CaseExact: true, ReferenceTypes: []string{"external"},
					Description: "URL of the scheme's specification."},
				{Name: "primary", Type: TypeBoolean, Description: "Whether this is the preferred scheme."},
			}},
	}
}

func resourceType() []*Attribute {
	urn := func(name, description string) *Attribute {
		return &Attribute{Name: name, Type: TypeReference, Required: true, CaseExact: true, ReferenceTypes: []string{"uri"},
			Description: description}
	}
	return []*Attribute{
		{Name: "id", Description: "Identifier of the resource type; the same as its name."},
		{Name: "name", Required: true, CaseExact: true, Uniqueness: UniquenessServer, Description: "The name, as in meta.resourceType."},
		{Name: "description", Description: "What the resource type is."},
		{Name: "endpoint", Type: TypeReference, Required: true, CaseExact: true, Uniqueness: UniquenessServer,
			ReferenceTypes: []string{"uri"}, Description: "The path of its resources below the Tenant URL."},
		urn("schema", "The URN of its core schema."),
		{Name: "schemaExtensions", Type: TypeComplex, MultiValued: true, Required: true, Description: "Its extension schemas.",
			SubAttributes: []*Attribute{
				urn("schema", "The URN of the extension schema."),
				{Name: "required", Type: TypeBoolean, Required: true, Description: "Whether a resource must have values of it."},
			}},
	}
}

func schemaDefinition() []*Attribute {
	attributes := definition("attributes", "The attributes of the schema.")
	attributes.Required = true
	attributes.SubAttributes = append(attributes.SubAttributes, definition("subAttributes", "The parts of a complex attribute."))
	return []*Attribute{
		{Name: "id", Required: true, Description: "The URN of the schema."},
		{Name: "name", Required: true, Description: "The name of the schema for people."},
		{Name: "description", Description: "What the schema is for."},
		attributes,
	}
}

// definition describes an attribute definition (RFC 7643 section 7).
func definition(name, description string) *Attribute {
	text := func(name, description string, canonical ...string) *Attribute {
		return &Attribute{Name: name, CaseExact: true, Description: description, CanonicalValues: canonical}
	}
	flag := func(name, description string) *Attribute {
		return &Attribute{Name: name, Type: TypeBoolean, Description: description}
	}
	return &Attribute{Name: name, Type: TypeComplex, MultiValued: true, Description: description, SubAttributes: []*Attribute{
		{Name: "name", Required: true, CaseExact: true, Description: "The name of the attribute."},
		{Name: "type", Required: true, Description: "The type of its values.", CanonicalValues: []string{
			"string", "complex", "boolean", "decimal", "integer", "dateTime", "reference", "binary"}},
		{Name: "multiValued", Type: TypeBoolean, Required: true, Description: "Whether it can have several values."},
		text("description", "What the attribute means."),
		flag("required", "Whether it must have a value."),
		{Name: "canonicalValues", MultiValued: true, CaseExact: true, Description: "Usual values; others are accepted too."},
		flag("caseExact", "Whether values that differ only in case are different."),
		text("mutability", "Who may change it, and when.", "readOnly", "readWrite", "immutable", "writeOnly"),
		text("returned", "When it is part of an answer.", "always", "never", "default", "request"),
		text("uniqueness", "Among what a value must be unique.", "none", "server", "global"),
		{Name: "referenceTypes", MultiValued: true, CaseExact: true, Description: "What a reference can point to."},
	}}
}
