package schema

// common returns the attributes of every resource (RFC 7643 section 3.1) and its schemas.
func common() []*Attribute {
	return []*Attribute{
		{Name: "id", CaseExact: true, Mutability: ReadOnly, Returned: ReturnedAlways, Uniqueness: UniquenessServer,
			Description: "Identifier of the resource, given by the server."},
		{Name: "externalId", CaseExact: true,
			Description: "Identifier of the resource, given by the client."},
		{Name: "meta", Type: TypeComplex, Mutability: ReadOnly, Description: "Metadata of the resource.",
			SubAttributes: []*Attribute{
				{Name: "resourceType", CaseExact: true, Mutability: ReadOnly},
				{Name: "created", Type: TypeDateTime, Mutability: ReadOnly},
				{Name: "lastModified", Type: TypeDateTime, Mutability: ReadOnly},
				{Name: "location", Type: TypeReference, CaseExact: true, Mutability: ReadOnly, ReferenceTypes: []string{"uri"}},
				{Name: "version", CaseExact: true, Mutability: ReadOnly},
			}},
		{Name: "schemas", Type: TypeReference, MultiValued: true, Mutability: ReadOnly, Returned: ReturnedAlways,
			ReferenceTypes: []string{"uri"}, Description: "URNs of the schemas that the resource has values of."},
	}
}

// coreUser is the whole of RFC 7643 sections 4.1 and 8.7.1, and name.displayName, which Entra's Medius mapping uses.
func coreUser() *Schema {
	return &Schema{ID: CoreUser, Name: "User", Description: "User Account", Attributes: []*Attribute{
		{Name: "userName", Required: true, Uniqueness: UniquenessServer, name: true,
			Description: "Name by which the user signs in; unique in the tenant."},
		{Name: "name", Type: TypeComplex, Description: "Components of the user's name.", SubAttributes: []*Attribute{
			{Name: "formatted", Description: "The full name, formatted for display."},
			{Name: "familyName", Description: "The family name."},
			{Name: "givenName", Description: "The given name."},
			{Name: "middleName", Description: "The middle names."},
			{Name: "honorificPrefix", Description: "Titles in front of the name."},
			{Name: "honorificSuffix", Description: "Titles after the name."},
			{Name: "displayName", Description: "The name to display."},
		}},
		{Name: "displayName", Description: "The name of the user, suitable for display."},
		{Name: "nickName", Description: "The casual name of the user."},
		{Name: "profileUrl", Type: TypeReference, CaseExact: true, ReferenceTypes: []string{"external"},
			Description: "URL of the user's online profile."},
		{Name: "title", Description: "The user's title, such as Vice President."},
		{Name: "userType", Description: "The relation between organisation and user, such as Employee."},
		{Name: "preferredLanguage", Description: "The preferred language, as in the header Accept-Language."},
		{Name: "locale", Description: "The default location, for currency, dates and numbers; a language tag such as sv-SE."},
		{Name: "timezone", Description: "The time zone, in the form of the IANA database such as Europe/Stockholm."},
		{Name: "active", Type: TypeBoolean, Description: "Whether the user may sign in."},
		{Name: "password", Mutability: WriteOnly, Returned: ReturnedNever,
			Description: "Accepted and never stored: users sign in at their identity provider."},
		plural("emails", "E-mail addresses of the user.", Attribute{}, "work", "home", "other"),
		plural("phoneNumbers", "Phone numbers of the user.", Attribute{},
			"work", "home", "mobile", "fax", "pager", "other"),
		plural("ims", "Instant messaging addresses of the user.", Attribute{},
			"aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"),
		plural("photos", "URLs of photos of the user.",
			Attribute{Type: TypeReference, CaseExact: true, ReferenceTypes: []string{"external"}}, "photo", "thumbnail"),
		{Name: "addresses", Type: TypeComplex, MultiValued: true, Description: "Postal addresses of the user.",
			SubAttributes: []*Attribute{
				{Name: "formatted", Description: "The full address, formatted for display."},
				{Name: "streetAddress", Description: "The street, with house number or post box."},
				{Name: "locality", Description: "The city."},
				{Name: "region", Description: "The state or region."},
				{Name: "postalCode", Description: "The postal code."},
				{Name: "country", Description: "The country, as an ISO 3166-1 code of two letters."},
				{Name: "type", CanonicalValues: []string{"work", "home", "other"}, Description: "What the address is for."},
				{Name: "primary", Type: TypeBoolean, Description: "Whether this is the preferred address."},
			}},
		{Name: "groups", Type: TypeComplex, MultiValued: true, Mutability: ReadOnly, rows: true,
			Description: "The groups that the user belongs to; changed by changing the groups.",
			SubAttributes: []*Attribute{
				{Name: "value", CaseExact: true, Mutability: ReadOnly, Description: "The id of the group."},
				{Name: "$ref", Type: TypeReference, CaseExact: true, Mutability: ReadOnly,
					ReferenceTypes: []string{"Group"}, Description: "The URI of the group."},
				{Name: "display", Mutability: ReadOnly, name: true, Description: "The name of the group."},
				{Name: "type", Mutability: ReadOnly, CanonicalValues: []string{"direct", "indirect"},
					Description: "Whether the user is a member itself or through another group."},
			}},
		plural("entitlements", "Things that the user is entitled to.", Attribute{}),
		plural("roles", "Roles of the user.", Attribute{}),
		plural("x509Certificates", "Certificates of the user.", Attribute{Type: TypeBinary, CaseExact: true}),
	}}
}

