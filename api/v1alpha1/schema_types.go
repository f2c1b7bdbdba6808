package v1alpha1

// Schema says what a tenant's users and groups have beside what every tenant's have.
type Schema struct {
	// extensions are the extension schemas that the tenant declares (RFC 7643 sections 3.3 and 7). The server follows a
	// change without a restart. Values of what is no longer declared stay stored, out of sight, and come back when it is
	// declared again. A declaration that contradicts stored values is refused: the server goes on with the one before it,
	// status.directory.refusedSchemas says why, and the condition Accepted is False.
	//
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, a.id.lowerAscii() == b.id.lowerAscii()))",message="must have each id once: URNs are compared without regard to case"
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.all(b, !b.id.lowerAscii().startsWith(a.id.lowerAscii() + ':')))",message="must not have an id that continues another after a colon: an attribute is named by id, colon and name"
	Extensions []SchemaExtension `json:"extensions,omitempty"`
}

// SchemaExtension is the declaration of one extension schema.
//
// +kubebuilder:validation:XValidation:rule="self.resourceType == 'User' || !self.id.matches('^urn:ietf:params:scim:schemas:extension:(enterprise|medius):')",message="resourceType must be User: the enterprise and medius schemas are of users"
// +kubebuilder:validation:XValidation:rule="self.id != 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User' || self.attributes.all(a, !(a.name.lowerAscii() in ['employeenumber', 'costcenter', 'organization', 'division', 'department', 'manager']))",message="attributes must be new ones: the enterprise schema has employeeNumber, costCenter, organization, division, department and manager already"
// +kubebuilder:validation:XValidation:rule="self.id != 'urn:ietf:params:scim:schemas:extension:medius:2.0:User' || self.attributes.all(a, !a.name.matches('(?i)^(configurationFilter|identityProvider|nameIdentifier|customFieldText[1-5])$'))",message="attributes must be new ones: the medius schema has configurationFilter, identityProvider, nameIdentifier and customFieldText1 to customFieldText5 already"
type SchemaExtension struct {
	// id is the URN of the schema, under which its values stand in a resource. The URN of the enterprise or the medius
	// schema adds attributes to that one.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=160
	// +kubebuilder:validation:XValidation:rule="self.matches('^urn:[a-z0-9][a-z0-9-]{1,30}(:[A-Za-z0-9._-]+)+$')",message="must be a URN such as urn:contoso:scim:schemas:hr:1.0:User, of letters, digits, '.', '_' and '-' between colons"
	// +kubebuilder:validation:XValidation:rule="!self.matches('(?i)^urn:ietf:params:scim:(api|schemas:core|schemas:extension:tenantry):')",message="must be a URN of your own: core schemas, messages and the schema of Tenantry cannot be declared"
	// +kubebuilder:validation:XValidation:rule="!self.matches('(?i)^urn:ietf:params:scim:schemas:extension:(enterprise|medius):2[.]0:user(:|$)') || self.matches('^urn:ietf:params:scim:schemas:extension:(enterprise|medius):2[.]0:User$')",message="must be urn:ietf:params:scim:schemas:extension:enterprise:2.0:User or urn:ietf:params:scim:schemas:extension:medius:2.0:User, exactly so, to add to one of these"
	ID string `json:"id,omitempty"`

	// name of the schema for people. Default: the id.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name,omitempty"`

	// description says what the schema is for.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// resourceType that the schema extends. More values may come.
	//
	// +optional
	// +kubebuilder:default=User
	ResourceType ExtendedResourceType `json:"resourceType,omitempty"`

	// attributes of the schema. Filters on them are answered from an index, but for binary ones.
	//
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, a.name.lowerAscii() == b.name.lowerAscii()))",message="must have each name once: names are compared without regard to case"
	Attributes []SchemaAttribute `json:"attributes,omitempty"`
}

// ExtendedResourceType is a resource type that can be extended.
//
// +kubebuilder:validation:Enum=User;Group
type ExtendedResourceType string

const (
	// ExtendedUser extends users.
	ExtendedUser ExtendedResourceType = "User"
	// ExtendedGroup extends groups.
	ExtendedGroup ExtendedResourceType = "Group"
)

