package patch

import "github.com/tenantry/tenantry/scimserver/schema"

// The accommodations: what clients send that RFC 7644 does not have, and what is made of it.
const (
	// QuirkOpCase: "Add", "REPLACE". Read as lower case. Entra's default dialect.
	QuirkOpCase = "op-case"
	// QuirkMissingSchemas: no "schemas", or not the one of PATCH requests. Not needed to understand the request.
	QuirkMissingSchemas = "missing-schemas"
	// QuirkNoOperations: an empty array of operations. Nothing is changed.
	QuirkNoOperations = "no-operations"
	// QuirkDottedKey: "name.givenName" as a key of a value without path. Read as a path. Entra's flagged dialect.
	QuirkDottedKey = "dotted-key"
	// QuirkQualifiedKey: "urn:…:User:department" as a key of a value without path. Read as a path. Entra's flagged
	// dialect.
	QuirkQualifiedKey = "qualified-key"
	// QuirkFilteredKey: `emails[type eq "work"].value` as a key of a value without path. Read as a path.
	QuirkFilteredKey = "filtered-key"
	// QuirkNameCase: an attribute's name in another case than the schema's, or nested under another name. Read as the
	// schema spells it; RFC 7643 section 2.1 allows it.
	QuirkNameCase = "name-case"
	// QuirkUnqualifiedExtension: an extension's attribute named without the extension's URN, or with that of the core
	// schema. Found by its name.
	QuirkUnqualifiedExtension = "unqualified-extension"
	// QuirkURNDot: a dot instead of the colon behind a URN. Read as a colon. Entra before 2018.
	QuirkURNDot = "urn-dot"
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
	// QuirkRemoveWithValue: a remove with a value. Of a multi-valued attribute only these values are removed, as Entra
	// means it; otherwise the value is ignored.
	QuirkRemoveWithValue = "remove-with-value"
	// QuirkUnknownAttribute: an attribute that no schema of the tenant has, as a key of a value without path or behind a
	// URN. Ignored, so that a mapping too many does not keep a user from being disabled.
	QuirkUnknownAttribute = "unknown-attribute"
	// QuirkServerAttribute: an attribute that only the server can write (id, schemas, …) among others in a value, or
	// schemas as a path. Ignored.
	QuirkServerAttribute = "server-attribute"
	// QuirkPassword: an attribute such as password that can be written but is not stored. Ignored.
	QuirkPassword = "password"
)

type lenience struct {
	bit   schema.Lenience
	quirk string
}

// leniences names what the schema had to do to read a value.
func leniences() [9]lenience {
	return [...]lenience{
		{schema.LenientBoolean, QuirkBooleanString},
		{schema.LenientNumber, QuirkNumberString},
		{schema.LenientBare, QuirkBareValue},
		{schema.LenientWrapped, QuirkWrappedValue},
		{schema.LenientSingle, QuirkSingleValue},
		{schema.LenientEmpty, QuirkEmptyString},
		{schema.LenientName, QuirkNameCase},
		{schema.LenientUnknown, QuirkUnknownAttribute},
		{schema.LenientReadOnly, QuirkServerAttribute},
	}
}
