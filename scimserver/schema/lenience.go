package schema

// Lenience is a set of accommodations that were made to read a client's values.
type Lenience uint32

// The accommodations.
const (
	// LenientBoolean: a boolean was sent as a string such as "True".
	LenientBoolean Lenience = 1 << iota
	// LenientNumber: a number was sent as a string.
	LenientNumber
	// LenientBare: a simple value was sent for a complex attribute and taken as its "value".
	LenientBare
	// LenientWrapped: a single simple value was sent inside an array, or as an object with "value".
	LenientWrapped
	// LenientSingle: one value was sent for a multi-valued attribute, without an array.
	LenientSingle
	// LenientEmpty: an attribute was unassigned with an empty string.
	LenientEmpty
	// LenientName: a name was spelled in another case, dotted or qualified where the RFC has a nested object.
	LenientName
	// LenientUnknown: an attribute that the schema does not have was dropped.
	LenientUnknown
	// LenientReadOnly: a value that only the server can give was dropped.
	LenientReadOnly
	// LenientPassword: a value that can be written but is not stored was dropped.
	LenientPassword
	// LenientNoSchema: a resource came without the URN of a schema that it has values of among its "schemas".
	LenientNoSchema
	// LenientForeignSchema: the "schemas" of a resource had one that the tenant does not have.
	LenientForeignSchema
	// LenientQuotes: a value of a filter was sent in other than double quotes.
	LenientQuotes
	// LenientReference: a member or the manager was named by a URL as $ref, without the id, or a member by one as its id.
	LenientReference
	// LenientManagerID: the manager's id came as managerId.
	LenientManagerID
	// LenientNumberForText: a number was sent for a string.
	LenientNumberForText
	// LenientOlderURN: a schema was named by the URN of SCIM 1.1 or of a draft.
	LenientOlderURN
)

// The names by which the accommodations are counted and documented.
const (
	// QuirkBooleanString: "True" and "False" for booleans. Stored and returned as booleans. Entra's default dialect.
	QuirkBooleanString = "boolean-string"
	// QuirkNumberString: a number in quotes. Stored and returned as a number.
	QuirkNumberString = "number-string"
	// QuirkBareValue: a string for a complex attribute, such as Entra's manager, or for an element of one. Read as its
	// "value".
	QuirkBareValue = "bare-value"
	// QuirkWrappedValue: [{"$ref": null, "value": "x"}] for a single-valued attribute. Unwrapped.
	QuirkWrappedValue = "wrapped-value"
	// QuirkSingleValue: one value instead of an array for a multi-valued attribute. Read as an array of one.
	QuirkSingleValue = "single-value"
	// QuirkEmptyString: "" as a value. Unassigns the attribute.
	QuirkEmptyString = "empty-string"
	// QuirkNameCase: an attribute's name in another case than the schema's, or nested under another name. Read as the
	// schema spells it; RFC 7643 section 2.1 allows it.
	QuirkNameCase = "name-case"
	// QuirkUnknownAttribute: an attribute that no schema of the tenant has, in a resource, as a key of a value without path
	// or behind a URN. Ignored, so that a mapping too many does not keep a user from being disabled.
	QuirkUnknownAttribute = "unknown-attribute"
	// QuirkServerAttribute: an attribute that only the server can write (id, meta, …) among others in a resource or a
	// value, or schemas as a path. Ignored, as RFC 7644 section 3.3 wants it of resources.
	QuirkServerAttribute = "server-attribute"
	// QuirkPassword: an attribute such as password that can be written but is not stored. Ignored.
	QuirkPassword = "password"
	// QuirkMissingSchemas: no "schemas", or without one that is needed: that of the message, or of a resource's values. Not
	// needed to understand the request.
	QuirkMissingSchemas = "missing-schemas"
	// QuirkForeignSchema: a resource says that it is of a schema that the tenant does not have, such as Microsoft's own of
	// groups. Ignored.
	QuirkForeignSchema = "foreign-schema"
	// QuirkSingleQuotes: a value of a filter in single or typographic quotes, as in emails[type eq 'work']. Read as in
	// double ones, and refused where the quotes do not match.
	QuirkSingleQuotes = "single-quotes"
	// QuirkReference: a member or the manager as {"$ref": "https://…/Users/ID"} without "value", or a member by such a URL as
	// "value". The id is read out of the URL.
	QuirkReference = "reference"
	// QuirkManagerID: "managerId" in the manager. Read as its "value". SCIM 1.1, and so OneLogin's template.
	QuirkManagerID = "manager-id"
	// QuirkNumberForText: a number such as an employeeNumber for a string. Taken as its text, as it is written in JSON.
	QuirkNumberForText = "number-for-text"
	// QuirkOlderURN: "urn:scim:schemas:extension:enterprise:1.0" and the like, of SCIM 1.1, of drafts of SCIM 2.0 and of mixtures, in place of
	// the core or the enterprise schema's URN. Read as that. OneLogin's template.
	QuirkOlderURN = "older-urn"
)

// Quirks are the names of the accommodations in the set, each once, in the order of the constants.
func (l Lenience) Quirks() []string {
	names := [...]string{
		QuirkBooleanString, QuirkNumberString, QuirkBareValue, QuirkWrappedValue, QuirkSingleValue, QuirkEmptyString, QuirkNameCase,
		QuirkUnknownAttribute, QuirkServerAttribute, QuirkPassword, QuirkMissingSchemas, QuirkForeignSchema, QuirkSingleQuotes,
		QuirkReference, QuirkManagerID, QuirkNumberForText, QuirkOlderURN,
	}
	var quirks []string
	for i, name := range names {
		if l&(1<<i) != 0 {
			quirks = append(quirks, name)
		}
	}
	return quirks
}