// plural returns a multi-valued attribute with the sub-attributes of RFC 7643 section 2.4; value tells about the first.
func plural(name, description string, value Attribute, types ...string) *Attribute {
	value.Name = "value"
	value.Description = "The value itself."
	return &Attribute{Name: name, Type: TypeComplex, MultiValued: true, Description: description,
		SubAttributes: []*Attribute{
			&value,
			{Name: "display", Description: "A name for display."},
			{Name: "type", CanonicalValues: types, Description: "What the value is for."},
			{Name: "primary", Type: TypeBoolean, Description: "Whether this is the preferred value; true at most once."},
		}}
}

// enterpriseUser is RFC 7643 section 4.3. Of the manager only the id is stored: Entra sends it again in every cycle to a
// server that answers with more.
func enterpriseUser() *Schema {
	return &Schema{ID: EnterpriseUser, Name: "EnterpriseUser", Description: "Enterprise User", Attributes: []*Attribute{
		{Name: "employeeNumber", Description: "Identifier given by the organisation."},
		{Name: "costCenter", Description: "The name of the cost centre."},
		{Name: "organization", Description: "The name of the organisation."},
		{Name: "division", Description: "The name of the division."},
		{Name: "department", Description: "The name of the department."},
		{Name: "manager", Type: TypeComplex, Description: "The user's manager.", byID: true, SubAttributes: []*Attribute{
			{Name: "value", CaseExact: true, Description: "The id of the manager."},
			{Name: "$ref", Type: TypeReference, CaseExact: true, Mutability: ReadOnly, ReferenceTypes: []string{"User"}, Unlisted: true},
			{Name: "displayName", Mutability: ReadOnly, Unlisted: true},
		}},
	}}
}

func mediusUser() *Schema {
	attributes := []*Attribute{
		{Name: "configurationFilter", Description: "Chooses the defaults that the user receives."},
		{Name: "identityProvider", Description: "The identity provider at which the user signs in."},
		{Name: "nameIdentifier", Description: "The user's name at that identity provider."},
	}
	for _, n := range []string{"1", "2", "3", "4", "5"} {
		attributes = append(attributes, &Attribute{Name: "customFieldText" + n,
			Description: "Free text field " + n + "."})
	}
	return &Schema{ID: MediusUser, Name: "MediusUser", Description: "Medius User", Attributes: attributes}
}

func tenantryUser() *Schema {
	return &Schema{ID: TenantryUser, Name: "TenantryUser", Description: "What the server gave the user", Attributes: []*Attribute{
		{Name: "defaults", CaseExact: true, Mutability: ReadOnly,
			Description: "The name of the defaults that applied to the user."},
		{Name: "companies", MultiValued: true, Mutability: ReadOnly,
			Description: "The companies that the user belongs to."},
		{Name: "defaulted", Type: TypeComplex, MultiValued: true, Mutability: ReadOnly, rare: true,
			Description: "The attributes whose values the defaults gave, as long as the client has not sent them. Absent where that is not known.",
			SubAttributes: []*Attribute{
				{Name: "path", Mutability: ReadOnly, Description: "The attribute, such as roles or name.honorificPrefix."},
				{Name: "defaults", CaseExact: true, Mutability: ReadOnly,
					Description: "The name of the defaults that gave the value. Absent where the client may have sent it."},
			}},
		{Name: "cleared", MultiValued: true, Mutability: ReadOnly, rare: true,
			Description: "The attributes that the client has taken the value away of, so that no defaults give them one."},
		{Name: "patched", MultiValued: true, Mutability: ReadOnly, rare: true,
			Description: "The attributes with several values that the client has changed by PATCH, so that a PUT which does not name them leaves them."},
	}}
}

// coreGroup is RFC 7643 sections 4.2 and 8.7.1. Of a member only the id is stored; the rest follows from it.
func coreGroup() *Schema {
	return &Schema{ID: CoreGroup, Name: "Group", Description: "Group", Attributes: []*Attribute{
		{Name: "displayName", Required: true, name: true,
			Description: "The name of the group; unique in the tenant among groups that do not each have an externalId of their own."},
		{Name: "members", Type: TypeComplex, MultiValued: true, Description: "The members of the group.", rows: true, byID: true,
			SubAttributes: []*Attribute{
				{Name: "value", CaseExact: true, Mutability: Immutable, Description: "The id of the member."},
				{Name: "$ref", Type: TypeReference, CaseExact: true, Mutability: Immutable,
					ReferenceTypes: []string{"User", "Group"}, Description: "The URI of the member."},
				{Name: "type", Mutability: Immutable, CanonicalValues: []string{"User", "Group"},
					Description: "What the member is."},
				{Name: "display", Mutability: ReadOnly, Unlisted: true},
			}},
	}}
}