// SchemaAttribute is the definition of one attribute (RFC 7643 section 7).
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'complex') == (has(self.subAttributes) && size(self.subAttributes) > 0)",message="subAttributes must be given when type is complex, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'reference') == (has(self.referenceTypes) && size(self.referenceTypes) > 0)",message="referenceTypes must be given when type is reference, and only then"
// +kubebuilder:validation:XValidation:rule="self.type == 'string' || !has(self.canonicalValues)",message="canonicalValues may be given only when type is string"
// +kubebuilder:validation:XValidation:rule="self.type in ['string', 'reference', 'binary'] || !has(self.caseExact) || !self.caseExact",message="caseExact may be true only when type is string; references and binary values are case-exact always"
type SchemaAttribute struct {
	// name of the attribute, such as badgeNumber.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9_-]*$')",message="must begin with a letter and have only letters, digits, '-' and '_'"
	Name string `json:"name,omitempty"`

	// type of the values. A decimal, integer or boolean is a JSON number or boolean; a dateTime is a string such as
	// 2026-01-31T12:00:00Z; a reference is a URI or an id; binary is base64 text; complex has subAttributes.
	//
	// +optional
	// +kubebuilder:default=string
	// +kubebuilder:validation:Enum=string;boolean;decimal;integer;dateTime;reference;binary;complex
	Type AttributeType `json:"type,omitempty"`

	// multiValued says that the attribute can have several values, at most 1,000. Default: one value.
	//
	// +optional
	MultiValued bool `json:"multiValued,omitempty"`

	// description says what the attribute means.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// required says that a resource with any value of this schema must have one of this attribute. Default: it need not.
	//
	// +optional
	Required bool `json:"required,omitempty"`

	// caseExact says that values which differ only in case are different. Default: they are the same in a filter.
	//
	// +optional
	CaseExact bool `json:"caseExact,omitempty"`

	// canonicalValues are usual values, for people who map attributes. Others are accepted too.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	CanonicalValues []string `json:"canonicalValues,omitempty"`

	// mutability is readWrite, or immutable for what can be given once and never changed. More values may come.
	//
	// +optional
	// +kubebuilder:default=readWrite
	Mutability AttributeMutability `json:"mutability,omitempty"`

	// returned is default; always, also where a client asks for other attributes; or request, only where a client asks
	// for this one.
	// More values may come.
	//
	// +optional
	// +kubebuilder:default=default
	Returned AttributeReturned `json:"returned,omitempty"`

	// uniqueness is none: only userName is unique. More values may come.
	//
	// +optional
	// +kubebuilder:default=none
	Uniqueness AttributeUniqueness `json:"uniqueness,omitempty"`

	// referenceTypes say what a reference points to: User, Group, external or uri.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	ReferenceTypes []string `json:"referenceTypes,omitempty"`

	// subAttributes are the parts of a complex attribute.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, a.name.lowerAscii() == b.name.lowerAscii()))",message="must have each name once: names are compared without regard to case"
	SubAttributes []SchemaSubAttribute `json:"subAttributes,omitempty"`
}

// SchemaSubAttribute is the definition of one part of a complex attribute. It has one value.
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'reference') == (has(self.referenceTypes) && size(self.referenceTypes) > 0)",message="referenceTypes must be given when type is reference, and only then"
// +kubebuilder:validation:XValidation:rule="self.type == 'string' || !has(self.canonicalValues)",message="canonicalValues may be given only when type is string"
// +kubebuilder:validation:XValidation:rule="self.type in ['string', 'reference', 'binary'] || !has(self.caseExact) || !self.caseExact",message="caseExact may be true only when type is string; references and binary values are case-exact always"
// +kubebuilder:validation:XValidation:rule="self.type == 'boolean' || self.name != 'primary'",message="type must be boolean for primary, which marks the preferred value (RFC 7643 section 2.4)"
type SchemaSubAttribute struct {
	// name of the part, such as value or $ref.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^([$]ref|[A-Za-z][A-Za-z0-9_-]*)$')",message="must be $ref, or begin with a letter and have only letters, digits, '-' and '_'"
	Name string `json:"name,omitempty"`

	// type of the value, as of an attribute, but not complex.
	//
	// +optional
	// +kubebuilder:default=string
	// +kubebuilder:validation:Enum=string;boolean;decimal;integer;dateTime;reference;binary
	Type AttributeType `json:"type,omitempty"`

	// description says what the part means.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// required says that each value of the attribute must have this part. Default: it need not.
	//
	// +optional
	Required bool `json:"required,omitempty"`

	// caseExact says that values which differ only in case are different. Default: they are the same in a filter.
	//
	// +optional
	CaseExact bool `json:"caseExact,omitempty"`

	// canonicalValues are usual values, such as work and home for type. Others are accepted too.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	CanonicalValues []string `json:"canonicalValues,omitempty"`

	// mutability is readWrite, or immutable for what can be given once and never changed. More values may come.
	//
	// +optional
	// +kubebuilder:default=readWrite
	Mutability AttributeMutability `json:"mutability,omitempty"`

	// returned is as of an attribute. More values may come.
	//
	// +optional
	// +kubebuilder:default=default
	Returned AttributeReturned `json:"returned,omitempty"`

	// referenceTypes say what a reference points to: User, Group, external or uri.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	ReferenceTypes []string `json:"referenceTypes,omitempty"`
}

// AttributeType is a data type of RFC 7643 section 2.3.
type AttributeType string

// AttributeMutability says whether a value can be changed.
//
// +kubebuilder:validation:Enum=readWrite;immutable
type AttributeMutability string

// AttributeReturned says when a value is part of an answer.
//
// +kubebuilder:validation:Enum=default;always;request
type AttributeReturned string

// AttributeUniqueness says among what a value must be unique.
//
// +kubebuilder:validation:Enum=none
type AttributeUniqueness string

// RefusedSchema is a declaration that the tenant's server does not follow.
type RefusedSchema struct {
	// id is the URN of the schema.
	//
	// +required
	// +kubebuilder:validation:MaxLength=160
	ID string `json:"id"`

	// message says which attribute contradicts stored values, and what to do.
	//
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message"`
}
